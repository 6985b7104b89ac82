package mirror_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/probe"
	"mtlslab.example/lab/lab/probe/mirror"
)

// shell is a command that is one script of a shell, in which $0 is this test as
// a client in Go.
func shell(t *testing.T, script string) []string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs a POSIX shell")
	}
	return []string{"sh", "-c", script, os.Args[0], "{url}", "{ca}"}
}

const (
	verifying = `MIRROR_CLIENT=verify "$0" "$1" "$2"`
	insecure  = `MIRROR_CLIENT=nothing "$0" "$1" "$2"`
)

// What a command does is judged by the wire, and by its exit status.
func TestJudgement(t *testing.T) {
	pki := makePKI(t)
	for _, c := range []struct {
		name, script string
		result       probe.Result
		judgement    probe.Judgement
		reason       string // a part of it
	}{
		{"refuses", verifying, probe.Refused, probe.Right, ""},
		{"accepts", insecure, probe.Took, probe.Wrong, "it sent a request"},
		{"accepts, and reports a failure", insecure + `; case $1 in "$(cat control)") exit 0; esac; exit 1`, probe.Took, probe.Wrong, "it sent a request"},
		{"tries again without verification", verifying + " || " + insecure, probe.Took, probe.Wrong, "it sent a request"},
		{"hides that it refuses", verifying + " || true", probe.Refused, probe.Warning, "exit status is 0"},
		{"does not call", `test -e control || { echo "$1" >control; ` + verifying + `; }`, probe.Unclear, probe.Unknown, "no connection"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			args := shell(t, c.script)
			args[3], _ = filepath.Abs(args[3])
			if strings.Contains(c.script, "$(cat control)") {
				args[2] = `test -e control || echo "$1" >control; ` + args[2]
			}
			findings, err := pki.try(t, chosen(t, []string{"untrusted-server"}), 0, args)
			if err != nil {
				t.Fatal(err)
			}
			if f := findings[1]; f.Result != c.result || f.Judgement != c.judgement || !strings.Contains(f.Reason, c.reason) {
				t.Errorf("%s, %s: %s", f.Result, f.Judgement, f.Reason)
			}
		})
	}
}

// Nothing is judged of a command that does not accept a good server.
func TestControl(t *testing.T) {
	pki := makePKI(t)
	for name, args := range map[string][]string{
		"no connection":     shell(t, "echo nothing to do"),
		"refuses":           shell(t, `MIRROR_CLIENT=verify "$0" "$1" /dev/null`),
		"fails behind it":   shell(t, insecure+"; echo broken >&2; exit 9"),
		"killed by itself":  shell(t, "kill -9 $$"),
		"prints too much":   shell(t, "head -c 9000000 /dev/zero; exit 1"),
		"connects, no more": shell(t, `MIRROR_CLIENT=verify "$0" "http://${1#https://}" "$2"`),
	} {
		t.Run(name, func(t *testing.T) {
			findings, err := pki.try(t, chosen(t, []string{"untrusted-server"}), 0, args)
			var control *mirror.ControlError
			if !errors.As(err, &control) || len(findings) > 0 || control.Finding.Judgement != probe.Unknown || len(control.Output) > 4<<10 {
				t.Errorf("%v, %d findings", err, len(findings))
			}
		})
	}
	var start *mirror.StartError
	if _, err := pki.try(t, chosen(t, []string{"untrusted-server"}), 0, []string{"/no/such/program", "{url}"}); !errors.As(err, &start) {
		t.Errorf("%v", err)
	}
}

// A command that does not end is ended, with what it has started.
func TestTimeout(t *testing.T) {
	pki := makePKI(t)
	s := pki.serve(t, mirror.Options{Faults: chosen(t, []string{"untrusted-server", "slow-server"})})
	dir := t.TempDir()
	script := insecure + `; test -e ` + dir + `/control && { sleep 60 & sleep 60; }; touch ` + dir + `/control`
	c := &mirror.Command{Args: shell(t, strings.Replace(script, insecure, verifying, 1)), Files: pki.files, Timeout: 5 * time.Second, Parallel: 2}
	judged := map[string]*probe.Finding{}
	if err := c.Try(t.Context(), s, func(f *probe.Finding) { judged[f.Case] = f }); err != nil {
		t.Fatal(err)
	}
	if f := judged["untrusted-server"]; f.Result != probe.Unclear || !strings.Contains(f.Reason, "within 5s") {
		t.Errorf("%s: %s", f.Result, f.Reason)
	}
	if f := judged["slow-server"]; f.Result != probe.Waits || f.Judgement != probe.Warning {
		t.Errorf("%s, %s: %s", f.Result, f.Judgement, f.Reason)
	}
}

