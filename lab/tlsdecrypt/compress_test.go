package tlsdecrypt

import (
	"bytes"
	"compress/zlib"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/wiretap"
)

func pack(t testing.TB, a tlswire.CertificateCompressionAlgorithm, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	switch a {
	case tlswire.CompressionZlib:
		w := zlib.NewWriter(&out)
		w.Write(b)
		w.Close()
	case tlswire.CompressionBrotli:
		w := brotli.NewWriter(&out)
		w.Write(b)
		w.Close()
	case tlswire.CompressionZstd:
		w := must(zstd.NewWriter(&out))
		w.Write(b)
		w.Close()
	}
	return out.Bytes()
}

// rawHandshake is a handshake message with a body.
func rawHandshake(body tlswire.Body, ctx tlswire.Context) []byte {
	return tlswire.Handshake{Type: body.Type(), Body: body, Context: ctx}.Marshal()
}

// seal makes the first record under a traffic secret of a suite with
// AES-128-GCM.
func seal(secret []byte, content []byte) []byte {
	padded := append(bytes.Clone(content), byte(tlswire.ContentTypeHandshake), 0, 0, 0)
	return must(NewTrafficKeys(tlswire.TLS_AES_128_GCM_SHA256, secret)).Seal(nil, padded)
}

// A server's flight with its Certificate packed, as browsers are sent it, made
// from a recorded one.
func TestCompressedCertificate(t *testing.T) {
	r := record(t, serverConfig(), clientConfig())
	c := r.dissect(t, Options{})
	hs := c.handshakes[0]
	secret := hs.secrets.Server
	certificate := hs.transcript[slices.IndexFunc(hs.transcript, func(m *Message) bool { return m.Handshake.Type == tlswire.TypeCertificate })].Handshake
	body := certificate.Raw[tlswire.HandshakeHeaderLen:]

	flight := func(packed *tlswire.CompressedCertificate) *Connection {
		var transcript, sealed []byte
		send := func(raw []byte) { transcript, sealed = append(transcript, raw...), append(sealed, raw...) }
		for _, m := range hs.transcript[:2] {
			transcript = append(transcript, m.Handshake.Raw...)
		}
		send(hs.transcript[2].Handshake.Raw) // EncryptedExtensions
		send(rawHandshake(packed, tlswire.Context{}))
		signed := sha256.Sum256(signedTLS13(endpoint.Server, digest(sha256.New, transcript)))
		signature := must(testPKI().server["ecdsa"].PrivateKey.(crypto.Signer).Sign(rand.Reader, signed[:], crypto.SHA256))
		send(rawHandshake(&tlswire.CertificateVerify{DigitallySigned: tlswire.DigitallySigned{Algorithm: tlswire.SchemeECDSASecp256r1SHA256, Signature: signature}}, tlswire.Context{}))
		send(rawHandshake(&tlswire.Finished{VerifyData: finishedTLS13(tlswire.VersionTLS13, secret, digest(sha256.New, transcript))}, tlswire.Context{}))

		made := &recording{events: []wiretap.Event{r.events[0]}}
		for i, m := range hs.transcript[:2] {
			rec := tlswire.Record{Type: tlswire.ContentTypeHandshake, Version: tlswire.VersionTLS12, Fragment: m.Handshake.Raw}
			made.events = append(made.events, wiretap.Event{Kind: wiretap.Data, Time: m.Time, From: endpoint.Client + endpoint.Side(i), Data: rec.Marshal()})
		}
		made.events = append(made.events, wiretap.Event{Kind: wiretap.Data, Time: c.Opened, From: endpoint.Server, Data: seal(secret, sealed)})
		store := &keylog.Store{}
		store.Add(keylog.Entry{Label: keylog.LabelServerHandshakeTraffic, ClientRandom: c.ClientRandom, Secret: secret})
		return made.dissect(t, Options{Secrets: store})
	}

	for _, a := range []tlswire.CertificateCompressionAlgorithm{tlswire.CompressionZlib, tlswire.CompressionBrotli, tlswire.CompressionZstd} {
		got := flight(&tlswire.CompressedCertificate{Algorithm: a, UncompressedLength: uint32(len(body)), Compressed: pack(t, a, body)})
		expect(t, got, "client ClientHello", "server ServerHello", "server EncryptedExtensions [server_handshake_traffic_secret]",
			"server CompressedCertificate [server_handshake_traffic_secret]", "server CertificateVerify [server_handshake_traffic_secret]",
			"server Finished [server_handshake_traffic_secret]")
		allHold(t, got, 3)
		if inner := got.Messages[3].Inner; inner == nil || !bytes.Equal(inner.Raw, certificate.Raw) {
			t.Errorf("%v: the Certificate is %+v", a, inner)
		}

		// One that claims less than it has, and one that is cut.
		for _, packed := range []*tlswire.CompressedCertificate{
			{Algorithm: a, UncompressedLength: 100, Compressed: pack(t, a, make([]byte, 1<<20))},
			{Algorithm: a, UncompressedLength: uint32(len(body)), Compressed: pack(t, a, body)[:40]},
		} {
			got := flight(packed)
			if got.Messages[3].Inner != nil || got.Messages[3].Err == nil {
				t.Errorf("%v: %+v unpacks", a, packed)
			}
		}
	}
	got := flight(&tlswire.CompressedCertificate{Algorithm: 77, UncompressedLength: 1, Compressed: []byte{1}})
	if err := got.Messages[3].Err; err == nil || !strings.Contains(err.Error(), "compression_algorithm(77) is not a compression that is known here") {
		t.Errorf("%v", err)
	}
}
