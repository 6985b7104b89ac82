package command

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/handout"
	"mtlslab.example/lab/lab/text"
)

const handoutExamples = `lab certs handout client --url https://10.0.0.5:8443/
                                       for the client on another machine
lab certs handout server               for the server on another machine
lab certs handout client --count 20    client-01 to client-20, for a room
lab certs handout client --p12 --password-file password.txt
                                       also PKCS#12; a password for the key

A hand-out has a certificate, its key, the CA that the other side must have,
and a README. On the other machine, lab join FILE unpacks it and calls.`

func (p *Program) handoutCommand() *cli.Command {
	return &cli.Command{
		Name:        "handout",
		Usage:       "pack what another machine may have, for lab join",
		ArgsUsage:   "NAME...",
		Description: handoutExamples,
		Flags: []cli.Flag{dirFlag(),
			&cli.IntFlag{Name: "count", Usage: "make `N` copies of NAME in certs.yaml, NAME-01 and so on, and hand those out"},
			&cli.StringFlag{Name: "url", DefaultText: "of the first name that others can type", Usage: "`URL` of the server"},
			&cli.StringFlag{Name: "server", Value: serverName, Usage: "`NAME` of the server's certificate"},
			&cli.StringFlag{Name: "client-ca", Value: clientCA, Usage: "`NAME` of the CA that clients must have"},
			&cli.StringFlag{Name: "out", DefaultText: "handouts in DIR", Usage: "`FOLDER` to write to"},
			&cli.BoolFlag{Name: "folder", Usage: "folders in place of zip files"},
			&cli.BoolFlag{Name: "p12", Usage: "also a PKCS#12 file"},
			&cli.StringFlag{Name: "password-file", Usage: "`FILE` whose first line is the password of the keys (default: none)"},
			&cli.BoolFlag{Name: "force", Usage: "write over hand-outs that are there"},
		},
		Action:       p.certsHandout,
		BashComplete: p.completeNames,
	}
}

// handoutRun is one run of lab certs handout.
type handoutRun struct {
	*Program
	folder  folder
	m       *certgen.Manifest
	server  *certgen.Certificate // nil: certs.yaml has none of that name
	options handout.Options
	out     string
	folders bool // in place of zip files
	counted bool // those that are there stay
	force   bool
}

func (p *Program) certsHandout(c *cli.Context) error {
	names, count := c.Args().Slice(), c.Int("count")
	usage := func(format string, args ...any) error {
		return &usageError{command: commandName(c), problem: fmt.Sprintf(format, args...)}
	}
	switch {
	case len(names) == 0:
		return usage("lab certs handout takes a NAME or more")
	case c.IsSet("count") && (count < 1 || count > 999):
		return usage("--count is %d, and must be from 1 to 999", count)
	case count > 0 && len(names) > 1:
		return usage("--count makes copies of one NAME, and there are %d", len(names))
	}
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return usage("%s is named twice: a hand-out is for one machine; --count makes several", name)
		}
	}
	r := &handoutRun{Program: p, folder: folderOf(c), counted: count > 0, folders: c.Bool("folder"), force: c.Bool("force")}
	if r.out = c.String("out"); r.out == "" {
		r.out = filepath.Join(string(r.folder), "handouts")
	}
	var err error
	if r.options.Password, err = passwordIn(c); err != nil {
		return err
	}
	r.options.PKCS12 = c.Bool("p12")
	if c.String("url") != "" {
		if _, err := httpsURL(c, "--url", c.String("url")); err != nil {
			return err
		}
	}
	if r.m, err = r.adoptManifest(r.folder, certgen.Options{}); err != nil {
		return err
	}
	r.server = r.m.Find(c.String("server"))
	if r.options.URL = c.String("url"); r.options.URL == "" {
		r.options.URL = r.url()
	}
	handed := names
	if count > 0 {
		handed = numbered(names[0], count)
	}
	if err := r.check(c, names, handed); err != nil {
		return err
	}
	if count > 0 {
		if err = r.addCopies(r.folder, names[0], handed); err != nil {
			return err
		}
	}
	if err := r.preparePKI(c.Context, r.folder, false); err != nil {
		return err
	}
	if r.m, err = certgen.Read(r.folder.manifest()); err != nil {
		return err
	}
	r.server = r.m.Find(c.String("server"))
	return r.handOut(c, handed)
}

