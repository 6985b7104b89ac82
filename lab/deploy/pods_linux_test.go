package deploy_test

import (
	"encoding/base64"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/lab/peertest"
)

// manifest is what the test reads of an object of Kubernetes.
type manifest struct {
	Kind     string
	Metadata struct{ Name string }
	Data     map[string]string // of a Secret in base64
	Spec     struct {
		Template struct{ Spec podSpec }
	}
}

type podSpec struct {
	Containers []struct {
		Args           []string
		ReadinessProbe struct{ Exec struct{ Command []string } } `yaml:"readinessProbe"`
		VolumeMounts   []struct {
			Name      string
			MountPath string `yaml:"mountPath"`
			ReadOnly  bool   `yaml:"readOnly"`
		} `yaml:"volumeMounts"`
	}
	Volumes []struct {
		Name   string
		Secret *struct {
			SecretName string `yaml:"secretName"`
		}
		ConfigMap *struct{ Name string } `yaml:"configMap"`
	}
}

// cluster is what a kubelet needs of manifests: it mounts volumes, and runs the
// container of a pod.
type cluster struct {
	root    string
	objects map[string]manifest // by kind and name
}

func newCluster(t *testing.T, root, text string) *cluster {
	t.Helper()
	c := &cluster{root, map[string]manifest{}}
	for decoder := yaml.NewDecoder(strings.NewReader(text)); ; {
		var m manifest
		err := decoder.Decode(&m)
		if err == io.EOF {
			return c
		}
		must(t, err)
		c.objects[m.Kind+" "+m.Metadata.Name] = m
	}
}

// pod returns the container of an object, and its arguments. Secrets are
// mounted as a kubelet does it: through ..data, for the group of the pod to
// read.
func (c *cluster) pod(t *testing.T, object string) (container, []string, []string) {
	t.Helper()
	spec := c.objects[object].Spec.Template.Spec
	if len(spec.Containers) != 1 {
		t.Fatalf("%s has no pod", object)
	}
	volumes := map[string]string{}
	for _, v := range spec.Volumes {
		dir := t.TempDir()
		must(t, os.Chmod(filepath.Dir(dir), 0o755))
		must(t, os.Chmod(dir, 0o777))
		volumes[v.Name] = dir
		var entries map[string]string
		switch {
		case v.Secret != nil:
			entries = c.objects["Secret "+v.Secret.SecretName].Data
		case v.ConfigMap != nil:
			entries = c.objects["ConfigMap "+v.ConfigMap.Name].Data
		default:
			continue
		}
		if len(entries) == 0 {
			t.Fatalf("%s: %s is not there", object, v.Name)
		}
		must(t, os.MkdirAll(filepath.Join(dir, "..1"), 0o755))
		must(t, os.Symlink("..1", filepath.Join(dir, "..data")))
		for entry, value := range entries {
			if v.Secret != nil {
				data, err := base64.StdEncoding.DecodeString(value)
				must(t, err)
				value = string(data)
			}
			file := filepath.Join(dir, "..1", entry)
			must(t, os.WriteFile(file, []byte(value), 0o440))
			must(t, os.Chown(file, 0, user))
			must(t, os.Symlink("..data/"+entry, filepath.Join(dir, entry)))
		}
	}
	of := spec.Containers[0]
	made := container{Root: c.root, Mounts: map[string]string{}}
	for _, m := range of.VolumeMounts {
		at := m.MountPath
		if m.ReadOnly {
			at += ":ro"
		}
		made.Mounts[at] = volumes[m.Name]
	}
	return made, of.Args, of.ReadinessProbe.Exec.Command
}

// What the pods of the manifests run works with the image, with what Kubernetes
// mounts: the server and its probe, the clients, the Job, and the sum of a
// night's captures.
func testPods(t *testing.T, root, program string) {
	c := newCluster(t, root, run(t, program, t.TempDir(), "deploy kubernetes --participants 2"))
	served, args, probe := c.pod(t, "Deployment server")
	running := served.command(t, args...)
	server := peertest.Start(t, running)
	server.Await(t, "server on ")
	served.run(t, probe[1:]...)
	// There is no DNS here: clients are told where the name leads.
	for object, name := range map[string]string{"Deployment client-01": "client-01", "Job client-02-once": "client-02"} {
		client, args, _ := c.pod(t, object)
		out := client.run(t, append(args, "--addr", "localhost:8443", "--count", "1")...)
		if !strings.Contains(out, "accepted  CN="+name) {
			t.Errorf("%s: %s", object, out)
		}
	}
	must(t, running.Process.Signal(syscall.SIGTERM))
	out := server.Wait(t)
	if running.ProcessState.ExitCode() != 0 || !strings.Contains(out, "3 exchanges: 3 accepted") || !strings.Contains(out, "CN=health") {
		t.Errorf("the server: %v\n%s", running.ProcessState, out)
	}

	explain, args, _ := c.pod(t, "Job explain")
	recorded, err := os.ReadFile(filepath.Join(served.Mounts["/lab"], "lab.pcapng"))
	must(t, err)
	var sums strings.Builder
	for _, index := range []string{"0", "1"} {
		file := filepath.Join(explain.Mounts["/captures:ro"], "night.pcap"+index)
		must(t, os.WriteFile(file, recorded, 0o640))
		must(t, os.Chown(file, 0, user))
		var share []string
		for _, arg := range args {
			share = append(share, strings.ReplaceAll(arg, "$(JOB_COMPLETION_INDEX)", index))
		}
		sums.WriteString(explain.run(t, share...))
	}
	add := exec.Command(program, "explain", "--summary", "-")
	add.Stdin = strings.NewReader(sums.String())
	if out, err := add.CombinedOutput(); err != nil || !strings.Contains(string(out), "6 connections") {
		t.Errorf("the sum: %v\n%s", err, out)
	}
}

// The keys of a program in a pod: lab attaches to it from the image, as its
// user, without capabilities.
func testAttach(t *testing.T, root string) {
	home, volume := writableFolder(t), writableFolder(t)
	app := container{Root: root, Mounts: map[string]string{"/lab": home}}
	app.run(t, "certs", "generate")
	server := peertest.Start(t, app.command(t, "server", "--keylog", "off", "--capture", "off", "--brief"))
	server.Await(t, "server on ")
	calling := app.command(t, "client", "--keylog", "off", "--count", "0", "--interval", "50ms", "--brief")
	client := peertest.Start(t, calling)
	client.Await(t, "accepted")

	beside := container{Root: root, Mounts: map[string]string{"/lab": volume, "/proc": "/proc"}}
	watching := beside.command(t, "exec", "--attach", strconv.Itoa(calling.Process.Pid), "--keylog", "keys.log")
	watcher := peertest.Start(t, watching)
	watcher.Await(t, "the keys of process")
	peertest.Eventually(t, "keys of the client", func() bool {
		keys, _ := os.ReadFile(filepath.Join(volume, "keys.log"))
		return strings.Contains(string(keys), "CLIENT_TRAFFIC_SECRET_0 ")
	})
	must(t, watching.Process.Signal(os.Interrupt))
	watcher.Wait(t)
	client.Await(t, "accepted") // it goes on
}
