package probe

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/url"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/starttls"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/verdict"
)

func expired() *verdict.Alert {
	return &verdict.Alert{Code: 45, Name: "certificate_expired", SentBy: endpoint.Server}
}

// found is a report with a finding of each judgement.
func found() *Report {
	return &Report{Probe: "server", Target: "https://a.example/", Time: time.Unix(0, 0), DurationMS: 1200, Findings: []*Finding{
		{Case: "expired-client", TLS: "TLS 1.2", Title: "The client's certificate has expired", Result: RefusedTLS, Judgement: Right, Alert: expired(), When: InHandshake},
		{Case: "expired-client", TLS: "TLS 1.3", Title: "The client's certificate has expired", Result: RefusedTLS, Judgement: Right, Alert: expired(), When: AfterHandshake},
		{Case: "self-signed-client", TLS: "TLS 1.2", Title: "Signed by itself", Result: LetIn, Judgement: Wrong, Status: 200, Reason: "nobody <checks>", Fix: "check", Scenario: "self-signed-client"},
		{Case: "self-signed-client", TLS: "TLS 1.3", Title: "Signed by itself", Result: LetIn, Judgement: Wrong, Status: 200, Reason: "nobody <checks>", Fix: "check", Scenario: "self-signed-client"},
		{Case: "ca-as-client", TLS: "TLS 1.3", Title: "The CA's own", Result: LetIn, Judgement: Warning, Status: 204},
		{Case: "look-alike-ca", TLS: "TLS 1.3", Title: "Another key", Result: Unclear, Judgement: Unknown, Reason: "no answer came"},
		{Case: "revoked-client", Title: "Revoked", Result: NotTried, Judgement: Left, Reason: "needs --revoked"},
	}}
}

// One thing that was let in, and is not accepted, fails; what is unknown is no
// success.
func TestExit(t *testing.T) {
	r := found()
	if r.Exit() != ExitWrong {
		t.Error(r.Exit())
	}
	accepted, err := ReadAccepted(strings.NewReader("# known\nself-signed-client 1.3 # until May\n\nself-signed-client 1.2\nca-as-client\nexpired-client\n"),
		[]string{"expired-client", "self-signed-client", "ca-as-client"})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		accepted.Mark(f)
	}
	if r.Exit() != ExitUnknown || r.Count(Wrong) != 0 || r.Count(Warning) != 0 {
		t.Error(r.Exit(), r.Count(Wrong), r.Count(Warning))
	}
	if unused := accepted.Unused(); len(unused) != 1 || unused[0].Case != "expired-client" || unused[0].Line != 6 {
		t.Error(unused)
	}
	r.Findings = r.Findings[:5]
	if r.Exit() != ExitRight {
		t.Error(r.Exit())
	}
	r.Error = "nobody answers"
	if r.Exit() != ExitUnknown {
		t.Error(r.Exit())
	}
}

