package probe

import (
	"crypto/tls"
	"slices"
	"testing"
)

// Findings come in the order of the catalogue, whichever case ends first, and
// the report has them in the order in which they came.
func TestOrder(t *testing.T) {
	p := newPKI(t)
	o := p.options(p.goServer(t, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool("client-ca")}, nil))
	o.Concurrency, o.Skip = 8, []string{offersCase, "intermediate-as-root"}
	var told []*Finding
	o.Each = func(row []*Finding) { told = append(told, row...) }
	r := probed(t, o)
	if !slices.Equal(told, r.Findings) {
		t.Error("the report has another order than what was told")
	}
	names, tried := CaseNames(), []int{}
	for _, f := range told {
		if f.Judgement != Left {
			tried = append(tried, slices.Index(names, f.Case))
		}
	}
	if len(tried) < 40 || !slices.IsSorted(tried) {
		t.Errorf("%d findings in another order than the catalogue's: %v", len(tried), tried)
	}
}
