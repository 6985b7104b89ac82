package certgen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var errCrash = errors.New("crash")

// TestCrashAnywhere stops a run at every change of the disk, where there is no
// folder, over an empty one and over one to be made anew, and has the next run
// recover.
func TestCrashAnywhere(t *testing.T) {
	m := parse(t, revocation)
	for _, before := range []string{"no folder", "empty", "renew"} {
		for at, more := 0, true; more; at++ {
			t.Run(fmt.Sprintf("%s/change=%d", before, at), func(t *testing.T) {
				dir, renew := filepath.Join(t.TempDir(), "certs"), before == "renew"
				if before == "empty" {
					if err := os.Mkdir(dir, 0o700); err != nil {
						t.Fatal(err)
					}
				} else if renew {
					generate(t, m, dir, Options{})
				}
				var mu sync.Mutex
				changes := 0
				_, err := Generate(context.Background(), m, dir, Options{All: renew, beforeChange: func(operation, file string) error {
					mu.Lock()
					defer mu.Unlock()
					changes++
					if changes > at {
						return fmt.Errorf("%w before %s of %s", errCrash, operation, file)
					}
					return nil
				}})
				if more = err != nil; more && !errors.Is(err, errCrash) {
					t.Fatal(err)
				}
				if _, err := Compare(m, dir, Options{}); err != nil {
					t.Fatal(err)
				}
				generate(t, m, dir, Options{})
				wantNoTemporaries(t, dir)
				wantSteps(t, generate(t, m, dir, Options{}))
				verifyAll(t, m, dir, time.Now())
			})
		}
	}
}

func wantNoTemporaries(t *testing.T, dir string) {
	t.Helper()
	for _, dir := range []string{dir, filepath.Dir(dir)} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if strings.HasPrefix(entry.Name(), ".certgen-") || strings.HasPrefix(entry.Name(), ".lab-") {
				t.Errorf("%s is left in %s", entry.Name(), dir)
			}
		}
	}
}

// TestStagingFails leaves the folder exactly as it was.
func TestStagingFails(t *testing.T) {
	dir, m := t.TempDir(), parse(t, revocation)
	generate(t, m, dir, Options{})
	before := snapshot(t, dir)
	_, err := Generate(context.Background(), m, dir, Options{All: true, beforeChange: func(operation, file string) error {
		if file == "ca-crl.pem" { // among the last to be staged
			return errCrash
		}
		return nil
	}})
	if !errors.Is(err, errCrash) {
		t.Fatalf("got %v", err)
	}
	wantSameFiles(t, before, snapshot(t, dir))
}

// TestUnfaithful stops before anything is replaced when a certificate does not
// come out as asked.
func TestUnfaithful(t *testing.T) {
	dir, m := t.TempDir(), parse(t, family)
	m.Find("leaf").sans.dns = []string{"not what is asked of certyaml"}
	_, err := Generate(context.Background(), m, dir, Options{})
	var unfaithful *UnfaithfulError
	if !errors.As(err, &unfaithful) || unfaithful.Name != "leaf" || len(unfaithful.Fields) != 1 || unfaithful.Fields[0] != "sans" {
		t.Errorf("got %v", err)
	}
	for file := range snapshot(t, dir) {
		if file != lockFile {
			t.Errorf("%s was written", file)
		}
	}
}

// TestIssueFails turns what certyaml passes over in silence into an error.
func TestIssueFails(t *testing.T) {
	dir, m := t.TempDir(), parse(t, family)
	m.Find("leaf").SANs = []string{"DNS:bücher.example"} // crypto/x509 refuses it
	_, err := Generate(context.Background(), m, dir, Options{})
	var failed *IssueError
	if !errors.As(err, &failed) || failed.Name != "leaf" {
		t.Errorf("got %v", err)
	}
}