// check refuses what cannot be handed out, before anything is written: names are
// those that were given, and handed those that are handed out.
func (r *handoutRun) check(c *cli.Context, names, handed []string) error {
	for _, name := range names {
		if _, err := r.m.Lookup(name); err != nil {
			return err
		}
	}
	for _, name := range slices.Concat(names, handed) {
		switch certificate := r.m.Find(name); {
		case certificate == nil: // it is made
		case certificate.CA:
			return &usageError{command: commandName(c), problem: name + " is a CA, whose key stays where it is: name a server or a client",
				hint: "whoever is to trust " + name + " needs only " + r.folder.file(name, ".pem")}
		default:
			if _, _, _, err := r.contents(c, certificate); err != nil {
				return err
			}
		}
	}
	for _, name := range handed {
		if _, err := r.isThere(c, name); err != nil {
			return err
		}
	}
	if c.String("url") == "" && r.server != nil && len(typeable(r.server.SANs)) == 0 {
		return &noAddressError{server: r.server.Name, url: r.options.URL, next: addNameTo(r.folder, r.server.Name, r.addresses())}
	}
	return nil
}

// noAddressError reports a server that other machines have no name for.
type noAddressError struct{ server, url, next string }

func (e *noAddressError) Error() string {
	return "the certificate of " + e.server + " has no name by which another machine can call: nothing was handed out"
}

func (e *noAddressError) hint() string {
	return "if all is on this machine, add --url " + e.url + "; if not, add the server's address, such as this machine's, and then hand out again:"
}

// addresses are those of this machine, to type.
func (r *handoutRun) addresses() string {
	return cmp.Or(strings.Join(ownAddresses(), " "), "ADDRESS")
}

// handOut writes the hand-outs of names. All are made before one is written.
func (r *handoutRun) handOut(c *cli.Context, names []string) error {
	var made []*handout.Handout
	var there []string
	for _, name := range names {
		isThere, err := r.isThere(c, name)
		if err != nil {
			return err
		}
		if isThere {
			there = append(there, name)
			continue
		}
		side, authority, o, err := r.contents(c, r.m.Find(name))
		if err != nil {
			return err
		}
		h, err := handout.New(r.folder.certs(), name, side, authority, o)
		if err != nil {
			return err
		}
		made = append(made, h)
		if c.Context.Err() != nil {
			return c.Context.Err()
		}
	}
	for _, h := range made {
		err := h.Write(r.out, r.folders, r.force)
		if errors.Is(err, fs.ErrExist) {
			return &handedOutError{filepath.Join(r.out, handout.File(h.Name, r.folders)), "since a moment ago"}
		}
		if err != nil {
			return err
		}
	}
	r.sayHandedOut(made, there)
	return nil
}

// isThere reports whether a hand-out is there already and is to stay. One that
// stands in the way is an error.
func (r *handoutRun) isThere(c *cli.Context, name string) (bool, error) {
	path := filepath.Join(r.out, handout.File(name, r.folders))
	if _, err := os.Lstat(path); err != nil {
		return false, nil
	}
	h, err := handout.Open(path)
	switch {
	case err != nil:
		return false, fmt.Errorf("%w: it is not written over", err)
	case r.force:
		return false, nil
	case !r.counted:
		return false, &handedOutError{path, "and a second hand-out would give two machines one identity"}
	}
	difference := "has another certificate or CA"
	if certificate := r.m.Find(name); certificate != nil {
		side, authority, o, err := r.contents(c, certificate)
		if err != nil {
			return false, err
		}
		difference = h.Difference(r.folder.certs(), name, side, authority, o)
	}
	if difference != "" {
		return false, &handedOutError{path, "and " + difference}
	}
	return true, nil
}

