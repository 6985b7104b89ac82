package scenario

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/verdict"
)

func baseManifest(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "certs.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Every scenario ends as it says, in every version that it has, and the three
// places that know agree: the server, the client, and the wire as tshark reads
// it from the scenario's capture.
func TestCatalogue(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 60 {
		t.Errorf("%d scenarios", len(all))
	}
	o := Options{Manifest: baseManifest(t), Dir: t.TempDir()}
	runs := make([][]*Result, len(all))
	t.Run("run", func(t *testing.T) {
		for i, s := range all {
			t.Run(s.Name, func(t *testing.T) {
				t.Parallel()
				for _, version := range s.Versions() {
					r, err := s.Run(t.Context(), version, o)
					if err != nil {
						t.Fatal(err)
					}
					for _, wrong := range r.Wrong {
						t.Errorf("%s: %s (%s)", tls.VersionName(version), wrong, r.Exchange.Reason)
					}
					checkSides(t, r)
					runs[i] = append(runs[i], r)
				}
				if len(s.Versions()) > 0 {
					checkSays(t, s, runs[i])
				}
			})
		}
	})
	if t.Failed() {
		return
	}
	t.Run("tshark", func(t *testing.T) {
		peertest.Need(t, "tshark", "mergecap")
		checkWire(t, runs)
	})
}

// checkSides compares what the two sides' errors say.
func checkSides(t *testing.T, r *Result) {
	t.Helper()
	x := r.Exchange
	parties := map[endpoint.Side]lab.Party{endpoint.Server: x.Server, endpoint.Client: x.Client}
	if x.Outcome == verdict.Accepted {
		for side, p := range parties {
			if p.Error != "" || p.State != verdict.StateAnswered {
				t.Errorf("accepted, but the %s says %+v", side, p)
			}
		}
		return
	}
	if x.Reason == "" || x.Fix == "" || x.Code == verdict.Other {
		t.Errorf("the verdict explains nothing: %+v", x.Verdict)
	}
	judge, judged := parties[x.RejectedBy], parties[x.RejectedBy.Other()]
	if judge.Error == "" || judged.Error == "" || strings.HasPrefix(judge.Error, "remote error") {
		t.Errorf("the %s rejects, but says %q, and the other %q", x.RejectedBy, judge.Error, judged.Error)
	}
	if x.Alert == nil {
		return
	}
	if want := "remote error: " + tls.AlertError(x.Alert.Code).Error(); judged.Error != want {
		t.Errorf("the alert is %s, but the %s says %q", x.Alert.Name, x.RejectedBy.Other(), judged.Error)
	}
	if x.Alert.Arrived == nil || !*x.Alert.Arrived {
		t.Error("the alert did not arrive")
	}
}

// checkSays compares the messages that the document has of Go, to be found by,
// with those of the run: each was heard, and that of the side that rejects is
// among them.
func checkSays(t *testing.T, s *Scenario, runs []*Result) {
	t.Helper()
	said := func(p lab.Party) bool {
		return slices.ContainsFunc(s.Says["Go"], func(message string) bool { return strings.Contains(p.Error, message) })
	}
	for _, r := range runs {
		if x := r.Exchange; x.Outcome == verdict.Rejected && !said(x.Server) && !said(x.Client) {
			t.Errorf("neither %q nor %q is in says", x.Server.Error, x.Client.Error)
		}
	}
	for _, message := range s.Says["Go"] {
		if !slices.ContainsFunc(runs, func(r *Result) bool {
			return strings.Contains(r.Exchange.Server.Error, message) || strings.Contains(r.Exchange.Client.Error, message)
		}) {
			t.Errorf("nobody says %q", message)
		}
	}
}

// stream is what tshark makes of a connection.
type stream struct {
	alerts map[endpoint.Side][]string // fatal ones, by number
	status string                     // of the HTTP response
	types  []string                   // of the handshake messages, in order
}

// onTheWire are the handshake messages (RFC 9846 section 4) by which a scenario
// is recognised on the wire: in its last exchange they stand in this order,
// with others between them or not.
var onTheWire = map[string]string{
	"mtls-tls12":                "1,2,11,12,13,14,11,16,15", // 20 is encrypted
	"mtls-tls13":                "1,2,8,13,11,15,20,11,15,20",
	"no-client-cert-tls13":      "1,2,8,13,11,15,20,11,20",
	"hello-retry-request-tls13": "1,2,1,2,8",
	"key-update-tls13":          "20,11,15,20,24",
	"resumption-psk-tls13":      "1,2,8,20,4,20",
	"static-rsa-tls12":          "1,2,11,13,14,11,16,15",
}

// batch is captures that can be read together: tshark takes connections with
// the same ports for one.
type batch struct {
	runs  []*Result
	ports map[string]bool // of the clients
}

// batches puts the captures together, since it takes tshark longer to start
// than to read.
func batches(t *testing.T, runs [][]*Result) (all []*batch) {
	for _, r := range slices.Concat(runs...) {
		var ports []string
		for _, x := range append(r.Earlier, r.Exchange) {
			ports = append(ports, portOf(t, x))
		}
		i := slices.IndexFunc(all, func(b *batch) bool {
			return !slices.ContainsFunc(ports, func(port string) bool { return b.ports[port] })
		})
		if i < 0 {
			i, all = len(all), append(all, &batch{ports: map[string]bool{}})
		}
		all[i].runs = append(all[i].runs, r)
		for _, port := range ports {
			all[i].ports[port] = true
		}
	}
	return all
}

func portOf(t *testing.T, x *lab.Exchange) string {
	t.Helper()
	_, port, err := net.SplitHostPort(x.ClientAddr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// checkWire compares every verdict with what tshark reads from its capture.
func checkWire(t *testing.T, runs [][]*Result) {
	for _, b := range batches(t, runs) {
		merged := filepath.Join(t.TempDir(), "all.pcapng")
		args := []string{"-w", merged}
		for _, r := range b.runs {
			args = append(args, r.Capture)
		}
		if out, err := exec.Command("mergecap", args...).CombinedOutput(); err != nil {
			t.Fatalf("mergecap: %v: %s", err, out)
		}
		streams := dissect(t, merged)
		for _, r := range b.runs {
			name := r.Scenario.Name + " in " + tls.VersionName(r.Version)
			if got := streams[portOf(t, r.Exchange)]; got != nil {
				checkStream(t, name, r, got)
			} else {
				t.Errorf("%s: not in the capture", name)
			}
		}
	}
}

func checkStream(t *testing.T, name string, r *Result, got *stream) {
	t.Helper()
	want := map[endpoint.Side][]string{}
	if a := r.Exchange.Alert; a != nil {
		want[a.SentBy] = []string{strconv.Itoa(int(a.Code))}
	}
	if fmt.Sprint(got.alerts) != fmt.Sprint(want) {
		t.Errorf("%s: tshark reads the alerts %v, and the verdict says %v", name, got.alerts, want)
	}
	if types := onTheWire[r.Scenario.Name+"-"+shortVersion(r.Version)]; !strings.Contains(strings.Join(got.types, ","), types) {
		t.Errorf("%s: tshark reads the messages %v, not %s", name, got.types, types)
	}
	if x := r.Exchange; x.HTTP != nil && got.status != strconv.Itoa(x.HTTP.Status) {
		t.Errorf("%s: tshark reads status %q, and the server answered %d", name, got.status, x.HTTP.Status)
	}
}

// dissect runs tshark and returns the streams by the port of the client.
func dissect(t *testing.T, file string) map[string]*stream {
	t.Helper()
	// Else a client's port that is registered for something else, such as 57000
	// for IRC, would count for more.
	out, err := exec.Command("tshark", "-r", file, "-d", "tcp.port==8443,tls", "-T", "fields", "-e", "tcp.srcport", "-e", "tcp.dstport",
		"-e", "tls.alert_message.level", "-e", "tls.alert_message.desc", "-e", "http.response.code", "-e", "http2.headers.status", "-e", "tls.handshake.type").Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	streams := map[string]*stream{}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		side, client := endpoint.Client, f[0]
		if f[0] == strconv.Itoa(capture.WiresharkPort) {
			side, client = endpoint.Server, f[1]
		}
		s := streams[client]
		if s == nil {
			s = &stream{alerts: map[endpoint.Side][]string{}}
			streams[client] = s
		}
		if f[2] == "2" {
			s.alerts[side] = append(s.alerts[side], f[3])
		}
		s.status = cmp.Or(s.status, f[4], f[5])
		if f[6] != "" {
			s.types = append(s.types, f[6])
		}
	}
	return streams
}

// The certificates of a scenario are in a folder of their own, and the base PKI
// is not even there.
func TestBasePKIIsLeftAlone(t *testing.T) {
	s, err := Find("expired-client")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Manifest: baseManifest(t), Dir: t.TempDir()}
	if _, err := s.Run(t.Context(), tls.VersionTLS13, o); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(o.certs())
	if err != nil || len(entries) != 1 || entries[0].Name() != Folder {
		t.Errorf("%v, %v", entries, err)
	}
	leaf, err := certgen.LoadCertificates(s.Certs(o.certs()), "client")
	if err != nil || leaf[0].NotAfter.Year() != 2021 {
		t.Errorf("%v", err)
	}
}

// Why the client rejects is in the capture too, although it is the
// server's end that is recorded.
func TestCommentHasTheReason(t *testing.T) {
	s, err := Find("wrong-host")
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range Versions {
		r, err := s.Run(t.Context(), version, Options{Manifest: baseManifest(t), Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		recorded, err := os.ReadFile(r.Capture)
		if want := "rejected by the client: the server's certificate is not for localhost"; err != nil || !strings.Contains(string(recorded), want) {
			t.Errorf("%s: %q is not in the capture (%v)", tls.VersionName(version), want, err)
		}
	}
}

// A server of TLS 1.2 that refuses a client logs no key of the connection, and
// the capture has it all the same.
func TestRefusedTLS12OpensDecrypted(t *testing.T) {
	s, err := Find("expired-client")
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(t.Context(), tls.VersionTLS12, Options{Manifest: baseManifest(t), Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if recorded, err := os.ReadFile(r.Capture); err != nil || !strings.Contains(string(recorded), keylog.LabelClientRandom+" ") {
		t.Errorf("the capture has no master secret (%v)", err)
	}
}

// With Encrypted ClientHello the host that is called crosses the wire nowhere,
// and the public name does.
func TestECHHidesTheName(t *testing.T) {
	s, err := Find("ech")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Manifest: baseManifest(t), Dir: t.TempDir()}
	r, err := s.Run(t.Context(), tls.VersionTLS13, o)
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := os.ReadFile(r.Capture)
	if err != nil || strings.Contains(string(recorded), "localhost") || !strings.Contains(string(recorded), "public.example") {
		t.Errorf("the name is not hidden (%v)", err)
	}
	if r.Exchange.TLS.ServerName != "localhost" {
		t.Errorf("the server heard %q", r.Exchange.TLS.ServerName)
	}
	info, err := os.Stat(filepath.Join(s.Certs(o.certs()), echFile))
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the key is open to others: %v, %v", info.Mode(), err)
	}
}

// A server that changes its certificate shows the new one without a restart.
func TestRotationShowsTheNewCertificate(t *testing.T) {
	s, err := Find("hot-rotation")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Manifest: baseManifest(t), Dir: t.TempDir()}
	if err := s.Prepare(t.Context(), o.Manifest, o.certs()); err != nil {
		t.Fatal(err)
	}
	before, err := certgen.LoadCertificates(s.Certs(o.certs()), "server")
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(t.Context(), tls.VersionTLS12, o) // whose certificates are in plain text
	if err != nil {
		t.Fatal(err)
	}
	after, err := certgen.LoadCertificates(s.Certs(o.certs()), "server")
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := os.ReadFile(r.Capture)
	if err != nil {
		t.Fatal(err)
	}
	first, second := strings.Index(string(recorded), string(before[0].Raw)), strings.LastIndex(string(recorded), string(after[0].Raw))
	if first < 0 || second < first || before[0].Equal(after[0]) {
		t.Errorf("the old certificate is at %d in the capture, the new one at %d", first, second)
	}
}

// What a server can speak in place of TLS. The catalogue has clients for the
// rest.
func TestServersWithoutTLS(t *testing.T) {
	for instead, want := range map[string]Expectation{
		"http":    {RejectedBy: endpoint.Client, Code: verdict.SpokeNoTLS},
		"garbage": {RejectedBy: endpoint.Client, Code: verdict.SpokeNoTLS},
		"silence": {RejectedBy: endpoint.Client, Code: verdict.TooSlow},
		"hang-up": {RejectedBy: endpoint.Server, Code: verdict.Closed},
	} {
		s, err := Parse("mine.yaml", []byte("name: mine\ntitle: Mine\nside: not even TLS\ntopic: t\nteaches: a\nreason: b\n"+
			"server: {instead_of_tls: "+instead+"}\nclient: {timeout: 200ms}\nexpect: {TLS 1.2: {}, TLS 1.3: {}}\n"))
		if err != nil {
			t.Fatal(err)
		}
		for _, version := range Versions {
			s.Expect[version] = want
			r, err := s.Run(t.Context(), version, Options{Manifest: baseManifest(t), Dir: t.TempDir()})
			if err != nil || len(r.Wrong) > 0 {
				t.Errorf("%s in %s: %v, %v", instead, tls.VersionName(version), err, r.Wrong)
			}
		}
	}
}

// A run that does not end as the document says is reported.
func TestUnexpected(t *testing.T) {
	s, err := Find("mtls")
	if err != nil {
		t.Fatal(err)
	}
	s.Expect[tls.VersionTLS13] = Expectation{RejectedBy: endpoint.Server, Alert: "unknown_ca", Status: 403, Resumed: true}
	r, err := s.Run(t.Context(), tls.VersionTLS13, Options{Manifest: baseManifest(t), Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"should be rejected by the server, and was accepted", "alert should be unknown_ca, and is none",
		"HTTP status should be 403, and is 200", "resumed should be true, and is false"}
	if fmt.Sprint(r.Wrong) != fmt.Sprint(want) {
		t.Errorf("%q", r.Wrong)
	}
}

// A server that trusts its sessions lets a revoked client in by an old one.
func TestTrustedSessionOutlivesRevocation(t *testing.T) {
	s, err := Parse("mine.yaml", []byte("name: mine\nserver: {trust_sessions: true}\nclient: {resume: true}\nthen: {revoke: [client]}\n"+
		"expect: {TLS 1.2: {status: 200, resumed: true}, TLS 1.3: {status: 200, resumed: true}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range Versions {
		r, err := s.Run(t.Context(), version, Options{Manifest: baseManifest(t), Dir: t.TempDir()})
		if err != nil || len(r.Wrong) > 0 {
			t.Errorf("%s: %v, %v", tls.VersionName(version), err, r.Wrong)
		}
	}
}
