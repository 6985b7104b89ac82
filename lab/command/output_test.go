package command_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"mtlslab.example/lab/lab/command"
	"mtlslab.example/lab/lab/peertest"
)

// labIn is the lab program, to be run in a folder of its own with a PKI and a
// capture.
func labIn(t *testing.T) func(ctx context.Context, args string) *exec.Cmd {
	t.Helper()
	program, dir := labCommand(t), t.TempDir()
	environment := append(os.Environ(), "LAB_TEST_MANIFEST="+defaultManifest(t), "SSLKEYLOGFILE=", "LAB_ADDR=127.0.0.1:"+peertest.FreePort(t))
	run := func(ctx context.Context, args string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, program, strings.Fields(args)...)
		cmd.Dir, cmd.Env = dir, environment
		return cmd
	}
	if out, err := run(t.Context(), "up --count 1").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return run
}

// printing are commands that print something on stdout, some of them for ever.
var printing = []string{
	"", "--help", "--version", "help", "completion bash", "completion zsh", "completion fish", "completion powershell", "certs --generate-bash-completion",
	"certs", "certs list", "certs list --json", "certs show client", "certs show client --json", "certs verify", "certs verify --json", "certs generate",
	"certs regenerate client", "certs export client --format env", "certs export client --format pem-bundle --out -",
	"scenario list", "scenario list --json", "scenario list unknown_ca", "scenario show mtls", "scenario run mtls", "scenario run mtls --json", "scenario run mtls --brief",
	"scenario run --all", "explain lab.pcapng", "explain --list lab.pcapng", "explain --json lab.pcapng",
	"up --count 1", "up --interval 10ms", "up --interval 10ms --json", "up --interval 10ms --verbose",
	"help failing", "explain 48", "explain SAN", "explain unknown_ca", "explain --brief lab.pcapng", "explain lab.pcapng lab.pcapng", "explain --json lab.pcapng lab.pcapng",
	"check", "check --json", "check certs/client.pem", "check --server server --client client", "check --json --server server --client client",
	"up --help", "server --help", "client --help", "exec --help", "browser --help", "explain --help", "check --help", "probe --help", "probe client --help", "scenario export --help", "certs list --help", "scenario run --help",
}

// Output that cannot be written is a failure, reported in one line, and ends
// what would go on.
func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	run := labIn(t)
	for _, args := range printing {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := run(ctx, args)
		var talk bytes.Buffer
		cmd.Stdout, cmd.Stderr = full, &talk
		err := cmd.Run()
		cancel()
		if status(err) != 1 || strings.Count(talk.String(), "lab: error: ") != 1 || !strings.HasSuffix(talk.String(), errorFull) {
			t.Errorf("lab %s ends with %v and says\n%s", args, err, talk.String())
		}
	}
	for _, side := range [][2]string{{"server", "client --count 1"}, {"client --count 0 --interval 10ms", "server --count 1"}} { // these need somebody to talk to
		cmd, other := run(t.Context(), side[0]), run(t.Context(), side[1])
		var talk bytes.Buffer
		cmd.Stdout, cmd.Stderr = full, &talk
		first, second := cmd, other
		if strings.HasPrefix(side[0], "client") {
			first, second = other, cmd
		}
		if err := first.Start(); err != nil {
			t.Fatal(err)
		}
		if err := peertest.AwaitListener(portOf(cmd)); err != nil {
			t.Fatal(err)
		}
		_ = second.Run()
		_ = first.Wait()
		if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(talk.String(), "lab: error: cannot write to stdout: ") {
			t.Errorf("lab %s ends with %v and says\n%s", side[0], cmd.ProcessState, talk.String())
		}
	}
}

// errorFull is the end of what is said where stdout is a full disk.
const errorFull = `lab: error: cannot write to stdout: no space left on device
lab: hint: make room there, or write to another disk; df -h shows how full each
     is
`

// The exit status 1 of lab probe is that of a finding: what it cannot write is
// 3.
func TestFullDiskOfAProbe(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	run := labIn(t)
	server := run(t.Context(), "server --keylog off --capture off")
	peertest.Start(t, server)
	port := portOf(server)
	if err := peertest.AwaitListener(port); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{
		"probe localhost:" + port, "probe --json localhost:" + port, "probe --only expired-client localhost:" + port,
		"probe client --only expired-server -- true {url}", "probe client --json --only expired-server -- true {url}",
	} {
		cmd := run(t.Context(), args)
		var talk bytes.Buffer
		cmd.Stdout, cmd.Stderr = full, &talk
		err := cmd.Run()
		if status(err) != 3 || strings.Count(talk.String(), "lab: error: ") != 1 || !strings.HasSuffix(talk.String(), errorFull) {
			t.Errorf("lab %s ends with %v and says\n%s", args, err, talk.String())
		}
	}
}

