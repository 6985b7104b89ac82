package tlsdecrypt

import (
	"crypto/tls"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/tlswire"
)

// eachTerm calls f for every term.
func eachTerm(terms []Term, f func(Term)) {
	for _, t := range terms {
		f(t)
		eachTerm(t.Terms, f)
	}
}

// checkArithmetic compares the arithmetic with the checksums that the two sides
// have sent: it comes to the same, and hides its secrets.
func checkArithmetic(t *testing.T, c *Connection) {
	t.Helper()
	sums, sent := make(map[string]bool), make(map[string]bool)
	secrets := 0
	eachTerm(c.Arithmetic(), func(term Term) {
		if strings.HasPrefix(term.Name, "verify_data") {
			sums[term.Value] = true
		}
		if strings.HasSuffix(term.Name, "'s Finished has") {
			sent[term.Value] = true
		}
		if term.Secret && term.Value != "" {
			secrets++
		}
		if term.Value == "" && term.Note == "" {
			t.Errorf("%s has no value, and nothing says why", term.Name)
		}
	})
	finished := 0
	for _, m := range c.Messages {
		if m.Handshake == nil {
			continue
		}
		if body, ok := m.Handshake.Body.(*tlswire.Finished); ok {
			finished++
			if sum := hex.EncodeToString(body.VerifyData); !sums[sum] || !sent[sum] {
				t.Errorf("the %v's Finished has %s, and the arithmetic %v and %v", m.From, sum, sums, sent)
			}
		}
	}
	if finished < 2 || secrets < 5 {
		t.Errorf("%d Finished, %d secrets", finished, secrets)
	}
	eachTerm(Hidden(c.Arithmetic()), func(term Term) {
		if term.Secret && term.Value != "" {
			t.Errorf("%s is not hidden", term.Name)
		}
	})
}

// The arithmetic of TLS 1.2, as net/http speaks it; RFC 8448 has that of TLS
// 1.3.
func TestArithmeticTLS12(t *testing.T) {
	config := serverConfig()
	config.MaxVersion = tls.VersionTLS12
	checkArithmetic(t, dissectHTTP(t, "http/1.1", config, func(http.ResponseWriter, *http.Request) {}, func(client *http.Client, url string) {
		response, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}))
}
