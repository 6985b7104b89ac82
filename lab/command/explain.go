package command

import (
	"bufio"
	"crypto/rsa"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/selection"
	"mtlslab.example/lab/lab/summary"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/web"
	"mtlslab.example/lab/lab/wiretap"
)

const explainExamples = `lab explain lab.pcapng                 every kind of connection as a ladder
lab explain lab.pcapng --list          one line a connection
lab explain lab.pcapng --web           in a browser; --html FILE to send it
lab explain lab.pcapng --stream 2 --verbose
                                       one, with all fields and bytes
lab explain dump.pcap --keylog k.log   of tcpdump, with keys from elsewhere
lab explain client.pcapng server.pcapng
                                       of both ends: what sits between them
lab explain dump.pcap dump.pcap1       of a ring, as more than two are
lab explain *.pcapng.gz --summary      who refuses whom, why and how often
lab up --capture - | lab explain -     while it happens
lab explain 'tls: bad certificate'     what a message means, and what to do
journalctl -u nginx | lab explain -    the same of a log, or of error.log
lab explain 48                         an alert; also lab explain unknown_ca
lab explain SAN                        a word`

func (p *Program) explainCommand() *cli.Command {
	return &cli.Command{
		Name:        "explain",
		Category:    findFault,
		Usage:       "decrypt and draw a capture; explain a message, an alert or a word",
		ArgsUsage:   "FILE...|MESSAGE|ALERT|WORD",
		Description: explainExamples,
		Flags: append([]cli.Flag{
			messageFlag(),
			dirFlag(),
			&cli.StringFlag{Name: "keylog", EnvVars: []string{"SSLKEYLOGFILE"}, DefaultText: "keys.log, where there is one", Usage: "read TLS secrets from `FILE`, besides those in the capture, or off"},
			&cli.StringFlag{Name: "rsa-key", Usage: "open TLS 1.2 connections without forward secrecy with the server's private key in `FILE`, a PEM that may have certificates too"},
			caFlag("ca", "", "that servers must have: chains are checked under it"),
			caFlag("client-ca", "", "that clients must have, likewise"),
			certFlag("cert", "", "that chains may contain, such as an intermediate CA"),
			&cli.StringFlag{Name: "key", Usage: "the same as --rsa-key, or `NAME` of the certificate whose key it is"}, passwordFileFlag(),
			&cli.IntFlag{Name: "stream", Value: -1, DefaultText: "all", Usage: "only TCP stream `N`, counted from 0 as Wireshark does; of two files, in the first"},
			&cli.BoolFlag{Name: "list", Usage: "one line a connection"},
			&cli.BoolFlag{Name: "summary", Usage: "who refuses whom, why, how often and since when; adds up those of other runs (--json), too"},
			webFlag("show the connections in a browser at `HOST:PORT` (" + webAddr + " where none is given)"),
			&cli.StringFlag{Name: "html", Usage: "write the same page to `FILE`, which needs no server"}, &cli.BoolFlag{Name: "force", Usage: "write over the FILE of --html"},
			jsonFlag(),
			&cli.BoolFlag{Name: "brief", Usage: "what became of each connection, why, and what to do, without the drawing"},
			&cli.BoolFlag{Name: "verbose", Usage: "draw every connection, each message with its fields and bytes"},
		}, selectionFlags()...),
		Action: p.explain,
	}
}

func (p *Program) explain(c *cli.Context) error {
	if asked, err := p.asked(c); asked || err != nil {
		return err
	}
	files := c.Args().Slice()
	if len(files) == 0 || slices.Contains(files, "") {
		return &usageError{command: commandName(c), problem: "lab explain takes one FILE, or - for stdin; or two, one recorded at the client and one at the server; or several of one place, which are read as one"}
	}
	o, closeLog, err := p.explainOptions(c)
	if err != nil {
		return err
	}
	defer closeLog()
	switch {
	case c.Bool("summary"):
		return p.explainSummary(c, o, files)
	case len(files) == 1:
		return p.explainOne(c, o, nil)
	case len(files) == 2:
		rotated, err := p.areRotated(c, files)
		if err != nil || c.Context.Err() != nil {
			return err
		}
		if !rotated {
			return p.explainBoth(c, o)
		}
	}
	return p.explainSet(c, o, files, nil)
}

