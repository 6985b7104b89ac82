package tlsdecrypt

import (
	"bytes"
	"compress/zlib"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/wiretap"
)

// script makes a connection by hand, of versions and suites that crypto/tls
// does not have.
type script struct {
	version tlswire.Version
	suite   tlswire.CipherSuite
	r       *recording
}

func newScript(version tlswire.Version, suite tlswire.CipherSuite) *script {
	return &script{version, suite, &recording{events: []wiretap.Event{{Kind: wiretap.Open}}}}
}

func (s *script) record(from endpoint.Side, t tlswire.ContentType, content []byte) {
	s.r.events = append(s.r.events, wiretap.Event{Kind: wiretap.Data, From: from,
		Data: tlswire.Record{Type: t, Version: s.version, Fragment: content}.Marshal()})
}

// says adds handshake messages of a side, in a record each.
func (s *script) says(from endpoint.Side, bodies ...tlswire.Body) {
	for _, body := range bodies {
		s.record(from, tlswire.ContentTypeHandshake, rawHandshake(body, tlswire.Context{Version: s.version, CipherSuite: s.suite}))
	}
}

// hellos begins with both hellos and the server's certificate.
func (s *script) hellos(compression tlswire.CompressionMethod, certificate []byte) {
	s.says(endpoint.Client, &tlswire.ClientHello{LegacyVersion: s.version, CipherSuites: []tlswire.CipherSuite{s.suite}, LegacyCompressionMethods: []tlswire.CompressionMethod{1, 0}})
	s.says(endpoint.Server, &tlswire.ServerHello{LegacyVersion: s.version, CipherSuite: s.suite, LegacyCompressionMethod: compression},
		&tlswire.CertificateTLS12{Certificates: [][]byte{certificate}}, &tlswire.ServerHelloDone{})
}

const (
	rsaNULL = tlswire.CipherSuite(0x003b) // TLS_RSA_WITH_NULL_SHA256
	rsaAES  = tlswire.CipherSuite(0x002f) // TLS_RSA_WITH_AES_128_CBC_SHA
)

// What the NULL ciphers leave in the clear is read without a key, compressed or
// not, and said to be.
func TestNothingIsEncrypted(t *testing.T) {
	for _, compression := range []tlswire.CompressionMethod{tlswire.CompressionNull, tlswire.CompressionDeflate} {
		s := newScript(tlswire.VersionTLS12, rsaNULL)
		s.hellos(compression, testPKI().server["rsa"].Certificate[0])
		s.says(endpoint.Client, &tlswire.ClientKeyExchange{KeyExchange: tlswire.KeyExchangeRSA, EncryptedPreMasterSecret: make([]byte, 256)})
		finished := rawHandshake(&tlswire.Finished{VerifyData: make([]byte, 12)}, tlswire.Context{Version: s.version})
		body := strings.Repeat("hello, hello ", 3000)
		var packed endpoint.Pair[bytes.Buffer]
		zipped := endpoint.Pair[*zlib.Writer]{Client: zlib.NewWriter(&packed.Client), Server: zlib.NewWriter(&packed.Server)}
		protected := func(from endpoint.Side, kind tlswire.ContentType, content []byte) {
			if compression == tlswire.CompressionDeflate { // one stream for each side, flushed with each record (RFC 3749 section 2.1)
				packed.Of(from).Reset()
				(*zipped.Of(from)).Write(content)
				(*zipped.Of(from)).Flush()
				content = packed.Of(from).Bytes()
			}
			s.record(from, kind, append(bytes.Clone(content), make([]byte, 32)...)) // and the MAC
		}
		for _, from := range []endpoint.Side{endpoint.Client, endpoint.Server} {
			s.record(from, tlswire.ContentTypeChangeCipherSpec, []byte{1})
			protected(from, tlswire.ContentTypeHandshake, finished)
		}
		protected(endpoint.Client, tlswire.ContentTypeApplicationData, []byte(request))
		protected(endpoint.Server, tlswire.ContentTypeApplicationData, []byte("HTTP/1.1 200 OK\r\nContent-Length: 39000\r\n\r\n"))
		for piece := range slices.Chunk([]byte(body), 10000) {
			protected(endpoint.Server, tlswire.ContentTypeApplicationData, piece)
		}
		whole := s.r
		c := whole.dissect(t, Options{})
		c.Check(nil)
		if !c.Progress().Succeeded || len(c.Problems) != 1 || !strings.HasPrefix(c.Problems[0].Text, "nothing is encrypted: TLS_RSA_WITH_NULL_SHA256 ") {
			t.Errorf("%v: %+v, problems %v", compression, c.Progress(), c.Problems)
		}
		last := c.Messages[len(c.Messages)-1]
		if last.HTTP == nil || last.HTTP.Status != 200 || last.HTTP.Body != int64(len(body)) || last.Key != (Key{}) {
			t.Errorf("%v: %s, %+v", compression, describe(last), last.HTTP)
		}
		if got := results(c); slices.ContainsFunc(got, func(s string) bool { return strings.HasSuffix(s, string(Fails)) }) {
			t.Errorf("%v: %q, and nothing can be known without the secret", compression, got)
		}

		s.r = &recording{events: slices.Delete(slices.Clone(whole.events), len(whole.events)-2, len(whole.events)-1)} // one is missing, unnoticed
		if c := s.r.dissect(t, Options{}); compression == tlswire.CompressionDeflate && !c.Progress().Succeeded {
			t.Errorf("%v: %+v, problems %v", compression, c.Progress(), c.Problems)
		}
	}
}

