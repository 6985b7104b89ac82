package lab

import (
	"crypto/tls"
	"slices"
	"testing"

	"mtlslab.example/lab/lab/tlswire"
)

// TestOfferOf: a server whose settings name no versions takes those that
// crypto/tls takes.
func TestOfferOf(t *testing.T) {
	for _, test := range []struct {
		config *tls.Config
		want   []tlswire.Version
	}{
		{&tls.Config{}, []tlswire.Version{tlswire.VersionTLS13, tlswire.VersionTLS12}},
		{&tls.Config{MaxVersion: tls.VersionTLS12}, []tlswire.Version{tlswire.VersionTLS12}},
		{&tls.Config{MinVersion: tls.VersionTLS11}, []tlswire.Version{tlswire.VersionTLS13, tlswire.VersionTLS12, tlswire.VersionTLS11}},
	} {
		if got := offerOf(test.config).Versions; !slices.Equal(got, test.want) {
			t.Errorf("%v, want %v", got, test.want)
		}
	}
}
