package command_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"mtlslab.example/lab/lab/peertest"
)

// documents are the paths of all Markdown files, below root, in the order of
// the alphabet.
func documents(t *testing.T) (paths []string) {
	t.Helper()
	check(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && (name == ".git" || name == "testdata" || name == "bin") { // bin is what a release has left
			return filepath.SkipDir
		}
		if filepath.Ext(path) == ".md" {
			path, err = filepath.Rel(root, path)
			paths = append(paths, path)
		}
		return err
	}))
	return paths
}

// readDocument returns the text of a document.
func readDocument(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	check(t, err)
	return string(text)
}

// TestREADMEIsShort: what does not fit belongs into the document beside its
// code.
func TestREADMEIsShort(t *testing.T) {
	if size := len(readDocument(t, "README.md")); size >= 16<<10 {
		t.Errorf("README.md has %d bytes, and must have less than 16 KiB", size)
	}
}

// TestProseIsWrapped: outside of tables and code no line of a document has more
// than 100 characters, unless it is one word.
func TestProseIsWrapped(t *testing.T) {
	for _, path := range documents(t) {
		fenced := false
		for line := range strings.Lines(readDocument(t, path)) {
			line = strings.TrimSuffix(line, "\n")
			if strings.HasPrefix(line, "```") {
				fenced = !fenced
			}
			prose := !fenced && !strings.HasPrefix(line, "|") && !strings.HasPrefix(line, "    ")
			if prose && utf8.RuneCountInString(line) > 100 && len(strings.Fields(line)) > 1 {
				t.Errorf("%s: %s", path, line)
			}
		}
	}
}

// TestLinks: what a document links to in the repository is there, as is the
// heading.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]*)(#[^)]*)?\)`)
	heading := regexp.MustCompile(`(?m)^#+ (.*)$`)
	unlinked := regexp.MustCompile("[^a-z0-9 -]")
	for _, path := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(readDocument(t, path), -1) {
			target := path
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(path), filepath.FromSlash(m[1]))
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s links to %s: %v", path, m[1], err)
				continue
			}
			found := m[2] == ""
			if !found {
				for _, h := range heading.FindAllStringSubmatch(readDocument(t, target), -1) {
					anchor := unlinked.ReplaceAllString(strings.ToLower(h[1]), "")
					found = found || m[2] == "#"+strings.ReplaceAll(anchor, " ", "-")
				}
			}
			if !found {
				t.Errorf("%s links to %s%s: there is no such heading", path, target, m[2])
			}
		}
	}
}

var transcript = regexp.MustCompile("(?s)```console\n(.*?)```")

// TestTranscripts runs the transcripts of every document ("console" blocks),
// one after the other in one folder, as a reader would. That of README.md is
// empty at first; the others have the certificates that lab up makes.
func TestTranscripts(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the transcripts are of a Unix shell")
	}
	need(t, "sh")
	for _, path := range documents(t) {
		blocks := transcript.FindAllStringSubmatch(readDocument(t, path), -1)
		if path == "README.md" && len(blocks) == 0 {
			t.Error("README.md has no transcript")
		}
		if len(blocks) == 0 {
			continue
		}
		t.Run(path, func(t *testing.T) {
			r := &reader{dir: t.TempDir(), bin: filepath.Dir(labCommand(t)), port: shortPort(t)}
			t.Cleanup(func() { endServer(t, r.port) })
			if path != "README.md" {
				r.types(t, "lab certs generate", "")
			}
			for _, block := range blocks {
				for _, step := range strings.Split("\n"+block[1], "\n$ ")[1:] {
					typed, want, _ := strings.Cut(step, "\n")
					r.follows(t, typed, want)
				}
			}
		})
	}
}

// reader is a person who types what a document shows.
type reader struct{ dir, bin, port string }

// follows types a command line and compares what it prints with what the
// document says. A line [...] there stands for any lines, and ^C for Ctrl-C,
// which is typed when the line before it has been printed.
func (r *reader) follows(t *testing.T, typed, want string) {
	t.Helper()
	for _, word := range strings.Fields(typed) {
		if word == "curl" || word == "tshark" {
			need(t, word) // without it the rest of the document may differ
		}
	}
	printed, rest, interrupted := strings.Cut(want, "\n^C\n")
	until := ""
	if interrupted {
		want = printed + "\n" + rest
		until = strings.TrimRight(printed, "\n")
		until = until[strings.LastIndex(until, "\n")+1:]
	}
	// The folder first: its name may have the digits of the port.
	got := strings.ReplaceAll(r.types(t, typed, until), r.dir, "/tmp/demo")
	got = strings.NewReplacer(" -d tcp.port=="+r.port+",tls", "", r.port, "8443").Replace(got)
	got, want = vague(r.dir, got), vague(r.dir, want)
	first, last, _ := strings.Cut(want, "[...]\n")
	if got == want || first != want && strings.HasPrefix(got, first) && strings.HasSuffix(got, last) {
		return
	}
	t.Errorf("$ %s\nprints\n%s\nand the document says\n%s", typed, got, want)
}