// In each version of TLS the same clients pass and fail.
func TestVersions(t *testing.T) {
	peertest.Need(t, "curl")
	pki := makePKI(t)
	for version, name := range map[uint16]string{tls.VersionTLS12: "TLS 1.2", tls.VersionTLS13: "TLS 1.3"} {
		for _, args := range [][]string{{"curl", "-sS", "--cacert", "{ca}", "{url}"}, {"curl", "-sSk", "{url}"}} {
			faults := chosen(t, nil)
			findings, err := pki.try(t, faults, version, args)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range findings {
				if f.TLS != "" && f.TLS != name && f.Case != "server-too-old" {
					t.Errorf("%s was in %s, not %s", f.Case, f.TLS, name)
				}
			}
			if holes := mirror.Holes(faults, findings); len(holes) > 0 != (args[1] == "-sSk") {
				t.Errorf("%s, %q: %v", name, args, holes)
			}
		}
	}
}

// The faults are on ports of their own and by name on the first, where there is
// an index, and who took one is known by user agent and certificate.
func TestServer(t *testing.T) {
	pki := makePKI(t)
	visits := make(chan *mirror.Visit, 10)
	all, err := mirror.Faults()
	if err != nil {
		t.Fatal(err)
	}
	s := pki.serve(t, mirror.Options{Faults: all, Addr: freePorts(t, len(all)), Visit: func(v *mirror.Visit) { visits <- v }})
	own, err := tls.LoadX509KeyPair(pki.files["cert"], pki.files["key"])
	if err != nil {
		t.Fatal(err)
	}
	get := func(url, at string, config *tls.Config) (string, error) {
		transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
		if at != "" {
			transport.DialContext = (&dialer{at}).dial
		}
		request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		request.Header.Set("User-Agent", "careless/1.0")
		response, err := (&http.Client{Transport: transport, Timeout: 5 * time.Second}).Do(request)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		return string(body), err
	}
	right := &tls.Config{RootCAs: x509.NewCertPool()}
	right.RootCAs.AddCert(pki.ca.Leaf)
	first := s.Listeners[0]

	list, err := get(first.URL+"faults.json", "", right)
	if err != nil {
		t.Fatal(err)
	}
	<-visits
	var entries []mirror.Entry
	if err := json.Unmarshal([]byte(list), &entries); err != nil || len(entries) != len(all) {
		t.Fatalf("%v: %s", err, list)
	}
	index, err := get(first.URL, "", right)
	if err != nil {
		t.Fatal(err)
	}
	<-visits
	for i, e := range entries {
		if want := fmt.Sprintf(":%d/", int(first.Addr.Port())+i); !strings.HasSuffix(e.URL, want) {
			t.Errorf("%s is at %s, not on %s", e.Name, e.URL, want)
		}
		if !strings.Contains(index, e.URL) {
			t.Errorf("%s is not in the index", e.URL)
		}
		if e.NameURL == "" || i == 0 {
			continue
		}
		if _, err := get(e.NameURL, first.Addr.String(), right); err == nil && e.Must == "refuse" {
			t.Errorf("%s is taken by name", e.Name)
		}
		if v := <-visits; v.Fault.Name != e.Name {
			t.Errorf("by name %s is %s", e.Name, v.Fault.Name)
		}
	}

	for accept, want := range map[string]string{"": first.URL + "  accept", "text/html": "<!DOCTYPE html>", "application/json": `[{"name":"good"`} {
		request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, first.URL, nil)
		request.Header.Set("Accept", accept)
		response, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: right, DisableKeepAlives: true}}).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		page, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if <-visits; !strings.HasPrefix(string(page), want) {
			t.Errorf("to %q: %.80s", accept, page)
		}
	}
	if _, err := get("http"+strings.TrimPrefix(first.URL, "https"), "", right); err != nil {
		t.Error(err)
	}
	if v := <-visits; !strings.Contains(v.Astray, "did not speak TLS on the port of good") {
		t.Errorf("plain HTTP: %q", v.Astray)
	}
	_, _ = get(strings.Replace(first.URL, "localhost", "expired-sever.localhost", 1), first.Addr.String(), right)
	if v := <-visits; !strings.Contains(v.Astray, "by the name expired-sever.localhost, which no server here has") {
		t.Errorf("an unknown name: %q", v.Astray)
	}

	careless := &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{own}}
	for _, url := range []string{entries[1].URL, entries[1].NameURL} {
		page, err := get(url, map[bool]string{true: first.Addr.String()}[url == entries[1].NameURL], careless)
		if err != nil || !strings.Contains(page, "should have refused") {
			t.Errorf("%v: %s", err, page)
		}
		f := (<-visits).Finding()
		if f.Case != entries[1].Name || f.Judgement != probe.Wrong || f.Peer != "careless/1.0" || f.Certificate != "CN=client" {
			t.Errorf("%+v", f)
		}
	}
}

// freePorts returns an address with n ports free from there on.
func freePorts(t *testing.T, n int) string {
	t.Helper()
	for base := 20000; base < 60000; base += n {
		var open []net.Listener
		for i := range n {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", base+i))
			if err != nil {
				break
			}
			open = append(open, l)
		}
		for _, l := range open {
			l.Close()
		}
		if len(open) == n {
			return fmt.Sprintf("127.0.0.1:%d", base)
		}
	}
	t.Skip("there are not ports enough")
	return ""
}

// dialer connects to one address, whatever the host is.
type dialer struct{ at string }

func (d *dialer) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, d.at)
}
