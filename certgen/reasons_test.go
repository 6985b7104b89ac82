package certgen

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// family is a root, an intermediate, a leaf of it, and a leaf that stands
// alone.
const family = `subject: CN=root
---
subject: CN=mid
issuer: CN=root
ca: true
---
subject: CN=leaf
issuer: CN=mid
sans: [DNS:leaf.example.com]
---
subject: CN=other
`

var morning = time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)

// overwrite puts data in place of a file of the PKI.
func overwrite(t *testing.T, dir, file, data string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, file), []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, dir string, files ...string) {
	t.Helper()
	for _, file := range files {
		if err := os.Remove(filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, dir, file string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func copyFile(t *testing.T, dir, from, to string) {
	t.Helper()
	overwrite(t, dir, to, read(t, dir, from))
}

// TestReasons spoils a good folder in one way after the other and checks what
// is made anew, why, and that the next run has nothing to do.
func TestReasons(t *testing.T) {
	const follows = "leaf: certificate: issuer mid is made anew"
	later := func(d time.Duration) func() time.Time { return func() time.Time { return morning.Add(d) } }
	for name, test := range map[string]struct {
		before, after string // manifest; empty: family
		spoil         func(t *testing.T, dir string)
		options       Options
		want          []string
	}{
		"nothing":             {},
		"certificate missing": {spoil: func(t *testing.T, dir string) { remove(t, dir, "leaf.pem") }, want: []string{"leaf: certificate: certificate is missing, but the key exists"}},
		"key missing":         {spoil: func(t *testing.T, dir string) { remove(t, dir, "leaf-key.pem") }, want: []string{"leaf: certificate: key is missing, but the certificate exists"}},
		"both missing":        {spoil: func(t *testing.T, dir string) { remove(t, dir, "leaf.pem", "leaf-key.pem") }, want: []string{"leaf: certificate: missing"}},
		"issuer missing":      {spoil: func(t *testing.T, dir string) { remove(t, dir, "mid.pem", "mid-key.pem") }, want: []string{"mid: certificate: missing", follows}},
		"certificate empty":   {spoil: func(t *testing.T, dir string) { overwrite(t, dir, "leaf.pem", "") }, want: []string{"leaf: certificate: certificate is damaged: it is empty"}},
		"key of zeros":        {spoil: func(t *testing.T, dir string) { overwrite(t, dir, "leaf-key.pem", "\x00\x00") }, want: []string{"leaf: certificate: key is damaged: it is empty"}},
		"key truncated": {spoil: func(t *testing.T, dir string) { overwrite(t, dir, "leaf-key.pem", read(t, dir, "leaf-key.pem")[:60]) },
			want: []string{"leaf: certificate: key is damaged: it is truncated"}},
		"marker truncated": {spoil: func(t *testing.T, dir string) { overwrite(t, dir, "leaf.pem", "-----BEG") }, want: []string{"leaf: certificate: certificate is damaged: it is truncated"}},
		"key of another":   {spoil: func(t *testing.T, dir string) { copyFile(t, dir, "other-key.pem", "leaf-key.pem") }, want: []string{"leaf: certificate: key and certificate do not match"}},
		"certificate of another": {spoil: func(t *testing.T, dir string) {
			copyFile(t, dir, "other.pem", "leaf.pem")
			copyFile(t, dir, "other-key.pem", "leaf-key.pem")
		}, want: []string{"leaf: certificate: changed: subject, sans, key_usages, issuer, ca"}},
		"issuer made anew elsewhere": {spoil: func(t *testing.T, dir string) {
			elsewhere := t.TempDir()
			generate(t, parse(t, family), elsewhere, at(morning))
			overwrite(t, dir, "root.pem", read(t, elsewhere, "root.pem"))
			overwrite(t, dir, "root-key.pem", read(t, elsewhere, "root-key.pem"))
		}, want: []string{"mid: certificate: issuer root was made anew", follows}},
		"intermediates gone": {spoil: func(t *testing.T, dir string) {
			pem := read(t, dir, "leaf.pem")
			overwrite(t, dir, "leaf.pem", pem[:strings.LastIndex(pem, "-----BEGIN")])
		}, want: []string{"leaf: certificate: the intermediates in the file are not the present ones"}},
		"asked for": {options: Options{Renew: []string{"mid"}}, want: []string{"mid: certificate: asked for", follows}},
		"all asked for": {options: Options{All: true}, want: []string{
			"root: certificate: asked for", "mid: certificate: asked for; issuer root is made anew",
			"leaf: certificate: asked for; issuer mid is made anew", "other: certificate: asked for"}},
		"expiring": {options: Options{Now: later(DefaultLifetime*9/10 + time.Hour)}, want: []string{
			"root: certificate: expires in 36 days", "mid: certificate: expires in 36 days; issuer root is made anew",
			"leaf: certificate: expires in 36 days; issuer mid is made anew", "other: certificate: expires in 36 days"}},
		"one expired": {before: family + "---\nsubject: CN=short\nissuer: CN=mid\nexpires: 1h\n", after: family + "---\nsubject: CN=short\nissuer: CN=mid\nexpires: 1h\n",
			options: Options{Now: later(3 * time.Hour)}, want: []string{"short: certificate: expired 2 hours ago"}},
		"clock was ahead": {before: "subject: CN=a\n", after: "subject: CN=a\n", options: Options{Now: later(-48 * time.Hour)}, want: []string{"a: certificate: not valid for another 1 day"}},
		"dates by intent": {before: pastByIntent, after: pastByIntent, options: Options{Now: later(100 * DefaultLifetime)}},
		"subject":         {after: strings.Replace(family, "CN=leaf", "CN=leaf,O=x", 1), want: []string{"leaf: certificate: changed: subject"}},
		"sans":            {after: strings.Replace(family, "leaf.ex", "foil.ex", 1), want: []string{"leaf: certificate: changed: sans"}},
		"key type":        {after: family + "key_type: ED25519\n", want: []string{"other: certificate: changed: key_type"}},
		"key size":        {after: family + "key_size: 384\n", want: []string{"other: certificate: changed: key_size"}},
		"expires":         {after: family + "expires: 100h\n", want: []string{"other: certificate: changed: expires"}},
		"not_before":      {after: family + "not_before: 2026-01-01T00:00:00Z\n", want: []string{"other: certificate: changed: not_before"}},
		"not_after":       {after: family + "not_after: 2030-01-01T00:00:00Z\n", want: []string{"other: certificate: changed: not_after"}},
		"key usages":      {after: family + "key_usages: [CertSign]\n", want: []string{"other: certificate: changed: key_usages"}},
		"ext key usages":  {after: family + "ext_key_usages: [ClientAuth]\n", want: []string{"other: certificate: changed: ext_key_usages"}},
		"ca":              {after: family + "ca: false\nkey_usages: [CertSign, CRLSign]\n", want: []string{"other: certificate: changed: ca"}},
		"serial":          {after: family + "serial: 7\n", want: []string{"other: certificate: changed: serial"}},
		"crl points":      {after: family + "crl_distribution_points: ['http://a/']\n", want: []string{"other: certificate: changed: crl_distribution_points"}},
		"ocsp":            {after: family + "ocsp: ['http://a/']\n", want: []string{"other: certificate: changed: ocsp"}},
		"issuer":          {after: strings.Replace(family, "issuer: CN=mid", "issuer: CN=root", 1), want: []string{"leaf: certificate: changed: issuer"}},
		"issuer's field":  {after: strings.Replace(family, "ca: true", "ca: true\nexpires: 9h", 1), want: []string{"mid: certificate: changed: expires", follows}},
		"key readable by others": {spoil: func(t *testing.T, dir string) {
			if runtime.GOOS == "windows" {
				t.Skip("no such modes on Windows")
			}
			if err := os.Chmod(filepath.Join(dir, "leaf-key.pem"), 0o640); err != nil {
				t.Fatal(err)
			}
		}, want: []string{"leaf: key mode: the key can be read by others"}},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := family, family
			if test.before != "" {
				before = test.before
			}
			if test.after != "" {
				after = test.after
			} else if test.before != "" {
				after = test.before
			}
			dir := filepath.Join(t.TempDir(), "certs")
			generate(t, parse(t, before), dir, at(morning))
			if test.spoil != nil {
				test.spoil(t, dir)
			}
			m := parse(t, after)
			if test.options.Now == nil {
				test.options.Now = func() time.Time { return morning }
			}
			was := snapshot(t, dir)
			if test.options.Renew == nil && !test.options.All {
				plan, err := Compare(m, dir, test.options)
				if err != nil {
					t.Fatal(err)
				}
				wantSteps(t, words(plan), test.want...)
				wantSameFiles(t, was, snapshot(t, dir))
			}
			wantSteps(t, generate(t, m, dir, test.options), test.want...)
			if len(test.want) == 0 {
				wantSameFiles(t, was, snapshot(t, dir))
			}
			wantSteps(t, generate(t, m, dir, Options{Now: test.options.Now}))
			verifyAll(t, m, dir, test.options.Now())
		})
	}
}

const pastByIntent = `subject: CN=a
not_before: 2001-01-01T00:00:00Z
expires: 1h
---
subject: CN=b
not_after: 2001-01-01T00:00:00Z
---
subject: CN=c
not_before: 2001-01-01T00:00:00Z
not_after: 2002-01-01T00:00:00Z
---
subject: CN=d
not_before: 2999-01-01T00:00:00Z
`

// wantSameFiles checks that no file's bytes, mode or time moved.
func wantSameFiles(t *testing.T, before, after map[string]string) {
	t.Helper()
	for file, was := range before {
		if after[file] != was {
			t.Errorf("%s was touched", file)
		}
	}
	if len(before) != len(after) {
		t.Errorf("there were %d files, there are %d", len(before), len(after))
	}
}

// TestKeyModeKeepsTime tightens a key without making it look new.
func TestKeyModeKeepsTime(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such modes on Windows")
	}
	dir, m := t.TempDir(), parse(t, family)
	generate(t, m, dir, at(morning))
	key := filepath.Join(dir, "leaf-key.pem")
	if err := errors.Join(os.Chmod(key, 0o644), os.Chtimes(key, morning, morning)); err != nil {
		t.Fatal(err)
	}
	var fault *FaultError
	for _, err := range Verify(m, dir, morning) {
		if err != nil && (!errors.As(err, &fault) || fault.Name != "leaf" || fault.Kind != KindKeyMode) {
			t.Error(err)
		}
	}
	if fault == nil {
		t.Error("Verify saw nothing")
	}
	generate(t, m, dir, at(morning))
	info, err := os.Stat(key)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 || !info.ModTime().Equal(morning) {
		t.Errorf("mode %v, time %v", info.Mode(), info.ModTime())
	}
}

