package command

import (
	"fmt"
	"net"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/fault"
	"mtlslab.example/lab/lab/scenario"
)

// This file has what lab says of scenarios, as text.go does of the rest.

// noScenarioError reports that no scenario was found.
type noScenarioError struct {
	words   []string
	nearest []*scenario.Scenario
}

// hint names the closest ones.
func (e *noScenarioError) hint() string {
	if len(e.nearest) == 0 {
		return "lab scenario list shows all; words may be those of an error message, or an alert such as unknown_ca"
	}
	var names []string
	for _, s := range e.nearest {
		names = append(names, s.Name)
	}
	return "did you mean " + strings.Join(names, " or ") + "? lab scenario list shows all"
}

func (e *noScenarioError) Error() string {
	return fmt.Sprintf("no scenario has %q in it", strings.Join(e.words, " "))
}

// port is that of the server.

// sayOtherPart says what the other side must do for the scenario to happen.
func (a *labRun) sayOtherPart(own endpoint.Side, port string) {
	s := a.scenario
	other := own.Other()
	line := "lab " + other.String() + " --scenario " + a.written
	if port != wiresharkPort {
		line += " --addr 127.0.0.1:" + port
	}
	if a.folder != "." {
		line += " --dir " + string(a.folder)
	}
	if s.Fault() == other {
		a.say("in this scenario the fault is the %s's:\n  %s", other, line)
	} else {
		a.say("the %s's part:\n  %s", other, line)
	}
	if args, ok := s.Curl(a.folder.certs(), port); ok && own == endpoint.Server {
		a.say("or\n  %s", strings.Join(args, " "))
		if s.OpenSSL != "" {
			a.say("OpenSSL, and so curl: %s", strings.Join(strings.Fields(s.OpenSSL), " "))
		}
	}
}

// notTLS is what a server of a scenario does in place of TLS.
var notTLS = map[fault.NotTLS]string{
	fault.PlainHTTP: "speaks plain HTTP and no TLS", fault.Garbage: "sends bytes that are no TLS",
	fault.Silence: "says nothing", fault.HangUp: "hangs up in mid-handshake",
}

// sayScenarioServer says what the server of a scenario does.
func (a *labRun) sayScenarioServer(addr net.Addr, count int) {
	if a.blind {
		a.say("server on %s, %s", typedURL(addr), untilWhen(count))
		return
	}
	if does := notTLS[a.scenario.Server.NotTLS]; does != "" {
		a.say("server on %s %s, %s", addr, does, untilWhen(count))
	} else {
		a.say("server on %s does as in the scenario, %s", typedURL(addr), untilWhen(count))
	}
	a.sayOtherPart(endpoint.Server, portOf(addr))
}
