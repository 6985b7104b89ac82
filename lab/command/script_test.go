package command_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mtlslab.example/lab/lab/command"
	"mtlslab.example/lab/lab/peertest"
)

// TestMain lets this test binary stand in for lab, in scripts and elsewhere.
func TestMain(m *testing.M) {
	if port := os.Getenv(bareServerPort); port != "" {
		bareServer(port, os.Getenv(bareServerCerts))
	}
	if os.Getenv("LAB_TEST_MANIFEST") == "" { // these are the tests, not lab
		os.Setenv("LC_ALL", "C.UTF-8")
	}
	testscript.Main(m, map[string]func(){"lab": runLab})
}

func runLab() {
	manifest, err := os.ReadFile(os.Getenv("LAB_TEST_MANIFEST"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	ctx, stop := signal.NotifyContext(context.Background(), command.Interrupts...)
	defer stop()
	p := command.Program{Manifest: manifest, Stdout: os.Stdout, Stderr: os.Stderr, Interrupted: command.Die}
	os.Exit(p.Run(ctx, os.Args))
}

func defaultManifest(t testing.TB) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "certs.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestScripts(t *testing.T) {
	testscript.Run(t, scripts(t))
}

// scripts are those of testdata/script, and what they can do.
func scripts(t *testing.T) testscript.Params {
	t.Helper()
	peers, err := filepath.Abs(filepath.Join("testdata", "peer"))
	if err != nil {
		t.Fatal(err)
	}
	return testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			env.Setenv("LAB_TEST_MANIFEST", defaultManifest(t))
			env.Setenv("PEER", peers)
			env.Setenv("SSLKEYLOGFILE", "")
			env.Setenv("LC_ALL", "C.UTF-8")
			env.Setenv("GORACE", os.Getenv("GORACE"))
			env.Setenv("PYENV_VERSION", os.Getenv("PYENV_VERSION"))
			port := peertest.FreePort(t)
			env.Setenv("PORT", port)
			env.Setenv("LAB_ADDR", "127.0.0.1:"+port)
			env.Setenv("TAP", peertest.FreePort(t))
			return nil
		},
		Condition: condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"listening":  listening,
			"status":     checkStatus,
			"mode":       checkMode,
			"lines":      checkLines,
			"eventually": eventually,
			"says":       checkSays,
		},
	}
}

// condition is true for full in the full run, for terminal where lab can be
// started on one, and for missing:PROGRAM when a peer is not here, on which a
// script skips; where CI is set it fails instead.
func condition(name string) (bool, error) {
	switch name {
	case "full": // programs that only the full run has
		return peertest.Full(), nil
	case "terminal":
		return runtime.GOOS != "windows", nil
	}
	peer, ok := strings.CutPrefix(name, "missing:")
	if !ok {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	err := findPeer(peer)
	if err != nil && os.Getenv("CI") != "" {
		return false, err
	}
	return err != nil, nil
}

// findPeer looks for a program, for Python and Perl with TLS; "capture" is a
// tshark that may record loopback.
func findPeer(peer string) error {
	program, args := peer, []string(nil)
	switch peer {
	case "capture":
		if runtime.GOOS != "linux" {
			return fmt.Errorf("capturing on loopback is tried on Linux only")
		}
		program, args = "tshark", []string{"-i", "lo", "-a", "duration:1", "-c", "1", "-f", "port 1"}
	case "python3":
		args = []string{"-c", "import ssl"}
	case "perl":
		args = []string{"-MIO::Socket::SSL", "-e", "1"}
	}
	path, err := exec.LookPath(program)
	if err != nil || args == nil {
		return err
	}
	return exec.Command(path, args...).Run()
}

// listening PORT
func listening(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(peertest.AwaitListener(args[0]))
}

// status NUMBER PROGRAM ARGUMENT...: runs it and looks at the exit status.
func checkStatus(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	status := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	}
	if fmt.Sprint(status) != args[0] {
		ts.Fatalf("exit status %d, not %s", status, args[0])
	}
}

// mode FILE OCTAL
func checkMode(ts *testscript.TestScript, _ bool, args []string) {
	if runtime.GOOS == "windows" {
		return
	}
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if ts.Getenv("WINDOWS") != "" { // Wine makes a mode of the access list, in its own way
		if !info.IsDir() && info.Mode().Perm()&0o007 != 0 {
			ts.Fatalf("%s is open to others: %v", args[0], info.Mode())
		}
		return
	}
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[1] {
		ts.Fatalf("%s has mode %s, not %s", args[0], got, args[1])
	}
}

// lines FILE COUNT: how many lines the file has.
func checkLines(ts *testscript.TestScript, _ bool, args []string) {
	if got := fmt.Sprint(strings.Count(ts.ReadFile(args[0]), "\n")); got != args[1] {
		ts.Fatalf("%s has %s lines, not %s", args[0], got, args[1])
	}
}

// says PATTERN: stderr matches, once its paragraphs are not wrapped any more.
func checkSays(ts *testscript.TestScript, not bool, args []string) {
	said := strings.ReplaceAll(ts.ReadFile("stderr"), "\n     ", " ")
	if regexp.MustCompile("(?m)"+args[0]).MatchString(said) == not {
		ts.Fatalf("stderr says %q: %v\n%s", args[0], not, said)
	}
}

// eventually FILE PATTERN: waits until the file matches.
func eventually(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile("(?m)" + args[1])
	ts.Check(peertest.Poll(func() error {
		data, err := os.ReadFile(ts.MkAbs(args[0]))
		if err != nil {
			return err
		}
		if !pattern.Match(data) {
			return fmt.Errorf("%s does not match %s:\n%s", args[0], args[1], bytes.TrimSpace(data))
		}
		return nil
	}))
}
