package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/scenario"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/verdict"
	"mtlslab.example/lab/lab/web"
	"mtlslab.example/lab/lab/wiretap"
)

// labRun is what lab up, lab server and lab client have in common while they
// run.
type labRun struct {
	*Program
	folder     folder
	settings   lab.Settings
	scenario   *scenario.Scenario // nil: none
	written    string             // its name or file, as written
	blind      bool               // nothing is said of what it is
	keys       *keylog.Writer     // nil when off
	capture    *capture.Writer    // nil when off
	kept       string             // the file that was there
	captured   string             // its file, "-" for stdout or "off"
	outcome    *output            // knows whether a file was lost; the capture may have it
	port       string             // of the server that a client calls
	tap        *wiretap.Tap
	wire       *lab.Dissection
	page       *web.Page   // nil: there is no live view
	web        *web.Server // that serves it
	report     report
	saidClocks bool                                                                                      // that they differ
	room       *roomView                                                                                 // shown in place of exchanges; nil: it is not
	counts     struct{ accepted, rejected, silent, refused, unanswered, unasked, notShown atomic.Int64 } // refused: in HTTP or the like
}

// newLabRun reads the shared flags.
func (p *Program) newLabRun(c *cli.Context) (*labRun, error) {
	version, err := tlsVersion(c)
	if err != nil {
		return nil, err
	}
	http2, err := wantsHTTP2(c)
	if err != nil {
		return nil, err
	}
	crl, err := crlPolicy(c)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(checkCount(c), checkDetail(c)); err != nil {
		return nil, err
	}
	if _, err := captureLimit(c); err != nil {
		return nil, err
	}
	if err := checkAddr(c); err != nil {
		return nil, err
	}
	a := &labRun{Program: p, outcome: p.results, folder: folderOf(c)}
	if name := c.String("scenario"); name != "" {
		a.written = name
		if a.scenario, err = scenario.Find(name); err != nil {
			return nil, err
		}
		if len(a.scenario.Versions()) == 0 {
			return nil, &usageError{command: commandName(c), problem: name + " has no handshake of the lab's",
				hint: "lab scenario run " + name + " shows what happens"}
		}
		for _, flag := range append([]string{"server-name", "resume"}, credentialFlags...) {
			if c.IsSet(flag) {
				return nil, &usageError{command: commandName(c), problem: "--scenario says what --" + flag + " would: leave one of them out"}
			}
		}
	}
	if err := a.goBlind(c); err != nil {
		return nil, err
	}
	a.settings = lab.Settings{Version: version, HTTP2: http2, CRL: crl}
	a.settings.Credentials.Dir = a.folder.certs()
	a.report = report{Program: p, certs: a.certs(), json: c.Bool("json"), brief: c.Bool("brief"), blind: a.blind, options: p.ladderOptions(c)}
	a.settings.Journal = &lab.Journal{Trust: a.report.trust, Each: func(x *lab.Exchange) {
		if a.capture != nil {
			a.capture.FlushFile() // what is printed is in the file, whatever happens next
		}
		a.count(x)
		shown := a.show(x)
		if a.room != nil {
			a.room.See(x, shown)
		} else {
			a.report.exchange(x)
			if a.page == nil && x.Wire != nil {
				x.Wire.Release() // nobody keeps it
			}
		}
	}}
	return a, nil
}

// certs is the folder of the PKI in use: the scenario's own, if there is one.
func (a *labRun) certs() string {
	if a.scenario != nil {
		return a.scenario.Certs(a.folder.certs())
	}
	return a.folder.certs()
}

// record opens the key log and the capture, in a folder that exists. With late
// it opens the capture at the first connection. The caller closes the labRun.
func (a *labRun) record(c *cli.Context, keylogDefault, captureDefault string, late bool) (err error) {
	path := c.String("keylog")
	if path == "" {
		path = keylogDefault
	}
	if path != "off" {
		a.keys, err = keylog.Open(path, func(err error) { a.lose(keyLogEnded(err)) })
		if err != nil {
			return err
		}
		a.settings.KeyLog = a.keys
	}
	o, err := a.captureOptions(c, captureDefault)
	if err != nil {
		return err
	}
	a.wire = a.settings.Journal.Dissect()
	switch {
	case a.captured == "off":
		a.tap = wiretap.New(a.wire)
	case late && !isSpecial(a.captured):
		a.tap = wiretap.New(&lateSink{open: func() wiretap.Sink { return a.recordLate(c, o) }}, a.wire)
	default:
		if err := a.createCapture(c, o); err != nil {
			return err
		}
		a.tap = wiretap.New(a.wire)
		if a.capture != nil {
			a.tap = wiretap.New(a.recorder(), a.wire)
		}
	}
	return nil
}

