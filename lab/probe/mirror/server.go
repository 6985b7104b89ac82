package mirror

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/fault"
	"mtlslab.example/lab/lab/scenario"
	"mtlslab.example/lab/lab/wiretap"
)

// Options are those of a Server.
type Options struct {
	Manifest []byte          // of the certificates that lessons add to
	CA       tls.Certificate // that clients trust, with Leaf and key
	Addr     string          // of the control, HOST:PORT; faults have the ports behind it, or any if it is 0
	Host     string          // by which clients call the server; "": localhost
	Version  uint16          // the only one spoken; 0: TLS 1.2 and 1.3
	Faults   []*Fault        // the control first
	Lifetime time.Duration   // of the certificates, at most; 0: a day
	Sinks    []wiretap.Sink  // get the bytes of every connection
	Visit    func(*Visit)    // is called for every connection, one at a time, when it is judged; nil: not
	KeyLog   io.Writer       // gets the secrets; may be nil
}

// Server listens for every fault.
type Server struct {
	Listeners []*Listener // of Options.Faults, in their order
	CRL       []byte      // DER of the CRL that lists the revoked certificate; nil: there is none

	options    Options
	journal    *lab.Journal
	dissection *lab.Dissection

	byPort map[uint16]*Listener

	mu sync.Mutex
}

// Listener is one fault, on a port of its own.
type Listener struct {
	*Fault
	URL     string // https://HOST:PORT/
	NameURL string // the same by server name on the first port; "": it cannot be had there
	Addr    netip.AddrPort

	bound  net.Listener
	lab    *lab.Server
	config func(*tls.Config) // makes a configuration that of the fault
	open   int               // connections that are not judged; guarded by Server.mu
	visits []*Visit          // likewise
	judged chan struct{}     // closed when open is 0 again; likewise
}

// New makes the certificates and listens. Serve answers.
func New(ctx context.Context, o Options) (*Server, error) {
	if o.Host == "" {
		o.Host = "localhost"
	}
	if o.Lifetime == 0 {
		o.Lifetime = 24 * time.Hour
	}
	s := &Server{options: o, byPort: map[uint16]*Listener{}, journal: &lab.Journal{}}
	s.journal.Each = s.visit
	s.dissection = s.journal.Dissect()
	tap := wiretap.New(append(slices.Clone(o.Sinks), s.dissection)...)
	for i, f := range o.Faults {
		l, err := s.listen(ctx, f, i, tap)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.Listeners = append(s.Listeners, l)
		s.byPort[l.Addr.Port()] = l
	}
	return s, nil
}

// close closes what Serve has not begun.
func (s *Server) close() error {
	s.dissection.Close()
	var err error
	for _, l := range s.Listeners {
		err = errors.Join(err, l.bound.Close())
	}
	return err
}

// listen makes the listener of a fault, the i-th.
func (s *Server) listen(ctx context.Context, f *Fault, i int, tap *wiretap.Tap) (*Listener, error) {
	l := &Listener{Fault: f}
	settings, err := s.settings(ctx, l)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	addr, err := nth(s.options.Addr, i)
	if err != nil {
		return nil, err
	}
	if l.bound, err = lab.Bind(ctx, addr); err != nil {
		return nil, err
	}
	l.Addr = l.bound.Addr().(*net.TCPAddr).AddrPort()
	l.URL = s.url(s.options.Host, l.Addr)
	if f.isByAddress() {
		l.URL = s.url(l.address(), l.Addr)
	} else if len(s.Listeners) == 0 {
		l.NameURL = l.URL
	} else if f.speaksTLS() {
		l.NameURL = s.url(f.Name+"."+s.options.Host, s.Listeners[0].Addr)
	}
	settings.Tap, settings.Journal, settings.KeyLog, settings.Handler = tap, s.journal, s.options.KeyLog, s.pages(l)
	settings.Wrap = s.wrap(l, settings.Wrap)
	if l.lab, err = lab.NewServer(l.bound, settings); err != nil {
		return nil, err
	}
	return l, nil
}

