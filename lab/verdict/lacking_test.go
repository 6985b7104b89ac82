package verdict_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/verdict"
)

// Of one direction alone the verdict says so, and how to record both; in TLS
// 1.2 the server's alone shows that it had the client's Finished.
func TestOneDirection(t *testing.T) {
	for name, test := range map[string]struct {
		file, only, outcome, reason, fix string
	}{
		"the client's": {"none.nginx-curl.tls12", "client", "unknown", "the capture has the client's direction alone", "record both directions"},
		"the server's": {"none.nginx-curl.tls12", "server", "accepted", "the server sent application data after its Finished", "record both directions"},
		"in TLS 1.3":   {"none.nginx-curl.tls13", "server", "unknown", "the capture has the server's direction alone", "record both directions"},
		"refused":      {"client-certificate-none.java-openssl.tls12", "server", "rejected", "", ""},
	} {
		file := filepath.Join("testdata", "foreign", test.file+".pcap")
		if _, err := os.Stat(file); err != nil {
			t.Fatal(err)
		}
		head, packets := packetsOf(t, file)
		client := packets[0].port()
		half := slices.DeleteFunc(slices.Clone(packets), func(p framed) bool { return (p.port() == client) != (test.only == "client") })
		for _, c := range readPackets(t, head, half, nil) {
			v := c.verdict
			if string(v.Outcome) != test.outcome || v.Outcome == verdict.Accepted && v.How != verdict.Probably || !strings.HasPrefix(v.Reason, test.reason) || !strings.HasPrefix(v.Fix+v.Confirm, test.fix) {
				t.Errorf("%s: %s (%s): %s; fix: %s", name, v.Outcome, v.How, v.Reason, v.Fix)
			}
		}
	}
}
