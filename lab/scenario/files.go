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
	return filepath.Join(dir, "captures", s.Name+captureEnd(version))
}

// CertsOf returns the folder, below that of the PKI, of the scenario that a
// capture is of by its name, or "" if it has not such a name.
func CertsOf(certs, capture string) string {
	for _, version := range Versions {
		if name, ok := strings.CutSuffix(filepath.Base(capture), captureEnd(version)); ok {
			return filepath.Join(certs, Folder, name)
		}
	}
	return ""
}

func captureEnd(version uint16) string { return "-" + shortVersion(version) + ".pcapng" }

// shortVersion returns "tls12" for TLS 1.2.
func shortVersion(v uint16) string {
	return strings.ToLower(strings.NewReplacer(" ", "", ".", "").Replace(tls.VersionName(v)))
}