// TestCancelled ends with the context's error and leaves nothing behind.
func TestCancelled(t *testing.T) {
	dir, m := t.TempDir(), parse(t, leaves(50))
	ctx, cancel := context.WithCancel(context.Background())
	_, err := Generate(ctx, m, dir, Options{Progress: func(done, total int) {
		if total != 51 {
			t.Errorf("total is %d", total)
		}
		if done == 3 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for file := range snapshot(t, dir) {
		if file != lockFile {
			t.Errorf("%s was written", file)
		}
	}
}

// TestProgress counts every certificate and CRL once, in order.
func TestProgress(t *testing.T) {
	var counts []int
	plan, err := Generate(context.Background(), parse(t, revocation), t.TempDir(), Options{Progress: func(done, total int) {
		counts = append(counts, done)
		if total != 7 {
			t.Errorf("total is %d", total)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(counts) != 7 || counts[0] != 1 || counts[6] != 7 || len(plan.Steps) != 7 {
		t.Errorf("counted %v for %d steps", counts, len(plan.Steps))
	}
}

// TestWaiting checks that a second run waits for the first, and ends with its
// context.
func TestWaiting(t *testing.T) {
	dir, m := t.TempDir(), parse(t, family)
	unlock, err := lock(context.Background(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	_, err = Generate(ctx, m, dir, Options{Waiting: cancel})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	_, err = Generate(context.Background(), m, dir, Options{Waiting: func() {
		if err := unlock(); err != nil {
			t.Error(err)
		}
	}})
	if err != nil {
		t.Error(err)
	}
	verifyAll(t, m, dir, time.Now())
}

// TestLoad has an error of its own type for each thing that can be wrong.
func TestLoad(t *testing.T) {
	dir := t.TempDir()
	generate(t, parse(t, family), dir, Options{})
	good, err := Load(dir, "leaf")
	if err != nil || good.Leaf == nil || len(good.Certificate) != 2 {
		t.Fatalf("%v, leaf %v, %d certificates", err, good.Leaf, len(good.Certificate))
	}
	if _, err := tls.LoadX509KeyPair(filepath.Join(dir, "leaf.pem"), filepath.Join(dir, "leaf-key.pem")); err != nil {
		t.Error(err)
	}
	chain, err := LoadCertificates(dir, "leaf")
	if err != nil || len(chain) != 2 || chain[1].Subject.CommonName != "mid" {
		t.Errorf("%v, %v", chain, err)
	}

	var missing *MissingError
	if _, err := Load(dir, "nobody"); !errors.As(err, &missing) || missing.File != filepath.Join(dir, "nobody.pem") || missing.Other != "" {
		t.Errorf("got %v", err)
	}
	remove(t, dir, "leaf-key.pem")
	if _, err := Load(dir, "leaf"); !errors.As(err, &missing) || missing.File != filepath.Join(dir, "leaf-key.pem") || missing.Other != filepath.Join(dir, "leaf.pem") {
		t.Errorf("got %v", err)
	}
	remove(t, dir, "root.pem")
	if _, err := LoadCertificates(dir, "root"); !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
	if _, err := Load(dir, "root"); !errors.As(err, &missing) || missing.File != filepath.Join(dir, "root.pem") || missing.Other != filepath.Join(dir, "root-key.pem") {
		t.Errorf("got %v", err)
	}
	var mismatch *KeyMismatchError
	copyFile(t, dir, "other-key.pem", "mid-key.pem")
	if _, err := Load(dir, "mid"); !errors.As(err, &mismatch) {
		t.Errorf("got %v", err)
	}
	var damaged *DamagedError
	overwrite(t, dir, "other-key.pem", "")
	if _, err := Load(dir, "other"); !errors.As(err, &damaged) {
		t.Errorf("got %v", err)
	}
	overwrite(t, dir, "other.pem", "hello")
	if _, err := Load(dir, "other"); !errors.As(err, &damaged) || !strings.Contains(err.Error(), "it is not PEM of type CERTIFICATE") {
		t.Errorf("got %v", err)
	}
}
