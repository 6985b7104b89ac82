package command

import (
	"fmt"
	"net"
	"time"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/wiretap"
)

// This file implements lab server --blind: a scenario whose fault people find
// out by themselves, from their side and from the capture.

// goBlind reads --blind.
func (a *labRun) goBlind(c *cli.Context) error {
	switch {
	case !c.Bool("blind"):
		return nil
	case a.scenario == nil:
		return &usageError{command: commandName(c), problem: "--blind hides a scenario, and there is none",
			hint: "lab server --scenario NAME --blind; lab scenario list shows all"}
	}
	a.blind = true
	return nil
}

// printBlind prints that there was an exchange.
func (r *report) printBlind(x *lab.Exchange) {
	if r.json {
		r.printJSON(struct {
			Exchange   int       `json:"exchange"`
			Time       time.Time `json:"time"`
			ClientAddr string    `json:"client_addr"`
			ServerAddr string    `json:"server_addr"`
		}{x.Number, x.Time, x.ClientAddr, x.ServerAddr})
		return
	}
	r.stdout().Line(fmt.Sprintf("%4d  from %s", x.Number, x.ClientAddr))
}

// sayBlindReachable warns of an address that other machines can reach. It
// does not say which clients get in.
func (a *labRun) sayBlindReachable(addr net.Addr) {
	if tcp, ok := addr.(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		a.say("warning: %s can be reached from other machines", addr)
	}
}

// recorder returns the sink of the capture. In a blind scenario it gets no
// verdicts, so that the comments do not have them.
func (a *labRun) recorder() wiretap.Sink {
	if a.blind {
		return withoutVerdicts{a.capture}
	}
	return a.capture
}

// withoutVerdicts passes on all events but verdicts.
type withoutVerdicts struct{ wiretap.Sink }

func (s withoutVerdicts) Open(e wiretap.Event) wiretap.Handler {
	handle := s.Sink.Open(e)
	return func(e wiretap.Event) {
		if e.Kind != wiretap.Verdict {
			handle(e)
		}
	}
}
