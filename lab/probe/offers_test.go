package probe

import (
	"slices"
	"testing"
)

// What nginx offers is found: its versions, resumption, and data before the
// handshake.
func TestOffers(t *testing.T) {
	p := newPKI(t)
	o := p.options(p.nginx(t, "ssl_early_data on; ssl_verify_client on; ssl_client_certificate "+p.file("client-ca.pem")+";"))
	o.Only, o.Skip = []string{offersCase}, []string{}
	r := probed(t, o)
	if r.Offers == nil || !slices.Equal(r.Offers.Versions, []string{"TLS 1.2", "TLS 1.3"}) || r.Offers.Resumption["TLS 1.3"] != "psk" || r.Offers.EarlyData != 16384 {
		t.Errorf("%+v", r.Offers)
	}
}
