package probe

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"sync"
	"time"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/wiretap"
)

// ServerOptions are what a server is probed with. What is left out is not
// tried, and listed with the reason.
type ServerOptions struct {
	Target    Target
	Good      tls.Certificate     // that must be let in, with Leaf
	ServerCAs []*x509.Certificate // that the server's certificate must lead to

	ClientCA *tls.Certificate // that the server lets in clients of, with Leaf; PrivateKey may be nil
	ServerCA *tls.Certificate // that the server's certificate is of, with its key
	Revoked  *tls.Certificate // that the server's CRL has

	Revoke func(context.Context) error // puts Revoked into the server's CRL; nil: it is there already

	IdentityHeader string   // by which an application behind the server may know its clients
	Hosts          []string // further ones of the server, that want a certificate, too
	Versions       []uint16 // of TLS; none: 1.2 and 1.3
	Only, Skip     []string // names of cases
	Accepted       Accepted

	Concurrency int           // connections at a time; 0: 4
	Timeout     time.Duration // of a handshake, and of an answer; 0: 5 s
	Rate        float64       // connections a second at most, MinRate or more; 0: any

	Capture wiretap.Sink // gets all connections; may be nil

	// Begin is called before the first connection with how many there will be at
	// most, Pinned with the address that all go to where the host has several,
	// Offered with what the server offers, Progress after each case, and Each with
	// the findings of each case in the order of the cases, by one goroutine at a
	// time. Any may be nil.
	Begin    func(connections int)
	Pinned   func(addr string, others []string)
	Offered  func(*Offers)
	Progress func(done, total int)
	Each     func([]*Finding)
}

// Versions are those that are tried.
var Versions = []uint16{tls.VersionTLS12, tls.VersionTLS13}

// prober is a probe in progress.
type prober struct {
	*ServerOptions
	*engine
	issuer
	report *Report

	base      baseline
	versions  []uint16            // that the server speaks
	requests  map[uint16]*Request // CertificateRequests; nil: the server asks for none
	shownLeaf *x509.Certificate   // the server's
	letsNone  bool                // a client without a certificate is let in
	unminted  string              // why certificates of the probe's own are of no use; "": they are

	stop context.CancelCauseFunc

	mu sync.Mutex // guards report.Findings, and the calls of Each
}

// stopped is why a probe ends early.
type stopped struct{ problem, hint string }

func (s *stopped) Error() string { return s.problem }

// runner tries a case in one version, rowRunner in all. A rowRunner says in
// Finding.TLS in which.
type (
	runner    func(ctx context.Context, p *prober, c *Case, version uint16) *Finding
	rowRunner func(ctx context.Context, p *prober, c *Case) []*Finding
)

// Server probes a server. The error is that of ctx, or of making certificates:
// whatever the server does is in the report.
func Server(ctx context.Context, o ServerOptions) (*Report, error) {
	if o.Concurrency <= 0 {
		o.Concurrency = 4
	}
	o.Timeout = cmp.Or(o.Timeout, 5*time.Second)
	if len(o.Versions) == 0 {
		o.Versions = Versions
	}
	e, dissection := newEngine(&o)
	p := &prober{ServerOptions: &o, engine: e, issuer: issuer{good: &o.Good, clientCA: o.ClientCA, serverCA: o.ServerCA},
		report: &Report{Probe: "server", Target: o.Target.String(), Only: o.Only, Time: time.Now().UTC()}, requests: map[uint16]*Request{}}
	if p.clientCA == nil { // what is known of it
		p.clientCA = &tls.Certificate{Certificate: o.Good.Certificate[:1], Leaf: &x509.Certificate{RawSubject: o.Good.Leaf.RawIssuer}}
	}
	if o.Begin != nil {
		o.Begin(p.most())
	}
	e.several = p.Pinned
	err := p.run(ctx)
	dissection.Close()
	p.report.DurationMS = text.Milliseconds(time.Since(p.report.Time))
	p.report.Connections, p.report.Diagnosis = int(p.made.Load()), p.report.diagnose()
	return p.report, err
}

