package tlsdecrypt

import (
	"slices"
	"strings"
	"testing"
	"time"

	"crypto/tls"
	"crypto/x509"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/wiretap"
)

// trust is the PKI of the tests.
func trust() *chain.Trust {
	p := testPKI()
	return &chain.Trust{CAs: []chain.NamedCA{{Name: "server-ca", Certificate: p.serverCA.cert}, {Name: "client-ca", Certificate: p.clientCA.cert}}}
}

// results lists who claimed what and whether it is so, as in "server Finished:
// verify_data holds".
func results(c *Connection) (all []string) {
	for _, m := range c.Messages {
		for _, k := range m.Checks {
			all = append(all, m.From.String()+" "+m.Handshake.Name()+": "+k.Subject+" "+string(k.Result))
		}
	}
	return all
}

// allHold wants that what can be checked holds, and n checks at the least.
func allHold(t *testing.T, c *Connection, n int) {
	t.Helper()
	c.Check(trust())
	held := 0
	for _, m := range c.Messages {
		for _, k := range m.Checks {
			if k.Result == Holds {
				held++
			} else if k.Subject != "binder" {
				t.Errorf("%s: %s %s: %s", describe(m), k.Subject, k.Result, k.Text)
			}
		}
	}
	if held < n {
		t.Errorf("%d checks hold, want %d: %q", held, n, results(c))
	}
}

func TestChecksHold(t *testing.T) {
	c := record(t, serverConfig(), clientConfig()).dissect(t, Options{})
	c.Check(trust())
	c.Check(trust()) // changes nothing
	want := []string{
		"server Certificate: chain holds", "server CertificateVerify: signature holds", "server Finished: verify_data holds",
		"client Certificate: chain holds", "client CertificateVerify: signature holds", "client Finished: verify_data holds",
	}
	if got := results(c); !slices.Equal(got, want) {
		t.Errorf("checks %q, want %q", got, want)
	}
	if text := c.Messages[6].Checks[0].Text; !strings.Contains(text, "CN=server") || !strings.Contains(text, "ecdsa_secp256r1_sha256") {
		t.Errorf("the signature's text has no names: %s", text)
	}
}

// Who changes a byte of a message breaks every claim that covers it, and no
// other.
func TestAChangedByteFails(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		server := serverConfig()
		server.MaxVersion = version
		r := record(t, server, clientConfig())
		intact := r.dissect(t, Options{})
		allHold(t, intact, 6)
		for i, m := range intact.Messages {
			if m.Handshake == nil {
				continue
			}
			c := r.dissect(t, Options{})
			raw := c.Messages[i].Handshake.Raw
			raw[len(raw)-1] ^= 1
			c.Check(trust())
			failed := map[string]bool{}
			for _, s := range results(c) {
				if strings.HasSuffix(s, string(Fails)) {
					failed[s] = true
				}
			}
			if last := "client Finished: verify_data fails"; version == tls.VersionTLS13 && m.Handshake.Name() != "Finished" && !failed[last] {
				t.Errorf("%s changed in its last byte: only %v", describe(m), failed)
			}
			if len(failed) == 0 && !(m.Handshake.Name() == "Finished" && i > len(intact.Messages)-5) {
				t.Errorf("%s changed in its last byte: nothing fails", describe(m))
			}
		}
	}
}

func TestChainSaysWhy(t *testing.T) {
	p := testPKI()
	other := newAuthority("client-ca") // the same name, another key
	stranger := newAuthority("stranger-ca")
	yesterday, tomorrow := time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	for name, c := range map[string]struct {
		cert tls.Certificate
		want string
	}{
		"expired":       {p.clientCA.issue("client", "ecdsa", yesterday, x509.ExtKeyUsageClientAuth), "CN=client has expired: it was valid until "},
		"wrong usage":   {p.clientCA.issue("client", "ecdsa", tomorrow, x509.ExtKeyUsageServerAuth), "extended key usage"},
		"look-alike CA": {other.issue("client", "ecdsa", tomorrow, x509.ExtKeyUsageClientAuth), "CN=client was issued by CN=client-ca, but not by the CA of that name"},
		"stranger":      {stranger.issue("client", "ecdsa", tomorrow, x509.ExtKeyUsageClientAuth), "CN=client was issued by CN=stranger-ca, which was not sent along and is not known here; the server asked for a certificate of CN=client-ca"},
	} {
		t.Run(name, func(t *testing.T) {
			client := clientConfig()
			client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c.cert, nil }
			got := record(t, serverConfig(), client).dissect(t, Options{})
			got.Check(trust())
			failures := ""
			for _, m := range got.Messages {
				for _, k := range m.Checks {
					if k.Result == Fails {
						failures += k.Text
					}
				}
			}
			if !strings.Contains(failures, c.want) {
				t.Errorf("failures %q, want %q", failures, c.want)
			}
			if last := got.Messages[len(got.Messages)-1]; got.Version == 0 || last.Alert == nil && got.Messages[len(got.Messages)-2].Alert == nil {
				t.Errorf("no alert at the end: %s", describe(last))
			}
		})
	}
}

// A capture of long ago is judged as of its time, and as of now.
func TestChainOfAnOldCapture(t *testing.T) {
	c := record(t, serverConfig(), clientConfig()).dissect(t, Options{})
	later := trust()
	later.Now = time.Now().Add(1000 * time.Hour)
	c.Check(later)
	found := false
	for _, m := range c.Messages {
		for _, k := range m.Checks {
			if k.Subject == "chain" {
				found = true
				if k.Result != Holds || !strings.Contains(k.Text, "at the time of the connection") || !strings.Contains(k.Text, "it was valid until") {
					t.Errorf("%s: %s", k.Result, k.Text)
				}
			}
		}
	}
	if !found {
		t.Error("no chain was checked")
	}
}

func TestServerNameIsChecked(t *testing.T) {
	client := clientConfig()
	client.ServerName, client.InsecureSkipVerify = "elsewhere.example", true
	c := record(t, serverConfig(), client).dissect(t, Options{})
	c.Check(trust())
	if !slices.Contains(results(c), "server Certificate: chain fails") {
		t.Errorf("%q", results(c))
	}

	c = record(t, serverConfig(), client).dissect(t, Options{}) // a name that would colour a terminal
	c.handshakes[0].serverName = "\x1b[31mred"
	c.Check(trust())
	for _, m := range c.Messages {
		for _, k := range m.Checks {
			if strings.Contains(k.Text, "\x1b") {
				t.Errorf("%q", k.Text)
			}
		}
	}
}

var _ wiretap.Sink = (*Dissector)(nil)