// nth returns the address whose port is i behind that of addr, or 0 if it is.
func nth(addr string, i int) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	first, err := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil:
		return "", err
	case first == 0:
		return addr, nil
	case int(first)+i > 0xffff:
		return "", fmt.Errorf("there are not ports enough behind %d", first)
	}
	return net.JoinHostPort(host, strconv.Itoa(int(first)+i)), nil
}

func (s *Server) url(host string, at netip.AddrPort) string {
	return "https://" + net.JoinHostPort(host, strconv.Itoa(int(at.Port()))) + "/"
}

// address returns the IP address to call the listener by.
func (l *Listener) address() string {
	if l.Addr.Addr().IsUnspecified() {
		return "127.0.0.1"
	}
	return l.Addr.Addr().Unmap().String()
}

// HostPort returns the host and the port of URL.
func (l *Listener) HostPort() (host, port string) {
	host, port, _ = net.SplitHostPort(strings.TrimSuffix(strings.TrimPrefix(l.URL, "https://"), "/"))
	return host, port
}

// settings makes the certificates of a fault, and the settings of its server.
func (s *Server) settings(ctx context.Context, l *Listener) (lab.Settings, error) {
	hosts := []string{l.Name + "." + s.options.Host}
	if s.options.Host != "localhost" {
		hosts = append(hosts, s.options.Host)
	}
	made, err := l.lesson.Issue(ctx, s.options.Manifest, scenario.IssueOptions{
		CAs: map[string]tls.Certificate{"server-ca": s.options.CA}, Lifetime: s.options.Lifetime,
		Change: func(m *certgen.Manifest) error { return scenario.AddHosts(m, hosts...) }})
	if err != nil {
		return lab.Settings{}, err
	}
	if crl := made.CRLs["server-ca"]; crl != nil && l.NeedsCRL() {
		s.CRL = crl.Raw
	}
	settings, err := made.ServerSettings(l.version(s.options.Version))
	l.config = func(config *tls.Config) {
		config.Certificates = settings.Loaded.Certificates
		if settings.Version != 0 {
			config.MinVersion, config.MaxVersion = settings.Version, settings.Version
		}
	}
	return settings, err
}

// wrap returns what is done to each connection of a listener before its
// handshake: it counts as open, the client's certificate is asked for and taken
// as it is, and the first listener has the others by their names.
func (s *Server) wrap(l *Listener, wrong fault.Fault) fault.Fault {
	isFirst := len(s.Listeners) == 0
	return func(conn net.Conn, config *tls.Config) net.Conn {
		s.opened(l)
		if !isFirst {
			note(conn, l)
		}
		config.ClientAuth, config.ClientCAs, config.VerifyConnection = tls.RequestClientCert, nil, nil
		config.SessionTicketsDisabled = true // a resumed session has no certificate to judge
		if isFirst {
			config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
				named := s.byName(hello.ServerName)
				if named == nil {
					note(conn, l)
					return nil, nil
				}
				note(conn, named)
				config := config.Clone()
				config.GetConfigForClient = nil
				named.config(config)
				return config, nil
			}
		}
		if wrong != nil {
			return wrong(conn, config)
		}
		return conn
	}
}

// note names the fault in a recording of the connection.
func note(conn net.Conn, l *Listener) {
	if tapped, ok := wiretap.Of(conn); ok {
		tapped.Annotate(capture.ProbePrefix + l.Name)
	}
}

// byName returns the listener that a server name on the first port is for, nil
// for the control.
func (s *Server) byName(serverName string) *Listener {
	name, ok := strings.CutSuffix(serverName, "."+s.options.Host)
	if !ok {
		return nil
	}
	for _, l := range s.Listeners {
		if l.Name == name && l.NameURL != "" && !l.IsControl() {
			return l
		}
	}
	return nil
}

// Serve answers until ctx ends, and then judges what is still open.
func (s *Server) Serve(ctx context.Context) error {
	var serving sync.WaitGroup
	errs := make([]error, len(s.Listeners))
	for i, l := range s.Listeners {
		serving.Go(func() { errs[i] = l.lab.Serve(ctx) })
	}
	serving.Wait()
	s.dissection.Close()
	ended, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	s.journal.Wait(ended)
	return errors.Join(errs...)
}
