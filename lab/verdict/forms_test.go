package verdict_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/verdict"
)

// Forms of the protocol that are rare, recorded from real programs: OpenSSL 3.0
// with eNULL and @SECLEVEL=0, and Chromium 156 behind a relay that holds the
// server's bytes back by 50 ms.
func TestForms(t *testing.T) {
	for name, test := range map[string]struct {
		said string // that can be read without keys
		how  verdict.How
	}{
		"null-mutual.openssl":          {"ClientHello ServerHello Certificate CertificateRequest ServerHelloDone Certificate ClientKeyExchange CertificateVerify Finished NewSessionTicket Finished GET 200", ""},
		"null-md5-10.openssl":          {"ClientHello ServerHello Certificate ServerHelloDone ClientKeyExchange Finished NewSessionTicket Finished GET 200", ""},
		"aecdh-null.openssl":           {"ClientHello ServerHello ServerKeyExchange ServerHelloDone ClientKeyExchange Finished NewSessionTicket Finished GET 200", ""},
		"psk-null384.openssl":          {"ClientHello ServerHello ServerHelloDone ClientKeyExchange Finished NewSessionTicket Finished GET 200", ""},
		"dhe-psk-null.openssl":         {"ClientHello ServerHello ServerKeyExchange ServerHelloDone ClientKeyExchange Finished NewSessionTicket Finished GET 200", ""},
		"false-start.chromium-openssl": {"ClientHello ServerHello Certificate ServerKeyExchange ServerHelloDone ClientKeyExchange NewSessionTicket", verdict.Probably},
	} {
		file := filepath.Join("testdata", "forms", name)
		head, packets := packetsOf(t, file+".pcap")
		keys, err := os.ReadFile(file + ".keys")
		if err != nil {
			t.Fatal(err)
		}
		for _, keys := range [][]byte{nil, keys} {
			all := readPackets(t, head, packets, keys)
			c := all[0]
			how := test.how
			if keys != nil {
				how = ""
			}
			if len(all) != 1 || c.verdict.Outcome != verdict.Accepted || c.verdict.How != how {
				t.Errorf("%s: %d connections, %+v", name, len(all), c.verdict)
			}
			if got := said(c.Connection); keys == nil && got != test.said {
				t.Errorf("%s: %s", name, got)
			}
			open := slices.ContainsFunc(c.Problems, func(p tlsdecrypt.Problem) bool { return strings.HasPrefix(p.Text, "nothing is encrypted: ") })
			if open != strings.Contains(name, "null") {
				t.Errorf("%s: %+v", name, c.Problems)
			}
			for _, m := range c.Messages {
				for _, k := range m.Checks {
					if k.Result == tlsdecrypt.Fails || keys != nil && k.Subject == "verify_data" && k.Result != tlsdecrypt.Holds {
						t.Errorf("%s: %s", name, k.Text)
					}
				}
			}
		}
	}
}

// said names what was said, in words of one kind.
func said(c *tlsdecrypt.Connection) string {
	var all []string
	for _, m := range c.Messages {
		switch {
		case m.Handshake != nil:
			all = append(all, m.Handshake.Name())
		case m.HTTP != nil && m.HTTP.Request:
			all = append(all, m.HTTP.Method)
		case m.HTTP != nil:
			all = append(all, "200")
		}
	}
	return strings.Join(all, " ")
}