// TestInTheWay never overwrites what is not the lab's, and changes nothing
// else either.
func TestInTheWay(t *testing.T) {
	for name, test := range map[string]struct {
		block func(dir string) error
		file  string
		is    string
	}{
		"directory":     {func(dir string) error { return os.Mkdir(filepath.Join(dir, "leaf.pem"), 0o700) }, "leaf.pem", "a directory"},
		"dangling link": {func(dir string) error { return os.Symlink("nowhere", filepath.Join(dir, "leaf-key.pem")) }, "leaf-key.pem", "a symbolic link"},
		"link to an empty file": {func(dir string) error {
			target := filepath.Join(dir, "target")
			return errors.Join(os.WriteFile(target, nil, 0o600), os.Symlink(target, filepath.Join(dir, "leaf.pem")))
		}, "leaf.pem", "a symbolic link"},
		"not PEM": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "leaf.pem"), []byte("my notes\n"), 0o600)
		}, "leaf.pem", "not PEM of type CERTIFICATE"},
		"encrypted key": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "leaf-key.pem"), []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n"), 0o600)
		}, "leaf-key.pem", "not PEM of type PRIVATE KEY"},
		"huge": {func(dir string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, "leaf.pem"), nil, 0o600), os.Truncate(filepath.Join(dir, "leaf.pem"), maxPEM+1))
		}, "leaf.pem", "larger than"},
		"lock": {func(dir string) error { return os.Mkdir(filepath.Join(dir, ".lock"), 0o700) }, ".lock", "a directory"},
		"CRL":  {func(dir string) error { return os.Mkdir(filepath.Join(dir, "mid-crl.pem"), 0o700) }, "mid-crl.pem", "a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := test.block(dir); err != nil {
				t.Skipf("cannot be had here: %v", err)
			}
			before, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			m := parse(t, strings.Replace(family, "issuer: CN=mid\n", "issuer: CN=mid\nrevoked: true\n", 1))
			_, err = Generate(context.Background(), m, dir, Options{})
			var inTheWay *InTheWayError
			if !errors.As(err, &inTheWay) || inTheWay.File != filepath.Join(dir, test.file) || !strings.HasPrefix(inTheWay.Is, test.is) {
				t.Errorf("got %v", err)
			}
			if after, err := os.ReadDir(dir); err != nil || len(after) != len(before) {
				t.Errorf("there is more than before: %v %v", after, err)
			}
		})
	}
	t.Run("folder", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "certs")
		overwrite(t, filepath.Dir(file), "certs", "x")
		var inTheWay *InTheWayError
		if _, err := Compare(parse(t, family), file, at(morning)); !errors.As(err, &inTheWay) {
			t.Errorf("got %v", err)
		}
	})
}

