package keyshim

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"

	"mtlslab.example/lab/lab/tlswire"
)

// What a server says in the clear before TLS does not hide that it has begun to
// encrypt: a connection without that is not waited for.
func TestSealedBehindStartTLS(t *testing.T) {
	for name, before := range map[string][]string{
		"at once": nil,
		"SMTP":    {"220 mx.test ESMTP\r\n", "250-mx.test\r\n250 STARTTLS\r\n", "220 2.0.0 Ready to start TLS\r\n"},
		"MySQL":   {"\x4a\x00\x00\x00\x0a10.11\x00\x16\x03\x01"},
	} {
		t.Run(name, func(t *testing.T) {
			found := false
			s := &sealedFinder{found: func(r sealedRecord) { found = r.suite != 0 && r.record.Type == tlswire.ContentTypeApplicationData }}
			for _, text := range before {
				_, _ = s.Write([]byte(text))
			}
			if s.sealing || s.done {
				t.Error("what is in the clear counts as encrypted")
			}
			_, _ = s.Write(serverFlight(t))
			if !found || !s.sealing {
				t.Errorf("the first encrypted record is found: %v, sealing: %v", found, s.sealing)
			}
		})
	}
}

// serverFlight is what a server with TLS 1.3 writes first.
func serverFlight(t *testing.T) []byte {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	go func() {
		_ = tls.Client(far, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}).Handshake()
	}()
	written := &recorder{Conn: near}
	_ = near.SetDeadline(time.Now().Add(10 * time.Second))
	_ = tls.Server(written, &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}).Handshake()
	return written.all
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// recorder records what is written.
type recorder struct {
	net.Conn
	all []byte
}

func (r *recorder) Write(p []byte) (int, error) {
	r.all = append(r.all, p...)
	return r.Conn.Write(p)
}
