package scenario

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/certgen/yamldoc"
	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/fault"
	"mtlslab.example/lab/lab/wiretap"
)

// Options are where and how scenarios are run.
type Options struct {
	Manifest []byte // of the certificates that scenarios add to
	Dir      string // the folder that holds certs and captures
	Keep     int    // how many bytes of each side Exchange.Wire.Kept has; 0: none
}

// certs returns the folder of the PKI.
func (o Options) certs() string { return filepath.Join(o.Dir, "certs") }

// Result is what a run of one version came to.
type Result struct {
	Scenario *Scenario
	Version  uint16
	Exchange *lab.Exchange // the last, which is judged
	Earlier  []*lab.Exchange
	Capture  string
	Wrong    []string // how it differs from what was expected, in words; empty: not at all
}

// settleTimeout bounds the wait for both sides' reports.
const settleTimeout = 15 * time.Second

// Run carries out the scenario with one of its versions: it makes the
// certificates, lets the lab's own server and client meet in this process, and
// records them in a capture of its own, which replaces that of an earlier run.
// Exchange.Wire has what was decrypted.
// The versions of one scenario share their certificates and must not be run at
// the same time.
func (s *Scenario) Run(ctx context.Context, version uint16, o Options) (*Result, error) {
	if err := s.Prepare(ctx, o.Manifest, o.certs()); err != nil {
		return nil, err
	}
	recording, err := s.record(version, o)
	if err != nil {
		return nil, err
	}
	defer recording.Close()
	r := &runner{scenario: s, version: version, options: o, exchanges: make(chan *lab.Exchange, s.Calls)}
	r.journal = &lab.Journal{Paired: true, Keep: o.Keep, Each: func(x *lab.Exchange) { r.exchanges <- x }}
	dissection := r.journal.Dissect()
	defer dissection.Close()
	exchanges, err := r.run(ctx, wiretap.New(OnWiresharkPort{recording}, dissection))
	if err != nil {
		return nil, err
	}
	last := len(exchanges) - 1
	return &Result{Scenario: s, Version: version, Exchange: exchanges[last], Earlier: exchanges[:last],
		Capture: s.Capture(o.Dir, version), Wrong: s.Expect[version].differences(exchanges[last])}, recording.Close()
}

// Prepare makes the certificates of the scenario below certs, the folder of the
// PKI, out of the base manifest and its own.
func (s *Scenario) Prepare(ctx context.Context, manifest []byte, certs string) error {
	m, err := s.Manifest(manifest)
	if err != nil {
		return err
	}
	return s.generate(ctx, m, certs, nil)
}

func (s *Scenario) generate(ctx context.Context, m *certgen.Manifest, certs string, renew []string) error {
	made := time.Now().Add(-s.Age)
	dir := s.Certs(certs)
	if s.KeyType != "" {
		if !fault.HasMLDSA {
			return &fault.KeyTypeError{Type: s.KeyType}
		}
		dir = filepath.Join(dir, "manifest")
	}
	_, err := certgen.Generate(ctx, m, dir, certgen.Options{Renew: renew, Now: func() time.Time { return made }})
	if err == nil && s.KeyType != "" {
		err = s.reissue(m, dir, s.Certs(certs))
	}
	return err
}

