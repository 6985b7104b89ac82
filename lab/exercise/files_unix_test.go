//go:build unix

package exercise

import (
	"os"
	"path/filepath"
	"testing"
)

// What has a private key in it is for the user alone, whatever mode the key
// had.
func TestJoinedKeysArePrivate(t *testing.T) {
	dir := t.TempDir()
	for part, content := range map[string]string{"a-key.pem": "", "a.p12": "", "both.pem": "-----BEGIN EC PRIVATE KEY-----\n", "a.pem": "-----BEGIN CERTIFICATE-----\n"} {
		if err := os.WriteFile(filepath.Join(dir, part), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "joined")
		if err := join(dir, file, []string{part}); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if isPrivate := info.Mode().Perm()&0o077 == 0; isPrivate != (part != "a.pem") {
			t.Errorf("what comes of %s has mode %v", part, info.Mode())
		}
	}
}
