package handout

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
)

// MaxSize is how large a hand-out may be, in bytes, packed and unpacked.
const MaxSize = 1 << 20

// maxFiles is how many files and folders a hand-out may have.
const maxFiles = 64

// Error reports a file that is not read as a hand-out.
type Error struct {
	File    string
	Problem string // what follows the file's name
}

func (e *Error) Error() string { return e.File + " " + e.Problem }

// Open reads a hand-out, a zip file or a folder, and writes nothing. It refuses
// what a hand-out never has: paths that lead out of it, links and devices,
// names that are given twice or differ in case only or that Windows reserves,
// other files than its own, more than MaxSize bytes, private keys where a CA
// belongs, and certificates that cannot be read. The error is then an *Error,
// or one of package certfile.
func Open(file string) (*Handout, error) {
	files, err := read(file)
	if err != nil {
		return nil, err
	}
	h := &Handout{certs: map[string][]byte{}}
	wrong := func(format string, args ...any) error { return &Error{file, fmt.Sprintf(format, args...)} }
	var about description
	decoder := json.NewDecoder(bytes.NewReader(files["handout.json"]))
	decoder.DisallowUnknownFields()
	switch err := decoder.Decode(&about); {
	case files["handout.json"] == nil:
		return nil, wrong("is not a hand-out: there is no handout.json in it")
	case err != nil:
		return nil, wrong("has a handout.json that cannot be read: %v", err)
	case identityProblem(about.Name) != "" || identityProblem(about.Authority) != "":
		return nil, wrong("has a handout.json with names that no file can have")
	case about.Side != endpoint.Client && about.Side != endpoint.Server:
		return nil, wrong("is neither for a client nor for a server")
	case strings.EqualFold(about.Name, about.Authority):
		return nil, wrong("has one name for a certificate and for a CA")
	}
	if u, err := url.Parse(about.URL); err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || !text.IsClean(about.URL) || strings.ContainsAny(about.URL, " \"'`$\\") {
		return nil, wrong("has a handout.json whose url is not like https://host:8443/")
	}
	h.Name, h.Side, h.Authority, h.URL = about.Name, about.Side, about.Authority, about.URL
	for name, data := range files {
		base, inCerts := strings.CutPrefix(name, "certs/")
		switch {
		case name == "handout.json" || name == "README.txt":
		case inCerts && h.mayHave(base):
			h.certs[base] = data
		default:
			return nil, wrong("has %s in it, which is no part of a hand-out for %s", text.Clean(name), h.Name)
		}
	}
	return h, h.check(file)
}

// mayHave reports whether certs may have a file of that name.
func (h *Handout) mayHave(base string) bool {
	return slices.Contains([]string{h.Name + ".pem", h.Name + "-key.pem", h.Name + ".p12", h.Authority + ".pem"}, base) ||
		strings.HasSuffix(base, "-crl.pem") && nameProblem(base) == ""
}

// check reads the certificates and says whether the key is encrypted.
func (h *Handout) check(file string) error {
	in := func(base string) string { return filepath.Join(file, "certs", base) }
	for _, base := range []string{h.Name + ".pem", h.Name + "-key.pem", h.Authority + ".pem"} {
		if h.certs[base] == nil {
			return &Error{file, "lacks certs/" + base}
		}
	}
	for base, data := range h.certs {
		if strings.HasSuffix(base, ".p12") {
			continue // with a password that may be another
		}
		parts, err := certfile.Parse(in(base), data, "")
		if err != nil {
			return err
		}
		if len(parts) != 1 || parts[0].Form != certfile.PEM {
			return &Error{file, "has in certs/" + base + " what is not PEM"}
		}
		part, isKey := parts[0], base == h.Name+"-key.pem"
		switch isCRL := strings.HasSuffix(base, "-crl.pem"); {
		case isKey && (len(part.Keys) != 1 || len(part.Certificates) > 0):
			return &Error{file, "has in certs/" + base + " more or less than a private key"}
		case isKey:
			h.Encrypted = part.Keys[0].IsEncrypted
		case len(part.Keys) > 0:
			return &Error{file, "has a private key in certs/" + base + ", where none belongs"}
		case isCRL && (len(part.CRLs) == 0 || len(part.Certificates) > 0):
			return &Error{file, "has in certs/" + base + " what is not a CRL"}
		case !isCRL && len(part.Certificates) == 0:
			return &Error{file, "has no certificate in certs/" + base}
		case base == h.Authority+".pem" && !part.Certificates[0].IsCA:
			return &Error{file, "has in certs/" + base + " what is not a CA"}
		}
	}
	return nil
}

