package check

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlswire"
)

// File is a file and what it has.
type File struct {
	Name         string        `json:"file"`
	Form         certfile.Form `json:"form,omitempty"`
	Holds        string        `json:"holds,omitempty"` // in words; "": it cannot be read
	Certificates []Certificate `json:"certificates,omitempty"`
	CRLs         []CRL         `json:"crls,omitempty"`
	Findings     []Finding     `json:"-"` // see Report.Findings

	parts []*certfile.Contents
}

// Certificate describes one.
type Certificate struct {
	Subject     string    `json:"subject"`
	Issuer      string    `json:"issuer"`
	Serial      string    `json:"serial"`
	CA          bool      `json:"ca"`
	SANs        []string  `json:"sans,omitempty"`
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	DaysLeft    int       `json:"days_left"` // whole ones; negative: it has expired
	Key         string    `json:"key"`
	Signature   string    `json:"signature"` // the algorithm of its issuer's
	KeyUsages   []string  `json:"key_usages,omitempty"`
	ExtUsages   []string  `json:"ext_key_usages,omitempty"`
	For         string    `json:"for"` // "clients", "servers", "clients and servers", "issuing", "neither clients nor servers"
	Fingerprint string    `json:"sha256"`
}

// The bounds of what is read at once. A folder of certificates has a few files,
// and the bundles of all public CAs have a megabyte.
const (
	maxFiles = 500
	maxBytes = 64 << 20
)

// TooMuchError reports files that are more than are read at once.
type TooMuchError struct{ Folder string }

func (e *TooMuchError) Error() string {
	return fmt.Sprintf("%s has more than %d files, or more than %d MiB in them", e.Folder, maxFiles, maxBytes>>20)
}

// Open reads files and the files of folders, but not of folders in these. Each
// of the passwords is tried. What is wrong with a file is among its findings.
func Open(names, passwords []string) (files []*File, err error) {
	size := int64(0)
	for _, name := range names {
		in := []string{name}
		info, err := os.Stat(name)
		isFolder := err == nil && info.IsDir()
		var folders []string
		if isFolder {
			if in, folders, err = filesIn(name); err != nil {
				return nil, err
			}
		}
		before := len(files)
		for _, path := range in {
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				size += info.Size()
			}
			if size > maxBytes && isFolder {
				return nil, &TooMuchError{name}
			}
			f, err := open(path, passwords, isFolder)
			if err != nil {
				return nil, err
			}
			if f != nil {
				files = append(files, f)
			}
		}
		switch {
		case isFolder && len(files) == before:
			return nil, nothingIn(name, "is a folder without certificates and keys", folders)
		case len(folders) > 0:
			files[before].Findings = append(files[before].Findings, notLookedInto(name, folders))
		}
	}
	return files, nil
}

// notLookedInto is the note on a folder with folders in it.
func notLookedInto(folder string, in []string) Finding {
	slices.Sort(in)
	return Finding{Level: Note, Rule: "folders_not_looked_into", File: folder, Text: folder + " has " + text.Counted(len(in), "folder") + " that lab check has not looked into: " + text.JoinedFew(in, 5, "and"),
		Fix: "name a folder, too, if there are certificates in it"}
}

// nothingIn is the error of a folder in which there is nothing to look at, but
// perhaps in its folders.
func nothingIn(folder, problem string, in []string) error {
	next := "name the folder that the certificates are in"
	if len(in) > 0 {
		slices.Sort(in)
		next += ": it has " + text.JoinedFew(in, 5, "and")
	}
	return &certfile.FileError{File: folder, Problem: problem, Next: next}
}

// filesIn returns the files in a folder, and the folders in it, without those
// that are hidden.
func filesIn(folder string) (paths, folders []string, err error) {
	dir, err := os.Open(folder)
	if err != nil {
		return nil, nil, unreadable(folder, err)
	}
	defer dir.Close()
	entries, err := dir.ReadDir(4 * maxFiles)
	if err != nil && len(entries) > 0 || len(entries) == 4*maxFiles {
		return nil, nil, &TooMuchError{folder}
	}
	for _, e := range entries {
		path := filepath.Join(folder, e.Name())
		info, err := os.Stat(path)
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case err == nil && info.IsDir():
			folders = append(folders, path)
		default:
			paths = append(paths, path)
		}
	}
	if len(paths) > maxFiles {
		return nil, nil, &TooMuchError{folder}
	}
	if len(paths) == 0 {
		return nil, nil, nothingIn(folder, "is a folder without files", folders)
	}
	slices.Sort(paths)
	return paths, folders, nil
}

func unreadable(file string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return &certfile.FileError{File: file, Problem: "cannot be read by you", Err: err, Next: "ask its owner, or use a copy of your own"}
	}
	return err
}