// run does the controls, and then the cases.
func (p *prober) run(ctx context.Context) error {
	trying, stop := context.WithCancelCause(ctx)
	p.stop = stop
	defer stop(nil)
	err := p.control(trying)
	if err == nil {
		p.tryAll(trying)
		err = context.Cause(trying)
	}
	var (
		why  *stopped
		dial *lab.DialError
	)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &why):
		p.report.Error, p.report.Hint = why.problem, why.hint
	case errors.As(err, &dial):
		p.report.Error, p.report.Dial = dial.Error(), dial
	case !errors.Is(err, errDone):
		return err
	}
	return nil
}

// tryAll tries the cases, some at a time, and lists those that are not.
func (p *prober) tryAll(ctx context.Context) {
	var chosen []*Case
	var left []*Finding
	for _, c := range cases() {
		switch why := p.lacks(c); {
		case !p.isChosen(c.Name):
		case why != "":
			left = append(left, p.left(c.Name, c.Title, why))
		default:
			chosen = append(chosen, c)
		}
	}
	for _, c := range notTried {
		if p.isChosen(c.name) {
			left = append(left, p.left(c.name, titleOf(c.name), c.reason))
		}
	}
	rows := p.newRows(len(chosen))
	begun := -1
	if i := slices.IndexFunc(chosen, func(c *Case) bool { return p.Revoke != nil && c.needs&needRevoked != 0 && c.all != nil }); i >= 0 {
		// Before the certificate is revoked it must be let in, and the server may be
		// restarted meanwhile.
		rows.end(ctx, i, p.tryCase(ctx, chosen[i]))
		begun = i
	} else if p.Revoke != nil && slices.ContainsFunc(chosen, func(c *Case) bool { return c.needs&needRevoked != 0 }) {
		if err := p.revoke(ctx); err != nil {
			p.stop(err)
			return
		}
	}
	var all sync.WaitGroup
	next := make(chan int)
	for range p.Concurrency {
		all.Go(func() {
			for i := range next {
				rows.end(ctx, i, p.tryCase(ctx, chosen[i]))
			}
		})
	}
	for _, waits := range []bool{true, false} { // those first that take long
		for i, c := range chosen {
			if i != begun && (c.all != nil) == waits {
				next <- i
			}
		}
	}
	close(next)
	all.Wait()
	rows.tellRest()
	for _, row := range rows.of {
		p.report.Findings = append(p.report.Findings, row...)
	}
	for _, f := range left {
		p.found(f)
	}
	if len(chosen) == 0 && p.unminted != "" && !p.isChosen(mintedCase) { // to end with 0 would say that all is right
		p.stop(&stopped{p.unminted, "give --client-ca the CA that the server lets in clients of"})
	}
}

// tryCase tries one case, and whether the good certificate is let in after it.
func (p *prober) tryCase(ctx context.Context, c *Case) (row []*Finding) {
	if c.all != nil {
		started := time.Now()
		row = c.all(ctx, p, c)
		for _, f := range row {
			p.complete(c, f, started)
		}
		if ctx.Err() == nil {
			p.checkGood(ctx, c.Name)
		}
		return row
	}
	run := c.run
	if run == nil {
		run = runShown
	}
	versions := p.versions
	if c.once {
		versions = versions[len(versions)-1:]
	}
	for _, version := range versions {
		if ctx.Err() != nil {
			row = append(row, p.left(c.Name, c.Title, "the probe had stopped"))
			break
		}
		started := time.Now()
		f := run(ctx, p, c, version)
		if f.TLS = tlswire.Version(version).String(); c.once {
			f.TLS = ""
		}
		p.complete(c, f, started)
		row = append(row, f)
	}
	if ctx.Err() == nil {
		p.checkGood(ctx, c.Name)
	}
	return row
}

