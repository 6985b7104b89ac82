package mirror_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/probe"
	"mtlslab.example/lab/lab/probe/mirror"
)

// TestMain makes this program a client in Go, too: see goClient.
func TestMain(m *testing.M) {
	if how := os.Getenv("MIRROR_CLIENT"); how != "" {
		if err := goClient(how, os.Args[1], os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func goClient(how, url, ca string) error {
	text, err := os.ReadFile(ca)
	if err != nil {
		return err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), InsecureSkipVerify: how == "nothing"}
	config.RootCAs.AppendCertsFromPEM(text)
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: config}}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

const (
	any    = "it accepts any certificate"
	some   = "it accepts certificates that must not be accepted"
	noHost = "it does not compare the host with the certificate"
	old    = "it speaks a version of TLS that is too old"
)

// few are faults enough for clients that are slow to start.
var few = []string{"expired-server", "untrusted-server", "wrong-host", "server-wrong-eku"}

// clients are programs that call a server rightly, or wrongly.
var clients = []struct {
	name  string
	needs []string
	args  []string
	holes []string // that are to be found; none: it does everything right
	only  []string // faults; nil: all but that which takes long
}{
	{"curl", []string{"curl"}, []string{"curl", "-sS", "--cacert", "{ca}", "{url}"}, nil, nil},
	{"curl with a CRL", []string{"curl"}, []string{"curl", "-sS", "--cacert", "{ca}", "--crlfile", "{crl}", "{url}"}, nil, nil},
	{"curl with a client certificate", []string{"curl"}, []string{"curl", "-sS", "--cacert", "{ca}", "--cert", "{cert}", "--key", "{key}", "{url}"}, nil, []string{"slow-server", "wrong-host"}},
	{"curl -k", []string{"curl"}, []string{"curl", "-sSk", "{url}"}, []string{any, noHost}, nil},
	// With GnuTLS it asks for no purpose of a certificate, and speaks TLS 1.1.
	{"wget", []string{"wget"}, []string{"wget", "-qO-", "-t1", "-T20", "--ca-certificate={ca}", "{url}"}, []string{some, old}, nil},
	{"wget --no-check-certificate", []string{"wget"}, []string{"wget", "-qO-", "-t1", "-T20", "--no-check-certificate", "{url}"}, []string{any, noHost, old}, nil},
	{"openssl s_client -verify_return_error", []string{"openssl"}, []string{"openssl", "s_client", "-connect", "{host}:{port}", "-CAfile", "{ca}", "-verify_hostname", "{host}", "-verify_return_error"}, nil, nil},
	{"openssl s_client without -verify_hostname", []string{"openssl"}, []string{"openssl", "s_client", "-connect", "{host}:{port}", "-CAfile", "{ca}", "-verify_return_error"}, []string{noHost}, nil},
	{"openssl s_client", []string{"openssl"}, []string{"openssl", "s_client", "-connect", "{host}:{port}", "-CAfile", "{ca}"}, []string{any, noHost}, nil},
	{"Python", []string{"python3"}, []string{"python3", "testdata/call.py", "verify", "{url}", "{ca}", "{cert}", "{key}"}, nil, nil},
	{"Python without check_hostname", []string{"python3"}, []string{"python3", "testdata/call.py", "nohost", "{url}", "{ca}", "{cert}", "{key}"}, []string{noHost}, few},
	{"Python with CERT_NONE", []string{"python3"}, []string{"python3", "testdata/call.py", "nothing", "{url}", "{ca}", "{cert}", "{key}"}, []string{any, noHost}, few},
	{"Node.js", []string{"node"}, []string{"node", "testdata/call.js", "verify", "{url}", "{ca}"}, nil, few},
	{"Node.js with rejectUnauthorized: false", []string{"node"}, []string{"node", "testdata/call.js", "nothing", "{url}", "{ca}"}, []string{any, noHost}, few},
	{"Java", []string{"java", "javac"}, []string{"java", "-XX:TieredStopAtLevel=1", "-cp", "{classes}", "Call", "verify", "{url}", "{ca}"}, nil, few},
	{"Java with a TrustManager that trusts all", []string{"java", "javac"}, []string{"java", "-XX:TieredStopAtLevel=1", "-cp", "{classes}", "Call", "nothing", "{url}", "{ca}"}, []string{any, noHost}, few},
	{"Go", nil, []string{"env", "MIRROR_CLIENT=verify", os.Args[0], "{url}", "{ca}"}, nil, nil},
	{"Go with InsecureSkipVerify", nil, []string{"env", "MIRROR_CLIENT=nothing", os.Args[0], "{url}", "{ca}"}, []string{any, noHost}, nil},
}

// Every client that does it right passes, and of those that do not each hole is
// named.
func TestClients(t *testing.T) {
	pki := makePKI(t)
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			peertest.Need(t, append([]string{"env"}, c.needs...)...)
			if slices.Contains(c.needs, "wget") {
				if says, _ := exec.CommandContext(t.Context(), "wget", "--version").Output(); !bytes.Contains(says, []byte("+ssl/gnutls")) {
					t.Skip("this wget has another TLS library than GnuTLS")
				}
			}
			if slices.Contains(c.needs, "javac") {
				c.args = slices.Clone(c.args)
				c.args[slices.Index(c.args, "{classes}")] = compile(t)
			}
			faults := chosen(t, c.only)
			findings, err := pki.try(t, faults, 0, c.args)
			if err != nil {
				t.Fatal(err)
			}
			var holes []string
			for _, hole := range mirror.Holes(faults, findings) {
				holes = append(holes, hole.What)
			}
			if !slices.Equal(holes, c.holes) {
				t.Errorf("the holes are %q, not %q", holes, c.holes)
			}
			for _, f := range findings {
				if f.Judgement == probe.Unknown || f.Judgement == probe.Wrong && len(c.holes) == 0 {
					t.Errorf("%s: %s: %s", f.Case, f.Words(), f.Reason)
				}
			}
		})
	}
}

