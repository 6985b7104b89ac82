package command

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/certgen/atomicfile"
	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/private"
	"mtlslab.example/lab/lab/scenario"
)

// folder is the folder that a command works in.
type folder string

// folderOf returns the folder that --dir or $LAB_DIR names.
func folderOf(c *cli.Context) folder { return folder(cmp.Or(c.String("dir"), ".")) }

func (f folder) manifest() string { return filepath.Join(string(f), "certs.yaml") }
func (f folder) certs() string    { return filepath.Join(string(f), "certs") }
func (f folder) keylog() string   { return filepath.Join(string(f), "keys.log") }
func (f folder) capture() string  { return filepath.Join(string(f), "lab.pcapng") }

// clientCapture is a file of its own, since a client often runs in the folder
// of its server, which records the same exchanges.
func (f folder) clientCapture() string { return filepath.Join(string(f), "client.pcapng") }

// warnOfFolder warns of a PKI that others can replace.
func (p *Program) warnOfFolder(c *cli.Context) error {
	f := folderOf(c)
	for _, dir := range []string{f.certs(), string(f)} {
		if problem := private.Exposed(dir); problem != "" {
			p.say("warning: %s %s, who could replace the certificates and keys in it", dir, problem)
			break
		}
	}
	return nil
}

// warnOfCRLs warns of CRLs that are not used: what they revoke is let in.
func (p *Program) warnOfCRLs(f folder) {
	for _, unused := range certgen.UnusedCRLs(f.certs()) {
		if unused.Some {
			p.say("warning: not all CRLs in %s are used: %s", unused.File, unused.Reason)
		} else {
			p.say("warning: %s is not used: %s", unused.File, unused.Reason)
		}
	}
}

// readManifest reads certs.yaml. Where there is none it is the built-in one, of
// which nothing is written.
func (p *Program) readManifest(f folder) (m *certgen.Manifest, builtIn bool, err error) {
	m, err = certgen.Read(f.manifest())
	if !errors.Is(err, fs.ErrNotExist) {
		return m, false, err
	}
	m, err = certgen.Parse(f.manifest(), p.Manifest)
	return m, true, err
}

// adoptManifest reads certs.yaml, and writes the built-in one where there is
// none, unless the PKI of o would then replace a file that is there already.
func (p *Program) adoptManifest(f folder, o certgen.Options) (*certgen.Manifest, error) {
	m, builtIn, err := p.readManifest(f)
	if err != nil || !builtIn {
		return m, err
	}
	o.Default = true
	if _, err := certgen.Compare(m, f.certs(), o); err != nil {
		if m, builtIn, e := p.readManifest(f); e == nil && !builtIn {
			return m, nil // another lab wrote it in the meantime, and is at work
		}
		return nil, err
	}
	if err := p.writeManifest(f); err != nil {
		return nil, err
	}
	return certgen.Read(f.manifest())
}

// writeManifest writes the default manifest where there is none.
func (p *Program) writeManifest(f folder) error {
	if err := os.MkdirAll(string(f), 0o755); err != nil {
		return err
	}
	err := atomicfile.WriteNew(f.manifest(), p.Manifest, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		p.say("wrote %s: read it, edit it", f.manifest())
	}
	return err
}

// preparePKI makes what is missing or out of date, and says what. With force it
// also replaces what the lab did not make.
func (p *Program) preparePKI(ctx context.Context, f folder, force bool) error {
	plan, err := p.generate(ctx, f, certgen.Options{Force: force})
	if err != nil {
		return err
	}
	p.sayMade(plan, f)
	p.sayNewRoots(plan, f, false)
	return nil
}

// preparePKIOnce does so only in a folder that has no PKI yet. A machine that
// was given a part of another's PKI keeps what it was given.
func (p *Program) preparePKIOnce(ctx context.Context, f folder) error {
	entries, err := os.ReadDir(f.certs())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	isPKI := func(e fs.DirEntry) bool { return e.Name() != scenario.Folder }
	if slices.ContainsFunc(entries, isPKI) {
		return nil
	}
	return p.preparePKI(ctx, f, false)
}

// generate makes the PKI of a folder. It shows a progress bar, and says if it
// waits for a lock.
func (p *Program) generate(ctx context.Context, f folder, o certgen.Options) (*certgen.Plan, error) {
	if info, err := os.Stat(f.manifest()); err == nil && info.Size() > largeManifest {
		defer runtime.KeepAlive(largeHeap())
	}
	m, err := p.adoptManifest(f, o)
	if err != nil {
		return nil, err
	}
	bar := newProgress(p.Stderr, "making certificates")
	defer bar.stop()
	o.Progress = bar.update
	o.Waiting = func() { p.say("waiting for another lab that writes to %s", f.certs()) }
	plan, err := certgen.Generate(ctx, m, f.certs(), o)
	if plan != nil {
		p.sayKept(plan.Kept)
	}
	return plan, err
}

// sayKept says where the files are that --force has replaced, if there were
// any.
func (p *Program) sayKept(folder string) {
	if folder != "" {
		p.say("what lab did not make is now in %s", folder)
	}
}

// certsOf guesses the PKI of a capture: for SCENARIO-tls12.pcapng the folder
// certs/scenarios/SCENARIO, if it is there; otherwise certs; and f itself if it
// is a PKI without certs.
func (f folder) certsOf(capture string) string {
	if certs := scenario.CertsOf(f.certs(), capture); certs != "" && isDirectory(certs) {
		return certs
	}
	if !isDirectory(f.certs()) && certgen.IsPKI(string(f)) {
		return string(f)
	}
	return f.certs()
}

func isDirectory(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// trusts are the credentials of each side, for their CAs. Without Trust these
// are not known, as for a foreign program. also are further certificates for
// chains, trusted or not.
type trusts struct{ server, client, also lab.Credentials }

// trustOf returns what chains are checked under: the CAs and CRLs in the folder
// of a PKI, none where there is no PKI, and those in the files that are given and
// beside them.
func trustOf(certs string, by trusts) (*chain.Trust, error) {
	names, err := certgen.Names(certs)
	if err != nil {
		return nil, err
	}
	trust := &chain.Trust{ServerTrusts: authorities(by.server), ClientTrusts: authorities(by.client), CRLs: certgen.LoadCRLs(certs)}
	given := []lab.Credentials{by.server, by.client, by.also}
	place, folder := newPlaces(given...), relative(certs)
	for _, o := range given {
		if !certfile.IsFile(o.Trust) {
			continue // the folder has it
		}
		in := place.file(o.Trust)
		certificates, _ := o.LoadChain(o.Trust)
		for _, ca := range certificates {
			if ca.IsCA {
				trust.CAs = append(trust.CAs, chain.NamedCA{Name: dn.Subject(ca), Certificate: ca, In: in})
			}
		}
		trust.CRLs = append(trust.CRLs, certgen.LoadCRLsOf(o.Trust)...)
		if !slices.Contains(trust.Places, in) {
			trust.Places = append(trust.Places, in)
		}
	}
	trust.Places = append(trust.Places, folder)
	for _, name := range names {
		certificates, err := certgen.LoadCertificates(certs, name)
		if err != nil { // a certificate of somebody else's, for one
			continue
		}
		for _, above := range certificates[1:] {
			if above.IsCA && !chain.IsSelfIssued(above) {
				trust.Between = append(trust.Between, chain.NamedCA{Name: dn.Subject(above), Certificate: above, In: folder})
			}
		}
		if !certificates[0].IsCA {
			continue
		}
		trust.CAs = append(trust.CAs, chain.NamedCA{Name: name, Certificate: certificates[0], In: folder})
	}
	return trust, nil
}