// Manifest returns the base manifest with the scenario's certificates, which
// are all documents of its text but the first. Errors are *yamldoc.Error.
func (s *Scenario) Manifest(base []byte) (*certgen.Manifest, error) {
	basic, err := yamldoc.Read("certs.yaml", base)
	if err != nil {
		return nil, err
	}
	own, err := yamldoc.Read(s.File, s.Text)
	if err != nil {
		return nil, err
	}
	m, err := certgen.Overlay(s.File, basic, own[1:])
	if err != nil {
		return nil, err
	}
	if err := s.CheckReferences(m); err != nil {
		return nil, err
	}
	for name, extensions := range s.Extensions {
		if err := m.Extend(name, extensions...); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// record begins the capture of a run.
func (s *Scenario) record(version uint16, o Options) (*capture.Writer, error) {
	file := s.Capture(o.Dir, version)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	if capture.IsOwn(file) { // of an earlier run; another file is kept beside it
		if err := os.Remove(file); err != nil {
			return nil, err
		}
	}
	return capture.Create(file, capture.Options{})
}

// OnWiresharkPort records every server as one on port 8443, where Wireshark
// decodes TLS by itself. Scenarios that run side by side have servers on other
// ports.
type OnWiresharkPort struct{ wiretap.Sink }

func (s OnWiresharkPort) Open(e wiretap.Event) wiretap.Handler {
	e.Server = netip.AddrPortFrom(e.Server.Addr(), capture.WiresharkPort)
	return s.Sink.Open(e)
}

// runner is a run in progress.
type runner struct {
	scenario  *Scenario
	version   uint16
	options   Options
	journal   *lab.Journal
	exchanges chan *lab.Exchange
	issued    *Issued // certificates in memory; nil: those in the folder
}

// settings are those of one side.
func (r *runner) settings(inMemory func(*Issued, uint16) (lab.Settings, error), inFolder func(*Scenario, string, uint16) (lab.Settings, error)) (lab.Settings, error) {
	if r.issued != nil {
		return inMemory(r.issued, r.version)
	}
	return inFolder(r.scenario, r.options.certs(), r.version)
}

// run makes the calls and returns their exchanges.
func (r *runner) run(ctx context.Context, tap *wiretap.Tap) ([]*lab.Exchange, error) {
	settings, err := r.settings((*Issued).ServerSettings, (*Scenario).ServerSettings)
	if err != nil {
		return nil, err
	}
	settings.Journal, settings.Tap = r.journal, tap
	server, err := lab.Listen(ctx, "127.0.0.1:0", settings)
	if err != nil {
		return nil, err
	}
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(serving) }()
	exchanges, err := r.call(ctx, server.Addr())
	stop()
	return exchanges, errors.Join(err, <-ended)
}

// call makes the calls, one after the other.
func (r *runner) call(ctx context.Context, server net.Addr) ([]*lab.Exchange, error) {
	s := r.scenario
	client, err := r.client(server, "")
	if err != nil {
		return nil, err
	}
	var exchanges []*lab.Exchange
	for i := range s.Calls {
		if i == s.Calls-1 && s.Then != nil {
			if err := r.change(ctx); err != nil {
				return nil, err
			}
			if s.Then.Client != "" {
				if client, err = r.client(server, s.Then.Client); err != nil {
					return nil, err
				}
			}
		}
		_, err := client.Call(ctx)
		var rejected *lab.RejectedError
		if err != nil && !errors.As(err, &rejected) {
			return nil, err
		}
		x, err := r.next(ctx)
		if err != nil {
			return nil, err
		}
		exchanges = append(exchanges, x)
	}
	return exchanges, nil
}

// client makes the client, with another certificate than its own if one is
// given.
func (r *runner) client(server net.Addr, certificate string) (*lab.Client, error) {
	settings, err := r.settings((*Issued).ClientSettings, (*Scenario).ClientSettings)
	if err != nil {
		return nil, err
	}
	if certificate != "" {
		settings.Certificate = certificate
	}
	settings.Journal = r.journal
	return lab.NewClient(r.scenario.ClientOptions(server.String()), settings)
}

// change does what happens before the last call.
func (r *runner) change(ctx context.Context) error {
	m, err := r.scenario.Manifest(r.options.Manifest)
	if err != nil {
		return err
	}
	for _, name := range r.scenario.Then.Revoke {
		if err := m.Revoke(name); err != nil {
			return err
		}
	}
	return r.scenario.generate(ctx, m, r.options.certs(), r.scenario.Then.Renew)
}

// next returns the next exchange that both sides have reported.
func (r *runner) next(ctx context.Context) (*lab.Exchange, error) {
	settled, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	select {
	case x := <-r.exchanges:
		return x, nil
	case <-settled.Done():
		r.journal.Wait(settled)
		select {
		case x := <-r.exchanges: // what one side has reported
			return x, nil
		default:
			return nil, settled.Err()
		}
	}
}

// ClientOptions returns the options of a client that connects to addr.
func (s *Scenario) ClientOptions(addr string) lab.ClientOptions {
	host := s.Client.URL
	if host == "" {
		host = "localhost"
	}
	_, port, _ := net.SplitHostPort(addr)
	u := &url.URL{Scheme: "https", Host: net.JoinHostPort(host, port), Path: "/"}
	return lab.ClientOptions{URL: u, Addr: addr, ServerName: s.Client.ServerName, Resume: s.Client.Resume}
}
