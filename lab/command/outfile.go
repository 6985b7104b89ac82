package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/certgen/atomicfile"
	"mtlslab.example/lab/lab/probe"
)

// This file is about the files that flags name, to be written when the work is
// done. What is there already is the user's.

// checkNew refuses to write over a file that a flag names, but for a regular
// file with --force, and over the manifest and what it has made even so. It is
// called before the work that the file is for; writeNew writes it. Only --out
// may be "-", for stdout.
func (f folder) checkNew(c *cli.Context, flag, file string) error {
	info, err := lstatNew(c, flag, file)
	if info == nil {
		return err
	}
	switch own, err := f.isOwn(info); {
	case err != nil:
		return err
	case own:
		return badFile(c, flag, file, "which the lab needs as it is")
	case !info.Mode().IsRegular() && flag == "out":
		return badFile(c, flag, file, "which is not a regular file; --out - writes to stdout")
	case !info.Mode().IsRegular():
		return badFile(c, flag, file, "which is not a regular file")
	case !c.Bool("force"):
		return badFile(c, flag, file, "which is there already; --force writes over it")
	}
	return nil
}

// badFile is why a file that a flag names cannot be written.
func badFile(c *cli.Context, flag, file, why string) error {
	return &usageError{command: commandName(c), problem: fmt.Sprintf("--%s is %s, %s", flag, file, why)}
}

// lstatNew returns what is where a file is to be written, nil if there is
// nothing. It fails if there cannot be a file, now, and not after the work.
func lstatNew(c *cli.Context, flag, file string) (fs.FileInfo, error) {
	switch {
	case file == "", file == "-" && flag == "out":
		return nil, nil
	case file == "-":
		return nil, badFile(c, flag, file, "and must be a file")
	}
	info, err := os.Lstat(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return info, err
	}
	if _, err = os.Stat(filepath.Dir(file)); errors.Is(err, fs.ErrNotExist) {
		return nil, badFile(c, flag, file, "and there is no folder "+filepath.Dir(file))
	}
	return nil, err
}

// isOwn reports whether a file is the manifest or of what it has made.
func (f folder) isOwn(info fs.FileInfo) (bool, error) {
	m, err := certgen.Read(f.manifest())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	own := []string{f.manifest()}
	for _, certificate := range m.Certificates {
		for _, file := range []string{certificate.CertificateFile(), certificate.KeyFile(), certificate.CRLFile()} {
			own = append(own, filepath.Join(f.certs(), file))
		}
	}
	for _, file := range own {
		if other, err := os.Stat(file); err == nil && os.SameFile(info, other) {
			return true, nil
		}
	}
	return false, nil
}

// writeNew writes a file that checkNew has let through. What has come there in
// the meantime stays, without --force.
func writeNew(c *cli.Context, file string, data []byte) error {
	if c.Bool("force") {
		return atomicfile.Write(file, data, 0o600)
	}
	err := atomicfile.WriteNew(file, data, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &fs.PathError{Op: "write", Path: file, Err: fs.ErrExist}
	}
	return err
}

// reportFlags are those of lab probe that name a file for a report.
var reportFlags = []string{"junit", "sarif"}

// checkReports refuses to write a report of lab probe over anything but an
// earlier one.
func checkReports(c *cli.Context) error {
	for _, flag := range reportFlags {
		file := c.String(flag)
		switch info, err := lstatNew(c, flag, file); {
		case err != nil:
			return err
		case info == nil:
		case !info.Mode().IsRegular():
			return badFile(c, flag, file, "which is not a regular file")
		default:
			earlier, err := isReport(file)
			if err != nil {
				return err
			}
			if !earlier {
				return badFile(c, flag, file, "which is there already, and is no report of lab probe")
			}
		}
	}
	return nil
}

// isReport reports whether a file is a report of lab probe, or empty.
func isReport(file string) (bool, error) {
	f, err := os.Open(file)
	if err != nil {
		return false, err
	}
	defer f.Close()
	return probe.IsReport(f)
}