// A capture on stdout ends without the lab, and is a failure in the end.
func TestFullDiskOfACapture(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	cmd := labIn(t)(t.Context(), "up --count 2 --interval 10ms --capture -")
	var talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = full, &talk
	err = cmd.Run()
	if status(err) != 1 || strings.Count(talk.String(), "no space left") != 1 || !strings.Contains(talk.String(), "2 exchanges: 2 accepted") {
		t.Errorf("%v: %s", err, talk.String())
	}
}

// portOf is the port that a lab command has in its environment.
func portOf(cmd *exec.Cmd) string {
	address := cmd.Env[slices.IndexFunc(cmd.Env, func(v string) bool { return strings.HasPrefix(v, "LAB_ADDR=") })]
	return address[strings.LastIndex(address, ":")+1:]
}

func status(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

// A reader that has seen enough, such as head, ends a command without a word,
// and with what a shell says of other programs.
func TestClosedPipe(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no such exit statuses")
	}
	run := labIn(t)
	for _, args := range printing {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := run(ctx, args)
		var talk bytes.Buffer
		cmd.Stderr = &talk
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		out.Close()
		err = cmd.Run()
		cancel()
		if status(err) != 141 || strings.Contains(talk.String(), "lab: error: ") {
			t.Errorf("lab %s ends with %v and says\n%s", args, err, talk.String())
		}
	}
}

// lab exec has no output of its own: its program's is the program's affair.
func TestFullDiskOfAProgram(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	cmd := labIn(t)(t.Context(), "exec -- sh -c")
	cmd.Args = append(cmd.Args, "exit 7")
	cmd.Stdout = full
	if err := cmd.Run(); status(err) != 7 {
		t.Error(err)
	}
}

// With --ascii, and in a locale that has nothing else, all output is ASCII.
func TestASCII(t *testing.T) {
	dir := t.TempDir()
	manifest := []byte("subject: CN=日本語\nfilename: ca\n---\nsubject: CN=ü\nfilename: ü\nissuer: CN=日本語\nca: true\n---\nsubject: CN=server-ca\n---\nsubject: CN=server\nissuer: CN=server-ca\nsans: [DNS:localhost]\n---\nsubject: CN=client-ca\n---\nsubject: CN=client\nissuer: CN=client-ca\n")
	t.Setenv("LAB_ADDR", "127.0.0.1:"+peertest.FreePort(t))
	lab := func(args string) string {
		var out bytes.Buffer
		program := command.Program{Manifest: manifest, Stdout: &out, Stderr: &out}
		program.Run(t.Context(), append([]string{"lab"}, strings.Fields(args)...))
		return out.String()
	}
	isASCII := func(s string) bool {
		return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
	}
	commands := []string{"up --count 1 --dir " + dir, "certs generate --dir " + dir, "certs list --dir " + dir, "certs list --json --dir " + dir, "certs show ca --dir " + dir, "certs verify --dir " + dir,
		"certs regenerate --dir " + dir, "certs show é --dir " + dir, "scenario list", "scenario list é", "scenario show mtls", "scenario run no-client-cert --dir " + dir, "scenario run --all --dir " + dir,
		"explain --list " + filepath.Join(dir, "lab.pcapng"), "explain " + filepath.Join(dir, "lab.pcapng"), "explain --verbose " + filepath.Join(dir, "lab.pcapng"), "explain é", "é", "exec -- é",
		"help failing", "explain SAN", "explain 48", "explain FIN", "explain " + filepath.Join(dir, "lab.pcapng") + " " + filepath.Join(dir, "lab.pcapng"),
		"check --dir " + dir, "check --server server --client client --dir " + dir, "check --server server --client server --dir " + dir, "check " + filepath.Join(dir, "certs", "ü.pem"),
		"probe 127.0.0.1:1 --dir " + dir, "probe client --only expired-server --dir " + dir + " -- true {url}", "scenario export expired-client --pki " + dir, "server --cert é --dir " + dir, "client --dir " + dir,
		"exercise --dir " + dir, "exercise start lost-link --dir " + dir, "exercise verify --dir " + dir, "exercise hint --dir " + dir, "exercise explain --give-up --dir " + dir, "exercise reset --dir " + dir,
		"exercise watch é --dir " + dir, "exercise show lost-link", "exercise lint lost-link", "exercise sheet lost-link --trainer", "exercise plan",
		"completion bash", "browser --cert é --dir " + dir}
	everyCommand(t, commands)
	for _, args := range commands {
		if out := lab(strings.Replace(args, " ", " --ascii ", 1)); args != "é" && args != "exec -- é" && (!isASCII(out) || out == "") {
			t.Errorf("lab %s --ascii:\n%s", args, out)
		}
	}
	for _, test := range []struct {
		all, ctype, lang string
		ascii            bool
	}{
		{"C", "en_US.UTF-8", "en_US.UTF-8", true}, {"POSIX", "", "", true}, {"", "C", "en_US.UTF-8", true}, {"", "", "C", true}, {"de_DE.ISO-8859-1@euro", "", "", true},
		{"C.UTF-8", "C", "C", false}, {"", "en_US.utf8", "C", false}, {"", "", "de_DE.UTF-8", false}, {"", "", "de_DE", false}, {"", "", "", false},
	} {
		t.Setenv("LC_ALL", test.all)
		t.Setenv("LC_CTYPE", test.ctype)
		t.Setenv("LANG", test.lang)
		if got := isASCII(lab("certs list --dir " + dir)); got != (test.ascii && runtime.GOOS != "windows") {
			t.Errorf("%+v: ASCII is %v", test, got)
		}
	}
	t.Setenv("LC_ALL", "C")
	for _, args := range commands {
		if strings.HasPrefix(args, "scenario run --all ") && !peertest.Full() {
			continue // it takes the longest
		}
		if out := lab(args); runtime.GOOS != "windows" && (!isASCII(out) || out == "") {
			t.Errorf("LC_ALL=C lab %s:\n%s", args, out)
		}
	}
}

