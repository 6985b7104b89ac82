package scenario

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/wiretap"
)

// labServes lets somebody call the lab's server, and returns the exchange, or
// nil if there was none.
func labServes(t *testing.T, o Options, s *Scenario, version uint16, call func(port string)) *lab.Exchange {
	reports := make(chan *lab.Exchange, 4)
	settings, err := s.ServerSettings(o.certs(), version)
	if err != nil {
		t.Fatal(err)
	}
	settings.Journal = &lab.Journal{Each: func(x *lab.Exchange) { reports <- x }}
	settings.Tap = wiretap.New(settings.Journal.Dissect())
	server, err := lab.Listen(t.Context(), "127.0.0.1:0", settings)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(ctx) })
	defer serving.Wait()
	defer stop()
	_, port, _ := net.SplitHostPort(server.Addr().String())
	call(port)
	return reported(t, settings.Journal, reports)
}

// labCalls lets the lab's client call a server, and returns the exchange, or
// nil if there was none.
func labCalls(t *testing.T, o Options, s *Scenario, version uint16, addr string) *lab.Exchange {
	reports := make(chan *lab.Exchange, 1)
	settings, err := s.ClientSettings(o.certs(), version)
	if err != nil {
		t.Fatal(err)
	}
	settings.Journal = &lab.Journal{Each: func(x *lab.Exchange) { reports <- x }}
	settings.Tap = wiretap.New(settings.Journal.Dissect())
	client, err := lab.NewClient(s.ClientOptions(addr), settings)
	if err != nil {
		t.Fatal(err)
	}
	var rejected *lab.RejectedError
	if _, err := client.Call(t.Context()); err != nil && !errors.As(err, &rejected) {
		t.Fatal(err)
	}
	return reported(t, settings.Journal, reports)
}

// reported returns the first exchange that was begun, if any was, when all have
// ended.
func reported(t *testing.T, journal *lab.Journal, reports chan *lab.Exchange) *lab.Exchange {
	t.Helper()
	settled, cancel := context.WithTimeout(t.Context(), settleTimeout)
	defer cancel()
	journal.Wait(settled)
	select {
	case x := <-reports:
		return x
	default:
		return nil
	}
}

// output runs a program to its end.
func output(t *testing.T, stdin, name string, args ...string) (status int, said string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), peertest.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatalf("%v does not end: %s", cmd, out)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// untilEnd returns what a program has printed when it has ended.
func untilEnd(t *testing.T, p *peertest.Program) func(*regexp.Regexp) string {
	return func(*regexp.Regexp) string { return p.Wait(t) }
}

// untilLine returns what a program that goes on running has printed, as soon as
// a line matches, or when it has been silent for a while.
func untilLine(p *peertest.Program) func(*regexp.Regexp) string {
	return func(line *regexp.Regexp) string {
		for deadline := time.Now().Add(patienceWithLogs); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			if line.MatchString(p.Output.String()) {
				break
			}
		}
		return p.Output.String()
	}
}

// patienceWithLogs is how long a server that goes on running has for its line;
// some faults are none for it, and it logs nothing.
const patienceWithLogs = 2 * time.Second
