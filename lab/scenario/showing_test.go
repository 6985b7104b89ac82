package scenario

import (
	"testing"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/verdict"
)

// Whatever a scenario ends with, one is named that ends with the same code by
// the same side; and every name is that of a scenario.
func TestShowing(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		for _, e := range s.Expect {
			if e.Code == "" || e.Code == verdict.Closed {
				continue
			}
			v := verdict.Verdict{Outcome: verdict.Rejected, RejectedBy: e.RejectedBy, Code: e.Code}
			if e.RejectedBy == endpoint.Unknown {
				v.Outcome = verdict.Accepted
			}
			name := Showing(&v, &tlsdecrypt.Connection{})
			shown, err := Find(name)
			if err != nil {
				t.Errorf("%s: %v", s.Name, err)
				continue
			}
			same := false
			for _, of := range shown.Expect {
				same = same || of.Code == e.Code && of.RejectedBy == e.RejectedBy
			}
			if !same {
				t.Errorf("%s: %s does not end so", s.Name, name)
			}
		}
	}
	for f, name := range plainest {
		if _, err := Find(name); err != nil {
			t.Errorf("%v: %v", f, err)
		}
	}
	for _, v := range []verdict.Verdict{{}, {Outcome: verdict.Rejected, Code: verdict.Other}, {Outcome: verdict.Rejected, Code: verdict.RefusedByCertificate}} {
		if name := Showing(&v, &tlsdecrypt.Connection{}); name != "" {
			t.Errorf("%+v: %s", v, name)
		}
	}
	for by, name := range map[endpoint.Side]string{endpoint.Client: "path-length-exceeded", endpoint.Server: "path-length-exceeded"} {
		v := verdict.Verdict{Outcome: verdict.Rejected, RejectedBy: by, Code: chain.PathTooLong}
		if got := Showing(&v, &tlsdecrypt.Connection{}); got != name {
			t.Errorf("%v: %s", by, got)
		}
	}
}
