package certgen

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"mtlslab.example/lab/certgen/atomicfile"
)

// ReplacedFolder is the folder below that of the PKI to which Options.Force
// moves what the lab did not make: ReplacedFolder/1, ReplacedFolder/2 and so
// on, a new one each time. Nothing reads it.
const ReplacedFolder = "replaced"

// ForeignError reports files that would be replaced and that the lab is not
// known to have made.
type ForeignError struct {
	Files    []string // paths, at least one
	Manifest string   // the path of the manifest that the folder lacks; empty: it has one
}

func (e *ForeignError) Error() string {
	files, they := e.Files[0], "it is"
	if n := len(e.Files) - 1; n > 0 {
		files, they = fmt.Sprintf("%s and %d more", files, n), "they are"
	}
	if e.Manifest != "" {
		return fmt.Sprintf("%s would be replaced, and without a %s nothing says that %s the lab's", files, e.Manifest, they)
	}
	return fmt.Sprintf("%s would be replaced, and %s not as the lab wrote", files, they)
}

// inTheWay looks at every file that would be replaced. It returns the paths of
// those that are not the lab's if o.Force is set; else they are an error,
// *InTheWayError or *ForeignError.
func (f *folder) inTheWay(o Options) ([]string, error) {
	var files []string
	var way *InTheWayError // the first
	for _, file := range f.replaced() {
		err := f.checkReplaceable(file, o)
		var foreign *ForeignError
		var other *InTheWayError
		switch {
		case err == nil:
			continue
		case errors.As(err, &foreign):
		case errors.As(err, &other):
			way = cmp.Or(way, other)
		default:
			return nil, err
		}
		files = append(files, filepath.Join(f.dir, file))
	}
	switch {
	case o.Force, len(files) == 0:
		return files, nil
	case way != nil:
		return nil, way
	case o.Default:
		return nil, &ForeignError{Files: files, Manifest: f.manifest.File}
	}
	return nil, &ForeignError{Files: files}
}

// replaced returns the base names of the files that are there and would be
// written anew.
func (f *folder) replaced() []string {
	var files []string
	add := func(file string) {
		if f.listing.mayHave(file) {
			files = append(files, file)
		}
	}
	for i, c := range f.manifest.Certificates {
		if f.isPlanned(c) {
			add(c.CertificateFile())
			add(c.KeyFile())
		}
		if len(f.crlReasons[i]) > 0 {
			add(c.CRLFile())
		}
	}
	return files
}

// checkReplaceable returns nil if a file can be replaced without the loss of
// anything that the lab did not write; else *InTheWayError or *ForeignError.
func (f *folder) checkReplaceable(file string, o Options) error {
	made, err := f.record()
	if err != nil {
		return err
	}
	if o.Default {
		made = newRecord()
	}
	path := filepath.Join(f.dir, file)
	err = made.checkReplaceable(path)
	if err != nil && !o.Default && f.isDamagedHalf(file) {
		return nil
	}
	return err
}

// checkReplaceable returns nil if there is no such file, if it is empty, or if
// the lab wrote it. NULs are what a power cut leaves of a file.
func (r *record) checkReplaceable(path string) error {
	if err := checkRegular(path); err != nil {
		return err
	}
	data, mode, err := readFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !mode.IsRegular():
		return &InTheWayError{File: path, Is: atomicfile.Kind(mode)}
	case len(data) > maxPEM:
		return &InTheWayError{File: path, Is: "larger than any file of a PKI"}
	case len(data) == 0, r.has(data), isBlank(data) && r.wroteFile(filepath.Base(path)):
		return nil
	}
	if types := typesOf(path); types != nil && !isBlank(data) && len(decodeBlocks(data, types)) == 0 && !beginsAsPEM(data, types) {
		return &InTheWayError{File: path, Is: "not PEM of type " + types[0]}
	}
	return &ForeignError{Files: []string{path}}
}

// isDamagedHalf reports whether the lab wrote a file of this name, of which
// only the beginning is left, and what belongs to it is still as the lab wrote
// it: of a key the certificate, of a certificate the key, of a CRL the CA. What
// is left of the file is of use to nobody. A whole block that cannot be parsed
// here is no such file: others may be able to use a key of a kind that
// crypto/x509 lacks.
func (f *folder) isDamagedHalf(file string) bool {
	made, err := f.record()
	if _, wrote := made.byFile[file]; err != nil || !wrote {
		return false
	}
	for _, c := range f.manifest.Certificates {
		h := f.holdings[c.index]
		switch file {
		case c.KeyFile():
			return errors.Is(h.keyErr, errTruncated) && f.isIntact(c.CertificateFile())
		case c.CertificateFile():
			return errors.Is(h.certificateErr, errTruncated) && f.isIntact(c.KeyFile())
		case c.CRLFile():
			_, err := LoadCRL(f.dir, c.Name)
			return errors.Is(err, errTruncated) && f.isIntact(c.CertificateFile())
		}
	}
	return false
}

// isIntact reports whether a file is as the lab wrote it.
func (f *folder) isIntact(file string) bool {
	own, err := f.isOwn(file)
	return own && err == nil
}

// isOwn reports whether the lab wrote a file as it is now.
func (f *folder) isOwn(file string) (bool, error) {
	made, err := f.record()
	if err != nil {
		return false, err
	}
	path := filepath.Join(f.dir, file)
	if checkRegular(path) != nil {
		return false, nil
	}
	data, mode, err := readFile(path)
	return err == nil && mode.IsRegular() && made.has(data), nil
}

// isBlank reports whether a file has nothing but NULs.
func isBlank(data []byte) bool { return len(bytes.Trim(data, "\x00")) == 0 }

// typesOf returns the PEM types that a file of the PKI has, by its name; nil
// for one that is not PEM.
func typesOf(path string) []string {
	switch {
	case filepath.Ext(path) != ".pem":
		return nil
	case strings.HasSuffix(path, keyFile("")):
		return keyTypes
	case strings.HasSuffix(path, crlFile("")):
		return crlTypes
	}
	return certificateTypes
}

// mostReplaced is the highest number of a folder below ReplacedFolder. A higher
// one is not the lab's.
const mostReplaced = 1_000_000_000

// putAside moves files to a new folder below ReplacedFolder, and returns that.
// Without files it does nothing.
func putAside(dir string, files []string) (string, error) {
	if len(files) == 0 {
		return "", nil
	}
	all := filepath.Join(dir, ReplacedFolder)
	if err := os.Mkdir(all, folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	if _, err := isFolder(all); err != nil {
		return "", err
	}
	folder, err := makeNumbered(all)
	if err != nil {
		return "", err
	}
	for _, file := range files {
		if err := os.Rename(file, filepath.Join(folder, filepath.Base(file))); err != nil {
			return folder, fmt.Errorf("%w; what was moved before is in %s", err, folder)
		}
	}
	return folder, nil
}

// makeNumbered makes the folder with the number after the highest one in dir.
func makeNumbered(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	highest := 0
	for _, entry := range entries {
		if n, err := strconv.Atoi(entry.Name()); err == nil && n < mostReplaced {
			highest = max(highest, n)
		}
	}
	for n := highest + 1; ; n++ {
		folder := filepath.Join(dir, strconv.Itoa(n))
		if err := os.Mkdir(folder, folderMode); !errors.Is(err, fs.ErrExist) {
			return folder, err
		}
	}
}