// complete adds to a finding what is the same for all of its case.
func (p *prober) complete(c *Case, f *Finding, started time.Time) {
	f.Case, f.Title = c.Name, c.Title
	f.DurationMS = text.Milliseconds(time.Since(started))
	p.soften(f)
	if f.Judgement == Wrong || f.Judgement == Warning {
		f.Fix, f.Scenario = cmp.Or(c.fix, f.Fix), c.Lesson
	}
	p.Accepted.Mark(f)
}

// soften makes a remark of an answer that came before a login, which may yet be
// refused: Postfix and Dovecot look at the certificate only there.
func (p *prober) soften(f *Finding) {
	if t := p.target.protocol; t != nil && !t.Logins && f.Result == LetIn && f.Judgement == Wrong {
		f.Judgement, f.early = Warning, true
		f.Reason = joinNonEmpty("the server answered before the login; whether it then refuses was not tried", f.Reason)
	}
}

// checkGood stops the probe if the good certificate is no longer let in.
func (p *prober) checkGood(ctx context.Context, after string) {
	const tries = 3
	for i := range tries {
		o := p.try(ctx, attempt{note: capture.ProbePrefix + "mtls after " + after, version: p.versions[len(p.versions)-1], show: p.good})
		e := p.base.judge(o)
		switch {
		case ctx.Err() != nil || e.result == LetIn:
			return
		case e.result == RefusedTLS || e.result == RefusedHTTP || i == tries-1:
			p.stop(&stopped{"after " + after + " the good certificate is no longer let in: " + cmp.Or(e.reason, string(e.result)),
				"the server may lock out who fails too often: probe it later, more slowly (--rate 1 --concurrency 1), or leave out cases (--skip)"})
			return
		}
		select {
		case <-time.After(time.Duration(i+1) * 200 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// found adds findings that are known at once, and tells them.
func (p *prober) found(row ...*Finding) {
	for _, f := range row {
		p.Accepted.Mark(f)
	}
	p.mu.Lock()
	p.report.Findings = append(p.report.Findings, row...)
	p.mu.Unlock()
	p.tell(row)
}

func (p *prober) tell(row []*Finding) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Each != nil && len(row) > 0 {
		p.Each(row)
	}
}

// runShown shows the certificate of the case, which must not be let in.
func runShown(ctx context.Context, p *prober, c *Case, version uint16) *Finding {
	shown, err := p.certificate(ctx, c.script, lifetime)
	if err != nil {
		p.stop(err)
		return p.left(c.Name, c.Title, err.Error())
	}
	return p.mustRefuse(ctx, c, version, shown)
}

// mustRefuse shows a certificate that must not be let in.
func (p *prober) mustRefuse(ctx context.Context, c *Case, version uint16, shown *tls.Certificate) *Finding {
	must := map[Judgement]string{Wrong: ", which must be refused", Warning: ", which some refuse"}[c.lets]
	o := p.try(ctx, attempt{note: noteOf(c.Name, version) + must, version: version, show: shown})
	f := p.finding(o)
	f.Certificate = subjectOf(shown)
	switch f.Result {
	case LetIn:
		f.Judgement, f.Reason = c.lets, joinNonEmpty(c.hole, f.Reason)
	case Unclear:
		f.Judgement = Unknown
	default:
		f.Judgement = Right
	}
	return f
}

// finding says what happened in an attempt. The caller adds what that means.
func (p *prober) finding(o *outcome) *Finding {
	e := p.base.judge(o)
	f := &Finding{Result: e.result, When: e.when, Alert: e.alert, Status: e.status, Reason: e.reason}
	if o.Exchange != nil {
		f.Exchange = o.Exchange.Number
		if o.Exchange.HTTP != nil {
			f.Status = o.Exchange.HTTP.Status
		}
	}
	return f
}

func noteOf(name string, version uint16) string {
	return capture.ProbePrefix + name + " in " + tlswire.Version(version).String()
}

func subjectOf(c *tls.Certificate) string {
	if c == nil || c.Leaf == nil {
		return ""
	}
	return dn.Subject(c.Leaf)
}
