package keyshim_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mtlslab.example/lab/lab/keyshim"
	"mtlslab.example/lab/lab/peertest"
)

// library builds the shim in a cache folder of the test's own.
func library(t testing.TB) string {
	t.Helper()
	peertest.Need(t, "cc")
	cache := t.TempDir()
	if err := os.Chmod(cache, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", cache)
	path, remove, err := keyshim.Library(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(remove)
	return path
}

// httpsServer is a server with a certificate of its own that answers one
// request a connection. It returns the server's address.
func httpsServer(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	peertest.Serve(t, l, answer)
	return l.Addr().String()
}

func answer(c net.Conn) {
	defer c.Close()
	if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
		fmt.Fprint(c, "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")
	}
}

// handshake has openssl do one with the shim and that key log.
func handshake(t *testing.T, addr, log, library string) {
	t.Helper()
	peertest.Need(t, "openssl")
	client := exec.CommandContext(t.Context(), "openssl", "s_client", "-quiet", "-connect", addr)
	client.Stdin = strings.NewReader("GET / HTTP/1.0\r\n\r\n")
	client.Env = keyshim.Environment(os.Environ(), log, library)
	if out, err := client.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func TestShimWritesOnlyToOwnFiles(t *testing.T) {
	library, addr := library(t), httpsServer(t)
	dir := t.TempDir()
	log := func(name string) string { return filepath.Join(dir, name) }

	handshake(t, addr, log("new"), library)
	info, err := os.Stat(log("new"))
	if err != nil || info.Size() == 0 || info.Mode().Perm() != 0o600 {
		t.Errorf("the log that it has made: %v, %v", info, err)
	}
	for name, make := range map[string]func(string) error{
		"link": func(name string) error {
			return os.Symlink(log("target"), name)
		},
		"fifo": func(name string) error { return syscall.Mkfifo(name, 0o600) },
		"others": func(name string) error {
			if os.Geteuid() != 0 {
				return os.ErrPermission
			}
			return os.Chown(name, 65534, 65534)
		},
	} {
		path := log(name)
		if name == "link" || name == "others" {
			target := map[string]string{"link": log("target"), "others": path}[name]
			if err := os.WriteFile(target, nil, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if err := make(path); err != nil {
			t.Logf("%s: not tried: %v", name, err)
			continue
		}
		handshake(t, addr, path, library)
		if info, err := os.Stat(path); err != nil || info.Size() > 0 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// TestShimKnowsLab: who listens at lab's port when lab has ended gets no data
// of the program's.
func TestShimKnowsLab(t *testing.T) {
	library := library(t)
	peertest.Need(t, "bash")
	for name, test := range map[string]struct {
		answer  string
		through bool
	}{
		"lab":              {"\x05\x80secret\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00", true},
		"another password": {"\x05\x80sesame\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00", false},
		"no password":      {"\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00", false},
		"not SOCKS":        {"220 ready, and a greeting that is long enough\r\n", false},
		"nothing":          {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			got := make(chan string, 2)
			listen := func(who string, talk func(net.Conn) error) net.Addr {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				peertest.Serve(t, l, func(c net.Conn) {
					defer c.Close()
					if talk(c) != nil {
						return
					}
					if data, _ := io.ReadAll(c); len(data) > 0 {
						got <- who + " got " + string(data)
					}
				})
				return l.Addr()
			}
			server := listen("the server", func(net.Conn) error { return nil }).(*net.TCPAddr)
			relay := listen("the listener", func(c net.Conn) error {
				if _, err := io.ReadFull(c, make([]byte, 3+4+4+2)); err != nil {
					return err
				}
				_, err := io.WriteString(c, test.answer)
				if test.answer == "" {
					c.Close()
				}
				return err
			}).(*net.TCPAddr)
			program := exec.CommandContext(t.Context(), "bash", "-c", fmt.Sprintf("exec 3<>/dev/tcp/127.0.0.1/%d && printf data >&3", server.Port))
			program.Env = append(keyshim.Environment(os.Environ(), filepath.Join(t.TempDir(), "log"), library), fmt.Sprintf("LAB_RELAY=%d:secret", relay.Port))
			if out, err := program.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			want := "the server got data"
			if test.through {
				want = "the listener got data"
			}
			if got := <-got; got != want {
				t.Error(got)
			}
		})
	}
}

func TestLibraryIsBuiltOnce(t *testing.T) {
	path := library(t)
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if again, _, err := keyshim.Library(t.Context()); err != nil || again != path {
		t.Errorf("%s, then %s: %v", path, again, err)
	}
	after, err := os.Stat(path)
	if err != nil || !os.SameFile(before, after) || before.ModTime() != after.ModTime() {
		t.Errorf("it was built again: %v", err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("besides it there is %v: %v", entries, err)
	}
}

// TestLibraryIsChecked: nothing is loaded that somebody else can have put
// there, and what is damaged is built again.
func TestLibraryIsChecked(t *testing.T) {
	path := library(t)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cache := filepath.Dir(filepath.Dir(path))
	evil := filepath.Join(t.TempDir(), "evil.so")
	if err := os.WriteFile(evil, good, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func() error
		cached bool // what is in the cache folder is used
	}{
		"empty":             {func() error { return os.Truncate(path, 0) }, true},
		"changed":           {func() error { return os.WriteFile(path, append([]byte("evil"), good...), 0o700) }, true},
		"writable":          {func() error { return os.Chmod(path, 0o777) }, true},
		"a link":            {func() error { return errors.Join(os.Remove(path), os.Symlink(evil, path)) }, true},
		"a hard link":       {func() error { return errors.Join(os.Remove(path), os.Link(evil, path)) }, true},
		"it is of another":  {func() error { return os.Chown(path, 65534, 65534) }, true},
		"its folder":        {func() error { return os.Chmod(filepath.Dir(path), 0o777) }, false},
		"the cache":         {func() error { return os.Chmod(cache, 0o777) }, false},
		"above the cache":   {func() error { return os.Chmod(filepath.Dir(cache), 0o777) }, false},
		"folder of another": {func() error { return os.Chown(filepath.Dir(path), 65534, 65534) }, false},
	} {
		if os.Geteuid() != 0 && strings.Contains(name, " of ") {
			continue
		}
		if err := test.change(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, remove, err := keyshim.Library(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		info, err := os.Lstat(got)
		if err != nil || info.Mode() != 0o700 || (got == path) != test.cached {
			t.Errorf("%s: %s, %v, %v", name, got, info, err)
		}
		if content, err := os.ReadFile(got); err != nil || !bytes.Equal(content, good) {
			t.Errorf("%s: it is not what was built: %v", name, err)
		}
		remove()
		if _, err := os.Lstat(got); (err == nil) != test.cached {
			t.Errorf("%s: afterwards: %v", name, err)
		}
		for _, dir := range []string{filepath.Dir(cache), cache, filepath.Dir(path)} {
			if err := errors.Join(os.Chmod(dir, 0o700), os.Chown(dir, os.Geteuid(), os.Getegid())); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// BenchmarkHandshake has openssl s_time do full handshakes, by turns with the
// shim and without.
//
//	go test -run '^$' -bench Handshake -benchtime 15x ./lab/keyshim
//
// x-time and x-cpu are the time and the processor time, the client's and the
// server's, of a handshake with the shim in terms of one without, as medians
// over the rounds. On a busy machine only the second means much.
func BenchmarkHandshake(b *testing.B) {
	peertest.Need(b, "openssl")
	shim, addr := library(b), httpsServer(b)
	log := filepath.Join(b.TempDir(), "keys.log")
	with := keyshim.Environment(os.Environ(), log, shim)
	run := func(env []string) (took, cpu float64) {
		client := exec.Command("openssl", "s_time", "-connect", addr, "-new", "-time", "1")
		client.Env = env
		start, before := time.Now(), cpuTime(b)
		out, err := client.Output()
		wall, server := time.Since(start), cpuTime(b)-before
		if err != nil {
			b.Fatal(err)
		}
		var handshakes float64
		_, counted, _ := strings.Cut(string(out), "\n\n")
		if _, err := fmt.Sscan(counted, &handshakes); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		used := client.ProcessState.UserTime() + client.ProcessState.SystemTime() + server
		return wall.Seconds() / handshakes, used.Seconds() / handshakes
	}
	var times, cpus []float64
	for round := 0; b.Loop(); round++ {
		var took, cpu [2]float64 // without, with
		for i := range 2 {
			turn := (i + round) % 2
			took[turn], cpu[turn] = run([][]string{os.Environ(), with}[turn])
		}
		times, cpus = append(times, took[1]/took[0]), append(cpus, cpu[1]/cpu[0])
	}
	b.ReportMetric(median(times), "x-time")
	b.ReportMetric(median(cpus), "x-cpu")
	if info, err := os.Stat(log); err != nil || info.Size() == 0 {
		b.Errorf("no keys were logged: %v", err)
	}
}

// cpuTime is what this process has used so far.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
