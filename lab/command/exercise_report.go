package command

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/exercise"
	"mtlslab.example/lab/lab/room"
	"mtlslab.example/lab/lab/text"
)

func reportFlag() cli.Flag {
	return &cli.StringFlag{Name: "report", Usage: "from now on tell the trainer's server at `URL` how far you are, with your client certificate in certs; off: no longer"}
}

// reporter sends the trainer's server how far a participant is; nil sends
// nothing.
type reporter struct {
	*Program
	to  *url.URL
	own lab.Credentials
}

// reportPatience is how long a report may take: it comes last, and the exercise
// goes on without it.
const reportPatience = 2 * time.Second

// openReporter reads --report, which is remembered in the folder; without it,
// it is as it was.
func (p *Program) openReporter(c *cli.Context, course exercise.Course) (*reporter, error) {
	asked := c.String("report")
	if asked == "off" {
		if err := course.SetReportTo(""); err != nil {
			return nil, err
		}
		p.say("from now on nothing is told to anybody")
		return nil, nil
	}
	to := asked
	if to == "" {
		var err error
		if to, err = course.ReportTo(); err != nil || to == "" {
			return nil, err
		}
	}
	u, err := httpsURL(c, "--report", to)
	if err != nil {
		return nil, err
	}
	if u.User != nil {
		return nil, &usageError{command: commandName(c), problem: "--report has a user or a password, which would be kept in the folder: your certificate says who you are"}
	}
	r := &reporter{Program: p, to: u}
	if r.own, err = reportingAs(filepath.Join(course.Dir, "certs")); err != nil {
		if asked != "" {
			return nil, err
		}
		p.say("%s is not told: %v", to, err)
		return nil, nil
	}
	if asked != "" {
		if err := course.SetReportTo(u.String()); err != nil {
			return nil, err
		}
		p.say("from now on %s is told, as %s: the exercise that you are at, how many hints you had, and what is solved; nothing else. --report off ends that", u, r.own.Certificate)
	}
	return r, nil
}

// tell tells how far the work is, and says what came of that.
func (r *reporter) tell(ctx context.Context, work *exercise.Work) {
	if r == nil {
		return
	}
	report, err := work.Report()
	if err == nil {
		bounded, cancel := context.WithTimeout(ctx, reportPatience)
		defer cancel()
		err = room.Send(bounded, r.to, r.own, report)
	}
	switch {
	case ctx.Err() != nil:
	case errors.Is(err, context.DeadlineExceeded):
		r.say("%s was not told, and the exercise goes on: no answer within %v", r.to, reportPatience)
	case err != nil:
		r.say("%s was not told, and the exercise goes on: %v", r.to, err)
	default:
		r.say("%s was told: %s", r.to, report)
	}
}

// noIdentityError reports a folder from which nobody can report.
type noIdentityError struct{ problem string }

func (e *noIdentityError) Error() string { return e.problem }

// reportingAs returns the credentials in a folder of certificates: its one
// client certificate with a key, or the one that is called client; and
// server-ca, or the one CA that is there without a key.
func reportingAs(dir string) (lab.Credentials, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.pem"))
	if err != nil {
		return lab.Credentials{}, err
	}
	var clients, authorities []string
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".pem")
		loaded, err := certgen.LoadCertificates(dir, name)
		if err != nil { // a key or a CRL
			continue
		}
		hasKey := slices.Contains(files, filepath.Join(dir, name+"-key.pem"))
		switch {
		case loaded[0].IsCA && (!hasKey || name == serverCA):
			authorities = append(authorities, name)
		case !loaded[0].IsCA && hasKey && isForClients(loaded[0]):
			clients = append(clients, name)
		}
	}
	o := lab.Credentials{Dir: dir}
	if o.Certificate, err = chosen("client certificate with a key", dir, clients, clientName); err != nil {
		return o, err
	}
	o.Trust, err = chosen("CA of a server", dir, authorities, serverCA)
	return o, err
}

// chosen returns the one name, or the usual one among several.
func chosen(what, dir string, names []string, usual string) (string, error) {
	switch {
	case slices.Contains(names, usual):
		return usual, nil
	case len(names) == 0:
		return "", &noIdentityError{fmt.Sprintf("%s has no %s", dir, what)}
	case len(names) > 1:
		return "", &noIdentityError{fmt.Sprintf("%s has more than one %s: %s", dir, what, text.JoinedFew(names, 3, "and"))}
	}
	return names[0], nil
}

// isForClients reports whether a certificate may be a client's.
func isForClients(c *x509.Certificate) bool {
	return len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth) || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
}