// captureOptions reads the flags of the recording. If that goes to stdout,
// results go to stderr.
func (a *labRun) captureOptions(c *cli.Context, byDefault string) (o capture.Options, err error) {
	o.Notice = a.sayUnrecorded
	if o.Limit, err = captureLimit(c); err != nil {
		return o, err
	}
	if o.Snaplen = c.Int("snaplen"); o.Snaplen < 0 {
		return o, &usageError{command: commandName(c), problem: fmt.Sprintf("--snaplen is %d, and must be 0 or more", o.Snaplen)}
	}
	a.captured = cmp.Or(c.String("capture"), byDefault, "off")
	if a.captured == "-" || a.captured == "/dev/stdout" {
		a.captured = "-"
		if isTerminal(a.Stdout) {
			return o, errCaptureOnTerminal
		}
		a.report.undrawn = true // what reads the capture draws it
		beside := *a.Program
		beside.Stdout, beside.results = a.Stderr, &output{w: a.Stderr, failed: a.results.failed}
		a.Program = &beside
		a.report.Program, a.report.options = a.Program, a.ladderOptions(c)
	}
	return o, nil
}

// createCapture begins the recording. One that cannot be written is no reason
// to stop: the lab is more than its recording.
func (a *labRun) createCapture(c *cli.Context, o capture.Options) error {
	err := a.openCapture(o)
	if w := a.capture; w != nil {
		context.AfterFunc(c.Context, func() { hurry(w) })
	}
	var unwritable *capture.WriteError
	var small *capture.LimitError
	if errors.As(err, &unwritable) || errors.As(err, &small) {
		a.sayUnrecorded(err)
		return nil
	}
	return err
}

// openCapture begins the recording, if there is to be one.
func (a *labRun) openCapture(o capture.Options) error {
	if a.captured == "off" {
		return nil
	}
	w, err := capture.Create(a.captured, o)
	if err != nil {
		return err
	}
	a.capture = w
	if a.kept = w.Kept(); a.kept != "" {
		a.say("the capture that was there is now %s", a.kept)
	}
	if a.captured != "-" && a.kept == "" && w.Name() != a.captured {
		a.say("%s cannot be renamed, perhaps because another program has it open: it stays, and this run is in %s", a.captured, w.Name())
		a.captured = w.Name()
	}
	return nil
}

// sayUnrecorded says why the recording has ended, or waits.
func (a *labRun) sayUnrecorded(err error) {
	var write *capture.WriteError
	if errors.As(err, &write) {
		a.lose(err)
	} else {
		a.say("%v", err)
	}
}

// lose says why a file is not written any more. The lab goes on, and has failed
// in the end, unless it is a pipe whose reader has gone.
func (a *labRun) lose(err error) {
	a.sayUnwritten(err)
	if !isClosedPipe(err) {
		a.outcome.lose()
	}
}

// keyLogEnded is what a write to a key log has failed with.
func keyLogEnded(err error) error { return fmt.Errorf("the key log has ended: %w", err) }

// recordLate begins the recording with the first connection, so that a client
// that reaches nobody leaves the capture that was there in its place. It
// returns nil if nothing can be recorded.
func (a *labRun) recordLate(c *cli.Context, o capture.Options) wiretap.Sink {
	if err := a.createCapture(c, o); err != nil {
		a.say("nothing is recorded: %v", err)
	}
	if a.capture == nil {
		return nil
	}
	a.sayCapture(a.port)
	return a.recorder()
}

// lateSink is a sink that is made when the first connection opens.
type lateSink struct {
	once sync.Once
	open func() wiretap.Sink // nil: events go nowhere
	sink wiretap.Sink
}

func (s *lateSink) Open(e wiretap.Event) wiretap.Handler {
	s.once.Do(func() { s.sink = s.open() })
	if s.sink == nil {
		return func(wiretap.Event) {}
	}
	return s.sink.Open(e)
}

// isSpecial reports whether a file may be a pipe or device, with a reader that
// waits.
func isSpecial(file string) bool {
	info, err := os.Stat(file)
	return file == "-" || err == nil && !info.Mode().IsRegular()
}

// recordingGrace is how long connections that are ending are recorded.
const recordingGrace = 2 * time.Second