// contents returns what the hand-out of a certificate has: see [handout.New].
func (r *handoutRun) contents(c *cli.Context, certificate *certgen.Certificate) (side endpoint.Side, authority string, o handout.Options, err error) {
	side, authority, o = sideOf(certificate), c.String("client-ca"), r.options
	if side == endpoint.Client {
		if r.server == nil {
			return side, "", o, &usageError{command: commandName(c), problem: fmt.Sprintf("--server is %s, and %s has no such certificate: its CA is what a client needs", c.String("server"), r.folder.manifest())}
		}
		authority = rootOf(r.server).Name
	}
	if _, err := r.m.Lookup(authority); err != nil {
		return side, "", o, err
	}
	if r.server != nil {
		o.Names = r.server.SANs
	}
	if side == endpoint.Server {
		o.Names = certificate.SANs
	}
	for _, ca := range r.m.Certificates {
		if ca.CA && (ca.Name == authority || leadsTo(ca, authority)) {
			o.CRLs = append(o.CRLs, ca.Name)
		}
	}
	return side, authority, o, nil
}

// sideOf guesses what a certificate is for: what it may be used for says so or,
// where that leaves it open, whether it has the name of a host.
func sideOf(c *certgen.Certificate) endpoint.Side {
	server, client := slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth), slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	isHost := func(san string) bool { return strings.HasPrefix(san, "DNS:") || strings.HasPrefix(san, "IP:") }
	if server && !client || server == client && slices.ContainsFunc(c.SANs, isHost) {
		return endpoint.Server
	}
	return endpoint.Client
}

func rootOf(c *certgen.Certificate) *certgen.Certificate {
	for c.Issuer != nil {
		c = c.Issuer
	}
	return c
}

// handedOutError reports a hand-out that is there already.
type handedOutError struct{ path, why string }

func (e *handedOutError) Error() string { return e.path + " is there already, " + e.why }

func (e *handedOutError) hint() string {
	return "for one more machine make one more certificate (--count N); --force writes this one anew"
}

// url is that of the server by the first name of its certificate that others
// can type, or by localhost.
func (r *handoutRun) url() string {
	host := "localhost"
	if r.server != nil {
		if names := typeable(r.server.SANs); len(names) > 0 {
			host = names[0]
		}
	}
	return "https://" + net.JoinHostPort(host, wiresharkPort) + "/"
}

// sayHandedOut says what was made, and whether others can call.
func (r *handoutRun) sayHandedOut(made []*handout.Handout, there []string) {
	if len(there) > 0 {
		r.say("there already, and as they must be: %s", spanned(there))
	}
	var files []string
	for _, h := range made {
		files = append(files, filepath.Join(r.out, handout.File(h.Name, r.folders)))
	}
	if len(files) > 0 {
		r.say("wrote %s: %s", text.Counted(len(files), "hand-out"), spanned(files))
		r.say("each on its own machine: lab join %s", commandWord(filepath.Base(files[0])))
	}
	if r.options.Password == "" && len(files) > 0 {
		r.say("no password protects the keys in them: give each to one person alone, on a way that nobody else reads")
	}
	if r.options.PKCS12 && r.options.Password == "" {
		r.say("the password of the .p12 files is %s", handout.DefaultPassword)
	}
	u, err := url.Parse(r.options.URL)
	if err != nil || r.server == nil {
		return
	}
	r.say("clients will call %s", r.options.URL)
	switch host := u.Hostname(); {
	case isOwnName(host) || net.ParseIP(host).IsLoopback():
		r.say("that is their own machine; for clients on others add the server's address to its certificate, and hand out again with --force. This machine's:")
		r.sayAddName(r.folder, r.server.Name, r.addresses())
	case !coversHost(r.server.SANs, host):
		r.say("the certificate of %s is not for %s: clients will refuse it. This adds the name:", r.server.Name, host)
		r.sayAddName(r.folder, r.server.Name, commandWord(host))
	}
}
