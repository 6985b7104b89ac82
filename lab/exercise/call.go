package exercise

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keyshim"
	"mtlslab.example/lab/lab/private"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
	"mtlslab.example/lab/lab/wiretap"
)

// Exchange is what came of a step.
type Exchange struct {
	*lab.Exchange
	Body string // what the server answered, or another program printed
}

// textOf returns settings as they were written, to compare them.
func textOf(s *Side) string {
	if s == nil {
		return ""
	}
	text, err := yaml.Marshal(cloned(s.source))
	if err != nil { // it was read
		return ""
	}
	return string(text)
}

// errNobodyCame is a client that has not connected.
var errNobodyCame = errors.New("the client has not connected")

// make carries a step out: it makes one exchange. An error is a side that does
// not get as far as that.
func (r *run) make(ctx context.Context, s *Step) (*Exchange, error) {
	if s.Then != nil {
		if err := r.change(ctx, s.Then); err != nil {
			return nil, err
		}
	}
	to, err := r.serve(ctx, s)
	if err != nil {
		return nil, notStarting(err, endpoint.Server)
	}
	to.journal.settled(ctx) // what others have called, such as lab probe
	if who := r.callerOf(s.Call); who.program != nil {
		return r.callProgram(ctx, who.program, to)
	}
	client, err := r.clientOf(s, to)
	if err != nil {
		return nil, notStarting(err, endpoint.Client)
	}
	var response *lab.Response
	for range max(s.Times, 1) {
		response, err = client.Call(ctx)
		var rejected *lab.RejectedError
		if err != nil && !errors.As(err, &rejected) {
			return nil, err
		}
	}
	x := last(to.journal.settled(ctx))
	if x == nil {
		return nil, errNobodyCame
	}
	made := &Exchange{Exchange: x}
	if response != nil {
		made.Body = string(response.Body)
	}
	return made, nil
}

// notStarting says which side does not start. Programs say so themselves.
func notStarting(err error, side endpoint.Side) error {
	if errors.As(err, new(*StartError)) {
		return err
	}
	return about(err, "the "+side.String()+" does not start")
}

// last returns the last of some exchanges, nil if there are none.
func last(all []*lab.Exchange) *lab.Exchange {
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1]
}

// callProgram has another program call a server. The key log is in a folder of
// its own: what is beside r.dir may be the user's.
func (r *run) callProgram(ctx context.Context, p *Program, to *serving) (*Exchange, error) {
	temporary, err := private.MkdirTemp("", "exercise")
	if err != nil {
		return nil, err
	}
	defer func() { _ = temporary.Remove() }()
	keylog := filepath.Join(temporary.Path, "keys.log")
	if err := private.WriteFile(keylog, nil); err != nil {
		return nil, err
	}
	if to.own {
		output, err := p.call(ctx, r.dir, map[uint16]uint16{p.Port: to.port()}, keylog)
		x := last(to.journal.settled(ctx))
		return came(x, output, err)
	}
	return r.relay(ctx, p, to, keylog)
}

// port returns the port of the server.
func (s *serving) port() uint16 {
	at, err := netip.ParseAddrPort(s.addr)
	if err != nil { // it is the address of a listener
		return 0
	}
	return at.Port()
}

// lastLine returns the last line of what a program has printed.
func lastLine(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	return text.Clean(strings.TrimSpace(lines[len(lines)-1]))
}

// came is the exchange of another program, if there was one.
func came(x *lab.Exchange, output string, err error) (*Exchange, error) {
	if x == nil {
		if err == nil {
			err = errNobodyCame
			if line := lastLine(output); line != "" {
				err = fmt.Errorf("%w; it prints: %s", err, line)
			}
		}
		return nil, err
	}
	return &Exchange{Exchange: x, Body: output}, nil
}

// relay has another program call a server that is not the lab's own either:
// what they say is tapped between the two.
func (r *run) relay(ctx context.Context, p *Program, to *serving, keylog string) (*Exchange, error) {
	var ended []*tlsdecrypt.Connection
	dissector := tlsdecrypt.New(tlsdecrypt.Options{Keep: r.Keep, Done: func(c *tlsdecrypt.Connection) { ended = append(ended, c) }})
	async := wiretap.NewAsync(dissector)
	relay, err := keyshim.NewRelay(keylog, wiretap.Fan(r.sink, async))
	if err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		_, closing := relay.Close()
		return nil, errors.Join(err, closing)
	}
	relay.Forward(l, to.addr)
	port := l.Addr().(*net.TCPAddr).AddrPort().Port()
	output, err := p.call(ctx, r.dir, map[uint16]uint16{p.Port: port}, keylog)
	_, closing := relay.Close()
	async.Close()
	dissector.Close()
	if err = errors.Join(err, closing); len(ended) == 0 {
		return came(nil, output, err)
	}
	return came(exchangeOf(ended[len(ended)-1], r.trust), output, err)
}

// exchangeOf returns an exchange of which nothing is known but the wire.
func exchangeOf(c *tlsdecrypt.Connection, trust func() *chain.Trust) *lab.Exchange {
	x := &lab.Exchange{Number: c.Number, Time: c.Opened, ClientAddr: c.Client.String(), ServerAddr: c.Server.String(), Wire: c,
		Verdict: verdict.Of(c, trust)}
	if c.Version != 0 {
		x.TLS = lab.TLS{Version: c.Version.String(), CipherSuite: c.CipherSuite.String(), ALPN: c.ALPN, ServerName: c.ServerName, Resumed: c.Resumption != tlsdecrypt.FullHandshake}
	}
	if c.Group != 0 {
		x.TLS.Group = c.Group.String()
	}
	for _, m := range c.Messages {
		if m.From == endpoint.Server && m.HTTP != nil && m.HTTP.Status != 0 {
			x.HTTP = &lab.HTTP{Status: m.HTTP.Status}
		}
	}
	return x
}

// ders returns the certificates that a side sent last, in their order.
func (x *Exchange) ders(side endpoint.Side) (sent [][]byte) {
	if x.Wire == nil {
		return nil
	}
	for _, m := range x.Wire.Messages {
		if ders, ok := m.Certificates(); ok && m.From == side {
			sent = ders
		}
	}
	return sent
}

// sent returns the subjects of the certificates that a side sent last.
func (x *Exchange) sent(side endpoint.Side) (subjects []string) {
	for _, der := range x.ders(side) {
		if c, err := tlswire.ParseCertificate(der); err == nil {
			subjects = append(subjects, chain.Name(c))
		}
	}
	return subjects
}

// hasForwardSecrecy reports whether the traffic stays secret when the server's
// private key is known: all of TLS 1.3 does here, and what agreed on its key by
// Diffie-Hellman in TLS 1.2.
func (x *Exchange) hasForwardSecrecy() bool {
	return x.TLS.Version == "TLS 1.3" || strings.Contains(x.TLS.CipherSuite, "DHE_")
}