// A record that cannot be decompressed takes those after it along, and does no
// harm.
func TestDecompressionIsBounded(t *testing.T) {
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	w.Write(make([]byte, 1<<20))
	w.Flush()
	z := inflater{}
	if content, err := z.inflate(packed.Bytes()); err == nil || len(content) > tlswire.MaxPlaintext {
		t.Errorf("%d bytes, %v", len(content), err)
	}
	if _, err := z.inflate(nil); err == nil {
		t.Error("it goes on after a record that it could not read")
	}
	if _, err := (&inflater{}).inflate([]byte("no zlib")); err == nil {
		t.Error("what is no zlib was taken")
	}
}

// SSL 3.0 has signatures, checksums and keys of its own, which are not known
// here: nothing in it is wrong.
func TestSSL30IsNotJudged(t *testing.T) {
	s := newScript(tlswire.VersionSSL30, rsaAES)
	s.hellos(tlswire.CompressionNull, testPKI().server["rsa"].Certificate[0])
	s.says(endpoint.Client, &tlswire.CertificateTLS12{Certificates: [][]byte{testPKI().client["rsa"].Certificate[0]}},
		&tlswire.ClientKeyExchange{KeyExchange: tlswire.KeyExchangeRSA, SSL30: true, EncryptedPreMasterSecret: make([]byte, 256)},
		&tlswire.CertificateVerify{DigitallySigned: tlswire.DigitallySigned{Legacy: true, Signature: make([]byte, 256)}})
	s.record(endpoint.Client, tlswire.ContentTypeChangeCipherSpec, []byte{1})
	s.record(endpoint.Client, tlswire.ContentTypeHandshake, make([]byte, 64))
	key := testPKI().server["rsa"].PrivateKey.(*rsa.PrivateKey)
	c := s.r.dissect(t, Options{RSAKeys: []*rsa.PrivateKey{key}})
	c.Check(nil)
	if got := results(c); !slices.Contains(got, "client CertificateVerify: signature unknown") || strings.Contains(strings.Join(got, " "), "fails") {
		t.Errorf("checks %q", got)
	}
	for _, m := range c.Messages {
		if m.Err != nil {
			t.Errorf("%s: %v", describe(m), m.Err)
		}
	}
	if len(c.Problems) != 1 || c.Problems[0].Text != "SSL 3.0 cannot be decrypted here; Wireshark may be able to" || c.RSAKey != RSAUnsupported {
		t.Errorf("problems %v, the RSA key: %q", c.Problems, c.RSAKey)
	}
}