// explainOptions are what captures are read with.
type explainOptions struct {
	secrets *keylog.Store
	rsaKeys []*rsa.PrivateKey
	trusts  trusts
	wanted  *selection.Selection
	keep    int // bytes of each side's stream
}

// explainOptions reads the files that flags name. The caller calls close.
func (p *Program) explainOptions(c *cli.Context) (o explainOptions, close func(), err error) {
	if c.String("key") != "" && c.String("rsa-key") != "" {
		return o, nil, &usageError{command: commandName(c), problem: "--key and --rsa-key are the same: leave one of them out"}
	}
	if o.wanted, err = selectionOf(c); err != nil {
		return o, nil, err
	}
	password, err := passwordIn(c)
	if err != nil {
		return o, nil, err
	}
	if o.rsaKeys, err = loadRSAKeys(rsaKeyFile(c), password); err != nil {
		return o, nil, err
	}
	if o.trusts, err = explainTrusts(c, password); err != nil {
		return o, nil, err
	}
	o.secrets, close, err = p.loadSecrets(c)
	return o, close, err
}

// dissector returns a dissector that passes each connection to done.
func (o *explainOptions) dissector(done func(*tlsdecrypt.Connection)) *tlsdecrypt.Dissector {
	return tlsdecrypt.New(tlsdecrypt.Options{Secrets: o.secrets, RSAKeys: o.rsaKeys, Unordered: true, Keep: o.keep, Done: done})
}

// explainOne explains one capture as it is read, or adds it to a summary.
func (p *Program) explainOne(c *cli.Context, o explainOptions, sum *summary.Summary) error {
	file := c.Args().First()
	in, size, err := openCaptured(file)
	if err != nil {
		return err
	}
	defer in.Close()
	begins := bufio.NewReader(in)
	form, err := unlessInterrupted(c.Context, func() (form, error) { return formOf(file, begins), nil })
	if err != nil {
		return nil // interrupted, before there was anything
	}
	switch {
	case form == formSummary && sum != nil:
		return readSummary(c, o, sum, file, begins)
	case form == formText && sum == nil:
		return p.explainLog(c, begins)
	case form != formCapture:
		return &notCaptureError{file, form}
	}
	return p.explainInput(c, o, &input{name: file, size: size, sum: sum, read: func(_ func(string), o capture.ReadOptions) error {
		if err := capture.Read(begins, o); err != nil {
			return &captureError{file, err}
		}
		return nil
	}})
}

// input is one capture, or several that are read as one.
type input struct {
	name string // of the first file
	also int    // how many others there are
	size int64  // 0: not known
	read func(from func(file string), o capture.ReadOptions) error
	sum  *summary.Summary // that it is added to; nil: it is shown
}

// all names all files.
func (in *input) all() string {
	if in.also == 0 {
		return in.name
	}
	return in.name + " and " + text.Counted(in.also, "other file")
}

// explainInput explains a capture as it is read.
func (p *Program) explainInput(c *cli.Context, o explainOptions, in *input) error {
	file, size := in.name, in.size
	view, err := p.openPageView(c, file)
	if err != nil {
		return err
	}
	defer view.close()
	// A file may hold many connections that are open at a time. What is in use at
	// once is bounded, so that there is room for it in less than main's limit.
	debug.SetGCPercent(200)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(176 << 20)
	}
	if size > largeFile {
		defer runtime.KeepAlive(largeHeap())
	}
	bar := &progress{}
	if size > 0 { // or else there is no end to come closer to
		bar = newProgress(p.Stderr, "MB of "+filepath.Base(file))
	}
	defer bar.stop()
	printer := p.newConnectionPrinter(c, file, bar.above(p.results))
	printer.wanted, printer.turns.asOpened = o.wanted, size > 0
	printer.trusts, printer.lessons = o.trusts, &scenarioTrusts{folder: folderOf(c), given: o.trusts}
	if view != nil {
		printer.page, o.keep = view.page, web.KeepBytes
	}
	if len(o.rsaKeys) > 0 {
		printer.uses = rsaKeyUses{}
	}
	origins := &origins{file: strings.TrimPrefix(file, "-")}
	if in.sum != nil {
		printer.summarise(in.sum, origins)
	}
	dissector := o.dissector(printer.add)
	spread := wiretap.NewParallel(dissector, runtime.GOMAXPROCS(0))
	read := make(chan error, 1)
	heap := newFilling()
	go func() {
		read <- in.read(origins.from, capture.ReadOptions{
			Sink:    origins.watch(printer.wanted.Watch(watcher{printer.end, spread})),
			Live:    size == 0,
			Secrets: o.secrets.AddPassing,
			Progress: func(n int64) {
				bar.update(int(n/1e6), int(max(size, n)/1e6))
				if size > largeFile {
					heap.collect()
				}
			},
			Notice:  func(notice string) { bar.stop(); p.say("%s", notice) },
			Unread:  printer.addUnread,
			Attempt: printer.addFailed,
			Period:  printer.period,
		})
	}()
	select {
	case err = <-read:
	case <-c.Context.Done():
		printer.flush()
		return nil // with a read under way, which a pipe may hold up for ever
	}
	spread.Close()
	dissector.Close()
	bar.stop()
	switch empty := printer.finish(in.all()); {
	case err != nil:
		return p.sayFirst(err)
	case empty != nil:
		return empty
	}
	return view.finish(c.Context)
}

