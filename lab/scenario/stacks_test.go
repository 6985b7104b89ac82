package scenario

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"io"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/peertest"
)

var update = flag.Bool("update", false, "measure the stacks that are installed, and write stacks.json, stacks.json.gz and STACKS.md anew")

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

// often are the stacks and the faults that are compared in every run; the
// others are with LAB_FULL, since it takes a minute and more programs.
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

// stacks.json.gz is stacks.json for the program.
func TestStacksPacked(t *testing.T) {
	if *update {
		t.Skip("it is written anew")
	}
	want, err := os.ReadFile("stacks.json")
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(stacksPacked))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
		t.Errorf("stacks.json.gz is not of stacks.json (%v): in lab/scenario, gzip -9nkf stacks.json", err)
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
	for file, text := range map[string][]byte{"stacks.json": b.Bytes(), "stacks.json.gz": gzipped(t, b.Bytes()), "STACKS.md": []byte(stackSheet(t, table))} {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func gzipped(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
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
