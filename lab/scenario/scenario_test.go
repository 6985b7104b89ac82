package scenario

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func baseManifest(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "certs.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Every scenario ends as it says, in every version that it has.
func TestCatalogue(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Manifest: baseManifest(t), Dir: t.TempDir()}
	for _, s := range all {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			for _, version := range s.Versions() {
				r, err := s.Run(t.Context(), version, o)
				if err != nil {
					t.Fatal(err)
				}
				if len(r.Wrong) > 0 {
					t.Errorf("%s: %s\n%s\nserver: %+v\nclient: %+v\nalert: %+v", tls.VersionName(version), strings.Join(r.Wrong, "; "), r.Exchange.Reason, r.Exchange.Server, r.Exchange.Client, r.Exchange.Alert)
				}
			}
		})
	}
}
