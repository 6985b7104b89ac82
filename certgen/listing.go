package certgen

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"mtlslab.example/lab/certgen/atomicfile"
)

// listing has the names in a folder, in lower case, because some file systems
// do not distinguish cases. A name that is not in it does not exist: to know
// that takes one look at the folder in place of thousands.
type listing map[string]bool

// list reads the names in a folder. One that does not exist is empty.
func list(dir string) (listing, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if info, e := os.Stat(dir); e == nil && !info.IsDir() {
		return nil, &InTheWayError{File: dir, Is: "not a directory"}
	}
	files := make(listing, len(entries))
	for _, entry := range entries {
		files[strings.ToLower(entry.Name())] = true
	}
	return files, err
}

// Names returns the names of the certificates that may be in dir, in their
// order: NAME for each file NAME.pem that is neither a key nor a CRL by its
// name. A folder that does not exist has none.
func Names(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		file := entry.Name()
		name, isPEM := strings.CutSuffix(file, ".pem")
		if isPEM && name != "" && !entry.IsDir() && !strings.HasSuffix(file, keyFile("")) && !strings.HasSuffix(file, crlFile("")) {
			names = append(names, name)
		}
	}
	return names, nil
}

// mayHave reports whether the folder may have a file.
func (l listing) mayHave(file string) bool { return l[strings.ToLower(file)] }

// readHolding reads the files of c if there may be any.
func (f *folder) readHolding(c *Certificate) *holding {
	if f.listing.mayHave(c.CertificateFile()) || f.listing.mayHave(c.KeyFile()) {
		return readHolding(f.dir, c.Name)
	}
	return &holding{
		certificateErr: &MissingError{Name: c.Name, File: filepath.Join(f.dir, c.CertificateFile())},
		keyErr:         &MissingError{Name: c.Name, File: filepath.Join(f.dir, c.KeyFile())},
	}
}

// checkRegular returns *InTheWayError if there is anything but a regular file.
func checkRegular(path string) error {
	err := atomicfile.CheckRegular(path)
	var irregular *atomicfile.NotRegularError
	if errors.As(err, &irregular) {
		return &InTheWayError{File: path, Is: irregular.Is}
	}
	return err
}

// isWide reports whether a key file of this mode is open to others than its
// owner. Windows has no such modes.
func isWide(mode fs.FileMode) bool {
	return runtime.GOOS != "windows" && mode.Perm()&^keyMode != 0
}
