package command

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"mtlslab.example/lab/certgen/spell"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/fault"
	"mtlslab.example/lab/lab/glossary"
	"mtlslab.example/lab/lab/scenario"
)

// This file has what lab says of scenarios, as text.go does of the rest.

// noScenarioError reports that no scenario fits a message.
type noScenarioError struct {
	message string
	found   scenario.Found
	asked   bool   // as one word, which may have been meant for a file
	log     string // the name of the file that the message is, if it is one
}

// hint names scenarios that are called alike, or the nearest alert.
func (e *noScenarioError) hint() string {
	var names []string
	for _, s := range e.found.Nearest {
		names = append(names, s.Name)
	}
	if e.asked {
		for _, word := range spell.Nearest(e.message, glossary.Names()) {
			if !slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, word) }) {
				names = append(names, word)
			}
		}
	}
	aside := scenario.Aside(e.message)
	switch {
	case aside != "":
		return aside
	case len(names) > 0:
		return "did you mean " + strings.Join(names, " or ") + "? lab scenario list shows all"
	case e.found.Alert != nil:
		return fmt.Sprintf("the nearest alert is %s: lab explain %d; lab help failing says what to do first", e.found.Alert, *e.found.Alert)
	}
	return "lab scenario list shows all; words may be those of an error message, or an alert such as unknown_ca; where no message helps, a capture does: lab help failing"
}

func (e *noScenarioError) Error() string {
	if e.log != "" {
		return "no scenario fits what " + e.log + " says"
	}
	words := strings.Fields(e.message)
	if len(words) > 12 {
		words = append(words[:12], "...")
	}
	message := strings.Join(words, " ")
	if runes := []rune(message); len(runes) > 200 {
		message = string(runes[:200]) + "..."
	}
	if e.asked {
		return fmt.Sprintf("%q is no file, no alert and no word of the glossary, and no scenario fits it", message)
	}
	return fmt.Sprintf("no scenario fits %q", message)
}

// sayOtherPart says what the other side must do for the scenario to happen.
func (a *labRun) sayOtherPart(own endpoint.Side, port string) {
	s := a.scenario
	other := own.Other()
	line := "lab " + other.String() + " --scenario " + a.written
	if port != wiresharkPort {
		line += " --addr 127.0.0.1:" + port
	}
	if a.settings.StartTLS != nil {
		line += " --starttls " + a.settings.StartTLS.Name
	}
	if a.folder != "." {
		line += " --dir " + string(a.folder)
	}
	if s.Fault() == other {
		a.say("in this scenario the fault is the %s's:\n  %s", other, line)
	} else {
		a.say("the %s's part:\n  %s", other, line)
	}
	if args, ok := s.Curl(a.folder.certs(), port); ok && own == endpoint.Server && a.settings.StartTLS == nil {
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
		a.say("server on %s, %s", a.typedURL(addr), untilWhen(count))
		return
	}
	if does := notTLS[a.scenario.Server.NotTLS]; does != "" {
		a.say("server on %s %s, %s", addr, does, untilWhen(count))
	} else {
		a.say("server on %s does as in the scenario, %s", a.typedURL(addr), untilWhen(count))
	}
	a.sayOtherPart(endpoint.Server, portOf(addr))
}
