package check

import (
	"fmt"
	"os"
	"runtime"

	"mtlslab.example/lab/lab/certfile"
)

// lookAtMode finds a private key that more than its owner can read. Modes of
// Windows say nothing of it.
func (f *File) lookAtMode() {
	info, err := os.Stat(f.Name)
	if err != nil || runtime.GOOS == "windows" || !f.hasPlainFileKey() {
		return
	}
	mode, who := info.Mode().Perm(), "others than its owner"
	switch {
	case mode&0o077 == 0:
		return
	case mode&0o037 == 0:
		who = "its group, which libpq takes of a file of root alone"
	}
	f.Findings = append(f.Findings, Finding{Level: Note, Rule: "key_readable_by_others", File: f.Name, RefusedBy: "PostgreSQL's libpq, as psql's sslkey",
		Text: fmt.Sprintf("%s has a private key, and mode %04o: it can be read by %s", f.Name, mode, who), Fix: "chmod 600 $FILE"})
}

// hasPlainFileKey reports whether a file is a private key as programs load it,
// and no store.
func (f *File) hasPlainFileKey() bool {
	for _, part := range f.parts {
		if len(part.Keys) > 0 && (part.Form == certfile.PEM || part.Form == certfile.DER) {
			return true
		}
	}
	return false
}
