package command_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/command"
	"mtlslab.example/lab/lab/peertest"
)

// completeManifest has names that a shell must not expand.
const completeManifest = `subject: CN=my-ca
---
subject: CN=web server
issuer: CN=my-ca
---
subject: CN=x
filename: $(touch pwned)
issuer: CN=my-ca
---
subject: CN=web-client
issuer: CN=my-ca
`

// TestCompletionInBash presses Tab as a user does, at the end of a line, and
// looks at what bash would offer.
func TestCompletionInBash(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("bash there is another world")
	}
	peertest.Need(t, "bash")
	dir, bin := t.TempDir(), filepath.Dir(peertest.Build(t, runtime.GOOS)) // with the race detector it would start in a second, 70 times
	if err := os.WriteFile(filepath.Join(dir, "certs.yaml"), []byte(completeManifest), 0o600); err != nil {
		t.Fatal(err)
	}
	complete := func(line string) []string {
		t.Helper()
		// bash takes words apart at "=" and ":", and at spaces.
		words := strings.Split(strings.NewReplacer("=", " = ").Replace(line), " ")
		words = slices.DeleteFunc(words[:len(words)-1], func(w string) bool { return w == "" })
		last := line[strings.LastIndexAny(line, " =")+1:]
		if strings.HasSuffix(line, "=") {
			words, last = words[:len(words)-1], "="
		}
		const script = `source <(lab completion bash)
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_lab
(( ${#COMPREPLY[@]} )) && printf '%s\n' "${COMPREPLY[@]}"; true`
		shell := exec.Command("bash", append([]string{"--norc", "-c", script, "bash"}, append(words, last)...)...)
		shell.Dir = dir
		shell.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "LAB_TEST_MANIFEST="+defaultManifest(t), "LAB_DIR=")
		out, err := shell.Output()
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	}
	for line, want := range map[string]string{
		"lab certs export --format ":              "p12 p12-legacy java-truststore pem-bundle kubernetes env",
		"lab certs export client --format p":      "p12 p12-legacy pem-bundle",
		"lab certs export --format=":              "p12 p12-legacy java-truststore pem-bundle kubernetes env",
		"lab certs export --format=j":             "java-truststore",
		"lab certs export --dir . x --format j":   "java-truststore",
		"lab certs export --ca ":                  "my-ca",
		"lab up --tls ":                           "1.2 1.3",
		"lab server --http ":                      "1.1 2",
		"lab client --tls 1.2 --http ":            "1.1 2",
		"lab up --crl ":                           "require soft off",
		"lab server --client-ca ":                 "my-ca",
		"lab client --cert web":                   `web\ server web-client`,
		"lab client --cert no":                    "none",
		"lab up --client-cert n":                  "none",
		"lab up --key web-":                       "web-client",
		"lab client --cert ./":                    "", // a file
		"lab server --cert no":                    "",
		"lab server --cert $":                     `\$\(touch\ pwned\)`,
		"lab server --dir elsewhere --client-ca ": "",
		"lab server --scenario hello-":            "hello-retry-request",
		"lab scenario run --tls 1":                "1.2 1.3",
		"lab scenario run no-client":              "no-client-cert",
		"lab up --keylog ":                        "", // a file
		"lab up --count ":                         "",
		"lab exec -- curl --tls ":                 "",
		"lab exec curl --keylog ":                 "",
		"lab certs sh":                            "show",
		"lab certs show my":                       "my-ca",
		"lab help ce":                             "certs",
		"lab help certs e":                        "export",
		"lab certs help sh":                       "show",
		"lab sc":                                  "scenario",
		"lab completion f":                        "fish",
		"lab up --captu":                          "--capture --capture-limit",
		"lab up --cou":                            "--count",
	} {
		if got := strings.Join(complete(line), " "); got != want {
			t.Errorf("%q offers %q, want %q", line, got, want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "pwned")); err == nil {
		t.Error("a name of the manifest was expanded by the shell")
	}
}

// TestCompletionScripts has each shell that is here read its script.
func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		t.Run(shell, func(t *testing.T) {
			if _, err := exec.LookPath(shell); err != nil {
				t.Skipf("no %s here", shell)
			}
			var script bytes.Buffer
			p := command.Program{Stdout: &script, Stderr: &script}
			if status := p.Run(t.Context(), []string{"lab", "completion", shell}); status != 0 {
				t.Fatal(script.String())
			}
			check := exec.Command(shell, "-n")
			check.Stdin = &script
			if out, err := check.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestCompletionInFish asks fish what it would offer.
func TestCompletionInFish(t *testing.T) {
	if _, err := exec.LookPath("fish"); err != nil {
		t.Skip("no fish here")
	}
	bin := filepath.Dir(labCommand(t))
	shell := exec.Command("fish", "--no-config", "-c", `source (lab completion fish | psub); complete -C "lab certs export --format p12"; complete -C "lab up --keylog certs."`)
	shell.Dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(shell.Dir, "certs.yaml"), []byte(completeManifest), 0o600); err != nil {
		t.Fatal(err)
	}
	shell.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "LAB_TEST_MANIFEST="+defaultManifest(t), "HOME="+shell.Dir)
	out, err := shell.CombinedOutput()
	if got := strings.Join(strings.Fields(string(out)), " "); err != nil || got != "p12 p12-legacy certs.yaml" {
		t.Errorf("fish offers %q, %v", got, err)
	}
}
