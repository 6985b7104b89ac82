package web

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sameInTshark are the fields that tshark has too, by the name that it gives
// them.
var sameInTshark = map[string]string{
	"msg_type": "type", "length": "length", "legacy_version": "version", "random": "random", "CipherSuite": "ciphersuite", "cipher_suite": "ciphersuite",
	"CompressionMethod": "comp_method", "legacy_compression_method": "comp_method", "compression_method": "comp_method", "extension_type": "extension.type", "NamedGroup": "extensions_supported_group", "ProtocolName": "extensions_alpn_str",
	"ProtocolVersion": "extensions.supported_version", "selected_version": "extensions.supported_version", "ASN.1Cert": "certificate", "cert_data": "certificate",
	"namedcurve": "server_named_curve", "ClientCertificateType": "cert_type", "ticket_age_add": "session_ticket_age_add",
}

// compareTshark compares the bytes that fields are on with those that tshark
// has them on, for all captures at once.
func compareTshark(t *testing.T, files map[int]string, shown map[string][]pageMessage) {
	t.Helper()
	merged := filepath.Join(t.TempDir(), "all.pcapng")
	args := []string{"-a", "-F", "pcapng", "-w", merged}
	for _, file := range files {
		args = append(args, file)
	}
	if out, err := exec.Command("mergecap", args...).CombinedOutput(); err != nil {
		t.Fatalf("mergecap: %v\n%s", err, out)
	}
	cmd := exec.Command("tshark", "-n", "-r", merged, "-Y", "tls.handshake", "-T", "pdml", "-J", "tls tcp")
	pdml, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	theirs := tsharkMessages(t, pdml)
	must(t, cmd.Wait())
	compared := 0
	for random, messages := range shown {
		var lines []string
		for _, m := range messages {
			lines = append(lines, placesOf(m)...)
		}
		for _, place := range theirs[random] {
			if !slices.Contains(lines, place) {
				t.Errorf("connection %s: tshark has %s, and the page\n%s", random, place, strings.Join(lines, "\n"))
				break
			}
			compared++
		}
	}
	if compared < 100*len(shown)/2 {
		t.Errorf("%d fields of tshark's were compared in %d connections", compared, len(shown))
	}
}

// placesOf are the fields of a message that tshark has too: its name for each,
// where it begins, and its bytes.
func placesOf(m pageMessage) (all []string) {
	for _, f := range m.Fields {
		name, ok := sameInTshark[f.Name]
		if !ok || len(f.Lit) == 0 {
			continue
		}
		first, end := f.Lit[0], f.Lit[len(f.Lit)-1]+1
		if f.Name == "ASN.1Cert" || f.Name == "cert_data" || f.Name == "ProtocolName" { // tshark leaves out the length
			first += map[bool]int{true: 1, false: 3}[f.Name == "ProtocolName"]
		}
		all = append(all, fmt.Sprintf("%s at %d: %s", name, first, m.Bytes[2*first:2*end]))
	}
	return all
}

// tsharkMessages reads PDML, and returns the fields of each connection's
// handshake messages, by client random.
func tsharkMessages(t *testing.T, pdml io.Reader) map[string][]string {
	t.Helper()
	byRandom := make(map[string][]string)
	streams := make(map[string]string) // client randoms
	stream, base := "", 0
	var waiting []string // of a ClientHello, before its random
	wanted := make(map[string]bool)
	for _, name := range sameInTshark {
		wanted[name] = true
	}
	decoder := xml.NewDecoder(pdml)
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return byRandom
		}
		must(t, err)
		field, ok := token.(xml.StartElement)
		if !ok || field.Name.Local != "field" {
			continue
		}
		a := make(map[string]string)
		for _, attribute := range field.Attr {
			a[attribute.Name.Local] = attribute.Value
		}
		at := 0
		_, _ = fmt.Sscan(a["pos"], &at)
		switch name, ok := strings.CutPrefix(a["name"], "tls.handshake."); {
		case a["name"] == "tcp.stream":
			stream = a["show"]
		case name == "type": // a message begins
			base = at
			fallthrough
		case ok && wanted[name]:
			if name == "random" && streams[stream] == "" {
				streams[stream] = a["value"]
			}
			waiting = append(waiting, fmt.Sprintf("%s at %d: %s", name, at-base, a["value"]))
			if random := streams[stream]; random != "" {
				byRandom[random], waiting = append(byRandom[random], waiting...), nil
			}
		}
	}
}
