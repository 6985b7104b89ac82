package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/handout"
)

const joinExamples = `lab join client-01.zip            into certs here, and a call
lab join client-01.zip --dir lab  into another folder
lab join server.zip               and how to start the server`

func (p *Program) joinCommand() *cli.Command {
	return &cli.Command{
		Name:        "join",
		Category:    certificates,
		Usage:       "unpack a hand-out of lab certs handout, and call",
		ArgsUsage:   "FILE",
		Description: joinExamples,
		Flags: []cli.Flag{dirFlag(),
			&cli.StringFlag{Name: "password-file", Usage: "`FILE` whose first line is the password of the key (default: asked for)"},
			forceFlag(),
		},
		Action: p.join,
	}
}

func (p *Program) join(c *cli.Context) error {
	if c.NArg() != 1 {
		return &usageError{command: commandName(c), problem: "lab join takes one FILE"}
	}
	file, f := c.Args().First(), folderOf(c)
	h, err := handout.Open(file)
	if err != nil {
		return err
	}
	password, err := passwordIn(c)
	if err != nil {
		return err
	}
	wasEncrypted := h.Encrypted
	if err := p.unlock(c, h, file, password); err != nil {
		return err
	}
	wasIn := h.IsIn(f.certs())
	if _, err := os.Stat(f.manifest()); err == nil && !wasIn {
		return &ownFolderError{f.manifest()}
	}
	if err := f.checkAuthority(h); err != nil && !c.Bool("force") {
		return err
	}
	kept, err := h.Unpack(c.Context, f.certs(), c.Bool("force"))
	if err != nil {
		return err
	}
	p.sayKept(kept)
	if wasIn {
		p.say("%s has all of %s already", f.certs(), h.Name)
	} else {
		p.say("%s is in %s: a certificate and key, and the CA %s", h.Name, f.certs(), h.Authority)
	}
	if wasEncrypted {
		p.say("the key is unencrypted there, readable by you alone")
	}
	args := append([]string{"lab"}, h.Command()...)
	if f != "." {
		args = append(args, "--dir", string(f))
	}
	var words []string
	for _, arg := range args {
		words = append(words, commandWord(arg))
	}
	if leaf, err := certgen.LoadCertificates(f.certs(), h.Name); err == nil {
		p.sayNotYet(h.Name, leaf...)
	}
	if h.Side == endpoint.Server {
		p.say("to start the server, for other machines too:")
		p.writeCommand("  " + strings.Join(words, " "))
		return nil
	}
	p.say("it calls %s; to call again, and see what is said:", h.URL)
	p.writeCommand("  " + strings.Join(words, " "))
	p.drawsRefusals = true
	return p.callAs(c.Context, args)
}

// passwordTries is how often a password is asked for.
const passwordTries = 3

// unlock decrypts the key of a hand-out, with a password that it asks for on a
// terminal if none is given.
func (p *Program) unlock(c *cli.Context, h *handout.Handout, file, password string) error {
	if !h.Encrypted || password != "" {
		return lockedIn(file, h.Unlock(password))
	}
	for try := 1; ; try++ {
		password, err := p.askKeyPassword(c, file)
		if err != nil {
			return err
		}
		err = h.Unlock(password)
		if password == "" || try == passwordTries || !errors.Is(err, certfile.ErrPassword) {
			return lockedIn(file, err)
		}
		p.say("that is not its password")
	}
}

// lockedError reports that the key in a hand-out could not be decrypted.
type lockedError struct {
	file string
	err  error
}

func lockedIn(file string, err error) error {
	if !errors.Is(err, certfile.ErrPassword) {
		return err
	}
	return &lockedError{file, err}
}

func (e *lockedError) Error() string { return e.file + ": " + e.err.Error() }

func (e *lockedError) Unwrap() error { return e.err }

func (e *lockedError) hint() string {
	return "whoever made the hand-out knows its password: write it into a file, and name that with --password-file FILE, or join on a terminal, where it is asked for"
}

// callAs runs another command of lab.
func (p *Program) callAs(ctx context.Context, args []string) error {
	app := p.app(args...)
	return app.RunContext(ctx, arrange(app, args))
}

// ownFolderError reports a folder with a PKI of its own.
type ownFolderError struct{ manifest string }

func (e *ownFolderError) Error() string {
	return e.manifest + " makes the certificates of this folder: a hand-out of another one does not go in between"
}

// checkAuthority refuses a hand-out whose CA has the name of another one that
// is there: which of the two is meant, only their keys say.
func (f folder) checkAuthority(h *handout.Handout) error {
	there, err := certgen.LoadCertificates(f.certs(), h.Authority)
	if err != nil {
		return nil // there is none, or Unpack says what is in its place
	}
	given, err := h.LoadAuthority()
	if err != nil || chain.SameKey(given, there[0]) {
		return err
	}
	return &otherCAError{file: f.file(h.Authority, ".pem"), there: chain.KeyID(there[0]), given: chain.KeyID(given)}
}

// otherCAError reports two CAs of one name.
type otherCAError struct{ file, there, given string }

func (e *otherCAError) Error() string {
	return fmt.Sprintf("%s is there already and is another CA of that name: its key's SHA-256 begins with %s, and that in the hand-out with %s", e.file, e.there, e.given)
}
