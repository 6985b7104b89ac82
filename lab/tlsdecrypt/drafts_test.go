package tlsdecrypt

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/wiretap"
)

// drafted makes a connection of a draft of TLS 1.3, or of TLS 1.3 itself with a
// suite that crypto/tls does not have, by its own reading of the drafts.
type drafted struct {
	script
	draft      int // 0: TLS 1.3
	hash       func() hash.Hash
	nonceLen   int // of suites that encrypt nothing
	transcript []byte
	random     [32]byte
	secrets    map[string][]byte
	keys       map[string]*writer
	log        keylog.Store
	lines      []string
}

// writer seals the records of one secret.
type writer struct {
	key, iv []byte
	seq     uint64
}

func (d *drafted) label(secret []byte, label string, length int) []byte {
	prefix := "tls13 "
	if d.draft != 0 && d.draft < 20 {
		prefix = "TLS 1.3, "
	}
	info := binary.BigEndian.AppendUint16(nil, uint16(length))
	info = append(append(append(info, byte(len(prefix+label))), prefix+label...), 0)
	return must(hkdf.Expand(d.hash, secret, string(info), length))
}

// secret makes the secret of a side and logs it.
func (d *drafted) secret(label string) []byte {
	if d.secrets[label] == nil {
		secret := make([]byte, d.hash().Size())
		rand.Read(secret)
		d.secrets[label] = secret
		d.lines = append(d.lines, fmt.Sprintf("%s %x %x", label, d.random, secret))
		d.log.Add(keylog.Entry{Label: label, ClientRandom: d.random[:], Secret: secret})
	}
	return d.secrets[label]
}

// sends adds a protected record.
func (d *drafted) sends(from endpoint.Side, label string, t tlswire.ContentType, content []byte) {
	w := d.keys[label]
	if w == nil {
		keyLen, ivLen := 16, 12
		if d.nonceLen > 0 {
			keyLen, ivLen = d.hash().Size(), d.nonceLen
		}
		secret := d.secret(label)
		w = &writer{key: d.label(secret, "key", keyLen), iv: d.label(secret, "iv", ivLen)}
		d.keys[label] = w
	}
	nonce := slices.Clone(w.iv)
	for i := range 8 {
		nonce[len(nonce)-1-i] ^= byte(w.seq >> (8 * i))
	}
	w.seq++
	inner := append(slices.Clone(content), byte(t))
	tag := 16
	if d.nonceLen > 0 {
		tag = d.hash().Size()
	}
	header := []byte{23, 3, d.minor(), byte((len(inner) + tag) >> 8), byte(len(inner) + tag)}
	covered := header
	if d.draft != 0 && d.draft < 25 {
		covered = nil
	}
	var sealed []byte
	if d.nonceLen > 0 {
		mac := hmac.New(d.hash, w.key)
		mac.Write(slices.Concat(nonce, covered, inner))
		sealed = mac.Sum(inner)
	} else {
		sealed = must(cipher.NewGCM(must(aes.NewCipher(w.key)))).Seal(nil, nonce, inner, covered)
	}
	d.r.events = append(d.r.events, wiretap.Event{Kind: wiretap.Data, From: from, Data: append(header, sealed...)})
}

// minor is the second byte of the version in records.
func (d *drafted) minor() byte {
	if d.draft != 0 && d.draft < 22 {
		return 1
	}
	return 3
}

// plain adds a message that is not protected.
func (d *drafted) plain(from endpoint.Side, body tlswire.Body) {
	raw := rawHandshake(body, tlswire.Context{})
	d.transcript = append(d.transcript, raw...)
	d.r.events = append(d.r.events, wiretap.Event{Kind: wiretap.Data, From: from,
		Data: tlswire.Record{Type: tlswire.ContentTypeHandshake, Version: 0x0300 | tlswire.Version(d.minor()), Fragment: raw}.Marshal()})
}

// handshake adds a message under a side's handshake_traffic_secret.
func (d *drafted) handshake(from endpoint.Side, raw []byte) {
	d.transcript = append(d.transcript, raw...)
	d.sends(from, strings.ToUpper(from.String())+"_HANDSHAKE_TRAFFIC_SECRET", tlswire.ContentTypeHandshake, raw)
}

func (d *drafted) finished(from endpoint.Side) {
	mac := hmac.New(d.hash, d.label(d.secret(strings.ToUpper(from.String())+"_HANDSHAKE_TRAFFIC_SECRET"), "finished", d.hash().Size()))
	mac.Write(digest(d.hash, d.transcript))
	d.handshake(from, rawHandshake(&tlswire.Finished{VerifyData: mac.Sum(nil)}, tlswire.Context{}))
}

