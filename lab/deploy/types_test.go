package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/peertest"
)

// TestTypes has what lab deploy prints decoded by the published types, in a
// module of its own: see testdata/types.
func TestTypes(t *testing.T) {
	if os.Getenv("CI") == "" && !peertest.Full() {
		t.Skip("downloads and compiles the types of Kubernetes: CI=true has it done")
	}
	program, out := peertest.Build(t, runtime.GOOS), t.TempDir()
	for name, args := range map[string]string{
		"plain.k8s.yaml":                "kubernetes",
		"participants.k8s.yaml":         "kubernetes --participants 20 --image registry.example:5000/lab:1.0",
		"elsewhere.k8s.yaml":            "kubernetes --namespace elsewhere",
		"gateway.k8s.yaml":              "kubernetes --gateway --gateway-class example",
		"cert-manager.k8s.yaml":         "kubernetes --cert-manager --participants 2",
		"cert-manager-gateway.k8s.yaml": "kubernetes --cert-manager --gateway",
		"plain.compose.yaml":            "compose",
	} {
		write(t, filepath.Join(out, name), run(t, program, t.TempDir(), "deploy "+args))
	}
	odd := t.TempDir()
	manifest := "# it costs $5, ${HOME} and $$;\ttabs\r\n\r\n  # and more: \"'\nsubject: CN=ca\n---\nsubject: CN=server\nissuer: CN=ca\n"
	write(t, filepath.Join(odd, "certs.yaml"), manifest)
	write(t, filepath.Join(out, "odd.compose.yaml"), run(t, program, odd, "deploy compose"))
	for name, text := range map[string]string{"plain": defaultManifest(t), "odd": strings.ReplaceAll(manifest, "\r\n", "\n")} {
		named, _, err := certgen.AddSANs("certs.yaml", []byte(text), "server", []string{"DNS:server"})
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(out, name+".compose.yaml.certs"), string(named))
	}
	goCommand := func(args ...string) (string, error) {
		cmd := exec.Command("go", args...)
		cmd.Dir = filepath.Join("testdata", "types")
		cmd.Env = append(os.Environ(), "LAB_MANIFESTS="+out)
		text, err := cmd.CombinedOutput()
		return string(text), err
	}
	if text, err := goCommand("mod", "download"); err != nil {
		t.Skipf("the types of Kubernetes cannot be had: %v\n%s", err, text)
	}
	if text, err := goCommand("test", "-count=1", "."); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

// run runs lab in a folder, and returns its stdout.
func run(t *testing.T, program, dir, args string) string {
	t.Helper()
	cmd := exec.Command(program, strings.Fields(args)...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("lab %s: %v", args, err)
	}
	return string(out)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func defaultManifest(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "certs.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