// open reads one file. Of those of a folder, nil is what has to do with neither
// certificates nor keys. The error is one of a file that is not there, if it
// was named.
func open(path string, passwords []string, isOfFolder bool) (*File, error) {
	f := &File{Name: path}
	parts, err := read(path, passwords)
	var problem *certfile.FileError
	switch {
	case errors.Is(err, fs.ErrNotExist) && !isOfFolder:
		return nil, err
	case errors.Is(err, fs.ErrNotExist):
		target, err := os.Readlink(path)
		if err != nil || !looksLikeOne(path) { // or it was there a moment ago
			return nil, nil
		}
		f.Findings = append(f.Findings, Finding{Level: Wrong, Rule: "unreadable", Text: path + " is a link to " + target + ", which is not there", File: path})
	case errors.As(err, &problem) && isOfFolder && (errors.Is(err, certfile.ErrFormat) || errors.Is(err, certfile.ErrEmpty)) && !looksLikeOne(path):
		return nil, nil
	case errors.As(err, &problem):
		f.Findings = append(f.Findings, fileFinding("unreadable", problem))
	case err != nil:
		f.Findings = append(f.Findings, Finding{Level: Wrong, Rule: "unreadable", Text: path + ": " + err.Error(), File: path})
	default:
		f.parts = parts
		f.describe(time.Now())
		f.lookAtForm()
		f.lookAtMode()
	}
	return f, nil
}

// read reads a file, with the first of the passwords that opens it if it has
// one. Otherwise it returns what the file says of the last.
func read(path string, passwords []string) (parts []*certfile.Contents, err error) {
	if len(passwords) == 0 {
		return certfile.Read(path, "")
	}
	for _, password := range passwords {
		parts, err = certfile.Read(path, password)
		if err == nil && !isLocked(parts) || err != nil && !errors.Is(err, certfile.ErrPassword) {
			break
		}
	}
	return parts, err
}

// isLocked reports whether a key among the contents wants another password.
func isLocked(parts []*certfile.Contents) bool {
	for _, part := range parts {
		for _, key := range part.Keys {
			if errors.Is(key.Err, certfile.ErrPassword) {
				return true
			}
		}
	}
	return false
}

// looksLikeOne reports whether a name is one of a certificate or a key.
func looksLikeOne(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".pem", ".crt", ".cer", ".key", ".der", ".p12", ".pfx", ".jks", ".p7b", ".crl":
		return true
	}
	return false
}

// fileFinding is what package certfile says of a file.
func fileFinding(rule string, e *certfile.FileError) Finding {
	f := Finding{Level: Wrong, Rule: rule, Text: e.Error(), Fix: e.Next, File: e.File}
	if isUnknown(e.Err) {
		f.Level = Unknown
	}
	return f
}

// isUnknown reports whether a file was not looked at, for want of a password or
// because it is encrypted in a way that is not read here, or of an algorithm
// that this lab does not have: nothing says that it is wrong.
func isUnknown(err error) bool {
	return errors.Is(err, certfile.ErrNoPassword) || errors.Is(err, certfile.ErrEncryption) || errors.Is(err, certfile.ErrAlgorithm)
}

// describe fills in what there is.
func (f *File) describe(now time.Time) {
	var entries []string
	for _, part := range f.parts {
		f.Form = part.Form
		holds := part.Holds()
		if part.Entry != "" {
			holds = part.Entry + ": " + holds
		}
		entries = append(entries, holds)
		for _, cert := range part.Certificates {
			f.Certificates = append(f.Certificates, Describe(cert, now))
		}
		for _, crl := range part.CRLs {
			f.CRLs = append(f.CRLs, describeCRL(crl))
		}
	}
	f.Holds = strings.Join(entries, "; ")
}

// Describe describes a certificate at a time.
func Describe(cert *x509.Certificate, now time.Time) Certificate {
	d, sum := certgen.Describe(cert), sha256.Sum256(cert.Raw)
	c := Certificate{Subject: chain.Name(cert), Issuer: dn.Issuer(cert), Serial: dn.Serial(cert), CA: cert.IsCA, SANs: d.SANs,
		NotBefore: cert.NotBefore.UTC(), NotAfter: cert.NotAfter.UTC(), DaysLeft: daysUntil(cert.NotAfter, now),
		Key: d.Key(), Signature: tlswire.SignatureAlgorithm(cert), KeyUsages: d.KeyUsages(), ExtUsages: d.ExtKeyUsages(),
		For: usedFor(cert), Fingerprint: hex.EncodeToString(sum[:])}
	if c.Key == "" {
		c.Key = chain.Key(cert)
	}
	return c
}

// daysUntil returns the whole days until t.
func daysUntil(t, now time.Time) int {
	const day = 24 * time.Hour
	left := t.Sub(now)
	if left < 0 {
		return -int((-left + day - 1) / day)
	}
	return int(left / day)
}

// usedFor names the side that a certificate is for by its extended key usage,
// or issuing for a CA.
func usedFor(cert *x509.Certificate) string {
	server, client := !chain.Forbids(cert, x509.ExtKeyUsageServerAuth), !chain.Forbids(cert, x509.ExtKeyUsageClientAuth)
	switch {
	case cert.IsCA:
		return "issuing"
	case server && client:
		return "clients and servers"
	case server:
		return "servers"
	case client:
		return "clients"
	}
	return "neither clients nor servers"
}
