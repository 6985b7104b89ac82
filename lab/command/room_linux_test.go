package command_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"mtlslab.example/lab/lab/peertest"
)

// hosts are two machines on one network: network namespaces with a cable
// between them. Each sees only its own folder's files by its commands' --dir.
type hosts struct{ server, client string }

const serverAddress, secondAddress, clientAddress = "10.77.0.1", "10.77.0.3", "10.77.0.2"

func newHosts(t *testing.T) hosts {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for network namespaces")
	}
	need(t, "ip")
	h := hosts{fmt.Sprintf("lab-s-%d", os.Getpid()), fmt.Sprintf("lab-c-%d", os.Getpid())}
	if out, err := exec.Command("ip", "netns", "add", h.server).CombinedOutput(); err != nil {
		t.Skipf("needs network namespaces: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", h.server).Run() })
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", h.client).Run() })
	for _, line := range []string{
		"netns add " + h.client,
		"-n " + h.server + " link add eth0 type veth peer name eth0 netns " + h.client,
		"-n " + h.server + " addr add " + serverAddress + "/24 dev eth0",
		"-n " + h.server + " addr add " + secondAddress + "/24 dev eth0",
		"-n " + h.client + " addr add " + clientAddress + "/24 dev eth0",
		"-n " + h.server + " link set eth0 up", "-n " + h.client + " link set eth0 up",
		"-n " + h.server + " link set lo up", "-n " + h.client + " link set lo up",
	} {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			t.Skipf("needs a cable between network namespaces: ip %s: %v: %s", line, err, out)
		}
	}
	return h
}

// on returns a command on one of the hosts.
func on(host, dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("ip", append([]string{"netns", "exec", host}, args...)...)
	cmd.Dir = dir
	return cmd
}

// said is output in one line, however it was broken.
func said(out []byte) string { return strings.Join(strings.Fields(string(out)), " ") }

// TestTwoMachines: a trainer's folder, and a server and twenty clients elsewhere
// that have only their hand-outs.
func TestTwoMachines(t *testing.T) {
	need(t, "curl")
	h, program := newHosts(t), peertest.Build(t, "linux")
	trainer, at, room := t.TempDir(), t.TempDir(), t.TempDir()
	lab := func(args string) string {
		t.Helper()
		cmd := exec.Command(program, strings.Fields(args)...)
		cmd.Dir = trainer
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("lab %s: %v\n%s", args, err, out)
		}
		return said(out)
	}
	lab("certs generate")
	manifest, err := os.ReadFile(filepath.Join(trainer, "certs.yaml"))
	check(t, err)
	late := fmt.Sprintf("---\nsubject: CN=late\nissuer: CN=client-ca\next_key_usages: [ClientAuth]\nnot_before: %s\n", time.Now().Add(3*time.Minute+20*time.Second).UTC().Format(time.RFC3339))
	check(t, os.WriteFile(filepath.Join(trainer, "certs.yaml"), append(manifest, late...), 0o644))
	const url = "https://" + serverAddress + ":8443/"

	// Before the certificate has the address, the server says what to type.
	lab("certs handout server --url " + url)
	_, err = on(h.server, at, program, "join", filepath.Join(trainer, "handouts", "server.zip")).CombinedOutput()
	check(t, err)
	nameless := peertest.Start(t, on(h.server, at, program, "server", "--addr", "0.0.0.0:8443", "--capture", "off", "--keylog", "off"))
	nameless.Await(t, "^  lab certs add-name server "+serverAddress+" "+secondAddress+"$")
	nameless.Kill()

	lab("certs add-name server " + serverAddress)
	lab("certs handout server --force")
	lab("certs handout late")
	if out := lab("certs handout client --count 20"); !strings.Contains(out, "clients will call "+url) {
		t.Errorf("the URL is not that of the new address: %s", out)
	}
	check(t, os.RemoveAll(filepath.Join(at, "certs")))
	out, err := on(h.server, at, program, "join", filepath.Join(trainer, "handouts", "server.zip")).CombinedOutput()
	check(t, err)
	_, typed, _ := strings.Cut(string(out), "\n  lab ")
	typed, _, _ = strings.Cut(typed, "\n")
	server := peertest.Start(t, on(h.server, at, append([]string{program}, strings.Fields(typed+" --capture off --brief")...)...))
	server.Await(t, "^lab: others can type "+url[:len(url)-1]+"$")
	server.Await(t, "^lab: server on ")

	threeMinutes := regexp.MustCompile("[23] minutes ahead of this machine's clock")
	// A clock that is three minutes behind that of the CA.
	out, _ = on(h.client, room, program, "join", filepath.Join(trainer, "handouts", "late.zip"), "--dir", "late").CombinedOutput()
	if s := said(out); !strings.Contains(s, "warning: late is valid from ") || !threeMinutes.MatchString(s) {
		t.Errorf("a clock that is behind: %s", out)
	}
	server.Await(t, "not valid yet: it is valid from .*, [23] minutes ahead of the server's clock")

	var clients sync.WaitGroup
	for i := range 20 {
		name := fmt.Sprintf("client-%02d", i+1)
		clients.Go(func() {
			out, err := on(h.client, room, program, "join", filepath.Join(trainer, "handouts", name+".zip"), "--dir", name).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "> Hello CN="+name+"\n") {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
		})
	}
	clients.Wait()
	folder := filepath.Join(room, "client-07")
	out, err = on(h.client, folder, "curl", "-sS", "--cacert", "certs/server-ca.pem", "--cert", "certs/client-07.pem", "--key", "certs/client-07-key.pem", url).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Hello CN=client-07") {
		t.Errorf("curl: %v\n%s", err, out)
	}

	// An address that the certificate is not for.
	out, _ = on(h.client, folder, program, "client", "--cert", "client-07", "--url", "https://"+secondAddress+":8443/", "--brief").CombinedOutput()
	if !strings.Contains(said(out), "is not for "+secondAddress) {
		t.Errorf("a wrong name: %s", out)
	}

	// The room of a trainer, and a board of those who tell of an exercise.
	server.Kill()
	board := peertest.Start(t, on(h.server, at, append([]string{program}, strings.Fields(typed+" --capture off --room")...)...))
	board.Await(t, "^lab: server on ")
	out, err = on(h.client, folder, program, "exercise", "start", "lost-link", "--report", url).CombinedOutput()
	if err != nil || !strings.Contains(said(out), url+" was told: lost-link, 0 hints") {
		t.Errorf("a report: %v\n%s", err, out)
	}
	board.Await(t, "in CN=client-07; lost-link, 0 hints, 0 solved in all$")
}