// The first ClientHello may come in the form of SSL 2.0: the rest is TLS.
func TestClientHelloOfSSL20(t *testing.T) {
	hello := append([]byte{1, 3, 1, 0, 6, 0, 0, 0, 16, 1, 0, 0x80, 0, 0, 0x2f}, bytes.Repeat([]byte{7}, 16)...)
	s := newScript(tlswire.VersionTLS10, rsaAES)
	s.hellos(tlswire.CompressionNull, testPKI().server["rsa"].Certificate[0])
	s.r.events[1].Data = append([]byte{0x80, byte(len(hello))}, hello...)
	s.says(endpoint.Client, &tlswire.ClientKeyExchange{KeyExchange: tlswire.KeyExchangeRSA, EncryptedPreMasterSecret: make([]byte, 256)})
	random := append(make([]byte, 16), bytes.Repeat([]byte{7}, 16)...)
	for _, size := range []int{1, 40, 1000} {
		c := s.r.packets(size).dissect(t, Options{})
		first := c.Messages[0]
		if got := strings.Join(summary(c), "\n"); first.Handshake.Name() != "ClientHello" || !bytes.Equal(first.Handshake.Raw, hello) ||
			!bytes.Equal(first.Handshake.Marshal(), hello) || !bytes.Equal(c.ClientRandom, random) || len(c.Messages) != 5 || len(c.Problems) > 0 {
			t.Errorf("in pieces of %d: %s\nproblems %v", size, got, c.Problems)
		}
		body := first.Handshake.Body.(*tlswire.ClientHello)
		if !slices.Equal(body.CipherSuites, []tlswire.CipherSuite{rsaAES}) || len(body.V2.CipherSpecs) != 2 {
			t.Errorf("offers %v", body.CipherSuites)
		}
	}
}

// The same where the capture does not have the SYN.
func TestClientHelloOfSSL20WithoutSYN(t *testing.T) {
	s := newScript(tlswire.VersionTLS10, rsaAES)
	s.hellos(tlswire.CompressionNull, testPKI().server["rsa"].Certificate[0])
	s.r.events[1].Data = append([]byte{0x80, 31, 1, 3, 1, 0, 6, 0, 0, 0, 16, 1, 0, 0x80, 0, 0, 0x2f}, bytes.Repeat([]byte{7}, 16)...)
	s.r.events = slices.Insert(s.r.events, 1, gap(endpoint.Client, -1), gap(endpoint.Server, -1))
	for _, size := range []int{1, 40, 1000} {
		if c := s.r.packets(size).dissect(t, Options{}); len(c.Messages) != 4 || c.ClientRandom == nil || len(c.Problems) > 0 {
			t.Errorf("in pieces of %d: %q, problems %q", size, summary(c), problems(c))
		}
	}
}

// A server that answers in SSL 2.0 is said to, and so is a client that offers
// nothing else. None of it is "not TLS" or damaged.
func TestSSL20(t *testing.T) {
	challenge := bytes.Repeat([]byte{7}, 16)
	offer := func(major, minor byte) []byte {
		return append([]byte{0x80, 31, 1, major, minor, 0, 6, 0, 0, 0, 16, 1, 0, 0x80, 0, 0, 0x2f}, challenge...)
	}
	answer := append([]byte{0x80, 11 + 5 + 3 + 16, 4, 0, 1, 0, 2, 0, 5, 0, 3, 0, 16, 1, 2, 3, 4, 5, 1, 0, 0x80}, challenge...)
	key := append([]byte{0x80, 10, 2, 1, 0, 0x80}, 0, 0, 0, 0, 0, 0)
	want := "the server picked SSL 2.0, which is not read here: its records have another form, and nobody should speak it any more (RFC 6176)"
	for _, hello := range [][]byte{offer(3, 1), offer(0, 2)} {
		r := &recording{events: []wiretap.Event{{}, data(endpoint.Client, hello), data(endpoint.Server, answer), data(endpoint.Client, key)}}
		for _, size := range []int{1, 10, 1000} {
			c := r.packets(size).dissect(t, Options{})
			if c.Version != tlswire.VersionSSL20 || c.NotTLSFrom != endpoint.Unknown || len(c.Messages) != 1 || !slices.Equal(problems(c), []string{want, want}) {
				t.Errorf("in pieces of %d: %v, %q, problems %q", size, c.Version, summary(c), problems(c))
			}
		}
	}
	refusal := tlswire.Record{Type: tlswire.ContentTypeAlert, Version: tlswire.VersionTLS12, Fragment: []byte{2, 70}}.Marshal()
	c := dissect(t, []wiretap.Event{{}, data(endpoint.Client, offer(0, 2)), data(endpoint.Server, refusal)})
	if c.Progress().Alert == nil || !slices.Equal(c.Offer().Versions, []tlswire.Version{tlswire.VersionSSL20}) || len(c.Problems) > 0 {
		t.Errorf("%q, offers %+v, problems %q", summary(c), c.Offer(), problems(c))
	}
}