// explainLog says what a log is about.
func (p *Program) explainLog(c *cli.Context, log io.Reader) error {
	name := inputName(c.Args().First())
	message, err := unlessInterrupted(c.Context, func() (string, error) { return p.endOf(log, name) })
	if err != nil {
		return err
	}
	err = p.answer(c, message)
	var none *noScenarioError
	if errors.As(err, &none) {
		none.log = name
	}
	return err
}

// rsaKeyFile returns the file that --rsa-key or --key names.
func rsaKeyFile(c *cli.Context) string {
	if key := c.String("key"); key != "" {
		return folderOf(c).file(key, "-key.pem")
	}
	return c.String("rsa-key")
}

// explainTrusts reads the CAs of each side and further intermediate CAs.
func explainTrusts(c *cli.Context, password string) (by trusts, err error) {
	f := folderOf(c)
	of := func(flag string) lab.Credentials {
		return lab.Credentials{Dir: f.certs(), Trust: c.String(flag), Password: password}
	}
	by = trusts{server: of("client-ca"), client: of("ca"), also: of("cert")}
	for _, o := range []lab.Credentials{by.server, by.client} {
		if o.Trust != "" {
			if err := o.Read(); err != nil {
				return by, err
			}
		}
	}
	if by.also.Trust != "" {
		_, err = by.also.LoadChain(by.also.Trust)
	}
	return by, err
}

// captureError is a capture that could not be read to its end.
type captureError struct {
	file string
	err  error
}

func (e *captureError) Error() string {
	return inputName(e.file) + " is " + e.err.Error()
}
func (e *captureError) Unwrap() error { return e.err }

// openCaptured opens a file and returns its size, 0 if unknown.
func openCaptured(file string) (io.ReadCloser, int64, error) {
	if file == "-" {
		return io.NopCloser(os.Stdin), 0, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		f.Close()
		return nil, 0, &certfile.FileError{File: file, Problem: "is a folder", Next: "name a capture or a log in it; lab check " + commandWord(file) + " looks at the certificates in it"}
	}
	if err != nil || !info.Mode().IsRegular() {
		return f, 0, err
	}
	return f, info.Size(), nil
}

// loadSecrets reads the key log that is named, or else the folder's own. Lines
// that are appended later are found, too. The caller calls close.
func (p *Program) loadSecrets(c *cli.Context) (secrets *keylog.Store, close func(), err error) {
	secrets, close = &keylog.Store{}, func() {}
	name := c.String("keylog")
	named := name != ""
	if !named {
		name = folderOf(c).keylog()
	}
	if name == "off" {
		return secrets, close, nil
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) && (!named || name == os.Getenv("SSLKEYLOGFILE")) {
		return secrets, close, nil // nobody has logged yet
	}
	if err != nil {
		return nil, nil, err
	}
	if err := secrets.Follow(f); err != nil {
		f.Close()
		return nil, nil, &keylog.NotKeyLogError{Path: name, Err: err}
	}
	return secrets, func() { f.Close() }, nil
}
