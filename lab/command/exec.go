package command

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/gokeys"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/keyshim"
	"mtlslab.example/lab/lab/private"
	"mtlslab.example/lab/lab/wiretap"
)

// Exit statuses of lab exec where there is none of the program's, as in a
// shell.
const (
	exitNotExecutable = 126
	exitNotFound      = 127
)

// programStatus is the exit status, other than 0, of a program. Nothing is
// printed for it: the program has printed its own errors.
type programStatus int

func (s programStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// interrupted is a program that was killed by SIGINT, as by Ctrl-C.
type interrupted struct{ programStatus }

func (e *interrupted) Unwrap() error { return e.programStatus }

// statusOf returns the exit status of a program that run has returned err for.
func statusOf(err error) int {
	var status programStatus
	errors.As(err, &status)
	return int(status)
}

// startError is a program that could not be started.
type startError struct {
	by      string // the command that was to start it: "lab exec"
	program string // as typed
	err     error
}

func (e *startError) Error() string { return fmt.Sprintf("cannot run %s: %v", e.program, e.err) }
func (e *startError) Unwrap() error { return e.err }

func (e *startError) notFound() bool {
	return errors.Is(e.err, exec.ErrNotFound) || errors.Is(e.err, fs.ErrNotExist)
}

func (e *startError) status() int {
	if e.notFound() {
		return exitNotFound
	}
	return exitNotExecutable
}

const execExamples = `lab exec -- curl https://example.com/       keys of curl in keys.log
lab exec --keylog app.log -- ./app.py       in another file
lab exec -- java -jar app.jar               Java, and what starts it
lab exec --explain -- ./client              why its connections fail
lab exec --capture x.pcapng -- curl --cacert certs/server-ca.pem \
  --cert certs/client.pem --key certs/client-key.pem https://localhost:8443/
lab exec --capture x.pcapng --tap 127.0.0.1:9443=127.0.0.1:8443 -- \
  openssl s_server -accept 8443 -cert certs/server.pem \
  -key certs/server-key.pem`

func (p *Program) execCommand() *cli.Command {
	return &cli.Command{
		Name:        "exec",
		Category:    findFault,
		Usage:       "run a program with its TLS keys logged",
		ArgsUsage:   "-- COMMAND [ARGUMENT...]",
		Description: execExamples,
		Flags: []cli.Flag{
			dirFlag(),
			&cli.StringFlag{Name: "keylog", EnvVars: []string{"SSLKEYLOGFILE"}, DefaultText: "keys.log", Usage: "append the TLS secrets to `FILE`, or off with --capture"},
			&cli.StringFlag{Name: "capture", DefaultText: "off", Usage: "record the program's connections, decrypted, to `FILE`"},
			&cli.GenericFlag{Name: "explain", Value: &optionalFile{}, DefaultText: "off", Usage: "draw the program's connections, each with its verdict, on stderr when it has ended; --explain=`FILE` adds to a file while it runs"},
			&cli.BoolFlag{Name: "brief", Usage: "with --explain: one line a connection, and no drawing"},
			&cli.StringSliceFlag{Name: "tap", Usage: "record what comes to one address and pass it on to another, `LISTEN=TARGET`, instead of being the program's proxy; may be repeated"},
			&cli.IntFlag{Name: "attach", DefaultText: "none", Usage: "log the keys of process `PID`, a Go program that runs already, until Ctrl-C (Linux)"},
		},
		Action: p.exec,
	}
}

func (p *Program) exec(c *cli.Context) error {
	args := c.Args().Slice()
	if c.IsSet("attach") {
		return p.attach(c)
	}
	if len(args) == 0 {
		return &usageError{command: commandName(c), problem: "lab exec takes a COMMAND to run"}
	}
	recording, err := wantsCapture(c)
	if err != nil {
		return err
	}
	taps, err := readTaps(c)
	if err != nil {
		return err
	}
	path, err := exec.LookPath(args[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return &startError{"lab exec", args[0], errors.Unwrap(err)}
	}
	private.Tidy() // what an earlier run has left
	log, remove, err := prepareLog(c)
	if err != nil {
		return err
	}
	defer remove()
	library, removeLibrary, err := keyshim.Library(c.Context)
	if err == nil {
		defer removeLibrary()
	}
	var known atomic.Bool // why keys are missing was said
	known.Store(p.sayObstacles(path, err))
	keys, err := keylog.Open(log, func(err error) { known.Store(true); p.sayUnwritten(keyLogEnded(err)) })
	if err != nil {
		return err
	}
	defer keys.Close()
	trace := gokeys.Options{Keys: keys, Cannot: func(err error) { known.Store(true); p.say("%v; %s", err, otherEnd) }}
	program := &exec.Cmd{Path: path, Args: args, Env: keyshim.Environment(os.Environ(), log, library)}
	jvms, err := p.listenForJVMs(keys, library)
	if err != nil {
		return err
	}
	defer jvms.listener.Close()
	if recording {
		return p.record(c, program, trace, log, &known, taps, jvms)
	}
	jvms.prepare(program, nil, nil)
	before := sizeOf(log)
	err = p.run(program, trace)
	if unstarted := (*startError)(nil); !known.Load() && !jvms.keyless() && !errors.As(err, &unstarted) && sizeOf(log) <= before {
		p.sayNoSecrets(args[0], log)
	}
	return err
}

// sizeOf returns the size of a file in bytes, 0 if there is none.
func sizeOf(file string) int64 {
	info, err := os.Stat(file)
	if err != nil {
		return 0
	}
	return info.Size()
}

// sayFull says that the disk of a key log is full, which programs that write to
// it keep to themselves. It reports whether it is.
func (p *Program) sayFull(log string) bool {
	probe, err := os.CreateTemp(filepath.Dir(log), ".lab-")
	if err == nil {
		_, err = probe.Write(make([]byte, 4096))
		probe.Close()
		_ = os.Remove(probe.Name())
	}
	if !isFull(err) {
		return false
	}
	p.sayUnwritten(fmt.Errorf("keys cannot be written to %s: %w", log, bare(err)))
	return true
}

// wantsCapture reads --capture, and refuses flags that need it.
func wantsCapture(c *cli.Context) (bool, error) {
	problem := ""
	switch file := c.String("capture"); {
	case c.Bool("brief") && !explainFlag(c).set:
		problem = "--brief shortens what --explain draws: add --explain"
	case file == "-", file == "/dev/stdout":
		problem = "stdout is the program's own: --capture takes a FILE here"
	case file != "" && file != "off", explainFlag(c).set:
		return true, nil
	case len(c.StringSlice("tap")) > 0:
		problem = "--tap records, so it needs --capture FILE or --explain"
	case c.String("keylog") == "off":
		problem = "with --keylog off and no --capture FILE there is nothing to do"
	}
	if problem != "" {
		return false, &usageError{command: commandName(c), problem: problem}
	}
	return false, nil
}

// prepareLog readies the key log, a private one if it is off, and returns its
// path. remove is to be called in the end.
func prepareLog(c *cli.Context) (path string, remove func(), err error) {
	path, remove = c.String("keylog"), func() {}
	switch path {
	case "":
		path = folderOf(c).keylog()
	case "off":
		dir, err := private.MkdirTemp("", "exec")
		if err != nil {
			return "", nil, err
		}
		path, remove = filepath.Join(dir.Path, "keys.log"), func() { _ = dir.Remove() }
	}
	if path, err = keyshim.PrepareLog(path); err != nil {
		remove()
	}
	return path, remove, err
}

// record runs a program and records its connections: those that it makes
// through a proxy, or those that come to the addresses of --tap.
func (p *Program) record(c *cli.Context, program *exec.Cmd, trace gokeys.Options, log string, known *atomic.Bool, taps []tap, jvms *jvms) (err error) {
	listeners, err := listen(taps) // first: a busy port must not cost a recording
	if err != nil {
		return err
	}
	for _, l := range listeners {
		defer l.Close() // again, but for an error
	}
	a := &labRun{Program: p}
	o, err := a.captureOptions(c, "")
	if err != nil {
		return err
	}
	o.Notice = p.sayUnwritten // and the exit status stays the program's
	var sinks []wiretap.Sink
	if explainFlag(c).set { // what is wrong with its file puts no capture aside
		e, failed := p.newLiveExplainer(c)
		if failed != nil {
			return failed
		}
		defer func() { e.finish(p.Stderr, program.Args[0], statusOf(err)) }()
		sinks = append(sinks, e)
	}
	if err := a.openCapture(o); err != nil {
		return err
	}
	defer a.close()
	if a.capture != nil {
		sinks = append(sinks, a.capture)
	}
	relay, err := keyshim.NewRelay(log, wiretap.Fan(sinks...))
	if err != nil {
		return err
	}
	for i, l := range listeners {
		relay.Forward(l, taps[i].target)
	}
	var proxy *url.URL
	if len(taps) == 0 {
		proxy, err = relay.Proxy()
		if err != nil {
			_, closing := relay.Close()
			return errors.Join(err, closing)
		}
		program.Env = keyshim.ProxyEnvironment(program.Env, proxy)
		p.relayGo(&trace, relay)
	}
	jvms.prepare(program, relay, proxy)
	err = p.run(program, trace)
	if a.capture != nil {
		hurry(a.capture)
	}
	recorded, closing := relay.Close()
	if unstarted := (*startError)(nil); !errors.As(err, &unstarted) {
		if recorded.Keyless > 0 && !known.Load() {
			p.sayFull(log)
		}
		a.sayRecorded(recorded, len(taps) > 0, jvms.count())
	}
	return errors.Join(err, closing)
}

// tap is the value of one --tap.
type tap struct{ listen, target string }

// tapError is a --tap that cannot be listened for.
type tapError struct {
	listen string
	err    error
}

func (e *tapError) Error() string { return fmt.Sprintf("--tap %s: %v", e.listen, e.err) }
func (e *tapError) Unwrap() error { return e.err }

func readTaps(c *cli.Context) ([]tap, error) {
	var taps []tap
	for _, text := range c.StringSlice("tap") {
		const example = "127.0.0.1:9443=127.0.0.1:8443"
		listen, target, _ := strings.Cut(text, "=")
		if problem := cmp.Or(addrProblem(listen, example), addrProblem(target, example)); problem != "" {
			return nil, &usageError{command: commandName(c), problem: fmt.Sprintf("--tap is %q, and %s", text, problem)}
		}
		taps = append(taps, tap{listen, target})
	}
	return taps, nil
}

// listen returns a listener for each tap, which the caller closes.
func listen(taps []tap) ([]net.Listener, error) {
	var listeners []net.Listener
	for _, t := range taps {
		l, err := net.Listen("tcp", t.listen)
		if err != nil {
			for _, l := range listeners {
				l.Close()
			}
			return nil, &tapError{t.listen, err}
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

// run runs a program to its end, with lab's own streams.
func (p *Program) run(program *exec.Cmd, trace gokeys.Options) error {
	program.Stdin, program.Stdout, program.Stderr = os.Stdin, p.Stdout, p.Stderr
	status, by, err := keyshim.Run(program, keyshim.Traced(trace))
	switch {
	case err != nil:
		return &startError{"lab exec", program.Args[0], err}
	case by == syscall.SIGINT:
		return &interrupted{programStatus(status)}
	case status != 0:
		return programStatus(status)
	}
	return nil
}
