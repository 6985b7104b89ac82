package scenario

import (
	"crypto/tls"
	"path/filepath"
	"strings"
)

// Folder is the folder below that of the PKI that holds the certificates of the
// scenarios.
const Folder = "scenarios"

// Certs returns the folder of the scenario's certificates below that of the
// PKI.
func (s *Scenario) Certs(certs string) string { return filepath.Join(certs, Folder, s.Name) }

// Capture returns the file of a run's capture in the folder dir:
// captures/NAME-tls12.pcapng.
func (s *Scenario) Capture(dir string, version uint16) string {
	return filepath.Join(dir, "captures", s.RunName(version)+captureExt)
}

const captureExt = ".pcapng"

// RunName is what files of a run are called, without their ending: NAME-tls12.
func (s *Scenario) RunName(version uint16) string { return s.Name + "-" + shortVersion(version) }

// CertsOf returns the folder, below that of the PKI, of the scenario that a
// capture is of by its name, or "" if it has not such a name.
func CertsOf(certs, capture string) string {
	for _, version := range Versions {
		if name, ok := strings.CutSuffix(filepath.Base(capture), "-"+shortVersion(version)+captureExt); ok {
			return filepath.Join(certs, Folder, name)
		}
	}
	return ""
}

// shortVersion returns "tls12" for TLS 1.2.
func shortVersion(v uint16) string {
	return strings.ToLower(strings.NewReplacer(" ", "", ".", "").Replace(tls.VersionName(v)))
}