// shortPort is a free port of four digits, as that of the documents is, so that
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

// types runs a command line in the reader's folder and returns what it prints.
// A server that it leaves in the background has been started by then. With
// until it interrupts the command when that has printed a line that begins as
// until does before its first digit.
func (r *reader) types(t *testing.T, typed, until string) string {
	t.Helper()
	typed = strings.ReplaceAll(typed, "8443", r.port)
	typed = strings.ReplaceAll(typed, "tshark ", "tshark -d tcp.port=="+r.port+",tls ")
	if until != "" {
		typed = "exec " + typed
	}
	cmd := exec.Command("sh", "-c", typed)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "PATH="+r.bin+":"+os.Getenv("PATH"), "LAB_ADDR=127.0.0.1:"+r.port,
		"LAB_TEST_MANIFEST="+defaultManifest(t), "SSLKEYLOGFILE=", "LC_ALL=C.UTF-8",
		"XDG_CACHE_HOME="+filepath.Join(r.dir, ".cache"))
	if until != "" {
		program := peertest.Start(t, cmd)
		program.Await(t, "^"+regexp.QuoteMeta(until[:strings.IndexAny(until+"0", "0123456789")]))
		check(t, cmd.Process.Signal(os.Interrupt))
		return program.Wait(t)
	}
	out, err := os.CreateTemp(t.TempDir(), "out")
	check(t, err)
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	_ = cmd.Run() // a status other than 0 is part of what some lines show
	if strings.HasSuffix(typed, "&") {
		check(t, peertest.AwaitListener(r.port))
	}
	text, err := os.ReadFile(out.Name())
	check(t, err)
	return string(text)
}

// endServer calls a server that counts its exchanges until it has ended, in
// place of steps that were left out.
func endServer(t *testing.T, port string) {
	err := peertest.Poll(func() error {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			return nil
		}
		c.Close()
		return errors.New("a server of a document still runs")
	})
	if err != nil {
		t.Error(err)
	}
}

// vague replaces what differs from run to run.
func vague(dir, text string) string {
	text = strings.ReplaceAll(text, dir, "/tmp/demo")
	for _, change := range [][2]string{
		{`(?m)^.{8} ([│├┬┴])`, "$1"},                            // the times of a ladder,
		{`(?m)^│ +│ *\n`, ""},                                   // its empty rungs,
		{`(?m)^│.*close_notify.*\n│.*\n`, ""},                   // who closed first,
		{`(?m)[0-9,]+ B$`, "N B"},                               // sizes of signatures,
		{`127\.0\.0\.1:\d+ +127\.0\.0\.1:\d+`, "ADDRS"},         // and who talks
		{`(\d+ \pL+ 20\d\d, [0-9:]+) to [0-9:]+ UTC`, "$1 UTC"}, // of a summary: within a second or not,
		{`(?m)^([0-9,]+ +)[0-9:]{8}  [0-9:]{8} `, "$1 TIMES"},   // and its table
		{`\d+ \pL+ 20\d\d, [0-9:]+ UTC`, "TIME"},
		{`connections in [0-9.]+ m?s:`, "connections in N ms:"},
		{`[0-9.]+ ms`, "N ms"},
		{`20\d\d-\d\d-\d\dT[0-9:]+Z`, "TIME"},
		{`20\d\d-\d\d-\d\d`, "DATE"},
		{`127\.0\.0\.1:\d+ to`, "ADDR to"},
		{`(?m)^( *(?:serial|SHA-256) +)[0-9a-f]+`, "$1 HEX"},
		{`wireshark -k -i [^ ]+`, "wireshark -k -i lo"},
		{`Running as user "root".*\n`, ""},
		{`[ \t]+\n`, "\n"},
	} {
		text = regexp.MustCompile(change[0]).ReplaceAllString(text, change[1])
	}
	return strings.TrimSpace(text)
}

// labCommand is a lab program built from this test binary: see TestMain.
func labCommand(t testing.TB) string {
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