// A line that cannot be read is named by its number.
func TestAcceptFileProblems(t *testing.T) {
	for text, want := range map[string]string{
		"# a\nexpired": `line 2: no case is called "expired"`,
		"a 1.1":        `line 1: after the case stands 1.2, 1.3 or nothing, and not "1.1"`,
		"a 1.2 1.3":    `line 1: after the case stands 1.2, 1.3 or nothing, and not "1.2 1.3"`,
	} {
		if _, err := ReadAccepted(strings.NewReader(text), []string{"a"}); err == nil || err.Error() != want {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ReadAccepted(strings.NewReader(strings.Repeat("a", maxAcceptLine+1)), nil); err == nil {
		t.Error("a line without an end was read")
	}
}

// Versions that came to the same share a line.
func TestTable(t *testing.T) {
	var b bytes.Buffer
	table := Table{Printer: text.Printer{W: &b}, Names: 18}
	table.Head()
	all := found().Findings
	for _, row := range [][]*Finding{all[:2], all[2:4], all[4:5], all[5:6], all[6:]} {
		table.Row(row...)
	}
	table.Rest()
	const want = `      CASE                TLS     WHAT HAPPENED (late: after handshake)
ok    expired-client      1.2     certificate_expired
ok                        1.3     certificate_expired, late
ALARM self-signed-client  1.2 1.3 let in (HTTP 200)
note  ca-as-client        1.3     let in (HTTP 204)
?     look-alike-ca       1.3     cannot be told: no answer came
-     revoked-client: not tried, needs --revoked
`
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
}

// The worst comes first, once for both versions.
func TestWorst(t *testing.T) {
	r := found()
	var names []string
	for _, f := range r.Worst() {
		names = append(names, f.Case+" in "+r.Versions(f))
	}
	if got := strings.Join(names, ", "); got != "self-signed-client in TLS 1.2 and 1.3, look-alike-ca in TLS 1.3, ca-as-client in TLS 1.3" {
		t.Error(got)
	}
}

// Each judgement has the element by which CI knows it.
func TestJUnit(t *testing.T) {
	r := found()
	r.Findings[3].Accepted, r.Error = true, "it stopped"
	var b bytes.Buffer
	if err := r.WriteJUnit(&b); err != nil {
		t.Fatal(err)
	}
	var suites struct {
		Suite struct {
			Tests    int    `xml:"tests,attr"`
			Failures int    `xml:"failures,attr"`
			Errors   int    `xml:"errors,attr"`
			Skipped  int    `xml:"skipped,attr"`
			Time     string `xml:"time,attr"`
			Cases    []struct {
				Name    string `xml:"name,attr"`
				Failure *struct {
					Message string `xml:"message,attr"`
					Text    string `xml:",chardata"`
				} `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(b.Bytes(), &suites); err != nil {
		t.Fatal(err)
	}
	s := suites.Suite
	if s.Tests != 8 || s.Failures != 1 || s.Errors != 2 || s.Skipped != 2 || s.Time != "1.200" {
		t.Errorf("%d tests, %d failures, %d errors, %d skipped, %s s", s.Tests, s.Failures, s.Errors, s.Skipped, s.Time)
	}
	if f := s.Cases[2].Failure; f == nil || f.Message != "Signed by itself: let in (HTTP 200)" || f.Text != "nobody <checks>\nfix: check\nlearn it from: lab scenario show self-signed-client" {
		t.Errorf("%+v", f)
	}
	if s.Cases[2].Name != "self-signed-client (TLS 1.2)" {
		t.Error(s.Cases[2].Name)
	}
}

// What is wrong is an error of its rule, what is accepted is suppressed.
func TestSARIF(t *testing.T) {
	r := found()
	r.Findings[3].Accepted = true
	var b bytes.Buffer
	if err := r.WriteSARIF(&b, "v1"); err != nil {
		t.Fatal(err)
	}
	var log sarifLog
	if err := json.Unmarshal(b.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	run := log.Runs[0]
	if len(run.Tool.Driver.Rules) != 5 || len(run.Results) != 7 {
		t.Fatalf("%d rules, %d results", len(run.Tool.Driver.Rules), len(run.Results))
	}
	wrong, accepted := run.Results[2], run.Results[3]
	if wrong.RuleID != "self-signed-client" || wrong.Level != "error" || wrong.Kind != "fail" || wrong.Suppressions != nil ||
		wrong.Locations[0].Physical.Artifact.URI != r.Target || run.Tool.Driver.Rules[wrong.RuleIndex].ID != wrong.RuleID {
		t.Errorf("%+v", wrong)
	}
	if accepted.Suppressions == nil {
		t.Errorf("%+v", accepted)
	}
	for _, result := range run.Results { // SARIF section 3.27.9
		if result.Kind != "fail" && result.Level != "none" {
			t.Errorf("%+v", result)
		}
	}
}

// The command line of a client is no URI as it stands.
func TestSARIFOfClient(t *testing.T) {
	r := &Report{Probe: "client", Target: "curl -u me:secret --cacert {ca} {url}"}
	got, err := url.Parse(r.uri())
	if err != nil || got.IsAbs() || got.Path != r.Target && got.Path != "./"+r.Target || strings.ContainsAny(r.uri(), " {}") {
		t.Errorf("%q, %v", r.uri(), err)
	}
}

// A redirect to elsewhere than the good certificate's is not let in for sure.
func TestRedirects(t *testing.T) {
	for _, c := range []struct {
		good, to string
		want     Result
	}{
		{"/home", "/login", Unclear},
		{"/home", "/home", LetIn},
		{"/home?at=1", "/home?at=2", LetIn},
	} {
		b := baseline{response: &lab.Response{Status: 302, Location: c.good}}
		if e := b.judge(&outcome{response: &lab.Response{Status: 302, Location: c.to}}); e.result != c.want {
			t.Errorf("%s after %s: %s", c.to, c.good, e.result)
		}
	}
}

// What was refused before TLS, or for want of room, is nobody's certificate's.
func TestRefusedBeforeCertificate(t *testing.T) {
	b := baseline{response: &lab.Response{}}
	full := &lab.RejectedError{Err: &starttls.BusyError{Said: "53300 sorry, too many clients already"}}
	if e := b.judge(&outcome{Exchange: &lab.Exchange{}, err: full}); e.result != Unclear || e.reason != "the server has no room: 53300 sorry, too many clients already" {
		t.Errorf("%+v", e)
	}
	x := &lab.Exchange{}
	x.Code, x.RejectedBy = verdict.TLSRefused, endpoint.Server
	if e := b.judge(&outcome{Exchange: x}); e.result != Unclear {
		t.Errorf("%+v", e)
	}
}

// An answer before a login is a remark, and one after it is not.
func TestBeforeLogin(t *testing.T) {
	for protocol, want := range map[string]Judgement{"smtp": Warning, "imap": Warning, "ldap": Warning, "postgres": Wrong, "mysql": Wrong} {
		p := &prober{engine: &engine{target: Target{protocol: starttls.Find(protocol)}}}
		f := &Finding{Case: noneCase, Result: LetIn, Judgement: Wrong}
		if p.soften(f); f.Judgement != want {
			t.Errorf("%s: %s", protocol, f.Judgement)
		}
		r := &Report{Findings: []*Finding{f}}
		if says := len(r.diagnose()) > 0; says != (want == Wrong) {
			t.Errorf("%s: diagnosis %q", protocol, r.diagnose())
		}
	}
}
