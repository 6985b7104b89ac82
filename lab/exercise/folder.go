package exercise

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/certgen/atomicfile"
	"mtlslab.example/lab/lab/private"
)

// Folder is where the exercises are, below the user's folder.
const Folder = "exercises"

// FolderExistsError is a folder that is in the way of an exercise.
type FolderExistsError struct{ Name, Folder string }

func (e *FolderExistsError) Error() string {
	return fmt.Sprintf("%s has been started: %s is there", e.Name, e.Folder)
}

// make makes the folder of an exercise, which must be empty or not there, whole
// or not at all. An empty one is filled, and not replaced: a shell may be in
// it.
func (e *Exercise) make(ctx context.Context, dir string) (values, error) {
	_, err := os.Lstat(dir)
	isThere := err == nil
	if isThere && !isEmpty(dir) {
		return nil, &FolderExistsError{Name: e.Name, Folder: dir}
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, err
	}
	staging, err := private.MkdirStaging(filepath.Dir(dir), "exercise")
	if err != nil {
		return nil, err
	}
	defer func() { _ = staging.Remove() }() // killed runs' are tidied by the next
	making := filepath.Join(staging.Path, filepath.Base(dir))
	if err := os.Mkdir(making, 0o700); err != nil {
		return nil, err
	}
	v := newValues()
	if err := e.fill(ctx, making, v); err != nil {
		return nil, err
	}
	v.noteKeys(e.keysOfCAs(making))
	if isThere {
		return v, moveAll(making, dir)
	}
	return v, os.Rename(making, dir)
}

// isEmpty reports whether a folder has nothing in it.
func isEmpty(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && len(entries) == 0
}

// moveAll moves all that is in a folder into another on the same disk, or
// nothing.
func moveAll(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for i, entry := range entries {
		if err := os.Rename(filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())); err != nil {
			for _, moved := range entries[:i] {
				err = errors.Join(err, os.Rename(filepath.Join(to, moved.Name()), filepath.Join(from, moved.Name())))
			}
			return err
		}
	}
	return nil
}

// fill writes the files of the exercise into an empty folder.
func (e *Exercise) fill(ctx context.Context, dir string, v values) error {
	write := func(name string, text []byte, err error) error {
		if err != nil || text == nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), text, 0o644)
	}
	if err := write(manifestFile, e.manifestText(), nil); err != nil {
		return err
	}
	if e.manifestText() != nil {
		if err := e.generate(ctx, dir, time.Now().Add(-e.World.Age), nil, nil); err != nil {
			return err
		}
	}
	if e.keepsStart() {
		if err := copyFolder(filepath.Join(dir, certsFolder), filepath.Join(dir, startFolder)); err != nil {
			return err
		}
	}
	if e.hasSettings() {
		text, err := e.settingsText()
		if err := write(settingsFile, text, err); err != nil {
			return err
		}
	}
	if len(e.Ask) > 0 {
		if err := write(answersFile, e.answersText(), nil); err != nil {
			return err
		}
	}
	if err := write(readmeFile, e.Page(), nil); err != nil {
		return err
	}
	issued, err := e.issueOnce(ctx, filepath.Join(dir, certsFolder))
	if err != nil {
		return err
	}
	lent, err := e.lend(issued, filepath.Join(dir, certsFolder))
	if err != nil {
		return err
	}
	for _, f := range e.World.Files {
		if f.Record != nil {
			err = e.record(ctx, dir, filepath.Join(dir, filepath.FromSlash(f.Name)), v, issued, f.Record)
		} else {
			err = e.writeFile(dir, v, f)
		}
		if err != nil {
			return fmt.Errorf("making %s: %w", f.Name, err)
		}
	}
	for _, p := range e.World.Programs {
		if !e.isMarked(p) {
			for _, name := range p.own() {
				lent = append(lent, filepath.Join(dir, filepath.FromSlash(name)))
			}
		}
	}
	for _, file := range lent {
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	return nil
}

// isMarked reports whether a program takes part in what is marked. One that was
// recorded alone is not the participant's, nor are its files.
func (e *Exercise) isMarked(p *Program) bool {
	return slices.ContainsFunc(e.Solved, func(s Step) bool { return e.callerOf(s.Call).program == p || e.serverOf(s.To).program == p })
}

// issueOnce makes the certificates that the folder lacks, if some of its files
// are made with them: all of these files show the same ones. nil: there are
// none.
func (e *Exercise) issueOnce(ctx context.Context, certs string) (*certgen.Issued, error) {
	if len(e.Marker.Certificates) == 0 || !slices.ContainsFunc(e.World.Files, func(f NamedFile) bool { return f.Join != nil || f.Record != nil }) {
		return nil, nil
	}
	return e.issue(ctx, certs)
}

