package command_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/command"
)

// reading is what lab explain must say of one capture, as the .txt file beside
// it has it.
type reading struct {
	flags   string
	streams []stream
	says    []string // in the drawing, in the JSON or on stderr
	never   []string // in none of them
}

// stream is what must be read of one TCP stream.
type stream struct {
	number        int
	outcome       string // with how, if the capture decides it; else ""
	version, name string
	messages      string // handshake messages and lines of HTTP, of those that can be read
	check         string // one of the results of checks, if it matters: "signature holds"
}

const (
	fullTLS12 = "ClientHello ServerHello Certificate ServerKeyExchange ServerHelloDone ClientKeyExchange"
	nullTLS12 = "ClientHello ServerHello Certificate ServerHelloDone ClientKeyExchange Finished Finished GET / HTTP/1.1 HTTP/1.0 200 ok"
	inTheOpen = "nothing is encrypted"
	noTLS     = "does not speak TLS"
)

// readings are what is right of the captures in $LAB_TESTDATA/captures.
var readings = map[string]reading{
	"data-after-reset": {streams: []stream{{0, "", "TLS 1.2", "s.pinimg.com",
		"ClientHello ServerHello Certificate CertificateStatus ServerKeyExchange ServerHelloDone", ""}},
		says: []string{"it sent FIN 30ms after its ClientHello, before the server's answer", "5,322 more bytes of the server came after"}, never: []string{"ends within a record", "refuses the server's"}},
	"dtls-only":  {says: []string{"DTLS packets between 192.168.17.58:60934 and 165.227.57.17:4400", "TLS over TCP"}},
	"quic-only":  {says: []string{"QUIC packets between [::1]:60459 and [::1]:4443", "TLS over TCP"}},
	"hrr-no-syn": {streams: []stream{{0, "", "TLS 1.3", "mem.gfx.ms", "ClientHello HelloRetryRequest ClientHello ServerHello", ""}}, never: []string{"a packet is missing"}},

	"null-cipher":         {streams: []stream{{0, "accepted", "TLS 1.2", "", nullTLS12, ""}}, says: []string{inTheOpen}, never: []string{"no keys", "key not known"}},
	"link-nflog":          {streams: []stream{{0, "accepted", "TLS 1.2", "", nullTLS12, ""}}, says: []string{inTheOpen}},
	"link-radiotap":       {streams: []stream{{0, "accepted", "TLS 1.2", "", nullTLS12, ""}}, says: []string{inTheOpen}},
	"tunnel-gre":          {streams: []stream{{0, "accepted", "TLS 1.2", "", nullTLS12, ""}}, says: []string{inTheOpen}},
	"tunnel-mpls":         {streams: []stream{{0, "accepted", "TLS 1.2", "", nullTLS12, ""}}, says: []string{inTheOpen}},
	"tunnel-geneve":       {streams: []stream{{0, "", "TLS 1.2", "www.kernel.org", fullTLS12, "signature holds"}}},
	"tunnel-vxlan":        {streams: []stream{{0, "", "TLS 1.3", "facebook.com", "ClientHello ServerHello", ""}}},
	"tunnel-capwap-80211": {streams: []stream{{0, "", "", "alt2-mtalk.google.com", "ClientHello", ""}}},

	"midstream-plain-http": {streams: []stream{{0, "", "", "", "", ""}}, says: []string{noTLS, "GET /user-agent HTTP/1.1", `"how":"not TLS"`}, never: []string{"bytes of the client are missing"}},
	"proxy-http-connect":   {streams: []stream{{0, "", "TLS 1.2", "", fullTLS12 + " NewSessionTicket", "signature holds"}}, never: []string{noTLS}},
	"proxy-socks5":         {streams: []stream{{0, "", "TLS 1.0", "www.google.com", fullTLS12 + " NewSessionTicket", "signature holds"}}, never: []string{noTLS}},
	"proxy-protocol-v1":    {streams: []stream{{0, "unknown cut off", "", "aaaaaaaaaaaaaaaa.xx", "ClientHello", ""}}, never: []string{noTLS, "bytes of the client are missing"}},
	"starttls-imap":        {streams: []stream{{0, "", "TLS 1.2", "", fullTLS12 + " NewSessionTicket", "signature holds"}}, says: []string{"STARTTLS"}, never: []string{noTLS}},
	"starttls-ldap":        {streams: []stream{{0, "", "TLS 1.2", "", "ClientHello ServerHello Certificate ServerHelloDone ClientKeyExchange", ""}}, says: []string{"LDAP"}, never: []string{noTLS}},
	"starttls-pop3":        {streams: []stream{{0, "", "TLS 1.2", "", fullTLS12 + " NewSessionTicket", "signature holds"}}, says: []string{"STLS"}, never: []string{noTLS}},
	"starttls-postgres":    {streams: []stream{{0, "", "TLS 1.2", "", fullTLS12 + " NewSessionTicket", "signature holds"}}, says: []string{"SSLRequest"}, never: []string{noTLS}},
	"starttls-smtp":        {streams: []stream{{0, "", "TLS 1.2", "", fullTLS12, "signature holds"}}, says: []string{"STARTTLS"}, never: []string{noTLS}},
	"sslv2-hello-then-tls": {streams: []stream{{0, "", "TLS 1.0", "", fullTLS12, "signature holds"}}, never: []string{noTLS, "a packet is missing"}},

	"rsa-key-combined-pem": {flags: "--rsa-key rsa-key-combined-pem.pem",
		streams: []stream{{0, "accepted", "TLS 1.0", "", nullTLS12, "verify_data holds"}}, says: []string{"the RSA key opened 1 connection"}},
	"rsa-key-forward-secrecy": {flags: "--rsa-key rsa-key-combined-pem.pem",
		streams: []stream{{0, "", "TLS 1.2", "", fullTLS12 + " NewSessionTicket", "signature holds"}}, says: []string{"the RSA key does not help", "forward secrecy"}, never: []string{"no keys: "}},
	"signature-rsa512": {streams: []stream{{0, "", "TLS 1.0", "",
		"ClientHello ServerHello Certificate CertificateRequest ServerHelloDone Certificate ClientKeyExchange CertificateVerify Finished NewSessionTicket Finished", "signature holds"}},
		says: []string{"512 bits"}, never: []string{"signature fails"}},
	"ssl3-mutual-signature": {streams: []stream{{0, "", "SSL 3.0", "",
		"ClientHello ServerHello Certificate CertificateRequest ServerHelloDone Certificate ClientKeyExchange CertificateVerify", "signature unknown"}},
		says: []string{"the master secret"}, never: []string{"signature fails"}},
	"ssl3-rsa-keylog": {flags: "--keylog ssl3-rsa-keylog.keys", streams: []stream{{0, "", "SSL 3.0", "", "ClientHello ServerHello Certificate ServerHelloDone ClientKeyExchange", ""}},
		says: []string{"SSL 3.0 cannot be decrypted here"}, never: []string{"changed on the way"}},
	"tls12-deflate": {flags: "--keylog tls12-deflate.keys", streams: []stream{{0, "accepted", "TLS 1.2", "",
		fullTLS12 + " Finished NewSessionTicket Finished GET / HTTP/1.0 HTTP/1.0 200 ok", "verify_data holds"}}, never: []string{"cannot be separated"}},

	"stream-number-syn-again": {streams: []stream{
		{0, "", "TLS 1.2", "mamzon.ru", fullTLS12, "signature holds"},
		{1, "", "TLS 1.2", "mamzon.ru", "ClientHello ServerHello Certificate", ""}}},
	"synack-isn-changes": {streams: []stream{{0, "", "TLS 1.2", "bolt-prod-s3-eu-west-1.s3.eu-west-1.amazonaws.com", "ClientHello ServerHello Certificate", ""}}},
	"words-ccs-means-nothing": {streams: []stream{{0, "accepted very probably", "", "www.taobao.com", "ClientHello ServerKeyExchange ServerHelloDone ClientKeyExchange NewSessionTicket", ""}},
		says: []string{"If this is TLS 1.2 or before"}, never: []string{"Means nothing"}},
	"words-certificate-unseen": {streams: []stream{{0, "", "TLS 1.2", "www.scdn.co",
		"ClientHello ServerHello CertificateStatus ServerKeyExchange ServerHelloDone ClientKeyExchange", "signature unknown"}},
		says: []string{"a certificate that was not seen"}, never: []string{"private key of ("}},
}