// A key that crypto/rsa refuses because it is short has made a signature all
// the same.
func TestSignatureOfAShortKey(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	for _, bits := range []int{512, 768, 1023, 1024} {
		key := must(rsa.GenerateKey(rand.Reader, bits))
		content := []byte("all messages so far")
		both := append(sum(crypto.MD5, content), sum(crypto.SHA1, content)...)
		legacy := must(rsa.SignPKCS1v15(nil, key, crypto.MD5SHA1, both))
		sha256 := must(rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum(crypto.SHA256, content)))
		secret := append([]byte{3, 1}, bytes.Repeat([]byte{9}, masterLen-2)...)
		//lint:ignore SA1019 it is what a client of TLS 1.2 does
		encrypted := must(rsa.EncryptPKCS1v15(rand.Reader, &key.PublicKey, secret))
		t.Setenv("GODEBUG", "")
		for _, s := range []*tlswire.DigitallySigned{{Legacy: true, Signature: legacy}, {Algorithm: tlswire.SchemeRSAPKCS1SHA256, Signature: sha256}} {
			if err := verifySignature(&key.PublicKey, s, content); err != nil {
				t.Errorf("%d bits: %v", bits, err)
			}
			if err := verifySignature(&key.PublicKey, s, content[1:]); err != errSignature {
				t.Errorf("%d bits, other content: %v", bits, err)
			}
		}
		if bits >= 768 && bits < minRSABits {
			pss := &tlswire.DigitallySigned{Algorithm: tlswire.SchemeRSAPSSRSAESHA256, Signature: sha256}
			if err := verifySignature(&key.PublicKey, pss, content); err != errRefused {
				t.Errorf("%d bits, PSS: %v", bits, err)
			}
		}
		if got := decryptPremaster(key, encrypted); !bytes.Equal(got, secret) {
			t.Errorf("%d bits: the premaster secret is %x", bits, got)
		}
		t.Setenv("GODEBUG", "rsa1024min=0")
	}
}

