package scenario

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/verdict"
)

// measure runs all scenarios that the stack can have a part in, from both ends.
func (s *stack) measure(t *testing.T, o Options, all []*Scenario) (runs []StackRun) {
	type place struct {
		scenario *Scenario
		as       endpoint.Side
	}
	var places []place
	for _, scenario := range all {
		for _, as := range []endpoint.Side{endpoint.Client, endpoint.Server} {
			if s.canBe(scenario, as) {
				places = append(places, place{scenario, as})
			}
		}
	}
	found := make([][]StackRun, len(places))
	t.Run("runs", func(t *testing.T) {
		for i, p := range places {
			t.Run(fmt.Sprintf("%s/%v", p.scenario.Name, p.as), func(t *testing.T) {
				t.Parallel()
				for _, version := range p.scenario.Versions() {
					if !s.speaks(p.scenario, p.as, version) {
						continue
					}
					found[i] = append(found[i], s.run(t, o, p.scenario, p.as, version))
				}
			})
		}
	})
	for _, of := range found {
		for _, r := range of {
			if last := len(runs) - 1; last >= 0 && r.TLS[0] == "1.3" && runs[last].isLike(r) {
				runs[last].TLS = append(runs[last].TLS, "1.3")
				continue
			}
			runs = append(runs, r)
		}
	}
	return runs
}

// isLike reports whether two runs differ in the version alone.
func (r StackRun) isLike(other StackRun) bool {
	r.TLS, other.TLS = nil, nil
	a, _ := json.Marshal(r)
	b, _ := json.Marshal(other)
	return bytes.Equal(a, b)
}

// canBe reports whether the stack can be one end of a scenario: what that end
// does wrong must be in its files or options.
func (s *stack) canBe(scenario *Scenario, as endpoint.Side) bool {
	h := &scenario.Client
	if as == endpoint.Server {
		h = &scenario.Server
		if s.serve == nil {
			return false
		}
	} else if s.call == nil {
		return false
	}
	judges := scenario.Side == "client rejects server" == (as == endpoint.Client)
	switch {
	case slices.Contains(s.without, scenario.Name), slices.Contains(s.without, scenario.Name+"/"+as.String()):
		return false
	case s.certless && as == endpoint.Client && scenario.Side == "server rejects client" && h.Certificate != "none":
		return false
	case h.Flaw != "" || h.Key != "" || h.Withhold || h.ByUsage || h.Signatures != nil || h.Chain == "reversed":
		return false
	case (h.CipherSuites != nil || h.Offer != nil || h.Groups != nil || h.ALPN != nil) && !s.knobs:
		return false
	case checksRevocation(scenario) && judges && !s.crl:
		return false
	}
	return true
}

// speaks reports whether the stack has the version that one end of a scenario
// speaks, and always says the same in it.
func (s *stack) speaks(scenario *Scenario, as endpoint.Side, version uint16) bool {
	if s.racy && as == endpoint.Client && scenario.Side == "server rejects client" && version == tls.VersionTLS13 {
		return false
	}
	h := &scenario.Client
	if as == endpoint.Server {
		h = &scenario.Server
	}
	return versionOf(h, version) <= cmp.Or(s.newest, tls.VersionTLS13)
}

// run runs one scenario with the stack at one end and the lab at the other.
func (s *stack) run(t *testing.T, o Options, scenario *Scenario, as endpoint.Side, version uint16) StackRun {
	if s.certless && as == endpoint.Client && scenario.Client.Certificate != "none" {
		unasking := *scenario
		unasking.Server.Unasking = true
		scenario = &unasking
	}
	e := &end{Scenario: scenario, half: &scenario.Client, as: as}
	certificate, trust := "client", "server-ca"
	judges := scenario.Side == "client rejects server"
	if as == endpoint.Server {
		e.half, certificate, trust, judges = &scenario.Server, "server", "client-ca", scenario.Side == "server rejects client"
	}
	e.version = strings.TrimPrefix(versionName(versionOf(e.half, version)), "TLS ")
	e.crl = checksRevocation(scenario) && judges
	if certificate = cmp.Or(e.half.Certificate, certificate); certificate != "none" {
		e.cert, e.key = chainFile(t, scenario, o, certificate, e.half.Chain), file(scenario, o, certificate+"-key.pem")
	}
	e.trust = trustFile(t, scenario, o, trustOf(*e.half, trust), e.crl)

	r := StackRun{Scenario: scenario.Name, Stack: s.name, As: as, TLS: []string{strings.TrimPrefix(versionName(version), "TLS ")}}
	var output string
	var x *lab.Exchange
	lines := regexp.MustCompile("(?m)" + s.lines)
	if as == endpoint.Client {
		status := 0
		x = labServes(t, o, scenario, version, func(port string) {
			e.host, e.port = cmp.Or(scenario.Client.URL, "localhost"), port
			status, output = s.call(t, e)
		})
		r.judge(x, as)
		if s.proxy {
			r.HTTP = status
		} else {
			r.Exit = &status
		}
		if r.Outcome == "accepted" && status != 0 && status != http.StatusOK {
			r.Outcome, r.By = "closed", as
		}
	} else {
		addr, said := s.serve(t, e)
		x = labCalls(t, o, scenario, version, addr)
		r.judge(x, as)
		if r.Outcome == "accepted" && s.native != nil && s.native(t, addr, e) != 0 {
			r.Outcome, r.By = "closed", as
		}
		if r.Outcome != "accepted" {
			output = said(lines)
		}
	}
	if r.Outcome != "accepted" {
		r.Says = e.stable(o, lines.FindAllString(output, -1))
	}
	if len(r.Says) > 0 || r.By != as {
		r.Reason = r.By
	}
	return r
}

