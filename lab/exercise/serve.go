package exercise

import (
	"context"
	"net"
	"net/netip"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/endpoint"
)

// serving is a server that runs.
type serving struct {
	addr    string
	own     bool // it is the lab's, and so knows who came and why it refused
	journal *journal
}

// serve returns the server that a step calls. It is started once, and keeps
// running.
func (r *run) serve(ctx context.Context, s *Step) (*serving, error) {
	key := s.To + " " + textOf(s.Serving)
	if running := r.servers[key]; running != nil {
		return running, nil
	}
	var started *serving
	var err error
	if who := r.serverOf(s.To); who.program != nil {
		if err = r.servePrograms(ctx); err == nil {
			addr := netip.AddrPortFrom(loopback, r.ports[who.program.Port])
			started = &serving{addr: addr.String(), journal: r.journalOf(false)}
		}
	} else {
		started, err = r.serveOwn(ctx, s, who)
	}
	if err != nil {
		return nil, err
	}
	r.servers[key] = started
	return started, nil
}

// serveOwn starts the lab's own server, or the marker's.
func (r *run) serveOwn(ctx context.Context, s *Step, who party) (*serving, error) {
	settings, err := r.serverSettings(s, who)
	if err != nil {
		return nil, err
	}
	j := r.journalOf(true)
	settings.Journal, settings.Tap = j.Journal, j.tap
	if len(r.World.Programs) > 0 { // some connect long before they say something
		settings.Timeout = Limit
	}
	server, err := lab.Listen(ctx, "127.0.0.1:0", settings)
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(running) }()
	r.stops = append(r.stops, func() { stop(); <-ended })
	return &serving{addr: server.Addr().String(), own: true, journal: j}, nil
}

// loopback is where everything listens.
var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// servePrograms starts the servers that are other programs, in their order.
func (r *run) servePrograms(ctx context.Context) error {
	if r.ports == nil {
		r.ports = map[uint16]uint16{}
		r.failed = r.startServers(ctx)
	}
	return r.failed
}

func (r *run) startServers(ctx context.Context) error {
	if err := r.serveBackend(ctx); err != nil {
		return err
	}
	programs := r.World.programsOf(endpoint.Server)
	for _, p := range programs {
		port, err := freePort(ctx)
		if err != nil {
			return err
		}
		r.ports[p.Port] = port
	}
	for _, p := range programs {
		running, err := p.serve(ctx, r.dir, r.ports)
		if err != nil {
			return err
		}
		r.stops = append(r.stops, running.stop)
	}
	return nil
}

// freePort returns a port that nobody listens on.
func freePort(ctx context.Context) (uint16, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).AddrPort().Port(), l.Close()
}

func (r *run) serverSettings(s *Step, who party) (lab.Settings, error) {
	if !who.isMarkers {
		return r.sides.server.settingsIn(r.dir, endpoint.Server)
	}
	own := r.Marker.Server
	own.Certificate = who.certificate
	side, err := own.over(s.at.document, s.Serving, endpoint.Server)
	if err != nil {
		return lab.Settings{}, err
	}
	return r.markers(side, endpoint.Server, s.AtStart)
}
