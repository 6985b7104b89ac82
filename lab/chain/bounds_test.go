package chain

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"mtlslab.example/lab/lab/endpoint"
)

// crowd returns a chain of many certificates of one name, none of which has
// issued another, as no server sends but an attacker's.
func crowd(t *testing.T, n int) (q Question) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		template := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: "crowd"}}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, other)
		if err != nil {
			t.Fatal(err)
		}
		q.DERs = append(q.DERs, der)
	}
	q.Of = endpoint.Server
	return q
}

// A chain of many certificates does not have each checked against each.
func TestUnverifiableIsBounded(t *testing.T) {
	const want = "there are more signatures in its chain than are checked"
	if got := (&Trust{}).Unverifiable(crowd(t, 40)); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := (&Trust{}).Unverifiable(crowd(t, 10)); got != "" {
		t.Errorf("%q", got)
	}
}

func BenchmarkUnverifiable(b *testing.B) {
	t := &testing.T{}
	q := crowd(t, 2000)
	for b.Loop() {
		_ = (&Trust{}).Unverifiable(q)
		_ = (&Trust{}).Leads(q, now)
	}
}

// A capture whose times cannot be a clock's proves no certificate out of date.
func TestEvidentWithoutClock(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"}, NotBefore: day, NotAfter: day.AddDate(0, 0, 1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		at   time.Time
		want Code
	}{
		"none":                  {time.Time{}, ""},
		"the beginning of time": {time.Unix(0, 0), ""},
		"counted from there":    {time.Unix(3600, 0), ""},
		"before":                {day.AddDate(0, 0, -1), NotYetValid},
		"in time":               {day.Add(time.Hour), ""},
		"after":                 {day.AddDate(0, 0, 2), Expired},
	} {
		var got Code
		if f := Evident(Question{DERs: [][]byte{der}, Of: endpoint.Client}, test.at); f != nil {
			got = f.Code
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// A signature is verified once, however often its certificates are parsed.
func TestSignaturesAreRemembered(t *testing.T) {
	der := crowd(t, 1).DERs[0]
	known := func() int {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := certified(cert, cert); err != errSignature {
			t.Error(err)
		}
		return len(verified.results)
	}
	if first, second := known(), known(); first != second {
		t.Errorf("%d results, then %d", first, second)
	}
}
