package scenario

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/verdict"
	"mtlslab.example/lab/lab/wiretap"
)

var update = flag.Bool("update", false, "measure the stacks that are installed, and write stacks.json and STACKS.md anew")

// stack is a stack of the table that can be run here.
type stack struct {
	name           string
	needs          []string // programs
	version        func(t *testing.T) string
	client, server string // how it is run, in words

	lines   string   // matches the lines worth recording
	proxy   bool     // call returns the HTTP status that its caller gets
	knobs   bool     // it has options for cipher suites, groups and ALPN
	crl     bool     // it looks at CRLs, if told to
	without []string // scenarios that it is not run with, "/client" or "/server" behind one: see their comments

	newest   uint16 // version that it speaks; 0: TLS 1.3
	certless bool   // its client cannot show a certificate
	racy     bool   // how it reports a refusal in TLS 1.3 depends on what comes first: the alert, or its request

	// call lets it call the lab, and returns its exit status and all that it
	// printed.
	call func(t *testing.T, e *end) (status int, output string)
	// serve lets it serve one connection of the lab's, at an address. said
	// returns all that it printed, when it has ended or has printed a line that
	// matches.
	serve func(t *testing.T, e *end) (addr string, said func(matches *regexp.Regexp) string)
	// native calls serve's address in a protocol that is not HTTP, for a server
	// that asks in it for what TLS did not bring. It returns the exit status.
	native func(t *testing.T, addr string, e *end) int
}

// end is what the stack is to do in one run: one end of a scenario.
type end struct {
	*Scenario
	half       *Half
	as         endpoint.Side
	version    string // "1.2"
	cert, key  string // files; empty: none
	trust      string // file, with CRLs behind the CAs if it is about them
	crl        bool
	host, port string // of the lab's server
}

// stacksMeasured are run in this order. Each stands in a file of its own.
var stacksMeasured = []*stack{stackOpenSSL, stackCurl, stackGnuTLS, stackNSS, stackPython, stackNode, stackJava, stackBouncyCastle, stackErlang, stackRuby, stackMbedTLS, stackBotan, stackNginx, stackApache, stackHAProxy, stackCaddy, stackPostgreSQL}

// often are the stacks and the faults that are compared in every run; the others
// are with LAB_FULL, since it takes a minute and more programs.
var often = struct{ stacks, faults []string }{
	[]string{"OpenSSL", "curl", "GnuTLS", "NSS", "Python", "Node.js", "Java", "nginx"},
	[]string{"expired-server", "no-client-cert", "self-signed-client"},
}

// What the table has of a stack that is installed is what the stack says now.
func TestStacks(t *testing.T) {
	o := Options{Manifest: baseManifest(t), Dir: t.TempDir()}
	all := faultsOfStacks(t, o)
	old := stacks()
	now := &Table{Stacks: []Stack{{Name: "Go", Version: runtime.Version(), Measured: today(), Client: "lab client", Server: "lab server"}}}
	for _, s := range stacksMeasured {
		measured, version := Stack{}, ""
		ran := t.Run(s.name, func(t *testing.T) {
			whole := *update || peertest.Full()
			if !whole && !slices.Contains(often.stacks, s.name) {
				t.Skip("LAB_FULL is not set")
			}
			peertest.Need(t, s.needs...)
			version = s.version(t)
			if was := old.stack(s.name); !*update && was.Version != version {
				t.Skipf("stacks.json has version %s, and this is %s", was.Version, version)
			}
			some := slices.Clone(all)
			if !whole {
				some = slices.DeleteFunc(some, func(s *Scenario) bool { return !slices.Contains(often.faults, s.Name) })
			}
			runs := s.measure(t, o, some)
			measured = Stack{Name: s.name, Version: version, Measured: today(), Client: s.client, Server: s.server}
			now.Stacks = append(now.Stacks, measured)
			now.Runs = append(now.Runs, runs...)
			if *update {
				return
			}
			if got, want := texts(t, runs), texts(t, old.runsOf(s.name, some...)); got != want {
				t.Errorf("stacks.json has it otherwise; go test ./lab/scenario -run Stacks -update writes it\n%s", difference(want, got))
			}
		})
		if !ran && *update {
			t.FailNow()
		}
		if measured.Name == "" && old.stack(s.name).Name != "" { // missing here
			now.Stacks = append(now.Stacks, old.stack(s.name))
			now.Runs = append(now.Runs, old.runsOf(s.name)...)
		}
	}
	if *update && !t.Failed() {
		for _, s := range old.Stacks {
			if now.stack(s.Name).Name == "" { // recorded lines
				now.Stacks = append(now.Stacks, s)
				now.Runs = append(now.Runs, old.runsOf(s.Name)...)
			}
		}
		now.write(t)
	}
}