// draftedConnection makes a connection with a request and its answer.
func draftedConnection(draft int, suite tlswire.CipherSuite, nonceLen int, retried bool) *drafted {
	d := &drafted{script: *newScript(tlswire.VersionTLS13, suite), draft: draft, nonceLen: nonceLen, hash: hashOf(suite.Info()),
		secrets: map[string][]byte{}, keys: map[string]*writer{}}
	rand.Read(d.random[:])
	d.r.events[0].Client, d.r.events[0].Server = netip.MustParseAddrPort("127.0.0.1:50000"), netip.MustParseAddrPort("127.0.0.1:443")
	version, share := tlswire.Version(0x7f00|draft), tlswire.ExtensionKeyShareDraft
	if draft == 0 {
		version = tlswire.VersionTLS13
	}
	if draft == 0 || draft >= 23 {
		share = tlswire.ExtensionKeyShare
	}
	old := draft != 0 && draft < 22
	entry := tlswire.KeyShareEntry{Group: tlswire.GroupX25519, KeyExchange: make([]byte, 32)}
	hello := func() {
		d.plain(endpoint.Client, &tlswire.ClientHello{LegacyVersion: tlswire.VersionTLS12, Random: d.random, CipherSuites: []tlswire.CipherSuite{suite}, LegacyCompressionMethods: []tlswire.CompressionMethod{0},
			Extensions: []tlswire.Extension{
				{Type: tlswire.ExtensionServerName, Body: &tlswire.ServerNameList{Names: []tlswire.ServerName{{Name: "localhost"}}}},
				{Type: tlswire.ExtensionSupportedVersions, Body: &tlswire.SupportedVersions{Versions: []tlswire.Version{version}}},
				{Type: share, Body: &tlswire.KeyShareClientHello{Shares: []tlswire.KeyShareEntry{entry}}}}})
	}
	serverHello := func(random [32]byte, body tlswire.ExtensionBody) {
		h := &tlswire.ServerHello{LegacyVersion: version, Random: random, CipherSuite: suite, Extensions: []tlswire.Extension{{Type: share, Body: body}}}
		if !old {
			h.LegacyVersion = tlswire.VersionTLS12
			h.Extensions = append(h.Extensions, tlswire.Extension{Type: tlswire.ExtensionSupportedVersions, Body: &tlswire.SelectedVersion{Version: version}})
		}
		d.plain(endpoint.Server, h)
	}
	hello()
	if retried {
		if draft != 18 {
			d.transcript = messageHash(d.hash, d.transcript)
		}
		again := &tlswire.KeyShareHelloRetryRequest{SelectedGroup: tlswire.GroupX25519}
		if old {
			d.plain(endpoint.Server, &tlswire.HelloRetryRequest{Version: version, CipherSuite: suite, Extensions: []tlswire.Extension{{Type: share, Body: again}}})
		} else {
			serverHello(sha256.Sum256([]byte("HelloRetryRequest")), again)
		}
		hello()
	}
	serverHello([32]byte{7}, &tlswire.KeyShareServerHello{Share: entry})
	server := testPKI().server["ecdsa"]
	d.handshake(endpoint.Server, rawHandshake(&tlswire.EncryptedExtensions{}, tlswire.Context{}))
	d.handshake(endpoint.Server, rawHandshake(&tlswire.Certificate{Entries: []tlswire.CertificateEntry{{Data: server.Certificate[0]}}}, tlswire.Context{}))
	signed := sha256.Sum256(signedTLS13(endpoint.Server, digest(d.hash, d.transcript)))
	signature := must(server.PrivateKey.(crypto.Signer).Sign(rand.Reader, signed[:], crypto.SHA256))
	d.handshake(endpoint.Server, rawHandshake(&tlswire.CertificateVerify{DigitallySigned: tlswire.DigitallySigned{Algorithm: tlswire.SchemeECDSASecp256r1SHA256, Signature: signature}}, tlswire.Context{}))
	d.finished(endpoint.Server)
	d.finished(endpoint.Client)
	d.sends(endpoint.Client, keylog.LabelClientTraffic0, tlswire.ContentTypeApplicationData, []byte(request))
	d.sends(endpoint.Server, keylog.LabelServerTraffic0, tlswire.ContentTypeApplicationData, []byte(response))
	d.sends(endpoint.Server, keylog.LabelServerTraffic0, tlswire.ContentTypeAlert, []byte{1, 0})
	return d
}

const draftSuite = tlswire.TLS_AES_128_GCM_SHA256

