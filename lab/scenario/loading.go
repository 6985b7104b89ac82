package scenario

import (
	"context"
	"crypto/tls"
	"encoding/asn1"
	"errors"
	"path/filepath"
	"strings"

	"mtlslab.example/lab/lab/certfile"
)

// BeforeTheHandshake is the side of scenarios that never reach the wire: files
// that a program does not load.
const BeforeTheHandshake = "before the handshake"

// Loads is what a program prints that loads files without complaint.
const Loads = "loads"

// Load is a certificate and its key that are loaded, as a program does before
// its first handshake.
type Load struct {
	Certificate string            // file in the scenario's folder
	Key         string            // likewise; of PKCS#12 it is Certificate
	Password    string            // of PKCS#12
	Lab         string            // a part of what the lab says, or Loads
	Prints      map[string]string // a part of what each program prints, or Loads
}

// Loaded is what came of a load.
type Loaded struct {
	Load
	Err      error             // of the lab; nil: it loads the files
	Says     map[string]string // what each program that was run has printed, or Loads
	Expected bool              // all of it is as the document says
}

// Load loads the files of a scenario with the lab's own loader and with
// crypto/tls and, if programs is set, with those programs of Load.Prints that
// are installed.
func (s *Scenario) Load(ctx context.Context, o Options, programs bool) ([]Loaded, error) {
	if err := s.Prepare(ctx, o.Manifest, o.certs()); err != nil {
		return nil, err
	}
	dir := s.Certs(o.certs())
	if err := s.makeFiles(dir); err != nil {
		return nil, err
	}
	var all []Loaded
	for _, l := range s.Loads {
		done := Loaded{Load: l, Says: map[string]string{}}
		_, done.Err = certfile.LoadPair(filepath.Join(dir, l.Certificate), filepath.Join(dir, l.Key), l.Password)
		done.Expected = agrees(l.Lab, said(done.Err))
		if _, ok := l.Prints["Go"]; ok {
			_, err := tls.LoadX509KeyPair(filepath.Join(dir, l.Certificate), filepath.Join(dir, l.Key))
			done.Says["Go"] = said(err)
		}
		if programs {
			if err := runPrograms(ctx, dir, l, done.Says); err != nil {
				return nil, err
			}
		}
		for program, says := range done.Says {
			done.Expected = done.Expected && agrees(l.Prints[program], says)
		}
		all = append(all, done)
	}
	return all, nil
}

// said returns what an error says, without the folder of the file that it is
// about, and without a type of encoding/asn1, which crypto/tls adds from Go
// 1.27 on.
func said(err error) string {
	var file *certfile.FileError
	var layout asn1.StructuralError
	switch {
	case err == nil:
		return Loads
	case errors.As(err, &file):
		return filepath.Base(file.File) + " " + file.Problem
	case errors.As(err, &layout):
		return strings.TrimSuffix(err.Error(), ": "+layout.Error())
	}
	return err.Error()
}

// LabSays returns what the lab says of the files.
func (l *Loaded) LabSays() string { return said(l.Err) }

// agrees reports whether a program prints what is expected.
func agrees(want, got string) bool {
	if want == Loads || got == Loads {
		return want == got
	}
	return strings.Contains(got, want)
}
