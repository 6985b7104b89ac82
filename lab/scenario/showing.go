package scenario

import (
	"sync"

	"mtlslab.example/lab/lab/verdict"
)

// Showing returns the name of a built-in scenario that ends as v says, for the
// same reason: one with the same alert in the same version of TLS, if there is
// one. It is empty where nothing is wrong, or where the reason is not known.
func Showing(v *verdict.Verdict, version uint16) string {
	if v.Code == "" || v.Outcome == verdict.Broken || v.Code != verdict.RefusedInHTTP && v.IsVague() {
		return ""
	}
	best, name := 0, ""
	for _, s := range builtIn() {
		for of, e := range s.Expect {
			if e.Code != v.Code || e.RejectedBy != v.RejectedBy {
				continue
			}
			likeness := 1
			if v.Alert != nil && e.Alert == v.Alert.Name {
				likeness += 2
			}
			if of == version {
				likeness++
			}
			if likeness > best {
				best, name = likeness, s.Name
			}
		}
	}
	return name
}

// builtIn are the scenarios of the program.
var builtIn = sync.OnceValue(func() []*Scenario {
	all, _ := All()
	return all
})