// The drafts of TLS 1.3 from 18 on are called by their names, and decrypted.
func TestDrafts(t *testing.T) {
	for draft := tlswire.FirstDraft; draft <= 28; draft++ {
		for _, retried := range []bool{false, true} {
			d := draftedConnection(draft, draftSuite, 0, retried)
			c := d.r.dissect(t, Options{Secrets: &d.log})
			c.Check(trust())
			name := fmt.Sprintf("TLS 1.3 draft %d", draft)
			if p := c.Progress(); c.Version.String() != name || !p.Succeeded || p.Answer == nil || len(c.Problems) > 0 || c.Group != tlswire.GroupX25519 || c.Retried != retried {
				t.Errorf("%v, retried: %v: %+v, %q, problems %q", c.Version, c.Retried, p, summary(c), problems(c))
			}
			held := 0
			for _, s := range results(c) {
				if strings.HasSuffix(s, string(Holds)) {
					held++
				} else if strings.HasSuffix(s, string(Fails)) {
					t.Errorf("%s: %s", name, s)
				}
			}
			if held < 3 && (draft > 18 || !retried) {
				t.Errorf("%s, retried: %v: %q", name, retried, results(c))
			}
			c = d.r.dissect(t, Options{})
			if len(c.Problems) == 0 || !strings.HasPrefix(c.Problems[0].Text, "no keys") {
				t.Errorf("%s: problems %q", name, problems(c))
			}
		}
	}
}

// Of earlier ones it is said that they are not read.
func TestEarlierDrafts(t *testing.T) {
	for draft := 14; draft < tlswire.FirstDraft; draft++ {
		d := draftedConnection(draft, draftSuite, 0, false)
		for _, keys := range []*keylog.Store{nil, &d.log} {
			c := d.r.dissect(t, Options{Secrets: keys})
			want := fmt.Sprintf("TLS 1.3 draft %d cannot be decrypted here: its keys and records are not those of draft 18, which is the first that can", draft)
			if got := problems(c); len(got) != 1 || got[0] != want || c.Unreadable() != want || c.Progress().Succeeded {
				t.Errorf("%q, want %q alone", got, want)
			}
		}
	}
}

// tshark reads the same of them.
func TestDraftsAgreeWithTshark(t *testing.T) {
	peertest.Need(t, "tshark")
	dir := t.TempDir()
	file, keys := filepath.Join(dir, "lab.pcapng"), filepath.Join(dir, "keys.log")
	w := must(capture.Create(file, capture.Options{}))
	var lines []string
	ours, theirs := map[string][]string{}, map[string][]string{} // by the client's port
	for draft := tlswire.FirstDraft; draft <= 28; draft++ {
		for _, retried := range []bool{false, true} {
			d := draftedConnection(draft, draftSuite, 0, retried)
			port := fmt.Sprint(50000 + len(lines))
			d.r.events[0].Client = netip.MustParseAddrPort("127.0.0.1:" + port)
			d.r.replay(w)
			lines = append(lines, d.lines...)
			for _, m := range d.r.dissect(t, Options{Secrets: &d.log}).Messages {
				switch {
				case m.Handshake != nil:
					ours[port] = append(ours[port], fmt.Sprint(int(m.Handshake.Type)))
				case m.HTTP != nil && !m.HTTP.Request:
					ours[port] = append(ours[port], fmt.Sprint(m.HTTP.Status))
				}
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keys, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("tshark", "-r", file, "-o", "tls.keylog_file:"+keys, "-T", "fields", "-e", "tcp.port", "-e", "tls.handshake.type", "-e", "http.response.code").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.FieldsFunc(line, func(r rune) bool { return unicode.IsSpace(r) || r == ',' })
		port := strings.TrimPrefix(fields[0]+fields[1], "443")
		port = strings.TrimSuffix(port, "443")
		theirs[port] = append(theirs[port], fields[2:]...)
	}
	if !maps.EqualFunc(ours, theirs, slices.Equal) || len(ours) != 22 {
		t.Errorf("tshark reads %q, lab %q", theirs, ours)
	}
}

// The suites of TLS 1.3 that encrypt nothing are read without a key, and their
// checksums checked with one (RFC 9150).
func TestNothingIsEncryptedInTLS13(t *testing.T) {
	for suite, size := range map[tlswire.CipherSuite]int{0xc0b4: 32, 0xc0b5: 48} {
		for _, nonceLen := range []int{size, 12} { // wolfSSL's has the length of others
			for _, retried := range []bool{false, true} {
				d := draftedConnection(0, suite, nonceLen, retried)
				for _, keys := range []*keylog.Store{nil, &d.log} {
					c := d.r.dissect(t, Options{Secrets: keys})
					c.Check(trust())
					if p := c.Progress(); !p.Succeeded || p.Hidden || p.Answer == nil || len(c.Problems) != 1 || !strings.HasPrefix(c.Problems[0].Text, "nothing is encrypted: "+suite.String()) {
						t.Errorf("%v: %+v, %q, problems %q", suite, p, summary(c), problems(c))
					}
					checked := keys != nil && nonceLen == size
					if got := results(c); slices.Contains(got, "client Finished: verify_data holds") != checked || slices.ContainsFunc(got, func(s string) bool { return strings.HasSuffix(s, string(Fails)) }) {
						t.Errorf("%v: %q", suite, got)
					}
				}
			}
		}
	}
}
