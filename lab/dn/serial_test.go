package dn_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os/exec"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/peertest"
)

// TestSerial compares serial numbers with OpenSSL's, whose -serial writes
// capitals and whose -text does not.
func TestSerial(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for serial, want := range map[int64]string{0xf12: "0f12", 0xabcdef: "abcdef", 1: "01", 0x80: "80"} {
		template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if got := dn.Serial(cert); got != want {
			t.Errorf("%x: %s", serial, got)
		}
		peertest.Need(t, "openssl")
		openssl := exec.Command("openssl", "x509", "-noout", "-serial")
		openssl.Stdin = strings.NewReader(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
		if out, err := openssl.Output(); err != nil || strings.ToLower(string(out)) != "serial="+want+"\n" {
			t.Errorf("openssl has %s, not %s (%v)", out, want, err)
		}
	}
	for serial, want := range map[int64]string{0: "00", -77: "-4d"} { // Go issues no such certificate
		if got := dn.Serial(&x509.Certificate{SerialNumber: big.NewInt(serial)}); got != want {
			t.Errorf("%d: %s", serial, got)
		}
	}
}