// expectedFailures are the captures that are read wrongly today, and why. An
// entry goes when its capture is read rightly.
var expectedFailures = map[string]string{}

// TestCapturesOfOthers reads captures that were read wrongly at some time.
func TestCapturesOfOthers(t *testing.T) {
	data := os.Getenv("LAB_TESTDATA")
	if data == "" {
		t.Skip("LAB_TESTDATA names no folder of captures")
	}
	t.Setenv("SSLKEYLOGFILE", "")
	t.Chdir(filepath.Join(data, "captures"))
	files, err := filepath.Glob("*.pcap")
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	for _, file := range files {
		name := strings.TrimSuffix(file, ".pcap")
		t.Run(name, func(t *testing.T) {
			want, known := readings[name]
			if !known {
				t.Fatal("there is no word in this test of what is right")
			}
			wrong := want.check(file)
			switch why := expectedFailures[name]; {
			case wrong == nil && why != "":
				t.Errorf("is read rightly now: take it off expectedFailures (%s)", why)
			case wrong != nil && why == "":
				t.Error(wrong)
			case wrong != nil:
				t.Logf("expected: %s\n%v", why, wrong)
			}
		})
	}
}

// check returns what is wrong with the reading of a capture, or nil.
func (want reading) check(file string) error {
	args := strings.Fields("lab explain " + want.flags)
	explain := func(more ...string) (stdout, stderr string) {
		var out, problems bytes.Buffer
		program := command.Program{Stdout: &out, Stderr: &problems}
		program.Run(context.Background(), append(args, more...))
		return out.String(), problems.String()
	}
	found, _ := explain("--json", file)
	drawn, problems := explain("--verbose", file)
	drawn = strings.ReplaceAll(drawn, "│", "") // in which sentences are broken into lines
	text := strings.Join(strings.Fields(drawn+problems+found), " ")

	wrong := streamsDiffer(want.streams, found)
	for _, s := range want.says {
		if !strings.Contains(text, s) {
			wrong = errors.Join(wrong, fmt.Errorf("it does not say %q", s))
		}
	}
	for _, s := range want.never {
		if strings.Contains(text, s) {
			wrong = errors.Join(wrong, fmt.Errorf("it says %q", s))
		}
	}
	return wrong
}

