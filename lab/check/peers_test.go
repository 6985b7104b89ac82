package check

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/scenario"
)

// isOfFiles reports whether a scenario is one by its files alone, and not by
// what its sides are set to.
func isOfFiles(s *scenario.Scenario) bool {
	plain := func(h scenario.Half) bool {
		h.Certificate, h.Trust, h.URL, h.ServerName = "", nil, "", ""
		return reflect.DeepEqual(h, scenario.Half{})
	}
	return plain(s.Server) && plain(s.Client) && s.Then == nil && s.ECH == "" && s.Calls == 1 &&
		len(s.Versions()) > 0 && s.Server.Certificate != "none"
}

// sideFiles are the files that a side of a scenario has.
type sideFiles struct {
	certificate, key string // "": none
	trusts           []string
}

func filesOf(h scenario.Half, dir, certificate, trust string) (f sideFiles) {
	if h.Certificate != "" {
		certificate = h.Certificate
	}
	if certificate != "none" {
		f.certificate, f.key = filepath.Join(dir, certificate+".pem"), filepath.Join(dir, certificate+"-key.pem")
	}
	trusts := h.Trust
	if len(trusts) == 0 {
		trusts = []string{trust}
	}
	for _, name := range trusts {
		f.trusts = append(f.trusts, filepath.Join(dir, name+".pem"))
	}
	return f
}

// crls returns the CRLs of the CAs that the side trusts.
func (f sideFiles) crls() (files []string) {
	for _, ca := range f.trusts {
		file := strings.TrimSuffix(ca, ".pem") + "-crl.pem"
		if _, err := os.Stat(file); err == nil {
			files = append(files, file)
		}
	}
	return files
}

// crlFlag lets OpenSSL look at CRLs where there are any.
func (f sideFiles) crlFlag() []string {
	if len(f.crls()) > 0 {
		return []string{"-crl_check"}
	}
	return nil
}

// loaded returns what lab check makes of the files.
func (f sideFiles) loaded(t *testing.T, side endpoint.Side) *lab.Loaded {
	t.Helper()
	own, trusts := []string{}, f.trusts
	if f.certificate != "" {
		own = []string{f.certificate, f.key}
	}
	var reports [2]*Report
	for i, names := range [][]string{own, append(trusts[:len(trusts):len(trusts)], f.crls()...)} {
		files, err := Open(names, nil)
		if err != nil {
			t.Fatal(err)
		}
		reports[i] = Of(files)
	}
	l, err := reports[0].Side(side, reports[1])
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// laxer are the scenarios in which OpenSSL's programs take what Go refuses, and
// why.
var laxer = map[string]string{
	"cn-only": "without alternative names OpenSSL compares the subject's CN",
}

// TestFilesOfScenarios: for every scenario that is one by its files, lab check
// finds out of the files what the lab's server and client find over TCP, and so
// do OpenSSL's.
func TestFilesOfScenarios(t *testing.T) {
	all, err := scenario.All()
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile("../../certs.yaml")
	if err != nil {
		t.Fatal(err)
	}
	o := scenario.Options{Manifest: manifest, Dir: t.TempDir()}
	compared := 0
	for _, s := range all {
		if !isOfFiles(s) {
			continue
		}
		compared++
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			real := map[uint16]*lab.Exchange{}
			for _, version := range s.Versions() {
				r, err := s.Run(context.Background(), version, o)
				if err != nil {
					t.Fatal(err)
				}
				real[version] = r.Exchange
			}
			dir := s.Certs(filepath.Join(o.Dir, "certs"))
			server, client := filesOf(s.Server, dir, "server", "client-ca"), filesOf(s.Client, dir, "client", "server-ca")
			name := s.Client.URL
			if s.Client.ServerName != "" {
				name = s.Client.ServerName
			}
			if name == "" {
				name = "localhost"
			}
			met, err := Meet(context.Background(), server.loaded(t, endpoint.Server), client.loaded(t, endpoint.Client), name)
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range met {
				x, run := real[h.Version]
				if !run {
					continue
				}
				got, want := summaryOf(h.Exchange), summaryOf(x)
				if s.Client.ServerName != "" { // there the URL has another name
					got.Reason, want.Reason = "", ""
				}
				if got != want {
					t.Errorf("%s:\n got %+v\nwant %+v", tls.VersionName(h.Version), got, want)
				}
				if laxer[s.Name] == "" {
					compareWithOpenSSL(t, h, server, client, name)
				}
			}
		})
	}
	if compared < 20 {
		t.Errorf("only %d scenarios are ones by their files", compared)
	}
}

// compareWithOpenSSL lets s_server and s_client shake hands with the files.
func compareWithOpenSSL(t *testing.T, h Handshake, server, client sideFiles, name string) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		return // the other half of the test runs without
	}
	version := map[uint16]string{tls.VersionTLS12: "-tls1_2", tls.VersionTLS13: "-tls1_3"}[h.Version]
	bundle := func(f sideFiles) string {
		file := filepath.Join(t.TempDir(), "trusted.pem")
		var all []byte
		for _, one := range append(f.crls(), f.trusts...) {
			data, err := os.ReadFile(one)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, data...)
		}
		if err := os.WriteFile(file, all, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	serves := peertest.Start(t, exec.Command("openssl", append([]string{"s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-rev", version,
		"-cert", server.certificate, "-cert_chain", server.certificate, "-key", server.key, "-CAfile", bundle(server), "-Verify", "9", "-verify_return_error"}, server.crlFlag()...)...))
	defer serves.Kill()
	port := serves.Await(t, `ACCEPT 127\.0\.0\.1:`)
	args := []string{"s_client", "-connect", "127.0.0.1:" + port, "-ign_eof", version, "-CAfile", bundle(client), "-verify_return_error", "-servername", name, "-verify_hostname", name}
	if net.ParseIP(name) != nil {
		args = append(args[:len(args)-4], "-verify_ip", name)
	}
	args = append(args, client.crlFlag()...)
	if client.certificate != "" {
		args = append(args, "-cert", client.certificate, "-cert_chain", client.certificate, "-key", client.key)
	}
	ctx, cancel := context.WithTimeout(context.Background(), peertest.Patience)
	defer cancel()
	calls := exec.CommandContext(ctx, "openssl", args...)
	calls.Stdin = strings.NewReader("stressed desserts\nCLOSE\n")
	out, _ := calls.CombinedOutput()
	said := serves.Wait(t)
	outcome, by := "rejected", endpoint.Unknown
	switch {
	case strings.Contains(string(out), "stressed desserts") && !strings.Contains(string(out), "SSL alert number"):
		outcome = "accepted"
	case strings.Contains(string(out), "SSL alert number"):
		by = endpoint.Server
	case strings.Contains(said, "SSL alert number"):
		by = endpoint.Client
	}
	if string(h.Exchange.Outcome) != outcome || h.Exchange.RejectedBy != by {
		t.Errorf("%s: %s by %v, and with OpenSSL %s by %v\n%s\n%s", tls.VersionName(h.Version), h.Exchange.Outcome, h.Exchange.RejectedBy, outcome, by, out, said)
	}
}