// read returns the files of a hand-out by their paths below its folder.
func read(file string) (map[string][]byte, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return readFolder(file)
	case !info.Mode().IsRegular():
		return nil, &Error{file, "is neither a file nor a folder"}
	case info.Size() > MaxSize:
		return nil, &Error{file, "is larger than 1 MiB, and so no hand-out"}
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, err
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, &Error{file, "is not a zip file that can be read: " + err.Error()}
	}
	c := &collection{file: file, files: map[string][]byte{}, folded: map[string]string{}}
	for _, entry := range archive.File {
		name, isFolder := strings.CutSuffix(entry.Name, "/")
		if mode := entry.Mode(); !isFolder && !mode.IsRegular() || isFolder && mode.Type() != fs.ModeDir {
			return nil, &Error{file, "has " + text.Clean(entry.Name) + " in it, which is " + kind(mode)}
		}
		if err := c.claim(name); err != nil {
			return nil, err
		}
		if isFolder {
			continue
		}
		r, err := entry.Open()
		if err != nil {
			return nil, &Error{file, "has " + text.Clean(entry.Name) + " in it, which cannot be read: " + err.Error()}
		}
		if err := c.add(name, r); err != nil {
			return nil, err
		}
	}
	return c.below()
}

func kind(mode fs.FileMode) string {
	if mode&fs.ModeSymlink != 0 {
		return "a link"
	}
	return "not a regular file"
}

// readFolder reads a hand-out that has been unpacked. Nothing is followed that
// leads out of it.
func readFolder(dir string) (map[string][]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	c := &collection{file: dir, files: map[string][]byte{}, folded: map[string]string{}}
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || name == ".":
			return err
		case !entry.IsDir() && !entry.Type().IsRegular():
			return &Error{dir, "has " + text.Clean(name) + " in it, which is " + kind(entry.Type())}
		}
		if err := c.claim(name); err != nil || entry.IsDir() {
			return err
		}
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		return c.add(name, f)
	})
	return c.files, err
}

// collection is the files of a hand-out while they are read.
type collection struct {
	file   string
	files  map[string][]byte
	folded map[string]string // all names, in small letters
	size   int64
}

// claim refuses a name that is not safe, or that is there already.
func (c *collection) claim(name string) error {
	shown := text.Clean(name)
	for part := range strings.SplitSeq(name, "/") {
		if problem := nameProblem(part); problem != "" {
			return &Error{c.file, fmt.Sprintf("has %q in it: a name that %s", shown, problem)}
		}
	}
	folded := strings.ToLower(name)
	switch other, taken := c.folded[folded]; {
	case taken && other == name:
		return &Error{c.file, "has " + shown + " in it twice"}
	case taken:
		return &Error{c.file, fmt.Sprintf("has %s and %s in it, which are one file on some systems", text.Clean(other), shown)}
	case len(c.folded) >= maxFiles:
		return &Error{c.file, fmt.Sprintf("has more than %d files in it, and so is no hand-out", maxFiles)}
	}
	c.folded[folded] = name
	return nil
}

// add reads a file, which it closes, as long as there is room.
func (c *collection) add(name string, r io.ReadCloser) error {
	data, err := io.ReadAll(io.LimitReader(r, MaxSize-c.size+1))
	err = errors.Join(err, r.Close())
	c.size += int64(len(data))
	switch {
	case c.size > MaxSize:
		return &Error{c.file, "holds more than 1 MiB, and so is no hand-out"}
	case err != nil:
		return &Error{c.file, "has " + text.Clean(name) + " in it, which cannot be read: " + err.Error()}
	}
	c.files[name] = data
	return nil
}

// below returns the files of the one folder that a zip file has.
func (c *collection) below() (map[string][]byte, error) {
	below, top := map[string][]byte{}, ""
	for name, data := range c.files {
		first, rest, found := strings.Cut(path.Clean(name), "/")
		if !found || top != "" && first != top {
			return nil, &Error{c.file, "is not a hand-out: " + text.Clean(name) + " is not in its only folder"}
		}
		top, below[rest] = first, data
	}
	return below, nil
}

// identityProblem returns what is wrong with the name of a certificate or CA, as
// nameProblem does. Of one that ends with -key or -crl, the certificate's file
// could be another's key or CRL.
func identityProblem(name string) string {
	for _, end := range []string{"-key", "-crl"} {
		if strings.HasSuffix(strings.ToLower(name), end) {
			return "ends with " + end + ", as the files of keys and CRLs do"
		}
	}
	return nameProblem(name)
}

// reserved are the names of devices on Windows, with any extension.
var reserved = []string{"con", "prn", "aux", "nul", "conin$", "conout$"}

// nameProblem returns what is wrong with the name of a file or folder, as a
// predicate, or "".
func nameProblem(name string) string {
	stem, _, _ := strings.Cut(strings.ToLower(name), ".")
	stem = strings.TrimRight(stem, " ")
	port := (strings.HasPrefix(stem, "com") || strings.HasPrefix(stem, "lpt")) && len([]rune(stem)) == 4 && strings.ContainsAny(stem[3:], "0123456789¹²³")
	switch {
	case name == "":
		return "is empty, or begins at the root"
	case name == "." || name == "..":
		return "leads elsewhere"
	case len(name) > 200:
		return "is longer than 200 bytes"
	case name[0] == '.' || name[0] == '-':
		return "begins with " + name[:1]
	case strings.ContainsAny(name, `<>:"/\|?*`) || !text.IsClean(name):
		return "has a character that not every system takes"
	case strings.HasSuffix(name, ".") || strings.HasSuffix(name, " "):
		return "ends with a dot or a space, which Windows leaves out"
	case slices.Contains(reserved, stem) || port:
		return "Windows has for a device"
	}
	return ""
}
