package command_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/command"
	"mtlslab.example/lab/lab/peertest"
)

// TestNothingOfOthersIsLost fills the folder of a PKI with all kinds of things
// that the lab did not make, runs commands in it, and finds each as it was.
func TestNothingOfOthersIsLost(t *testing.T) {
	manifest, err := os.ReadFile(defaultManifest(t))
	if err != nil {
		t.Fatal(err)
	}
	strangers := newStrangers(t)
	for i := range folders() {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			w := &world{t: t, Rand: rand.New(rand.NewPCG(1, uint64(i))), dir: t.TempDir(), manifest: manifest, strangers: strangers}
			w.furnish()
			before := w.snapshot()
			for range 3 {
				args := w.command()
				out := w.run(args...)
				if after := w.snapshot(); !maps.Equal(before, after) {
					t.Fatalf("seed %d: lab %q changed %v\n%s", i, args, changes(before, after), out)
				}
			}
		})
	}
}

// folders is how many are tried: more where there is time.
func folders() int {
	switch {
	case peertest.Full():
		return 2000
	case os.Getenv("CI") != "":
		return 100
	}
	return 40
}

// names are those of the default manifest, and one that it lacks.
var names = []string{"server-ca", "server", "client-ca", "client", "mine"}

// world is one folder.
type world struct {
	*rand.Rand
	t         *testing.T
	dir       string
	manifest  []byte
	strangers *strangers
	foreign   []string // paths below dir that the lab did not make
}

func (w *world) path(file string) string { return filepath.Join(w.dir, "certs", file) }