// hurry closes a recording after recordingGrace: a pipe that nobody reads would
// hold up connections that are ending.
func hurry(w *capture.Writer) { time.AfterFunc(recordingGrace, func() { w.Close() }) }

func (a *labRun) count(x *lab.Exchange) {
	switch {
	case x.IsDenied():
		a.counts.refused.Add(1)
	case x.Outcome == verdict.Accepted:
		a.counts.accepted.Add(1)
		switch {
		case x.Code == verdict.NotAsked: // and was to be
			a.counts.unasked.Add(1)
		case x.HTTP == nil && x.Client.Error != "":
			a.counts.unanswered.Add(1)
		}
	case x.Outcome == verdict.Unknown:
		a.counts.silent.Add(1)
	default:
		a.counts.rejected.Add(1)
	}
	if more := x.NotShown; more != nil {
		a.counts.accepted.Add(int64(more.Accepted))
		a.counts.rejected.Add(int64(more.Rejected))
		a.counts.refused.Add(int64(more.Refused))
		a.counts.silent.Add(int64(more.Silent))
		a.counts.notShown.Add(int64(more.Len()))
	}
}

// close ends the live view, the dissection, the key log and the capture.
func (a *labRun) close() {
	if a.web != nil {
		_ = a.web.Close() // nothing is lost with it
	}
	if a.wire != nil {
		a.wire.Close()
	}
	if a.keys != nil {
		a.keys.Close()
	}
	if a.capture != nil {
		a.capture.Close() // its notice has said what went wrong
		if a.kept != a.capture.Kept() {
			a.say("nothing was recorded: %s is still the capture that was there", a.captured)
		}
	}
}

// sayCounts prints the counts, below the ^C that a terminal shows if ctx has
// ended.
func (a *labRun) sayCounts(ctx context.Context) {
	if ctx.Err() != nil && isTerminal(a.Stderr) {
		a.stderr().Line()
	}
	sum := lab.Counts{Accepted: int(a.counts.accepted.Load()), Rejected: int(a.counts.rejected.Load()), Refused: int(a.counts.refused.Load()), Silent: int(a.counts.silent.Load())}
	all := text.Counted(sum.Len(), "exchange")
	if a.blind {
		a.say("%s", all)
		return
	}
	notShown := ""
	if n := a.counts.notShown.Load(); n > 0 {
		notShown = fmt.Sprintf("; %s of them not shown: results were read too slowly", text.Grouped(n))
	}
	a.say("%s: %s%s", all, counted(&sum), notShown)
}

// serve starts the server with the given credentials on l, which it closes, and
// says where it is. It ends with ctx; wait returns when it has ended.
func (a *labRun) serve(ctx context.Context, l net.Listener, o lab.Credentials) (s *lab.Server, wait func() error, err error) {
	settings, err := a.serverSettings(o)
	if err != nil {
		return nil, nil, errors.Join(err, l.Close())
	}
	s, err = lab.NewServer(l, settings)
	if err != nil {
		return nil, nil, err
	}
	if a.blind {
		a.sayBlindReachable(s.Addr())
	} else if a.scenario == nil || a.scenario.Server.NotTLS == "" {
		a.sayReachable(s.Addr(), settings.Trust)
		if a.scenario == nil {
			a.sayNames(s.Addr(), settings.Credentials)
		}
	}
	if a.capture != nil {
		context.AfterFunc(ctx, func() { hurry(a.capture) })
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	return s, func() error { return <-ended }, nil
}

// call makes the client call count times, 0 for ever, until ctx ends. Exchanges
// in which one side rejects the other do not end it.
func (a *labRun) call(ctx context.Context, c *lab.Client, count int, interval time.Duration, each func(*lab.Response)) error {
	tick := time.NewTimer(interval)
	defer tick.Stop()
	for i := 1; ; i++ {
		response, err := c.Call(ctx)
		var rejected *lab.RejectedError
		if err != nil && !errors.As(err, &rejected) && ctx.Err() == nil {
			return err
		}
		if err == nil {
			a.sayClocks(response.Ahead)
		}
		if err == nil && each != nil {
			each(response)
		}
		if i == count || ctx.Err() != nil {
			return nil
		}
		tick.Reset(interval)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// failed is the exit status of a client: every exchange should have been
// accepted, none refused in HTTP or the like, and the certificate of --cert asked
// for.
func (a *labRun) failed() error {
	if a.counts.rejected.Load()+a.counts.refused.Load()+a.counts.unanswered.Load()+a.counts.unasked.Load() > 0 {
		return silentError{}
	}
	return nil
}
