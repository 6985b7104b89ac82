package tlsdecrypt

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/wiretap"
)

// trace is a section of RFC 8448.
type trace struct {
	name         string
	private, psk []byte
	recording
}

// traces reads the records, and the hellos that lab/tlswire has.
func traces(t *testing.T) (all []*trace) {
	t.Helper()
	var hellos [][]byte
	for line := range strings.Lines(string(must(os.ReadFile("../tlswire/testdata/rfc8448.flow")))) {
		if words := strings.Fields(line); len(words) == 3 && words[1] == "handshake" {
			hellos = append(hellos, must(hex.DecodeString(words[2])))
		}
	}
	for line := range strings.Lines(string(must(os.ReadFile("testdata/rfc8448.records")))) {
		words := strings.Fields(line)
		switch words[0] {
		case "#":
		case "section":
			one := &trace{name: strings.Join(words[1:], " "), psk: make([]byte, sha256.Size)}
			one.events = []wiretap.Event{{Kind: wiretap.Open}}
			all = append(all, one)
		case "private":
			all[len(all)-1].private = must(hex.DecodeString(words[1]))
		case "psk":
			all[len(all)-1].psk = must(hex.DecodeString(words[1]))
		default:
			e := wiretap.Event{Kind: wiretap.Data, From: map[string]endpoint.Side{"client": endpoint.Client, "server": endpoint.Server}[words[0]], Time: time.Unix(1500000000, 0)}
			if words[1] == "hello" {
				e.Data = tlswire.Record{Type: tlswire.ContentTypeHandshake, Version: tlswire.VersionTLS12, Fragment: hellos[must(strconv.Atoi(words[2]))]}.Marshal()
			} else {
				digits, zeros, _ := strings.Cut(words[1], "+")
				e.Data = must(hex.DecodeString(digits))
				if zeros != "" {
					e.Data = append(e.Data, make([]byte, must(strconv.Atoi(zeros)))...)
				}
			}
			one := all[len(all)-1]
			one.events = append(one.events, e)
		}
	}
	return all
}

// extract is HKDF-Extract, and derive Derive-Secret with the hash of the
// messages (RFC 9846 section 7.1).
func extract(salt, ikm []byte) []byte { return must(hkdf.Extract(sha256.New, ikm, salt)) }

func derive(secret []byte, label string, messages []byte) []byte {
	return expandLabel(tlswire.VersionTLS13, secret, label, digest(sha256.New, messages), sha256.Size)
}

// transcriptTo is the transcript up to and with the n-th message, which may be
// a HelloRetryRequest's.
func transcriptTo(c *Connection, n int) (b []byte) {
	for i, m := range c.handshakes[0].transcript[:n] {
		b = append(b, m.Handshake.Raw...)
		if i == 0 && c.Retried {
			b = messageHash(sha256.New, b)
		}
	}
	return b
}

// shared is the result of the trace's key agreement.
func (tr *trace) shared(t *testing.T, c *Connection) []byte {
	t.Helper()
	hello, ok := find[*tlswire.ServerHello](c.handshakes[0])
	share, found := tlswire.Lookup[*tlswire.KeyShareServerHello](hello.Extensions, tlswire.ExtensionKeyShare)
	if !ok || !found {
		t.Fatal("no key share")
	}
	curve := ecdh.X25519()
	if share.Share.Group == tlswire.GroupSecp256r1 {
		curve = ecdh.P256()
	}
	return must(must(curve.NewPrivateKey(tr.private)).ECDH(must(curve.NewPublicKey(share.Share.KeyExchange))))
}