// lend writes the certificates that the folder lacks into certs while the files
// are made, if some are made of those, and returns what was written.
func (e *Exercise) lend(issued *certgen.Issued, certs string) (lent []string, err error) {
	if issued == nil || !slices.ContainsFunc(e.World.Files, func(f NamedFile) bool { return f.Join != nil }) {
		return nil, nil
	}
	for _, name := range e.Marker.Certificates {
		pair := issued.Pairs[name]
		var text []byte
		for _, der := range pair.Certificate {
			text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
		}
		key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
		if err != nil {
			return nil, err
		}
		file := filepath.Join(certs, name)
		lent = append(lent, file+".pem", file+"-key.pem")
		if err := errors.Join(os.WriteFile(file+".pem", text, 0o644), os.WriteFile(file+"-key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600)); err != nil {
			return nil, err
		}
	}
	return lent, nil
}

// keepsStart reports whether a step needs the certificates of the start.
func (e *Exercise) keepsStart() bool {
	for _, s := range e.Solved {
		if s.AtStart {
			return true
		}
	}
	return false
}

// manifestText returns certs.yaml: the certificates of the folder, as they were
// written. nil: there are none.
func (e *Exercise) manifestText() []byte {
	m, err := e.Manifest()
	if err != nil { // Parse has looked
		return nil
	}
	shown := map[int]bool{} // by the line on which the document begins
	for _, c := range m.Certificates {
		shown[c.Line] = !e.isHidden(c.Name)
	}
	var text, document strings.Builder
	wanted := false
	end := func() {
		if wanted {
			text.WriteString("---\n" + document.String())
		}
		document.Reset()
		wanted = false
	}
	line := 0
	for written := range strings.Lines(string(e.Text)) {
		line++
		written = strings.TrimRight(written, "\r\n")
		if written == "---" {
			end()
			continue
		}
		document.WriteString(written + "\n")
		wanted = wanted || shown[line]
	}
	if end(); text.Len() == 0 {
		return nil
	}
	return []byte("# The certificates in the folder certs. After a change run lab certs generate\n# in this folder.\n" + strings.TrimPrefix(text.String(), "---\n"))
}

// manifestIn returns what certs.yaml in dir asks for.
func (e *Exercise) manifestIn(dir string) (*certgen.Manifest, error) {
	m, err := certgen.Read(filepath.Join(dir, manifestFile))
	if err != nil {
		return nil, err
	}
	for name, extensions := range e.lesson.Extensions {
		if m.Find(name) == nil {
			continue
		}
		if err := m.Extend(name, extensions...); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// generate makes the certificates in dir as certs.yaml there says, those in
// renew in any case, and revokes some.
func (e *Exercise) generate(ctx context.Context, dir string, now time.Time, renew, revoke []string) error {
	m, err := e.manifestIn(dir)
	if err != nil {
		return err
	}
	for _, name := range revoke {
		if err := m.Revoke(name); err != nil {
			return err
		}
	}
	_, err = certgen.Generate(ctx, m, filepath.Join(dir, certsFolder), certgen.Options{Renew: renew, Now: func() time.Time { return now }})
	return err
}

// isStale reports whether the participant has changed certs.yaml, and not had
// the certificates made that it asks for.
func (e *Exercise) isStale(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil || bytes.Equal(text, e.manifestText()) {
		return false
	}
	m, err := e.manifestIn(dir)
	if err != nil { // lab certs generate will say so
		return true
	}
	plan, err := certgen.Compare(m, filepath.Join(dir, certsFolder), certgen.Options{})
	return err == nil && len(plan.Steps) > 0
}

// The bounds on what is copied of a folder.
const (
	maxFiles  = 2000
	maxCopied = 64 << 20 // bytes
)

var errTooLarge = errors.New("there are more than 2000 files in the folder, or more than 64 MiB")

// copyFolder copies the regular files of a folder into a new one, for the user
// alone. Links to files are followed, links to folders and captures left out.
func copyFolder(from, to string) error {
	files, left := 0, int64(maxCopied)
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		}
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() || filepath.Ext(path) == ".pcapng" {
			return nil // what it is needed for will say that it is not there
		}
		if files++; files > maxFiles || info.Size() > left {
			return errTooLarge
		}
		left -= info.Size()
		return copyFile(path, filepath.Join(to, name), info)
	})
}

// copyFile copies a file with its times, by which certificates are known to be
// unchanged, and its mode.
func copyFile(from, to string, info fs.FileInfo) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm()|0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	return os.Chtimes(to, time.Time{}, info.ModTime())
}

// inCopy calls what with a copy of a folder, which is removed afterwards.
func inCopy(dir string, what func(dir string) error) error {
	temporary, err := private.MkdirTemp("", "exercise")
	if err != nil {
		return err
	}
	defer func() { _ = temporary.Remove() }() // killed runs' are tidied by the next
	// The copy has a name of its own: a path in the folder may hold blanks.
	to := filepath.Join(temporary.Path, filepath.Base(dir))
	if err := copyFolder(dir, to); err != nil {
		return err
	}
	return what(to)
}

// writeText writes a file that may be there.
func writeText(file string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(file, text, 0o644)
}