// everyCommand fails if there is a command that none of the command lines is
// of.
func everyCommand(t *testing.T, lines []string) {
	t.Helper()
	for _, above := range []string{"", "certs ", "scenario ", "exercise "} {
		var names bytes.Buffer
		program := command.Program{Stdout: &names, Stderr: io.Discard}
		program.Run(t.Context(), append([]string{"lab"}, strings.Fields(above+"--generate-bash-completion")...))
		for name := range strings.FieldsSeq(names.String()) {
			if name := above + name; !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line+" ", name+" ") }) && name != "certs" && name != "scenario" && !strings.Contains(name, " -") {
				t.Errorf("lab %s is not among those that are tried", name)
			}
		}
	}
}

// Everything is printed by way of output.go, where it is cleaned: nothing else
// writes to stdout and stderr with functions of fmt.
func TestNothingElsePrints(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || name == "output.go" {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			function, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pack, _ := function.X.(*ast.Ident)
			if pack == nil || pack.Name != "fmt" || !strings.Contains(function.Sel.Name, "rint") || strings.HasPrefix(function.Sel.Name, "S") {
				return true
			}
			if to, ok := call.Args[0].(*ast.UnaryExpr); !ok || to.Op != token.AND { // a buffer
				t.Errorf("%s: fmt.%s", set.Position(n.Pos()), function.Sel.Name)
			}
			return true
		})
	}
}

// stuck is a reader that has stopped: a write to it waits for ever.
type stuck struct {
	once         sync.Once
	begun, never chan struct{}
}

func (s *stuck) Write([]byte) (int, error) {
	s.once.Do(func() { close(s.begun) })
	<-s.never
	return 0, nil
}

// TestStoppedReaderHoldsUpNoEnd ends a server whose results nobody reads.
func TestStoppedReaderHoldsUpNoEnd(t *testing.T) {
	manifest, err := os.ReadFile(defaultManifest(t))
	if err != nil {
		t.Fatal(err)
	}
	dir, out, port := t.TempDir(), &stuck{begun: make(chan struct{}), never: make(chan struct{})}, peertest.FreePort(t)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan int)
	go func() {
		p := command.Program{Manifest: manifest, Stdout: out, Stderr: io.Discard}
		ended <- p.Run(ctx, []string{"lab", "server", "--dir", dir, "--addr", "127.0.0.1:" + port})
	}()
	if err := peertest.AwaitListener(port); err != nil {
		t.Fatal(err)
	}
	client, err := tls.Dial("tcp", "127.0.0.1:"+port, &tls.Config{InsecureSkipVerify: true})
	if err == nil {
		_, _ = client.Read(make([]byte, 1)) // refused, without a certificate
		client.Close()
	}
	select {
	case <-out.begun:
	case <-time.After(20 * time.Second):
		t.Fatal("nothing is printed")
	}
	stop()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("the server goes on")
	}
}
