package scenario

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/fault"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/verdict"
	"mtlslab.example/lab/lab/wiretap"
)

var update = flag.Bool("update", false, "write ALERTS.md anew")

const alertsFile = "ALERTS.md"

// The faults of the catalogue against programs that are not ours. What came of
// it is the table in ALERTS.md; it depends on their versions, which stand in
// its first lines.
func TestPeers(t *testing.T) {
	peertest.Need(t, "openssl", "curl")
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	var rows []*peerRow
	for _, s := range all {
		for _, version := range s.Versions() {
			if appliesToPeers(s) {
				rows = append(rows, &peerRow{scenario: s, version: version})
			}
		}
	}
	o := Options{Manifest: baseManifest(t), Dir: t.TempDir()}
	for _, s := range all {
		if err := s.Prepare(t.Context(), o.Manifest, o.certs()); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("peers", func(t *testing.T) {
		for _, row := range rows {
			t.Run(row.scenario.Name+"/"+shortVersion(row.version), func(t *testing.T) {
				t.Parallel()
				row.measure(t, o)
			})
		}
	})
	table := alertTable(t, rows)
	if *update {
		if err := os.WriteFile(alertsFile, []byte(table), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	if versions(string(golden)) != versions(table) {
		t.Skipf("%s was measured with other versions:%s", alertsFile, versions(string(golden)))
	}
	for _, row := range rows {
		for _, unsaid := range row.unsaid {
			t.Error(unsaid)
		}
	}
	if string(golden) != table {
		t.Errorf("%s is not what was measured now; go test ./lab/scenario -run Peers -update writes it\n%s", alertsFile, difference(string(golden), table))
	}
}

// appliesToPeers reports whether the faults are in files and flags that other
// programs have too.
func appliesToPeers(s *Scenario) bool {
	return (s.Side == "server rejects client" || s.Side == "client rejects server" || s.Side == "no common ground") &&
		s.Calls == 1 && s.Server.Signatures == nil && !s.Server.StrictNames && s.Server.Certificate != "none"
}

// peerRow is a line of the table: the alert that each pair came to.
type peerRow struct {
	scenario *Scenario
	version  uint16

	goGo, sServer, sClient, curl string

	unsaid []string // messages of curl and OpenSSL that the document has otherwise
}

func (r *peerRow) measure(t *testing.T, o Options) {
	s := r.scenario
	r.goGo = orNone(s.Expect[r.version].Alert)
	if s.Client.Chain == fault.ChainReversed || s.Server.Chain == fault.ChainReversed {
		r.sServer = "refuses to load it"
	} else if r.sServer = "–"; s.Server.Flaw == "" {
		r.sServer = r.againstServer(t, o)
	}
	r.sClient = "–"
	r.curl = "–"
	if s.Client.Key == "" && !s.Client.Withhold && !s.Client.ByUsage {
		r.sClient = r.againstClient(t, o, r.openssl)
	}
	if r.sClient != "–" && s.Client.ALPN == nil { // which curl cannot choose
		r.curl = r.againstClient(t, o, r.callCurl)
	}
}

func file(s *Scenario, o Options, name string) string { return filepath.Join(s.Certs(o.certs()), name) }

// trustFile holds the CAs that one side trusts, and every CRL if it looks at
// them.
func (r *peerRow) trustFile(t *testing.T, o Options, trust []string, crl bool) string {
	t.Helper()
	var all bytes.Buffer
	for _, name := range trust {
		text, err := os.ReadFile(file(r.scenario, o, name+".pem"))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	if crl {
		lists, _ := filepath.Glob(file(r.scenario, o, "*-crl.pem"))
		for _, list := range lists {
			text, err := os.ReadFile(list)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
	}
	path := filepath.Join(t.TempDir(), "trust.pem")
	if err := os.WriteFile(path, all.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// chainFile is the certificate of one side as the scenario has it sent.
func (r *peerRow) chainFile(t *testing.T, o Options, name string, chain fault.Chain) string {
	t.Helper()
	path := file(r.scenario, o, name+".pem")
	if chain != fault.ChainLeaf {
		return path
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const end = "-----END CERTIFICATE-----\n"
	leaf, _, _ := strings.Cut(string(text), end)
	path = filepath.Join(t.TempDir(), name+".pem")
	if err := os.WriteFile(path, []byte(leaf+end), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// checksRevocation reports whether a scenario is about revocation.
func checksRevocation(s *Scenario) bool { return s.Topic == "revocation" }

func orDefault(name, byDefault string) string {
	if name == "" {
		return byDefault
	}
	return name
}

func trustOf(h Half, byDefault string) []string {
	if len(h.Trust) == 0 {
		return []string{byDefault}
	}
	return h.Trust
}

// versionOf is the one that a side speaks.
func (r *peerRow) versionOf(h Half) uint16 {
	if h.Version == "older" {
		return older(r.version)
	}
	return r.version
}

// opensslFlags are those of s_server and s_client for the settings of a side.
func (r *peerRow) opensslFlags(h Half) []string {
	flags := []string{map[uint16]string{tls.VersionTLS11: "-tls1_1", tls.VersionTLS12: "-tls1_2", tls.VersionTLS13: "-tls1_3"}[r.versionOf(h)]}
	if r.versionOf(h) == tls.VersionTLS11 {
		flags = append(flags, "-cipher", "DEFAULT@SECLEVEL=0")
	}
	if h.CipherSuites != nil {
		flags = append(flags, "-cipher", map[uint16]string{
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: "ECDHE-ECDSA-AES256-GCM-SHA384",
		}[h.CipherSuites[0]])
	}
	if h.Offer != nil {
		flags = append(flags, "-cipher", "ECDHE-ECDSA-AES128-CCM", "-ciphersuites", "TLS_AES_128_CCM_SHA256")
	}
	if h.Groups != nil {
		flags = append(flags, "-groups", map[tls.CurveID]string{tls.X25519: "X25519", tls.CurveP521: "P-521"}[h.Groups[0]])
	}
	return flags
}

// againstServer has the lab's client call s_server, and returns the alert that
// ended it.
func (r *peerRow) againstServer(t *testing.T, o Options) string {
	s := r.scenario
	certificate := orDefault(s.Server.Certificate, "server")
	crl := checksRevocation(s) && s.Side == "server rejects client"
	args := []string{"s_server", "-accept", "127.0.0.1:0", "-www", "-Verify", "9", "-verify_return_error",
		"-cert", r.chainFile(t, o, certificate, s.Server.Chain), "-cert_chain", r.chainFile(t, o, certificate, s.Server.Chain),
		"-key", file(s, o, certificate+"-key.pem"), "-CAfile", r.trustFile(t, o, trustOf(s.Server, "client-ca"), crl)}
	args = append(args, r.opensslFlags(s.Server)...)
	if s.Server.ALPN == nil {
		args = append(args, "-alpn", "http/1.1")
	}
	if crl {
		args = append(args, "-crl_check_all")
	}
	addr := peertest.Start(t, exec.Command("openssl", args...)).Await(t, "^ACCEPT ")
	reports := make(chan *lab.Exchange, 1)
	settings, err := s.ClientSettings(o.certs(), r.version)
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
	return verdictOf(t, settings.Journal, reports)
}

const noHandshake = "no handshake"

// verdictOf is the alert of the one exchange that was begun, if any was, when
// the other program has ended.
func verdictOf(t *testing.T, journal *lab.Journal, reports chan *lab.Exchange) string {
	t.Helper()
	settled, cancel := context.WithTimeout(t.Context(), settleTimeout)
	defer cancel()
	journal.Wait(settled)
	select {
	case x := <-reports:
		switch {
		case x.Outcome == verdict.Accepted:
			return "accepted"
		case x.Alert == nil:
			return noHandshake // it connects, and then finds its own key too weak
		}
		return x.Alert.Name
	default:
		return noHandshake
	}
}

// againstClient has call call the lab's server, and returns the alert that
// ended it, as one of both sides knows.
func (r *peerRow) againstClient(t *testing.T, o Options, call func(t *testing.T, o Options, host, port string) string) string {
	s := r.scenario
	reports := make(chan *lab.Exchange, 1)
	settings, err := s.ServerSettings(o.certs(), r.version)
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
	said := call(t, o, orDefault(s.Client.URL, "localhost"), port)
	return verdictOf(t, settings.Journal, reports) + said
}

// openssl calls with s_client.
func (r *peerRow) openssl(t *testing.T, o Options, host, port string) string {
	s := r.scenario
	crl := checksRevocation(s) && s.Side == "client rejects server"
	args := []string{"s_client", "-connect", "127.0.0.1:" + port, "-ign_eof", "-verify_return_error",
		"-CAfile", r.trustFile(t, o, trustOf(s.Client, "server-ca"), crl)}
	if net.ParseIP(host) != nil {
		args = append(args, "-verify_ip", host)
	} else {
		args = append(args, "-verify_hostname", host, "-servername", host)
	}
	if name := orDefault(s.Client.Certificate, "client"); name != "none" {
		args = append(args, "-cert", r.chainFile(t, o, name, s.Client.Chain), "-cert_chain", r.chainFile(t, o, name, s.Client.Chain),
			"-key", file(s, o, name+"-key.pem"))
	}
	if s.Client.ALPN != nil {
		args = append(args, "-alpn", strings.Join(s.Client.ALPN, ","))
	}
	if crl {
		args = append(args, "-crl_check")
	}
	args = append(args, r.opensslFlags(s.Client)...)
	cmd := exec.Command("openssl", args...)
	cmd.Stdin = strings.NewReader("GET / HTTP/1.0\r\n\r\n")
	out, _ := cmd.CombinedOutput() // its exit status says little
	r.compare("OpenSSL", string(out))
	return ""
}

// callCurl calls with curl, and adds its exit status.
func (r *peerRow) callCurl(t *testing.T, o Options, host, port string) string {
	s := r.scenario
	args := []string{"-sS", "-o", os.DevNull, "--cacert", r.trustFile(t, o, trustOf(s.Client, "server-ca"), false),
		"--resolve", "localhost:" + port + ":127.0.0.1", "--noproxy", "*", "https://" + net.JoinHostPort(host, port) + "/"}
	version := strings.TrimPrefix(tls.VersionName(r.versionOf(s.Client)), "TLS ")
	args = append(args, "--tlsv"+version, "--tls-max", version)
	if name := orDefault(s.Client.Certificate, "client"); name != "none" {
		args = append(args, "--cert", r.chainFile(t, o, name, s.Client.Chain), "--key", file(s, o, name+"-key.pem"))
	}
	if list := file(s, o, "server-ca-crl.pem"); s.Name == "revoked-server" {
		args = append(args, "--crlfile", list)
	}
	flags := r.opensslFlags(s.Client)
	for i, f := range flags {
		switch f {
		case "-cipher":
			args = append(args, "--ciphers", flags[i+1])
		case "-ciphersuites":
			args = append(args, "--tls13-ciphers", flags[i+1])
		case "-groups":
			args = append(args, "--curves", flags[i+1])
		}
	}
	var exit *exec.ExitError
	out, err := exec.Command("curl", args...).CombinedOutput()
	r.compare("curl", string(out))
	if errors.As(err, &exit) {
		return fmt.Sprintf(", exit %d", exit.ExitCode())
	} else if err != nil {
		t.Fatal(err)
	}
	return ""
}

// compare looks for one of the messages that the document has of a program that
// rejects the server.
func (r *peerRow) compare(program, said string) {
	known := r.scenario.Says[program]
	if r.scenario.Side == "client rejects server" && len(known) > 0 && !slices.ContainsFunc(known, func(message string) bool { return strings.Contains(said, message) }) {
		r.unsaid = append(r.unsaid, fmt.Sprintf("%s: %s says %q, not %q", r.scenario.Name, program, said, known))
	}
}

// The line that is printed for curl does the client's part.
func TestCurl(t *testing.T) {
	peertest.Need(t, "curl")
	o := Options{Manifest: baseManifest(t), Dir: t.TempDir()}
	for name, want := range map[string]string{
		"expired-client": "certificate_expired, exit 56", "no-client-cert": "certificate_required, exit 56",
		"expired-server": "certificate_expired, exit 60", "refused-in-http": "accepted", "mtls": "accepted",
		"client-key-mismatch": "",
	} {
		s, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Prepare(t.Context(), o.Manifest, o.certs()); err != nil {
			t.Fatal(err)
		}
		if _, ok := s.Curl(o.certs(), "8443"); ok != (want != "") {
			t.Errorf("%s: that curl can do it is %v", name, ok)
		}
		if want == "" {
			continue
		}
		row := &peerRow{scenario: s, version: tls.VersionTLS13}
		got := row.againstClient(t, o, func(t *testing.T, o Options, host, port string) string {
			args, _ := s.Curl(o.certs(), port)
			var exit *exec.ExitError
			if errors.As(exec.Command(args[0], append(args[1:], "-sS", "-o", os.DevNull, "--noproxy", "*", "--resolve", "localhost:"+port+":127.0.0.1")...).Run(), &exit) {
				return fmt.Sprintf(", exit %d", exit.ExitCode())
			}
			return ""
		})
		if got != want {
			t.Errorf("%s: %s, not %s", name, got, want)
		}
	}
}

// A session of s_client that was begun before the revocation is of no use after
// it, and the server knows that it was a resumed one.
func TestRevocationReachesSessionsOfOpenSSL(t *testing.T) {
	peertest.Need(t, "openssl")
	s, err := Find("resumed-after-revocation")
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range s.Versions() {
		o := Options{Manifest: baseManifest(t), Dir: t.TempDir()}
		if err := s.Prepare(t.Context(), o.Manifest, o.certs()); err != nil {
			t.Fatal(err)
		}
		reports := make(chan *lab.Exchange, 2)
		settings, err := s.ServerSettings(o.certs(), version)
		if err != nil {
			t.Fatal(err)
		}
		settings.Journal = &lab.Journal{Each: func(x *lab.Exchange) { reports <- x }}
		server, err := lab.Listen(t.Context(), "127.0.0.1:0", settings)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var serving sync.WaitGroup
		serving.Go(func() { _ = server.Serve(ctx) })

		session := filepath.Join(t.TempDir(), "session.pem")
		call := func(how string) *lab.Exchange {
			cmd := exec.Command("openssl", "s_client", "-connect", server.Addr().String(), "-ign_eof", how, session,
				"-CAfile", file(s, o, "server-ca.pem"), "-cert", file(s, o, "client.pem"), "-key", file(s, o, "client-key.pem"))
			cmd.Stdin = strings.NewReader("GET / HTTP/1.0\r\n\r\n")
			_, _ = cmd.CombinedOutput()
			select {
			case x := <-reports:
				return x
			case <-time.After(settleTimeout):
				t.Fatal("no exchange was reported")
				return nil
			}
		}
		first := call("-sess_out")
		r := &runner{scenario: s, options: o}
		if err := r.change(t.Context()); err != nil {
			t.Fatal(err)
		}
		second := call("-sess_in")
		if first.Outcome != verdict.Accepted || first.TLS.Resumed || second.Code != chain.Revoked || !second.TLS.Resumed {
			t.Errorf("%s: %+v, then %+v", tls.VersionName(version), first.Verdict, second.Verdict)
		}
		stop()
		serving.Wait()
	}
}
