package command

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"

	"golang.org/x/net/http/httpproxy"

	"mtlslab.example/lab/lab/gokeys"
	"mtlslab.example/lab/lab/keyshim"
	"mtlslab.example/lab/lab/text"
)

// otherEnd is the advice for programs whose keys are not available.
const otherEnd = "the program at the other end of its connections has the same keys"

// sayObstacles says before a program runs why its keys cannot be had, and
// what can be done instead. failed is why there is no shim, or nil. It reports
// whether the program is one that logs no keys.
func (p *Program) sayObstacles(path string, failed error) bool {
	var compiler *keyshim.NoCompilerError
	switch {
	case errors.As(failed, &compiler):
		p.say("%v: only programs that log their keys by themselves do so now; install a C compiler for the others", failed)
	case failed != nil:
		p.say("%v: only programs that log their keys by themselves do so now", failed)
	}
	obstacle, file := keyshim.Inspect(path)
	switch obstacle {
	case keyshim.Go:
		if gokeys.Supported { // it says by itself why it cannot do it
			return false
		}
		p.say("%s is a Go program: its keys are logged only if it sets KeyLogWriter in its tls.Config; %s", file, otherEnd)
	case keyshim.Java: // see jvms
		return false
	case keyshim.Static:
		if gokeys.HasSecrets(path) {
			return false
		}
		p.say("%s is statically linked: its keys are logged only if it does that by itself; %s", file, otherEnd)
	case keyshim.Unknown:
		p.say("%s has no section headers: it was packed, or stripped of them, so that it is not known what it is, nor whether its keys can be had", file)
		return false
	case keyshim.Privileged:
		p.say("%s gains privileges when it starts (setuid), so that nothing is loaded into it: become that user first, as in sudo lab exec -- COMMAND", file)
	case keyshim.Foreign:
		p.say("%s is for another processor than the shim: its keys are logged only if it does that by itself; %s", file, otherEnd)
	}
	return obstacle != keyshim.Nothing
}

// sayNoSecrets says that a program has ended without a line in the key log.
func (p *Program) sayNoSecrets(program, log string) {
	if p.sayFull(log) {
		return
	}
	p.say("no TLS secrets came to %s: if %s spoke TLS, its keys cannot be had in this way; %s", log, program, otherEnd)
}

// sayRecorded says what is in the capture, and what is missing. tapped is
// whether there was --tap. So many connections are known to have passed the
// proxy by.
func (a *labRun) sayRecorded(r keyshim.Recorded, tapped bool, passed int) {
	switch {
	case r.Connections == 0 && r.Unreached != nil:
		a.say("nothing was recorded: %v", r.Unreached)
		return
	case r.Connections == 0 && tapped:
		a.say("nothing was recorded: nobody connected to the address of --tap; the program may have failed before it connected, or listened")
		return
	case r.Connections == 0 && passed > 0:
		a.say("nothing was recorded: the program's %s did not use the proxy that lab exec was for it", text.Counted(passed, "connection"))
		return
	case r.Connections == 0:
		a.say("nothing was recorded: the program made no connection through the proxy that lab exec was for it; it may have failed before it connected, or know no proxies: --tap LISTEN=TARGET records any connection that you send to LISTEN")
		return
	case r.Unreached != nil:
		a.say("%v", r.Unreached)
	}
	if passed > 0 {
		a.say("%s of the program did not use the proxy: not recorded", text.Counted(passed, "connection"))
	}
	var ports []string
	for _, port := range slices.Sorted(maps.Keys(r.Ports)) {
		ports = append(ports, strconv.Itoa(int(port)))
	}
	if r.Keyless == 0 {
		a.sayCapture(ports...)
		return
	}
	keyless := fmt.Sprintf("the program logged no keys for %d of %s, which cannot be decrypted", r.Keyless, text.Counted(r.Connections, "connection"))
	if r.Keyless < r.Connections {
		keyless += "; but lab explain opens those that resume a session of TLS 1.2"
	}
	if a.capture == nil {
		a.say("%s", keyless)
		return
	}
	a.sayCaptureOf("but "+keyless, ports...)
}

// sayUnusedProxy names a proxy that other programs would use for a URL: this
// command of lab connects by itself.
func (p *Program) sayUnusedProxy(command string, u *url.URL) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"} {
		if value := os.Getenv(name); value != "" && usesProxy(value, u) {
			p.say("$%s is not used: %s connects to the server by itself", name, command)
			return
		}
	}
}

// usesProxy reports whether programs would use the proxy that a variable names
// for a URL. For one on this machine they only do so if the proxy is there too.
func usesProxy(proxy string, u *url.URL) bool {
	except := cmp.Or(os.Getenv("NO_PROXY"), os.Getenv("no_proxy"))
	find := func(except, host string) *url.URL {
		config := httpproxy.Config{HTTPSProxy: proxy, NoProxy: except}
		found, err := config.ProxyFunc()(&url.URL{Scheme: "https", Host: host})
		if err != nil {
			return nil
		}
		return found
	}
	if !isLoopback(u.Hostname()) {
		return find(except, u.Host) != nil
	}
	found := find("", "any.invalid")
	return except == "" && found != nil && isLoopback(found.Hostname())
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// hint says what to type after a program could not be started.
func (e *startError) hint() string {
	info, err := os.Stat(e.program)
	switch {
	case e.notFound():
		return fmt.Sprintf("is it installed, and spelt right? %[1]s looks for it as the shell does, but knows no aliases and no built-ins: %[1]s -- sh -c '...' runs those", e.by)
	case err == nil && info.IsDir():
		return "it is a folder: name a program in it"
	}
	return "is it a program that you may run? chmod +x " + commandWord(e.program) + " makes a script one, if its first line says #!/bin/sh"
}