// compile returns the folder of the client in Java.
func compile(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "javac", "-d", dir, "testdata/Call.java").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// chosen returns the control and the faults of those names; of nil, all but the
// server that says nothing.
func chosen(t *testing.T, only []string) []*mirror.Fault {
	t.Helper()
	all, err := mirror.Faults()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(f *mirror.Fault) bool {
		if only == nil {
			return f.Name == "slow-server"
		}
		return !f.IsControl() && !slices.Contains(only, f.Name)
	})
}

// pki is a PKI on the disk, as a client needs it.
type pki struct {
	ca       tls.Certificate
	manifest []byte
	files    map[string]string
}

func makePKI(t *testing.T) *pki {
	t.Helper()
	manifest, err := os.ReadFile("../../../certs.yaml")
	if err != nil {
		t.Fatal(err)
	}
	m, err := certgen.Parse("certs.yaml", manifest)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := certgen.Generate(t.Context(), m, dir, certgen.Options{}); err != nil {
		t.Fatal(err)
	}
	p := &pki{manifest: manifest, files: map[string]string{"ca": filepath.Join(dir, "server-ca.pem"), "cert": filepath.Join(dir, "client.pem"), "key": filepath.Join(dir, "client-key.pem")}}
	if p.ca, err = certgen.Load(dir, "server-ca"); err != nil {
		t.Fatal(err)
	}
	return p
}

// serve serves faults until the test has ended.
func (p *pki) serve(t *testing.T, o mirror.Options) *mirror.Server {
	t.Helper()
	o.Manifest, o.CA = p.manifest, p.ca
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	s, err := mirror.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// try calls a command for each fault, in one version of TLS or, with 0, in any.
func (p *pki) try(t *testing.T, faults []*mirror.Fault, version uint16, args []string) (findings []*probe.Finding, err error) {
	t.Helper()
	s := p.serve(t, mirror.Options{Faults: faults, Version: version})
	files := map[string]string{"ca": p.files["ca"], "cert": p.files["cert"], "key": p.files["key"], "crl": filepath.Join(t.TempDir(), "crl.pem")}
	if err := os.WriteFile(files["crl"], pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: s.CRL}), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &mirror.Command{Args: args, Files: files, Parallel: 2}
	err = c.Try(t.Context(), s, func(f *probe.Finding) { findings = append(findings, f) })
	return findings, err
}
