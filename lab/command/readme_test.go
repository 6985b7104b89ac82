package command_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

// TestREADME runs every transcript of the README ("console" blocks), one after
// the other in one folder, as a reader would.
func TestREADME(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the transcripts are of a Unix shell")
	}
	need(t, "sh")
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir, port := t.TempDir(), shortPort(t)
	t.Cleanup(func() { endServer(t, port) })
	var blocks int
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		blocks++
		for _, step := range strings.Split("\n"+block[1], "\n$ ")[1:] {
			typed, want, _ := strings.Cut(step, "\n")
			if peer, _, _ := strings.Cut(typed, " "); findPeer(peer) != nil && peer != "lab" {
				t.Logf("no %s: not run: %s", peer, typed)
				continue
			}
			// The folder first: its name may have the digits of the port.
			got := strings.ReplaceAll(shell(t, dir, port, typed), dir, "/tmp/demo")
			got = strings.NewReplacer(" -d tcp.port=="+port+",tls", "", port, "8443").Replace(got)
			if got, want := vague(dir, got), vague(dir, want); got != want {
				t.Errorf("$ %s\nprints\n%s\nand the README says\n%s", typed, got, want)
			}
		}
	}
	if blocks == 0 {
		t.Error("the README has no transcript")
	}
}

// shortPort is a free port of four digits, as that of the README is, so that
// what is laid out around it does not move.
func shortPort(t *testing.T) string {
	t.Helper()
	for port := 9000; port < 10000; port++ {
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return strconv.Itoa(port)
		}
	}
	t.Fatal("no port between 9000 and 9999 is free")
	return ""
}

// shell runs a command line of the README in dir. A server that it leaves in
// the background has been started by the time the next line is typed.
func shell(t *testing.T, dir, port, typed string) string {
	t.Helper()
	bin := filepath.Dir(labCommand(t))
	typed = strings.ReplaceAll(typed, "8443", port)
	typed = strings.ReplaceAll(typed, "tshark ", "tshark -d tcp.port=="+port+",tls ")
	cmd := exec.Command("sh", "-c", typed)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "LAB_ADDR=127.0.0.1:"+port,
		"LAB_TEST_MANIFEST="+defaultManifest(t), "SSLKEYLOGFILE=", "LC_ALL=C.UTF-8",
		"XDG_CACHE_HOME="+filepath.Join(dir, ".cache"))
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	_ = cmd.Run() // a status other than 0 is part of what some lines show
	if strings.HasSuffix(typed, "&") {
		if err := peertest.AwaitListener(port); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// endServer has a server that counts its exchanges come to its end, when steps
// that would have called it were left out.
func endServer(t *testing.T, port string) {
	for range 10 {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			return
		}
		c.Close()
	}
	t.Error("a server of the README still runs")
}

// vague replaces what differs from run to run.
func vague(dir, text string) string {
	text = strings.ReplaceAll(text, dir, "/tmp/demo")
	for _, change := range [][2]string{
		{`(?m)^.{8} ([│├┬┴])`, "$1"},                    // the times of a ladder,
		{`(?m)^│ +│ *\n`, ""},                           // its empty rungs,
		{`(?m)^│.*close_notify.*\n│.*\n`, ""},           // who closed first,
		{`(?m)[0-9,]+ B$`, "N B"},                       // sizes of signatures,
		{`127\.0\.0\.1:\d+ +127\.0\.0\.1:\d+`, "ADDRS"}, // and who talks
		{`\d+ \pL+ 20\d\d, [0-9:]+ UTC`, "TIME"},
		{`[0-9.]+ ms`, "N ms"},
		{`20\d\d-\d\d-\d\dT[0-9:]+Z`, "TIME"},
		{`20\d\d-\d\d-\d\d`, "DATE"},
		{`127\.0\.0\.1:\d+ to`, "ADDR to"},
		{`(?m)^(serial|SHA-256)( +)[0-9a-f]+`, "$1$2 HEX"},
		{`wireshark -k -i [^ ]+`, "wireshark -k -i lo"},
		{`Running as user "root".*\n`, ""},
		{`[ \t]+\n`, "\n"},
	} {
		text = regexp.MustCompile(change[0]).ReplaceAllString(text, change[1])
	}
	return strings.TrimSpace(text)
}

// labCommand is a lab program built from this test binary: see TestMain.
func labCommand(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lab")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	return path
}