// Lines of a stack that was not run have the public page where they stand; only
// those.
func TestRecordedLines(t *testing.T) {
	table := stacks()
	for _, r := range table.Runs {
		s := table.stack(r.Stack)
		if _, err := Find(r.Scenario); err != nil || s.Name == "" {
			t.Errorf("%s of %s: no such scenario or stack", r.Scenario, r.Stack)
		}
		isPage := strings.HasPrefix(r.Source, "https://")
		if isRecorded := s.Version == ""; isRecorded != isPage || isRecorded && (len(r.Says) == 0 || r.Lab != "") {
			t.Errorf("%s of %s, version %q: source %q, says %q", r.Scenario, r.Stack, s.Version, r.Source, r.Says)
		}
	}
}

// STACKS.md is stacks.json for people.
func TestStackSheet(t *testing.T) {
	written, err := os.ReadFile("STACKS.md")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		t.Skip("it is written anew")
	}
	if want := stackSheet(t, stacks()); string(written) != want {
		t.Errorf("STACKS.md is not of stacks.json; go test ./lab/scenario -run Stacks -update writes it\n%s", difference(string(written), want))
	}
}

func today() string { return time.Now().UTC().Format(time.DateOnly) }

func (table *Table) stack(name string) Stack {
	for _, s := range table.Stacks {
		if s.Name == name {
			return s
		}
	}
	return Stack{}
}

// runsOf returns the runs of a stack, of all scenarios if none is given.
func (table *Table) runsOf(name string, scenarios ...*Scenario) (runs []StackRun) {
	for _, r := range table.Runs {
		isOf := func(s *Scenario) bool { return s.Name == r.Scenario }
		if r.Stack == name && (len(scenarios) == 0 || slices.ContainsFunc(scenarios, isOf)) {
			runs = append(runs, r)
		}
	}
	return runs
}

// texts returns runs as JSON, one a line.
func texts(t *testing.T, runs []StackRun) string {
	var b bytes.Buffer
	for _, r := range runs {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(text, '\n'))
	}
	return b.String()
}

func (table *Table) write(t *testing.T) {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("{\n\"stacks\": [\n")
	for i, s := range table.Stacks {
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(string(text) + map[bool]string{true: ",", false: ""}[i+1 < len(table.Stacks)] + "\n")
	}
	b.WriteString("],\n\"runs\": [\n" + strings.ReplaceAll(strings.TrimSuffix(texts(t, table.Runs), "\n"), "\n", ",\n") + "\n]\n}\n")
	for file, text := range map[string]string{"stacks.json": b.String(), "STACKS.md": stackSheet(t, table)} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// faultsOfStacks returns the scenarios whose faults other programs can have and
// meet, with their certificates made, and the one in which nothing is wrong.
func faultsOfStacks(t *testing.T, o Options) []*Scenario {
	t.Helper()
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(s *Scenario) bool { return s.Name != "mtls" && !appliesToPeers(s) })
	for _, s := range all {
		if err := s.Prepare(t.Context(), o.Manifest, o.certs()); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// appliesToPeers reports whether the faults are in files and flags that other
// programs have too.
func appliesToPeers(s *Scenario) bool {
	return (s.Side == "server rejects client" || s.Side == "client rejects server" || s.Side == "no common ground") &&
		s.Calls == 1 && s.Server.Signatures == nil && !s.Server.StrictNames && s.Server.Certificate != "none"
}

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