// TestReadOnlyFolder finds nothing to do where nothing could be done.
func TestReadOnlyFolder(t *testing.T) {
	dir, m := filepath.Join(t.TempDir(), "certs"), parse(t, family)
	generate(t, m, dir, Options{})
	remove(t, dir, lockFile)
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(dir, 0o700) })
	wantSteps(t, generate(t, m, dir, Options{}))
	if _, err := os.Stat(filepath.Join(dir, lockFile)); err == nil {
		t.Error("a lock was taken with nothing to do")
	}
}

// TestRenewUnknown suggests what may have been meant.
func TestRenewUnknown(t *testing.T) {
	_, err := Generate(context.Background(), parse(t, family), t.TempDir(), Options{Renew: []string{"laef", "root"}})
	var unknown *UnknownNameError
	if !errors.As(err, &unknown) || unknown.Name != "laef" || len(unknown.Nearest) == 0 || unknown.Nearest[0] != "leaf" {
		t.Errorf("got %v, nearest %v", err, unknown)
	}
}

// TestManyFollowTheirCA is beyond the number where signatures are checked: a
// new key of the issuer is seen all the same, and Verify sees a bad signature.
func TestManyFollowTheirCA(t *testing.T) {
	m := parse(t, leaves(mostSignatures))
	dir, elsewhere := t.TempDir(), t.TempDir()
	generate(t, m, dir, Options{})
	wantSteps(t, generate(t, m, dir, Options{}))

	good := read(t, dir, "leaf-7.pem")
	end := strings.LastIndex(good, "\n-----END") - 6
	swapped := "A"
	if good[end] == 'A' {
		swapped = "B"
	}
	overwrite(t, dir, "leaf-7.pem", good[:end]+swapped+good[end+1:])
	var faults []string
	for c, err := range Verify(m, dir, time.Now()) {
		if err != nil {
			faults = append(faults, c.Name)
		}
	}
	if len(faults) != 1 || faults[0] != "leaf-7" {
		t.Errorf("faults of %q", faults)
	}

	overwrite(t, dir, "leaf-7.pem", good)

	generate(t, parse(t, "subject: CN=ca\n"), elsewhere, Options{})
	overwrite(t, dir, "ca.pem", read(t, elsewhere, "ca.pem"))
	overwrite(t, dir, "ca-key.pem", read(t, elsewhere, "ca-key.pem"))
	steps := generate(t, m, dir, Options{})
	if len(steps) != mostSignatures || steps[0] != "leaf-0: certificate: issuer ca was made anew" {
		t.Errorf("%d steps, the first %q", len(steps), steps[0])
	}
	verifyAll(t, m, dir, time.Now())
}
