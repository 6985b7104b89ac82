package command

import (
	"errors"
	"maps"
	"slices"
	"strconv"

	"mtlslab.example/lab/lab/keyshim"
)

// sayObstacles tells before a program runs why its keys cannot be had, and
// what can be done instead. failed is why there is no shim, or nil.
func (p *Program) sayObstacles(path string, failed error) {
	var compiler *keyshim.NoCompilerError
	switch {
	case errors.As(failed, &compiler):
		p.say("%v: only programs that log their keys by themselves do so now; install a C compiler for the others", failed)
	case failed != nil:
		p.say("%v: only programs that log their keys by themselves do so now", failed)
	}
	const otherEnd = "the program at the other end of its connections has the same keys"
	obstacle, file := keyshim.Inspect(path)
	switch obstacle {
	case keyshim.Go:
		p.say("%s is a Go program, whose keys cannot be had this way: set KeyLogWriter in its tls.Config; %s", file, otherEnd)
	case keyshim.Static:
		p.say("%s is statically linked: its keys are logged only if it does that by itself; %s", file, otherEnd)
	case keyshim.Privileged:
		p.say("%s gains privileges when it starts (setuid), so that nothing is loaded into it: become that user first, as in sudo lab exec -- COMMAND", file)
	case keyshim.Foreign:
		p.say("%s is for another processor than the shim: its keys are logged only if it does that by itself; %s", file, otherEnd)
	}
}

// sayRecorded tells what is in the capture, and what is missing.
func (a *pair) sayRecorded(r keyshim.Recorded) {
	if r.Connections == 0 {
		a.say("nothing was recorded: the program made no connection through the proxy that lab exec was for it; --tap LISTEN=TARGET records any that you send to LISTEN")
		return
	}
	if r.Keyless > 0 {
		a.say("the program logged no keys for %d of %s: %s cannot be decrypted", r.Keyless, counted(r.Connections, "connection"), a.captured)
	}
	var ports []string
	for _, port := range slices.Sorted(maps.Keys(r.Ports)) {
		ports = append(ports, strconv.Itoa(int(port)))
	}
	a.sayCapture(ports...)
}

// hint says what to type after a program could not be started.
func (e *startError) hint() string {
	if e.notFound() {
		return "is it installed, and spelt right? lab exec looks for it as the shell does, but knows no aliases and no built-ins: lab exec -- sh -c '...' runs those"
	}
	return "is it a program that you may run? chmod +x " + e.program + " makes a script one, if its first line says #!/bin/sh"
}
