package scenario

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
)

// A program that loads the files of an export, and is right, refuses as the
// list says.
func TestExport(t *testing.T) {
	var all []*Scenario
	for _, s := range builtIn() {
		if s.IsInCertificates() {
			all = append(all, s)
		}
	}
	for whose, ca := range map[string]tls.Certificate{"new": {}, "users": usersCAs(t)["client-ca"]} {
		t.Run(whose, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "new", "pki")
			if err := Export(t.Context(), all, dir, ExportOptions{Manifest: baseManifest(t), CA: ca, Hosts: []string{"a.example"}}); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(filepath.Join(dir, ExportList))
			if err != nil {
				t.Fatal(err)
			}
			var list []Exported
			if err := json.Unmarshal(text, &list); err != nil || len(list) != len(all) {
				t.Fatalf("%d cases, %v", len(list), err)
			}
			for _, e := range list {
				checkExported(t, dir, &e)
			}
		})
	}
}

func checkExported(t *testing.T, dir string, e *Exported) {
	t.Helper()
	for _, key := range []string{e.Server.Key, e.Client.Key} {
		if info, err := os.Stat(filepath.Join(dir, key)); err != nil || key != "" && runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", e.Name, info, err)
		}
	}
	if e.MayPass != "" || slices.Contains([]string{"negative-serial", "reversed-chain"}, e.Name) { // what is not Go's: a serial number or a file that it does not load
		return
	}
	refused := shake(t, dir, e)
	if refused != e.Refuses {
		t.Errorf("%s: %q refuses, not %q", e.Name, refused, e.Refuses)
	}
	if e.Refuses != endpoint.Unknown && len(e.Alerts) == 0 {
		t.Errorf("%s has no alert", e.Name)
	}
}

// shake shakes hands with the files of a case, and returns who refused.
func shake(t *testing.T, dir string, e *Exported) endpoint.Side {
	t.Helper()
	config := func(f ExportedFiles) (*tls.Config, *x509.CertPool) {
		trusts := x509.NewCertPool()
		text, err := os.ReadFile(filepath.Join(dir, f.Trusts))
		if err != nil || !trusts.AppendCertsFromPEM(text) {
			t.Fatalf("%s: %v", e.Name, err)
		}
		c := &tls.Config{MaxVersion: tls.VersionTLS12} // in which a server refuses within the handshake
		if f.Certificate != "" {
			pair, err := tls.LoadX509KeyPair(filepath.Join(dir, f.Certificate), filepath.Join(dir, f.Key))
			if err != nil {
				t.Fatalf("%s: %v", e.Name, err)
			}
			c.Certificates = []tls.Certificate{pair}
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		}
		return c, trusts
	}
	server, clients := config(e.Server)
	server.ClientAuth, server.ClientCAs = tls.RequireAndVerifyClientCert, clients
	client, servers := config(e.Client)
	client.ServerName, client.RootCAs = e.Host, servers
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	judged := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			defer conn.Close()
			err = tls.Server(conn, server).HandshakeContext(t.Context())
		}
		judged <- err
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	own := tls.Client(conn, client).HandshakeContext(t.Context())
	conn.Close()
	other := <-judged
	var alert tls.AlertError
	var remote *net.OpError
	switch {
	case own == nil && other == nil:
		return endpoint.Unknown
	case errors.As(other, &remote), errors.As(other, &alert):
		return endpoint.Client
	}
	return endpoint.Server
}

// What is there is left as it is.
func TestExportReplacesNothing(t *testing.T) {
	s, err := Find("expired-server")
	if err != nil {
		t.Fatal(err)
	}
	o := ExportOptions{Manifest: baseManifest(t)}
	parent := t.TempDir()
	full, empty, file := filepath.Join(parent, "full"), filepath.Join(parent, "empty"), filepath.Join(parent, "full", "mine")
	for _, dir := range []string{full, empty} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	var way *InTheWayError
	for _, dir := range []string{full, file} {
		if err := Export(t.Context(), []*Scenario{s}, dir, o); !errors.As(err, &way) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	if err := Export(t.Context(), []*Scenario{s}, empty, o); err != nil {
		t.Error(err)
	}
	slow, err := Find("slow-server")
	if err != nil {
		t.Fatal(err)
	}
	var not *NotExportedError
	if err := Export(t.Context(), []*Scenario{s, slow}, filepath.Join(parent, "none"), o); !errors.As(err, &not) {
		t.Error(err)
	}
	entries, err := os.ReadDir(parent)
	if err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}
}