// judge notes what the lab knows of the exchange; nil: there was none.
func (r *StackRun) judge(x *lab.Exchange, as endpoint.Side) {
	if x == nil || x.Wire != nil && len(x.Wire.Messages) == 0 { // it connected, and said nothing
		r.Outcome, r.By = "no handshake", as
		return
	}
	r.Outcome, r.By = string(x.Outcome), x.RejectedBy
	if x.How == verdict.InHTTP {
		r.Outcome, r.By, r.HTTP = "refused in HTTP", endpoint.Server, x.HTTP.Status
	}
	if x.Alert != nil {
		r.Alert, r.SentBy = x.Alert.Name, x.Alert.SentBy
	}
	own := x.Server
	if as == endpoint.Server {
		own = x.Client
	}
	r.Lab = gone.ReplaceAllString(ofToday.ReplaceAllString(own.Error, "$1 …"), "the connection is gone: EOF, or reset")
}

// What is otherwise in each run.
var (
	ofToday  = regexp.MustCompile(`\b(current time|serial|by CN=[\w-]+ on|out of date since) [\w:-]+`)
	gone     = regexp.MustCompile(`^(EOF|(read|write) tcp \S+: (read: connection reset by peer|write: broken pipe|read|write).*)$`)
	unstable = []struct{ pattern, by string }{
		{`\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?|\w{3} \w{3} +\d+ \d\d:\d\d:\d\d(\.\d+)? (\w+ )?\d{4}`, "TIME"},
		{`\b127\.0\.0\.1:\d+|\[::1\]:\d+`, "127.0.0.1:PORT"},
		{`\blocalhost:\d+`, "localhost:PORT"},
		{`\bport \d+`, "port PORT"},
		{`\b[0-9A-F]{12,16}:error:`, "error:"},
		{`\b\d+#\d+: \*\d+`, "PID#PID: *N"},
		{`\bpid \d+(:tid \d+)?`, "pid PID"},
		{`\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d\.\d+`, "TIME"},
		{`"(ts|duration)":[\d.e-]+`, `"$1":N`},
		{`"request":\{.*\},"duration"`, `"request":{…},"duration"`},
		{`"err_id":"\w+"`, `"err_id":"ID"`},
		{`\breadLoopPeekFailLocked: `, ""}, // of Go, in some runs
		{`(current time) \S+Z?`, "$1 TIME"},
		{` / serial: [0-9A-F]+ / notbefore: [^/\]]* / notafter: [^/\]]*\]`, " / …]"},
		{`\d+/-?\d+/-?\d+/-?\d+/-?\d+ (\d{3}) \d+`, "TIMES $1 BYTES"},
		{`\d+/\d+/\d+/\d+/\d+ \d+/\d+ "`, `CONNECTIONS "`},
	}
)

// stable returns lines without what is otherwise in each run, each once and not
// more than four, the last of them.
func (e *end) stable(o Options, lines []string) (stable []string) {
	for _, line := range lines {
		line = strings.TrimSpace(line)
		for _, dir := range []string{e.Certs(o.certs()), filepath.Dir(e.trust), filepath.Dir(cmp.Or(e.cert, e.trust))} {
			line = strings.ReplaceAll(line, dir, "/etc/ssl/lab")
		}
		for _, u := range unstable {
			line = regexp.MustCompile(u.pattern).ReplaceAllString(line, u.by)
		}
		if e.port != "" {
			line = regexp.MustCompile(`\b`+e.port+`\b`).ReplaceAllString(line, "PORT")
		}
		if line != "" && !slices.Contains(stable, line) {
			stable = append(stable, line)
		}
	}
	return stable[max(0, len(stable)-4):]
}