// streamsDiffer compares streams with the JSON of lab explain.
func streamsDiffer(want []stream, found string) (wrong error) {
	lines := strings.Split(strings.TrimSpace(found), "\n")
	if found == "" {
		lines = nil
	}
	if len(lines) != len(want) {
		return fmt.Errorf("%d connections, want %d", len(lines), len(want))
	}
	for i, line := range lines {
		got, checks, err := readStream(line)
		if err != nil {
			return err
		}
		if want[i].outcome == "" {
			got.outcome = ""
		}
		if check := want[i].check; checks[check] {
			got.check = check
		}
		if got != want[i] {
			wrong = errors.Join(wrong, fmt.Errorf("got  %+v\nwant %+v", got, want[i]))
		}
	}
	return wrong
}

// readStream reads a line of JSON. The results of checks come as in
// stream.check.
func readStream(line string) (s stream, checks map[string]bool, err error) {
	var c struct {
		Connection   int
		Outcome, How string
		TLS          struct {
			Version string
			Name    string `json:"server_name"`
		}
		Messages []struct {
			Handshake *struct{ Name string }
			HTTP      *struct{ Line string }
			Checks    []struct{ Subject, Result string }
		}
	}
	if err := json.Unmarshal([]byte(line), &c); err != nil {
		return s, nil, err
	}
	var messages []string
	checks = map[string]bool{}
	for _, m := range c.Messages {
		switch {
		case m.Handshake != nil:
			messages = append(messages, m.Handshake.Name)
		case m.HTTP != nil:
			messages = append(messages, m.HTTP.Line)
		}
		for _, check := range m.Checks {
			checks[check.Subject+" "+check.Result] = true
		}
	}
	s = stream{number: c.Connection, outcome: strings.TrimSpace(c.Outcome + " " + c.How), version: c.TLS.Version, name: c.TLS.Name}
	s.messages = strings.Join(messages, " ")
	return s, checks, nil
}