// The key schedule of the RFC, with its private keys, opens its records.
func TestRFC8448(t *testing.T) {
	want := map[string][]string{
		"3": {"client ClientHello", "server ServerHello", "server EncryptedExtensions", "server Certificate", "server CertificateVerify", "server Finished",
			"client Finished", "server NewSessionTicket", "client application_data", "server application_data", "client close_notify", "server close_notify"},
		"4": {"client ClientHello", "client application_data", "server ServerHello", "server EncryptedExtensions", "server Finished", "client EndOfEarlyData",
			"client Finished", "client application_data", "server application_data", "client close_notify", "server close_notify"},
		"5": {"client ClientHello", "server HelloRetryRequest", "client ClientHello", "server ServerHello", "server EncryptedExtensions", "server Certificate",
			"server CertificateVerify", "server Finished", "client Finished", "client close_notify", "server close_notify"},
		"6": {"client ClientHello", "server ServerHello", "server EncryptedExtensions", "server CertificateRequest", "server Certificate", "server CertificateVerify",
			"server Finished", "client Certificate", "client CertificateVerify", "client Finished", "client close_notify", "server close_notify"},
		"7": {"client ClientHello", "server ServerHello", "server change_cipher_spec", "server EncryptedExtensions", "server Certificate", "server CertificateVerify",
			"server Finished", "client change_cipher_spec", "client Finished", "client close_notify", "server close_notify"},
	}
	all := traces(t)
	if len(all) != len(want) {
		t.Fatalf("%d sections", len(all))
	}
	for _, tr := range all {
		t.Run(tr.name, func(t *testing.T) {
			store := &keylog.Store{}
			random := tr.dissect(t, Options{}).ClientRandom
			var secrets []wiretap.Event
			add := func(label string, secret []byte) {
				e := keylog.Entry{Label: label, ClientRandom: random, Secret: secret}
				store.Add(e)
				secrets = append(secrets, wiretap.Event{Kind: wiretap.Secret, Data: must(e.AppendText(nil))})
			}
			plain := tr.dissect(t, Options{})
			hellos := len(plain.handshakes[0].transcript)
			zero := make([]byte, sha256.Size)
			early := extract(zero, tr.psk)
			add(keylog.LabelClientEarlyTraffic, derive(early, "c e traffic", transcriptTo(plain, 1)))
			secret := extract(derive(early, "derived", nil), tr.shared(t, plain))
			add(keylog.LabelClientHandshakeTraffic, derive(secret, "c hs traffic", transcriptTo(plain, hellos)))
			add(keylog.LabelServerHandshakeTraffic, derive(secret, "s hs traffic", transcriptTo(plain, hellos)))

			c := tr.dissect(t, Options{Secrets: store}) // the handshake is open, what follows is not
			server := slices.IndexFunc(c.handshakes[0].transcript, func(m *Message) bool { return m.Handshake.Type == tlswire.TypeFinished })
			if server < 0 {
				t.Fatalf("no Finished: %q, %v", summary(c), c.Problems)
			}
			master := extract(derive(secret, "derived", nil), zero)
			add(keylog.LabelClientTraffic0, derive(master, "c ap traffic", transcriptTo(c, server+1)))
			add(keylog.LabelServerTraffic0, derive(master, "s ap traffic", transcriptTo(c, server+1)))

			c = tr.dissect(t, Options{Secrets: store})
			section := tr.name[:1]
			var got []string
			for _, m := range c.Messages {
				words := strings.Fields(describe(m))
				got = append(got, words[0]+" "+words[1])
				if m.Encrypted || m.Err != nil {
					t.Errorf("%s: %v", describe(m), m.Err)
				}
				if m.Type == tlswire.ContentTypeApplicationData && !bytes.HasPrefix(m.Data, []byte{0, 1, 2, 3}) && string(m.Data) != "ABCDEF" {
					t.Errorf("application data %x", m.Data)
				}
			}
			if !slices.Equal(got, want[section]) || len(c.Problems) > 0 {
				t.Errorf("got %q\nwant %q, problems %v", got, want[section], c.Problems)
			}
			if section == "4" { // with early data
				inAnyOrder(t, &tr.recording, secrets, summary(c))
			}
			c.Check(nil)
			held := 0
			for _, m := range c.Messages {
				for _, k := range m.Checks {
					if k.Result == Holds {
						held++
					} else if k.Subject == "verify_data" || k.Subject == "signature" {
						t.Errorf("%s: %s", describe(m), k.Text)
					}
				}
			}
			if want := map[string]int{"3": 3, "4": 2, "5": 3, "6": 4, "7": 3}[section]; held != want {
				t.Errorf("%d checks hold, want %d: %q", held, want, results(c))
			}
			checkArithmetic(t, c)
			if section == "3" { // as the RFC prints them
				values := make(map[string]bool)
				eachTerm(c.Arithmetic(), func(term Term) { values[term.Value] = true })
				for _, value := range []string{ // the server's handshake key and IV, and the hash of the hellos
					"3fce516009c21727d0f2e4e86ee403bc", "5d313eb2671276ee13000b30", "860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8",
					"9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5",
				} {
					if !values[value] {
						t.Errorf("the arithmetic has no %s", value)
					}
				}
				for label, secret := range map[string]string{
					keylog.LabelClientHandshakeTraffic: "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21",
					keylog.LabelServerHandshakeTraffic: "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38",
					keylog.LabelClientTraffic0:         "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5",
					keylog.LabelServerTraffic0:         "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643",
				} {
					if got := hex.EncodeToString(store.Secret(label, random)); got != secret {
						t.Errorf("%s is %s, want %s", label, got, secret)
					}
				}
			}
		})
	}
}
