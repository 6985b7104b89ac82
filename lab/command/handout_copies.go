package command

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/certgen/atomicfile"
	"mtlslab.example/lab/lab/text"
)

// numbered are the names of copies of a certificate.
func numbered(name string, count int) (names []string) {
	for i := range count {
		names = append(names, fmt.Sprintf("%s-%02d", name, i+1))
	}
	return names
}

// addCopies adds to certs.yaml those copies of a certificate that it lacks.
func (p *Program) addCopies(f folder, name string, names []string) error {
	data, err := os.ReadFile(f.manifest())
	if err != nil {
		return err
	}
	edited, added, err := certgen.AddCopies(f.manifest(), data, name, names)
	if err != nil || len(added) == 0 {
		return err
	}
	if err := f.rewriteManifest(data, edited); err != nil {
		return err
	}
	p.say("added to %s, like %s: %s", f.manifest(), name, spanned(added))
	return nil
}

// numberedName is one with a number at its end, or before a file's extension.
var numberedName = text.Pattern(`^(.*?)([0-9]{1,9})(\.[a-z0-9]+)?$`)

// isNext reports whether b is a with the next number.
func isNext(a, b string) bool {
	x, y := numberedName().FindStringSubmatch(a), numberedName().FindStringSubmatch(b)
	if x == nil || y == nil || x[1] != y[1] || x[3] != y[3] {
		return false
	}
	before, _ := strconv.Atoi(x[2]) // digits, and not too many
	after, _ := strconv.Atoi(y[2])
	return after == before+1
}

// spanned lists names; three or more that are numbered on end are the first and
// the last.
func spanned(names []string) string {
	var words []string
	for len(names) > 0 {
		n := 1
		for n < len(names) && isNext(names[n-1], names[n]) {
			n++
		}
		if n > 2 {
			words = append(words, names[0]+" to "+names[n-1])
		} else {
			words = append(words, names[:n]...)
		}
		names = names[n:]
	}
	return strings.Join(words, ", ")
}

// rewriteManifest writes the manifest anew, if it is still what was read.
func (f folder) rewriteManifest(was, now []byte) error {
	there, err := os.ReadFile(f.manifest())
	if err != nil {
		return err
	}
	if string(there) != string(was) {
		return fmt.Errorf("%s was changed by another program in the meantime: nothing was written", f.manifest())
	}
	info, err := os.Stat(f.manifest())
	if err != nil {
		return err
	}
	return atomicfile.Write(f.manifest(), now, info.Mode().Perm())
}