// oneOf chooses.
func oneOf[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

// furnish makes the folder: a PKI of the lab's or none, a manifest or none, and
// then what is somebody else's.
func (w *world) furnish() {
	if w.IntN(2) == 0 {
		w.run("certs", "generate")
	} else {
		w.must(os.Mkdir(filepath.Join(w.dir, "certs"), 0o755))
	}
	switch w.IntN(3) {
	case 0:
		if err := os.Remove(filepath.Join(w.dir, "certs.yaml")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.t.Fatal(err)
		}
	case 1:
		w.must(os.WriteFile(filepath.Join(w.dir, "certs.yaml"), w.manifest, 0o644))
	default:
		changed := bytes.Replace(w.manifest, []byte("subject: CN=server\n"), []byte("subject: CN=server\nexpires: 100h\n"), 1)
		changed = bytes.Replace(changed, []byte("issuer: CN=client-ca\n"), []byte("issuer: CN=client-ca\nrevoked: true\n"), 1)
		w.must(os.WriteFile(filepath.Join(w.dir, "certs.yaml"), changed, 0o644))
	}
	for range 1 + w.IntN(4) {
		w.add(oneOf(w.Rand, names))
	}
}

// add puts something of others in the place of a certificate, a key, a CRL or
// an export.
func (w *world) add(name string) {
	certificate, key := name+".pem", name+"-key.pem"
	switch w.IntN(12) {
	case 0, 1: // a pair of another CA
		c := oneOf(w.Rand, w.strangers.leaves)
		w.write(certificate, c.certificate)
		w.write(key, c.key)
	case 2, 3: // another CA by the lab's name, or by its own
		c := oneOf(w.Rand, w.strangers.authorities)
		w.write(certificate, c.certificate)
		w.write(key, c.key)
	case 4: // half a pair
		w.write(key, oneOf(w.Rand, w.strangers.leaves).key)
	case 5:
		w.write(certificate, oneOf(w.Rand, w.strangers.leaves).certificate)
	case 6: // a pair that does not match
		w.write(certificate, w.strangers.leaves[0].certificate)
		w.write(key, w.strangers.authorities[0].key)
	case 7:
		w.clear(certificate)
		w.must(os.MkdirAll(w.path(certificate), 0o755))
		w.write(filepath.Join(certificate, "notes.txt"), []byte("mine\n"))
	case 8: // a link out of the folder
		target := filepath.Join(w.t.TempDir(), "key.pem")
		w.must(os.WriteFile(target, w.strangers.leaves[0].key, 0o640))
		w.clear(key)
		w.must(os.Symlink(target, w.path(key)))
		w.foreign = append(w.foreign, filepath.Join("certs", key))
	case 9:
		w.write(oneOf(w.Rand, []string{certificate, key}), []byte("not PEM at all\n"))
	case 10:
		w.write(name+"-crl.pem", w.strangers.crl)
	case 11:
		for _, suffix := range []string{".p12", "-truststore.p12", "-bundle.pem"} {
			w.write(name+suffix, []byte("an export of another program\n"))
		}
	}
}

// write puts a stranger's file in place of what is there.
func (w *world) write(file string, data []byte) {
	w.clear(file)
	w.must(os.WriteFile(w.path(file), data, oneOf(w.Rand, []fs.FileMode{0o600, 0o644})))
	w.foreign = append(w.foreign, filepath.Join("certs", file))
}

// clear makes place for something else of others.
func (w *world) clear(file string) {
	w.must(os.RemoveAll(w.path(file)))
}

// command is one that may write, with no --force.
func (w *world) command() []string {
	name, file := oneOf(w.Rand, names), filepath.Join(w.dir, oneOf(w.Rand, w.foreign))
	return oneOf(w.Rand, [][]string{
		{"up", "--count", "1"},
		{"certs", "generate"},
		{"certs", "generate", "--dry-run"},
		{"certs", "regenerate"},
		{"certs", "regenerate", name},
		{"certs", "list"},
		{"certs", "verify"},
		{"certs", "show", name},
		{"certs", "export", name, "--format", "p12"},
		{"certs", "export", name, "--format", "java-truststore"},
		{"certs", "export", name, "--format", "pem-bundle"},
		{"server", "--count", "1", "--cert", "nobody"},
		{"client", "--addr", "127.0.0.1:1"},
		{"scenario", "run", "mtls", "--brief"},
		{"scenario", "export", "expired-client", "--pki", filepath.Join(w.dir, "certs")},
		{"check"},
		{"check", file},
		{"check", "--server", name, "--client", file},
		{"probe", "127.0.0.1:1"},
		{"probe", "client", "--only", "expired-server", "--", "true", "{url}"},
		// Those of others are named by mistake where lab would write.
		{"up", "--count", "1", "--capture", file},
		{"up", "--count", "1", "--keylog", file},
		{"certs", "export", name, "--format", "env", "--out", file},
		{"explain", "../verdict/testdata/foreign/client-ca-look-alike.gnutls-gnutls.tls12.pcap", "--html", file},
		{"exec", "--keylog", "off", "--explain=" + file, "--", "true"},
		{"exec", "--keylog", file, "--", "true"},
		{"exec", "--keylog", "off", "--capture", file, "--", "true"},
		{"probe", "127.0.0.1:1", "--junit", file},
		{"probe", "127.0.0.1:1", "--capture", file},
		{"probe", "client", "--only", "expired-server", "--sarif", file, "--", "true", "{url}"},
		{"scenario", "export", "expired-client", "--html", file},
		{"browser", "--screenshot", file, "https://127.0.0.1:1/"},
	})
}

// run runs lab in the folder and returns what it printed.
func (w *world) run(args ...string) string {
	var out bytes.Buffer
	p := command.Program{Manifest: w.manifest, Stdout: &out, Stderr: &out}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if args[0] == "up" || args[0] == "server" {
		args = append(args, "--addr", "127.0.0.1:0")
	}
	end := slices.Index(args, "--") // what follows is the command's of lab exec and lab probe client
	if end < 0 {
		end = len(args)
	}
	p.Run(ctx, slices.Concat([]string{"lab"}, args[:end], []string{"--dir", w.dir}, args[end:]))
	return out.String()
}

// snapshot returns what others' files are now: contents, modes and targets.
func (w *world) snapshot() map[string]string {
	now := map[string]string{}
	for _, file := range w.foreign {
		path := filepath.Join(w.dir, file)
		info, err := os.Lstat(path)
		if err != nil {
			now[file] = "gone"
			continue
		}
		now[file] = info.Mode().String()
		if info.Mode()&fs.ModeSymlink != 0 {
			target, _ := os.Readlink(path)
			now[file] += " to " + target
		}
		if through, err := os.Stat(path); err == nil && through.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			w.must(err)
			now[file] += through.Mode().String() + string(data)
		}
	}
	return now
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// changes names the files that are not as they were.
func changes(before, after map[string]string) (files []string) {
	for file, was := range before {
		if after[file] != was {
			files = append(files, file)
		}
	}
	return files
}

// strangers are other people's certificates, some by the lab's own names.
type strangers struct {
	authorities, leaves []stranger
	crl                 []byte
}

type stranger struct{ certificate, key []byte }

func newStrangers(t *testing.T) *strangers {
	s := &strangers{}
	for i, subject := range []string{"Acme Root CA", "server-ca", "client-ca"} {
		authority := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: subject},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(8759 * time.Hour),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
		made, key := s.issue(t, authority, authority, nil)
		s.authorities = append(s.authorities, made)
		for _, name := range []string{"server", "client", strings.ToLower(subject)} {
			leaf := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 10)), Subject: pkix.Name{CommonName: name},
				NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Duration(i) * time.Hour), DNSNames: []string{"localhost"}}
			issued, _ := s.issue(t, leaf, authority, key)
			issued.certificate = append(issued.certificate, made.certificate...)
			s.leaves = append(s.leaves, issued)
		}
		parsed, _ := pem.Decode(made.certificate)
		ca, err := x509.ParseCertificate(parsed.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		list, err := x509.CreateRevocationList(crand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-48 * time.Hour), NextUpdate: time.Now().Add(-24 * time.Hour)}, ca, key)
		if err != nil {
			t.Fatal(err)
		}
		s.crl = pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list})
	}
	return s
}

// issue makes a certificate with a new key, signed by signer or, without one,
// by itself.
func (*strangers) issue(t *testing.T, template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (stranger, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(crand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return stranger{
		certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:         pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: text}),
	}, key
}
