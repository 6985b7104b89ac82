package certgen

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mtlslab.example/lab/certgen/atomicfile"
)

// recordFile lists what the lab wrote into the PKI's folder, so that it never
// replaces what somebody else put there. A line has the SHA-256 of the DER of a
// file's first PEM block, which is the fingerprint of a certificate, then two
// spaces and the file's base name. Without it nothing in the folder is known to
// be the lab's. Of an export it has the SHA-256 of the whole file.
const recordFile = ".made.sha256"

// maxRecord is the size in bytes beyond which a record is not read: more than
// the largest manifest needs.
const maxRecord = 64 << 20

type digest = [sha256.Size]byte

// record is what the lab wrote: base names, and the digest of the first block
// of each.
type record struct {
	byFile map[string]digest
	known  map[digest]bool
}

func newRecord() *record {
	return &record{byFile: map[string]digest{}, known: map[digest]bool{}}
}

func (r *record) add(file string, d digest) {
	r.byFile[file] = d
	r.known[d] = true
}

// wroteFile reports whether the lab wrote a file of this name.
func (r *record) wroteFile(file string) bool {
	_, wrote := r.byFile[file]
	return wrote
}

// has reports whether the lab wrote all that is in a file, under this name or
// another one: it is an export, or every PEM block is one of its own and there
// is nothing else.
func (r *record) has(data []byte) bool {
	if r.known[sha256.Sum256(data)] {
		return true
	}
	begin := []byte("-----BEGIN ")
	for blocks := 0; ; blocks++ {
		data = bytes.TrimSpace(data)
		if len(data) == 0 {
			return blocks > 0
		}
		block, rest := pem.Decode(data)
		if block == nil || len(block.Headers) > 0 || !r.known[sha256.Sum256(block.Bytes)] {
			return false
		}
		if read := data[:len(data)-len(rest)]; !bytes.HasPrefix(read, begin) || bytes.Count(read, begin) != 1 {
			return false // text before the block, or one that could not be read
		}
		data = rest
	}
}

// read adds the entries of a record's file, if there is one. A line that is not
// an entry is passed over: what it stood for then counts as somebody else's.
func (r *record) read(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return &InTheWayError{File: path, Is: atomicfile.Kind(info.Mode())}
	case info.Size() > maxRecord:
		return &InTheWayError{File: path, Is: "larger than any record of the lab"}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(data)) {
		sum, file, found := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		decoded, err := hex.DecodeString(sum)
		if found && err == nil && len(decoded) == sha256.Size {
			r.add(file, digest(decoded))
		}
	}
	return nil
}

// text is the contents of the record's file.
func (r *record) text() []byte {
	files := make([]string, 0, len(r.byFile))
	for file := range r.byFile {
		files = append(files, file)
	}
	slices.Sort(files)
	var text []byte
	for _, file := range files {
		d := r.byFile[file]
		text = append(append(hex.AppendEncode(text, d[:]), "  "+file...), '\n')
	}
	return text
}

// readRecord returns what the lab wrote into dir, with what an interrupted run
// has yet to put in place. The result is empty where the lab never wrote.
func readRecord(dir string) (*record, error) {
	r := newRecord()
	for _, path := range []string{filepath.Join(dir, recordFile), filepath.Join(dir, readyFolder, recordFile)} {
		if err := r.read(path); err != nil {
			return nil, err
		}
	}
	return r, nil
}
