package command

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The first bytes of a file say what it is.
func TestFormOf(t *testing.T) {
	for _, c := range []struct {
		name, begins string
		want         form
	}{
		{"a log", "Nov 29 05:00:00 host app[1]: handshake failed\n", formText},
		{"with colours", "\x1b[31mERROR\x1b[0m bad certificate\n", formText},
		{"in another language", "Zertifikat abgelaufen für größere Server\n", formText},
		{"of three bytes", "eof", formText},
		{"of PowerShell", "\xff\xfet\x00l\x00s\x00:\x00 \x00b\x00a\x00d\x00", formText},
		{"with the mark of UTF-8", "\xef\xbb\xbftls: bad certificate\n", formText},
		{"that a PEM is printed in", "CONNECTED(00000003)\n-----BEGIN CERTIFICATE-----\nMII\n", formText},
		{"cut within a character", strings.Repeat("x", 4095) + "ü", formText},
		{"a PEM", "\n-----BEGIN CERTIFICATE-----\nMII\n", formKeys},
		{"a PEM in UTF-16", "\xff\xfe" + strings.Join(strings.Split("-----BEGIN CERTIFICATE", ""), "\x00") + "\x00", formKeys},
		{"of openssl pkcs12", "Bag Attributes\n    localKeyID: 01\n-----BEGIN", formKeys},
		{"of openssl x509 -text", "Certificate:\n    Data:\n", formKeys},
		{"DER", "\x30\x82\x01\x00\x02", formKeys},
		{"a short key in DER", "\x30\x81\x87\x02", formKeys},
		{"PKCS#12 in BER", "\x30\x80\x02\x01", formKeys},
		{"a key store in JCEKS", "\xce\xce\xce\xce\x00\x00\x00\x02", formKeys},
		{"a Secret in JSON", `{"apiVersion": "v1",` + "\n" + ` "kind": "Secret"}`, formKeys},
		{"a Secret in one line", `{"apiVersion":"v1","kind":"Secret","data":{}}`, formKeys},
		{"a log that names a Secret", "2026/11/29 app: kind: Secret was not found\n", formText},
		{"a key store", "\xfe\xed\xfe\xed\x00\x00\x00\x02", formKeys},
		{"a Secret", "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/tls\n", formKeys},
		{"a key log", "# of curl\nCLIENT_RANDOM " + strings.Repeat("ab", 32) + " " + strings.Repeat("cd", 48) + "\r\n", formKeyLog},
		{"a log that quotes bytes", "2026/11/29 05:00:00 [error] 7#7: *1 broken header: \"\x16\x03\x01\x02\xd7\" while reading PROXY protocol\n", formText},
		{"a log that quotes bytes later", "2026/11/29 05:00:00 [notice] 7#7: start\n2026/11/29 05:00:01 [error] 7#7: *1 broken header: \"\x16\x03\x01\x02\xd7\"\n", formText},
		{"a pcapng", "\n\r\r\n\x1c\x00\x00\x00", formCapture},
		{"a pcap", "\xd4\xc3\xb2\xa1\x02\x00", formCapture},
		{"a pcap of a big-endian machine", "\xa1\xb2\xc3\xd4\x00\x02", formCapture},
		{"packed", "\x1f\x8b\x08\x00", formCapture},
		{"nothing", "", formCapture},
		{"something else", "\x7fELF\x02\x01", formCapture},
		{"text and then not", "ABCDEF\x00\x01", formCapture},
	} {
		if got := formOf("app.log", bufio.NewReader(strings.NewReader(c.begins))); got != c.want {
			t.Errorf("%s: %v, not %v", c.name, got, c.want)
		}
	}
	if got := formOf("certs.yaml", bufio.NewReader(strings.NewReader("revoked: true\n"))); got != formSettings {
		t.Errorf("certs.yaml: %v", got)
	}
}

// A capture without a packet was not recorded right, which is another error than
// one without TLS.
func TestExplainEmptyCapture(t *testing.T) {
	dir := t.TempDir()
	empty, other := filepath.Join(dir, "empty.pcap"), filepath.Join(dir, "other.pcap")
	head := "\xd4\xc3\xb2\xa1\x02\x00\x04\x00" + strings.Repeat("\x00", 8) + "\x00\x00\x04\x00\x01\x00\x00\x00"
	arp := "\x01\x00\x00\x00\x00\x00\x00\x00\x2a\x00\x00\x00\x2a\x00\x00\x00" + strings.Repeat("\xff", 12) + "\x08\x06" + strings.Repeat("\x00", 28)
	for file, content := range map[string]string{empty: head, other: head + arp} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		args       []string
		want, hint string
	}{
		{[]string{empty}, "there are no packets in " + empty, "tcpdump: -i any"},
		{[]string{other}, "there is no TCP connection in " + other + ": 1 ARP packet", "it does not read what is named here"},
		{[]string{empty, other}, "there are no packets in " + empty, "tcpdump: -i any"},
		{[]string{other, empty}, "there are no packets in " + empty, "tcpdump: -i any"},
		{[]string{other, other}, "there is no TCP connection in either file", ""},
	} {
		var out bytes.Buffer
		p := Program{Stdout: &out, Stderr: &out, Columns: 200}
		status := p.Run(t.Context(), append([]string{"lab", "explain", "--dir", dir}, test.args...))
		if status != 1 || !strings.Contains(out.String(), test.want) || !strings.Contains(out.String(), test.hint) {
			t.Errorf("%v: status %d: %s", test.args, status, &out)
		}
	}
}
