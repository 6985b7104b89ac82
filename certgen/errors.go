package certgen

import (
	"fmt"
	"strings"
)

// InTheWayError reports a file that is not what the lab writes, where the lab
// would have to write. It is never overwritten.
type InTheWayError struct {
	File string // path
	Is   string // what stands there: "a directory", "a symbolic link", "not PEM of type CERTIFICATE"
}

func (e *InTheWayError) Error() string {
	return fmt.Sprintf("%s is in the way: it is %s", e.File, e.Is)
}

// MissingError reports a file of the PKI that does not exist.
type MissingError struct {
	Name  string // of the certificate
	File  string // path of the missing file
	Other string // path of its counterpart (key or certificate) if that exists, else empty
}

func (e *MissingError) Error() string {
	if e.Other != "" {
		return fmt.Sprintf("%s: %s is missing, but %s exists", e.Name, e.File, e.Other)
	}
	return fmt.Sprintf("%s: %s is missing", e.Name, e.File)
}

// DamagedError reports a file that was the lab's but cannot be read any more:
// empty, truncated or with bytes changed.
type DamagedError struct {
	Name string // of the certificate
	File string // path
	Err  error  // why
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s: %s is damaged: %v", e.Name, e.File, e.Err)
}

func (e *DamagedError) Unwrap() error { return e.Err }

// KeyMismatchError reports a private key that is not the certificate's.
type KeyMismatchError struct {
	Name            string // of the certificate
	CertificateFile string // path
	KeyFile         string // path
	IsUnfinished    bool   // new files are ready, and not all in place: Generate completes that
}

func (e *KeyMismatchError) Error() string {
	text := fmt.Sprintf("%s: the key in %s is not that of the certificate in %s", e.Name, e.KeyFile, e.CertificateFile)
	if e.IsUnfinished {
		text += ": new ones are not all in place yet"
	}
	return text
}

// UnknownNameError reports a name that no certificate of the manifest has.
type UnknownNameError struct {
	Name    string
	Nearest []string // names that look alike, best first; may be empty
}

func (e *UnknownNameError) Error() string {
	return fmt.Sprintf("no certificate is called %q", e.Name)
}

// UnfaithfulError reports a certificate that could not be issued as the
// manifest asks. Nothing was written.
type UnfaithfulError struct {
	Name   string   // of the certificate
	Fields []string // of the manifest, those that came out differently
}

func (e *UnfaithfulError) Error() string {
	return fmt.Sprintf("%s: the certificate does not come out as the manifest asks: %s", e.Name, strings.Join(e.Fields, ", "))
}

// IssueError reports a certificate, or the CRL of a CA, that could not be
// issued. Nothing was written.
type IssueError struct {
	Name string // of the certificate or CA
	Err  error
}

func (e *IssueError) Error() string { return fmt.Sprintf("%s: cannot be issued: %v", e.Name, e.Err) }

func (e *IssueError) Unwrap() error { return e.Err }

// FaultError reports a file that is not what the manifest says it is.
type FaultError struct {
	Name    string // of the certificate, or of the CA whose CRL it is
	Kind    Kind
	Reasons []Reason // at least one
}

func (e *FaultError) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.Name, e.Kind, joinReasons(e.Reasons))
}
