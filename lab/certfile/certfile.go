package certfile

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxFile is the size in bytes beyond which a file is not read. The CAs of
// every browser together have less than a megabyte.
const maxFile = 16 << 20

// IsFile reports whether a value of --cert, --key, --ca or --client-ca is a
// file: it has a path separator or an extension. Anything else is a name of the
// PKI.
func IsFile(value string) bool {
	return strings.ContainsRune(value, '/') || strings.ContainsRune(value, filepath.Separator) || filepath.Ext(value) != ""
}

// ErrFormat is the cause where a file is of no format that is known.
var ErrFormat = errors.New("no certificate and no key")

// ErrEmpty is the cause where there is nothing in a file.
var ErrEmpty = errors.New("nothing in it")

// FileError reports a file that does not hold what it should.
type FileError struct {
	File    string // as it was named
	Problem string // what is wrong: "has no certificate"
	Next    string // what to do; may be empty; $FILE stands for File, to be quoted for a shell
	Err     error  // the cause; may be nil
}

func (e *FileError) Error() string { return e.File + " " + e.Problem }

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// Form is how a file, or an entry of one, is written.
type Form string

// The forms.
const (
	PEM       Form = "PEM"                  // RFC 7468
	DER       Form = "DER"                  // X.690
	PKCS12    Form = "PKCS#12"              // RFC 7292
	JKS       Form = "JKS"                  // Java's own key store
	Secret    Form = "Kubernetes Secret"    // its YAML or JSON
	ConfigMap Form = "Kubernetes ConfigMap" // the same
)

// Contents are the certificates and keys of one file, or of one entry of it, in
// its order.
type Contents struct {
	File         string // as it was named
	Form         Form
	Entry        string // the alias in a key store, or the key in a Kubernetes Secret; "": the whole file
	Certificates []*x509.Certificate
	Keys         []Key
	CRLs         []*x509.RevocationList
	Requests     []*x509.CertificateRequest // of Others, those that could be read
	Others       []string                   // PEM types of all but certificates, keys and CRLs, such as CERTIFICATE REQUEST
	IsTrusted    bool                       // a certificate is a TRUSTED CERTIFICATE, OpenSSL's own
	IsUnmarked   bool                       // PKCS#12 with certificates alone, which are not marked as trusted: to Java there are none
	OldCipher    string                     // of PKCS#12 by which OpenSSL 3 does not read it: "RC2-40"; "": none such
	HasCRLF      bool                       // its lines end as those of Windows do
	HasMark      bool                       // a byte order mark stands before it
}

// Read reads a file: its only part, or one for each entry of a key store in JKS
// and of a Kubernetes Secret. password opens PKCS#12, JKS and encrypted keys.
// The error is a *FileError.
func Read(file, password string) ([]*Contents, error) {
	data, err := readAll(file)
	if err != nil {
		return nil, err
	}
	return Parse(file, data, password)
}

// Parse is Read for a file whose content is in memory.
func Parse(file string, data []byte, password string) (parts []*Contents, err error) {
	c := &Contents{File: file}
	if data, err = c.decodeText(data); err != nil {
		return nil, err
	}
	switch {
	case isKubernetes(data):
		return readKubernetes(file, data, password)
	case isJKS(data):
		return readJKS(file, data, password)
	}
	return []*Contents{c}, c.parse(data, password)
}

// parse reads what is not made of entries.
func (c *Contents) parse(data []byte, password string) error {
	switch {
	case bytes.Contains(data, []byte("-----BEGIN ")):
		return c.readPEM(data, password)
	case isPKCS12(data), hasPKCS12Name(c.File) && c.Entry == "":
		return c.readPKCS12(data, password)
	case len(bytes.TrimSpace(data)) == 0:
		return c.because(ErrEmpty, "is empty", "")
	}
	return c.readDER(data, password)
}

// read reads a file as one, for callers that want a pair or a bundle. A byte
// order mark is passed over, as OpenSSL does.
func read(file, password string) (*Contents, error) {
	parts, err := Read(file, password)
	if err != nil {
		return nil, err
	}
	all := *parts[0]
	for _, part := range parts[1:] {
		all.Certificates, all.Keys = append(all.Certificates, part.Certificates...), append(all.Keys, part.Keys...)
		all.CRLs, all.Requests, all.Others = append(all.CRLs, part.CRLs...), append(all.Requests, part.Requests...), append(all.Others, part.Others...)
	}
	return &all, nil
}

// MarkError is the error of a file that begins with a byte order mark.
func MarkError(file string) *FileError {
	return &FileError{File: file, Problem: "begins with a byte order mark (BOM), so that Go, among others, does not find its first block: OpenSSL passes over it",
		Next: "save it as UTF-8 without a BOM, or: tail -c +4 $FILE >without-bom.pem"}
}

// wrong returns the error of c.
func (c *Contents) wrong(problem, next string) *FileError {
	if c.Entry != "" {
		problem = "has " + c.Entry + ", which " + problem
	}
	return &FileError{File: c.File, Problem: problem, Next: c.Next(next)}
}

// Next returns what to do about contents: those of an entry must be a file
// first, before a command can read $FILE.
func (c *Contents) Next(next string) string {
	if c.Entry == "" || !strings.Contains(next, "$FILE") {
		return next
	}
	return "write " + c.Entry + " as it is into a file of its own; then " + strings.ReplaceAll(next, "$FILE", "THAT-FILE")
}

// because returns the error of c that has a cause.
func (c *Contents) because(err error, problem, next string) *FileError {
	e := c.wrong(problem, next)
	e.Err = err
	return e
}

// readAll returns what is in a regular file. A pipe could be read only once,
// and credentials are read again when they may have changed.
func readAll(file string) ([]byte, error) {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &FileError{File: file, Problem: "does not exist", Err: err,
			Next: "a value with a / or an extension is a file; a certificate of certs.yaml is named without, such as server"}
	case err != nil:
		return nil, unreadable(file, err)
	case info.IsDir():
		return nil, &FileError{File: file, Problem: "is a folder", Next: "name a file in it"}
	case !info.Mode().IsRegular():
		return nil, &FileError{File: file, Problem: "is a pipe or a device, and would have to be read more than once", Next: "write what comes out of it into a file"}
	case info.Size() > maxFile:
		return nil, &FileError{File: file, Problem: "is larger than 16 MiB, and so than any file of certificates"}
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, unreadable(file, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, unreadable(file, err)
	}
	return data, nil
}

// unreadable is the error of a file that is there.
func unreadable(file string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return &FileError{File: file, Problem: "cannot be read by you", Err: err, Next: "ask its owner, or use a copy of your own"}
	}
	return &FileError{File: file, Problem: "cannot be read: " + err.Error(), Err: err}
}
