package command_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/text"
)

// TestManyClients has many clients call one server at once: all are answered,
// and all are in the capture.
func TestManyClients(t *testing.T) {
	const atOnce = 50
	count := 200
	if peertest.Full() {
		count = 5000
	}
	program, dir, port := labCommand(t), t.TempDir(), peertest.FreePort(t)
	lab := func(args ...string) *exec.Cmd {
		cmd := exec.Command(program, args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "LAB_TEST_MANIFEST="+defaultManifest(t), "SSLKEYLOGFILE=")
		return cmd
	}
	server := peertest.Start(t, lab("server", "--count", fmt.Sprint(count), "--addr", "127.0.0.1:"+port))
	server.Await(t, "^lab: server on ")

	own, err := tls.LoadX509KeyPair(filepath.Join(dir, "certs", "client.pem"), filepath.Join(dir, "certs", "client-key.pem"))
	check(t, err)
	ca, err := os.ReadFile(filepath.Join(dir, "certs", "server-ca.pem"))
	check(t, err)
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(ca)
	client := &http.Client{Timeout: peertest.Patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{Certificates: []tls.Certificate{own}, RootCAs: trusted, ServerName: "localhost"},
	}}
	var calls atomic.Int64
	var callers sync.WaitGroup
	for range atOnce {
		callers.Go(func() {
			for calls.Add(1) <= int64(count) {
				if body, err := get(client, "https://127.0.0.1:"+port+"/"); err != nil || !strings.HasPrefix(body, "Hello CN=client") {
					t.Errorf("%q, %v", body, err)
				}
			}
		})
	}
	callers.Wait()
	if said, want := server.Wait(t), fmt.Sprintf("lab: %[1]s exchanges: %[1]s accepted, 0 rejected", text.Grouped(int64(count))); !strings.Contains(said, want) {
		t.Errorf("no %q in the last of %s", want, said[max(0, len(said)-1000):])
	}
	list, err := lab("explain", "lab.pcapng", "--list").Output()
	if got := strings.Count(string(list), " accepted   CN=client "); err != nil || got != count {
		t.Errorf("%d of %d exchanges are in the capture: %v", got, count, err)
	}
}

func get(client *http.Client, url string) (string, error) {
	r, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return string(body), err
}
