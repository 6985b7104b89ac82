package deploy_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/lab/peertest"
)

// maxImage is the size in bytes that an image stays below.
const maxImage = 25_000_000

// buildImage builds the image as the Containerfile says, and returns its root
// file system, which may be written to.
func buildImage(t *testing.T) string {
	t.Helper()
	peertest.Need(t, "buildah", "go")
	dir := t.TempDir()
	platform := "linux/" + runtime.GOARCH
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s", "-o", filepath.Join(dir, "image", platform, "lab"), "mtlslab.example/lab")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	buildah := func(args ...string) string {
		cmd := exec.Command("buildah", append([]string{"--root", filepath.Join(dir, "store"), "--runroot", filepath.Join(dir, "run"), "--storage-driver", "vfs"}, args...)...)
		var talk strings.Builder
		cmd.Stderr = &talk
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("buildah %s: %v\n%s%s", args[0], err, out, talk.String())
		}
		return strings.TrimSpace(string(out))
	}
	buildah("bud", "--isolation", "chroot", "--pull-never", "--build-arg", "TARGETPLATFORM="+platform, "-t", "localhost/lab", "-f", "Containerfile", filepath.Join(dir, "image"))
	var about struct {
		OCIv1 struct {
			Config struct {
				User, WorkingDir string
				Entrypoint, Env  []string
			}
		}
	}
	must(t, json.Unmarshal([]byte(buildah("inspect", "--type", "image", "localhost/lab")), &about))
	if c := about.OCIv1.Config; c.User != "65532:65532" || c.WorkingDir != "/lab" || !slices.Equal(c.Entrypoint, []string{"lab"}) || !slices.Contains(c.Env, "PATH=/usr/bin") {
		t.Errorf("the image's configuration is %+v", c)
	}
	archive := filepath.Join(dir, "image.tar")
	buildah("push", "-q", "localhost/lab", "oci-archive:"+archive)
	info, err := os.Stat(filepath.Join(dir, "image", platform, "lab"))
	must(t, err)
	packed, err := os.Stat(archive)
	must(t, err)
	t.Logf("the image has %d bytes, compressed %d", info.Size(), packed.Size())
	if info.Size() >= maxImage {
		t.Errorf("the image has %d bytes, and is to have less than %d", info.Size(), maxImage)
	}
	root := buildah("mount", buildah("from", "--pull-never", "localhost/lab"))
	for at := root; at != "/tmp" && at != "/"; at = filepath.Dir(at) { // so that another user gets there
		must(t, os.Chmod(at, 0o755))
	}
	return root
}

// The image works with a read-only root file system and as its own user, in the
// ways that lab deploy says.
func TestImage(t *testing.T) {
	ownNetwork(t)
	root, program := buildImage(t), peertest.Build(t, "linux")
	testCompose(t, root, program)
	testPods(t, root, program)
	testAttach(t, root)
}

// testCompose runs what the compose file has services run.
func testCompose(t *testing.T, root, program string) {
	var compose struct {
		Services map[string]struct {
			Command     []string
			Healthcheck struct{ Test []string }
		}
		Configs map[string]struct{ Content string }
	}
	must(t, yaml.Unmarshal([]byte(run(t, program, t.TempDir(), "deploy compose")), &compose))
	volume := writableFolder(t)
	write(t, filepath.Join(volume, "certs.yaml"), strings.ReplaceAll(compose.Configs["manifest"].Content, "$$", "$"))
	must(t, os.Chmod(filepath.Join(volume, "certs.yaml"), 0o444))
	c := container{Root: root, Mounts: map[string]string{"/lab": volume}}

	c.run(t, compose.Services["pki"].Command...)
	again := c.run(t, compose.Services["pki"].Command...)
	if strings.Contains(again, "made ") {
		t.Errorf("certificates are made again: %s", again)
	}
	running := c.command(t, compose.Services["server"].Command...)
	server := peertest.Start(t, running)
	server.Await(t, "server on ")
	test := compose.Services["server"].Healthcheck.Test
	if !slices.Equal(test[:2], []string{"CMD", "lab"}) {
		t.Fatalf("the health check is %q", test)
	}
	c.run(t, test[2:]...)
	// There is no DNS here: --addr has the address of the server's name.
	called := c.run(t, append(compose.Services["client"].Command, "--addr", "localhost:8443", "--count", "1")...)
	if !strings.Contains(called, "accepted  CN=client") {
		t.Errorf("the client: %s", called)
	}
	must(t, running.Process.Signal(syscall.SIGTERM))
	out := server.Wait(t)
	if !strings.Contains(out, "2 exchanges: 2 accepted, 0 rejected") || running.ProcessState.ExitCode() != 0 {
		t.Errorf("the server: %v\n%s", running.ProcessState, out)
	}
	for _, file := range []string{"lab.pcapng", "client.pcapng", "keys.log"} {
		if info, err := os.Stat(filepath.Join(volume, file)); err != nil || info.Size() == 0 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
	if out := c.run(t, "explain", "--list", "lab.pcapng"); !strings.Contains(out, "CN=client") {
		t.Errorf("the capture: %s", out)
	}
	if out, err := (container{Root: root}).command(t, "certs", "generate", "--dir", "/usr").CombinedOutput(); err == nil || !strings.Contains(string(out), "read-only") {
		t.Errorf("the root file system is written to: %v\n%s", err, out)
	}
}