// What a server's private key cannot do is said of each connection, with the
// reason.
func TestWhyAnRSAKeyDoesNotHelp(t *testing.T) {
	p := testPKI()
	right := p.server["rsa"].PrivateKey.(*rsa.PrivateKey)
	wrong := p.client["rsa"].PrivateKey.(*rsa.PrivateKey)
	staticRSA := func(c *tls.Config) {
		c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}
	}
	server := serverConfig()
	server.Certificates = []tls.Certificate{p.server["rsa"]}
	server.CipherSuites = []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_128_GCM_SHA256}
	server.SetSessionTicketKeys([][32]byte{{1}})
	flow := func(change func(*tls.Config)) *recording {
		client := clientConfig()
		change(client)
		return record(t, server, client).change(func(e wiretap.Event) []wiretap.Event {
			if e.Kind == wiretap.Secret {
				return nil
			}
			return []wiretap.Event{e}
		})
	}
	cache := tls.NewLRUClientSessionCache(1)
	resumes := func(c *tls.Config) { staticRSA(c); c.ClientSessionCache = cache }
	static := flow(staticRSA)
	flow(resumes)
	for name, test := range map[string]struct {
		flow *recording
		key  *rsa.PrivateKey
		use  RSAKeyUse
		want string
	}{
		"right":   {static, right, RSAKeyOpened, ""},
		"wrong":   {static, wrong, RSAOtherKey, "the RSA key does not help: it is not the key of the server's certificate (CN=server)"},
		"ECDHE":   {flow(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), right, RSAForward, "the RSA key does not help: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 has forward secrecy (ECDHE): only a key log opens it"},
		"TLS 1.3": {flow(func(*tls.Config) {}), right, RSAForward, "the RSA key does not help: TLS 1.3 always has forward secrecy: only a key log opens it"},
		"resumed": {flow(resumes), right, RSAResumed, "the RSA key does not help: the session was resumed, and its secret is that of an earlier connection"},
		"no ClientKeyExchange": {lacking(t, static, tlswire.TypeClientKeyExchange), right, RSANotSeen,
			"the RSA key does not help: ClientKeyExchange, which has the secret, is not in the capture"},
		"no ClientHello": {firstLost(static), right, RSANotSeen, "a packet is missing here: it had ClientHello, without which nothing can be decrypted"},
		"not whole": {lacking(t, static, tlswire.TypeCertificate), right, RSAKeyOpened,
			"the keys cannot be derived: extended_master_secret covers the whole handshake (RFC 7627 section 4), and bytes that the server sent before this are not in the capture"},
	} {
		c := test.flow.dissect(t, Options{RSAKeys: []*rsa.PrivateKey{test.key}})
		said := test.want == "" && len(c.Problems) == 0 || slices.ContainsFunc(c.Problems, func(p Problem) bool {
			return test.want != "" && strings.HasPrefix(p.Text, test.want)
		})
		c.Check(trust())
		for _, result := range results(c) {
			if strings.HasSuffix(result, string(Fails)) {
				t.Errorf("%s: %s", name, result)
			}
		}
		if name == "no ClientHello" && !slices.Contains(results(c), "server Certificate: chain holds") {
			t.Errorf("%s: %q", name, results(c))
		}
		if c.RSAKey != test.use || !said {
			t.Errorf("%s: %q, problems %v", name, c.RSAKey, c.Problems)
		}
	}
}

// firstLost is the recording without what the client sent first.
func firstLost(r *recording) *recording {
	var lost int64
	answered := false
	return r.change(func(e wiretap.Event) []wiretap.Event {
		switch {
		case e.Kind != wiretap.Data || answered && lost == 0:
		case e.From == endpoint.Client && !answered:
			lost += int64(len(e.Data))
			return nil
		case !answered:
			answered = true
		case e.From == endpoint.Client:
			gap := wiretap.Event{Kind: wiretap.Gap, From: e.From, Missing: lost}
			lost = 0
			return []wiretap.Event{gap, e}
		}
		return []wiretap.Event{e}
	})
}

// lacking is the recording without the last bytes of a plaintext handshake
// message, the first of its type.
func lacking(t *testing.T, r *recording, kind tlswire.HandshakeType) *recording {
	t.Helper()
	joined := &recording{} // what a side sent in a row, together
	for _, e := range r.events {
		if last := len(joined.events) - 1; last >= 0 && e.Kind == wiretap.Data && joined.events[last].Kind == wiretap.Data && joined.events[last].From == e.From {
			joined.events[last].Data = append(bytes.Clone(joined.events[last].Data), e.Data...)
			continue
		}
		joined.events = append(joined.events, e)
	}
	for _, m := range r.dissect(t, Options{}).Messages {
		if m.Handshake == nil || m.Handshake.Type != kind {
			continue
		}
		found := false
		changed := joined.change(func(e wiretap.Event) []wiretap.Event {
			i := bytes.Index(e.Data, m.Handshake.Raw)
			if e.Kind != wiretap.Data || i < 0 || found {
				return []wiretap.Event{e}
			}
			found = true
			before, after := e, e
			end := i + len(m.Handshake.Raw)
			before.Data, after.Data = e.Data[:end-10], e.Data[end:]
			return []wiretap.Event{before, {Kind: wiretap.Gap, From: e.From, Missing: 10}, after}
		})
		if found {
			return changed
		}
	}
	t.Fatalf("no %v in the clear", kind)
	return nil
}
