package tlsdecrypt

import (
	"crypto/tls"
	"encoding/json"
	"slices"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/wiretap"
)

// offerIn is what the JSON has of a ClientHello.
type offerIn struct {
	Version, CipherSuite *string
	ServerName           string `json:"server_name"`
	Resumed              *bool
	Offered              struct {
		Versions         []string
		CipherSuites     []string `json:"cipher_suites"`
		Groups           []string
		SignatureSchemes []string `json:"signature_schemes"`
		ALPN             []string
	}
}

func offerOf(t *testing.T, c *Connection) offerIn {
	t.Helper()
	var got struct{ TLS offerIn }
	if err := json.Unmarshal(must(json.Marshal(c)), &got); err != nil {
		t.Fatal(err)
	}
	return got.TLS
}

// What the client offers is in the JSON, whether the server answers or not;
// what nobody said is not.
func TestJSONOfAnOffer(t *testing.T) {
	client := clientConfig()
	client.CurvePreferences = []tls.CurveID{tls.X25519}
	client.MinVersion = tls.VersionTLS12
	whole := record(t, serverConfig(), client)
	unanswered := &recording{}
	for _, e := range whole.events {
		if e.Kind == wiretap.Open || e.Kind == wiretap.Data && e.From == endpoint.Client && len(unanswered.events) < 4 {
			unanswered.events = append(unanswered.events, e)
		} else if e.From == endpoint.Server && e.Kind == wiretap.Data {
			break
		}
	}
	for name, r := range map[string]*recording{"whole": whole, "without ServerHello": unanswered} {
		c := r.dissect(t, Options{})
		got := offerOf(t, c)
		o := got.Offered
		if answered := name == "whole"; (got.Version != nil) != answered || (got.Resumed != nil) != answered || got.ServerName != "localhost" {
			t.Errorf("%s: %+v", name, got)
		}
		if !slices.Equal(o.Versions, []string{"TLS 1.3", "TLS 1.2"}) || !slices.Contains(o.CipherSuites, "TLS_AES_128_GCM_SHA256") ||
			!slices.Equal(o.Groups, []string{"x25519"}) || !slices.Contains(o.SignatureSchemes, "ecdsa_secp256r1_sha256") || !slices.Equal(o.ALPN, []string{"http/1.1"}) {
			t.Errorf("%s: offered %+v", name, o)
		}
	}
}

// Values that are there to be ignored are not offered.
func TestJSONOfAnOfferHasNoGREASE(t *testing.T) {
	s := newScript(tlswire.VersionTLS12, rsaAES)
	s.says(endpoint.Client, &tlswire.ClientHello{LegacyVersion: tlswire.VersionTLS12, LegacyCompressionMethods: []tlswire.CompressionMethod{0},
		CipherSuites: []tlswire.CipherSuite{0x1a1a, rsaAES, tlswire.TLS_EMPTY_RENEGOTIATION_INFO_SCSV}})
	o := offerOf(t, s.r.dissect(t, Options{})).Offered
	if !slices.Equal(o.CipherSuites, []string{"TLS_RSA_WITH_AES_128_CBC_SHA"}) || !slices.Equal(o.Versions, []string{"TLS 1.2"}) {
		t.Errorf("offered %+v", o)
	}
}
