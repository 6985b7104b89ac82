package handout_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/handout"
)

const url = "https://10.0.0.5:8443/"

// pki makes the certificates of the default manifest, with n copies of the
// client.
func pki(t testing.TB, n int) (dir string) {
	t.Helper()
	manifest, err := os.ReadFile("../../certs.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	generate(t, dir, manifest, n)
	return dir
}

func generate(t testing.TB, dir string, manifest []byte, n int) []string {
	t.Helper()
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("client-%03d", i+1))
	}
	manifest, _, err := certgen.AddCopies("certs.yaml", manifest, "client", names)
	if err != nil {
		t.Fatal(err)
	}
	m, err := certgen.Parse("certs.yaml", manifest)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := certgen.Generate(context.Background(), m, dir, certgen.Options{}); err != nil {
		t.Fatal(err)
	}
	return names
}

func newHandout(t testing.TB, dir, name string, side endpoint.Side, authority string, o handout.Options) *handout.Handout {
	t.Helper()
	o.URL = url
	h, err := handout.New(dir, name, side, authority, o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// keysIn returns how many private keys there are in all files below dir.
func keysIn(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte("PRIVATE KEY")) {
			files = append(files, filepath.Base(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Each side gets what it may have, and what it gets works on another machine.
func TestHandout(t *testing.T) {
	certs := pki(t, 0)
	for _, c := range []struct {
		name, authority string
		side            endpoint.Side
	}{{"client", "server-ca", endpoint.Client}, {"server", "client-ca", endpoint.Server}} {
		for _, folder := range []bool{false, true} {
			for _, password := range []string{"", "a password"} {
				out, to := t.TempDir(), filepath.Join(t.TempDir(), "certs")
				h := newHandout(t, certs, c.name, c.side, c.authority, handout.Options{Password: password, PKCS12: true})
				if err := h.Write(out, folder, false); err != nil {
					t.Fatal(err)
				}
				if err := h.Write(out, folder, false); !errors.Is(err, fs.ErrExist) {
					t.Errorf("a second one: %v", err)
				}
				if err := h.Write(out, folder, true); err != nil {
					t.Errorf("in place of the first: %v", err)
				}
				if left, err := os.ReadDir(out); err != nil || len(left) != 1 {
					t.Errorf("beside it: %v, %v", left, err)
				}
				read, err := handout.Open(filepath.Join(out, handout.File(c.name, folder)))
				if err != nil {
					t.Fatal(err)
				}
				if read.Name != c.name || read.Side != c.side || read.Authority != c.authority || read.URL != url || read.Encrypted != (password != "") {
					t.Errorf("%+v", read)
				}
				if password != "" {
					if err := read.Unlock(""); !errors.Is(err, certfile.ErrNoPassword) {
						t.Errorf("without a password: %v", err)
					}
					if err := read.Unlock("another"); !errors.Is(err, certfile.ErrPassword) {
						t.Errorf("with another password: %v", err)
					}
				}
				if err := read.Unlock(password); err != nil {
					t.Fatal(err)
				}
				if _, err := read.Unpack(t.Context(), to, false); err != nil {
					t.Fatal(err)
				}
				if _, err := tls.LoadX509KeyPair(filepath.Join(to, c.name+".pem"), filepath.Join(to, c.name+"-key.pem")); err != nil {
					t.Error(err)
				}
				if keys := keysIn(t, to); !slices.Equal(keys, []string{c.name + "-key.pem"}) {
					t.Errorf("%s gets the keys %q", c.name, keys)
				}
				if !read.IsIn(to) {
					t.Error("it is not what was handed out")
				}
			}
		}
	}
	if _, err := handout.New(certs, "client", endpoint.Client, "server", handout.Options{}); err == nil {
		t.Error("a server is taken for a CA")
	}
}

// Difference says how a hand-out differs from the one that would be made now.
func TestDifference(t *testing.T) {
	certs := pki(t, 0)
	if err := os.WriteFile(filepath.Join(certs, "server-ca-crl.pem"), newCRL(t), 0o644); err != nil {
		t.Fatal(err)
	}
	was := handout.Options{URL: url, Password: "a password", PKCS12: true, CRLs: []string{"server-ca"}}
	for want, now := range map[string]handout.Options{
		"":                                was,
		"is for " + url:                   {URL: "https://x/", Password: was.Password, PKCS12: true, CRLs: was.CRLs},
		"has a key with a password":       {URL: url, PKCS12: true, CRLs: was.CRLs},
		"has a key with another password": {URL: url, Password: "another", PKCS12: true, CRLs: was.CRLs},
		"has a PKCS#12 file":              {URL: url, Password: was.Password, CRLs: was.CRLs},
		"has other CRLs":                  {URL: url, Password: was.Password, PKCS12: true},
	} {
		h := newHandout(t, certs, "client", endpoint.Client, "server-ca", was)
		if got := h.Difference(certs, "client", endpoint.Client, "server-ca", now); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
	plain := handout.Options{URL: url}
	for want, now := range map[string]handout.Options{
		"has a key without a password": {URL: url, Password: "a password"},
		"has no PKCS#12 file":          {URL: url, PKCS12: true},
		"has other CRLs":               {URL: url, CRLs: []string{"server-ca"}},
	} {
		h := newHandout(t, certs, "client", endpoint.Client, "server-ca", plain)
		if got := h.Difference(certs, "client", endpoint.Client, "server-ca", now); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
	h := newHandout(t, certs, "client", endpoint.Client, "server-ca", plain)
	if got := h.Difference(pki(t, 0), "client", endpoint.Client, "server-ca", plain); got != "has another certificate or CA" {
		t.Errorf("another PKI: %q", got)
	}
}

// One that cannot be written leaves the one before, and no half of it.
func TestWriteFails(t *testing.T) {
	out := t.TempDir()
	h := newHandout(t, pki(t, 0), "client", endpoint.Client, "server-ca", handout.Options{})
	if err := h.Write(out, true, false); err != nil {
		t.Fatal(err)
	}
	handout.Spoil(h)
	for _, replace := range []bool{false, true} {
		if err := h.Write(out, true, replace); err == nil {
			t.Fatal("it was written")
		}
	}
	if _, err := handout.Open(filepath.Join(out, "client")); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(out); err != nil || len(left) != 1 {
		t.Errorf("beside it: %v, %v", left, err)
	}
}

// What is there and differs stays, unless it is asked for; then it is kept.
func TestUnpackReplacesNothing(t *testing.T) {
	first, second, to := newHandout(t, pki(t, 0), "client", endpoint.Client, "server-ca", handout.Options{}), newHandout(t, pki(t, 0), "client", endpoint.Client, "server-ca", handout.Options{}), t.TempDir()
	unpack := func(h *handout.Handout, force bool) (string, error) { return h.Unpack(t.Context(), to, force) }
	if err := os.WriteFile(filepath.Join(to, "mine.pem"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the same again changes nothing
		if _, err := unpack(first, false); err != nil {
			t.Fatal(err)
		}
	}
	var differ *certgen.DifferentError
	if _, err := unpack(second, false); !errors.As(err, &differ) || !first.IsIn(to) {
		t.Errorf("%v", err)
	}
	kept, err := unpack(second, true)
	if err != nil || !second.IsIn(to) || !first.IsIn(kept) {
		t.Errorf("%q, %v", kept, err)
	}
	if data, err := os.ReadFile(filepath.Join(to, "mine.pem")); err != nil || string(data) != "mine" {
		t.Errorf("%q, %v", data, err)
	}
}

// entry is one of an archive.
type entry struct {
	name string
	data []byte
	mode fs.FileMode
}

// entries are those of a good hand-out.
func entries(t testing.TB) (all []entry) {
	t.Helper()
	out := t.TempDir()
	if err := newHandout(t, pki(t, 0), "client", endpoint.Client, "server-ca", handout.Options{}).Write(out, false, false); err != nil {
		t.Fatal(err)
	}
	r, err := zip.OpenReader(filepath.Join(out, "client.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, entry{f.Name, data, f.Mode()})
	}
	return all
}

// archived returns a zip file of all.
func archived(t testing.TB, all []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range all {
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		header.SetMode(e.mode)
		w, err := z.CreateHeader(header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.data); err != nil && !strings.HasSuffix(e.name, "/") {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func archive(t testing.TB, all []entry) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.zip")
	if err := os.WriteFile(file, archived(t, all), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// An archive that is more than a hand-out is refused, whatever it has.
func TestOpenRefuses(t *testing.T) {
	good := entries(t)
	data := func(name string) []byte {
		return good[slices.IndexFunc(good, func(e entry) bool { return e.name == name })].data
	}
	with := func(more ...entry) []entry { return append(slices.Clone(good), more...) }
	instead := func(name string, data []byte) []entry {
		all := slices.Clone(good)
		for i := range all {
			if all[i].name == name {
				all[i].data = data
			}
		}
		return all
	}
	about := func(from, to string) []entry {
		return instead("client/handout.json", bytes.ReplaceAll(data("client/handout.json"), []byte(from), []byte(to)))
	}
	crl := newCRL(t)
	named := func(name, authority string) []byte {
		return fmt.Appendf(nil, `{"name": %q, "side": "client", "authority": %q, "url": %q}`, name, authority, url)
	}
	key, ca := data("client/certs/client-key.pem"), data("client/certs/server-ca.pem")
	for name, c := range map[string]struct {
		entries []entry
		want    string
	}{
		"above":                  {with(entry{"client/../../.bashrc", nil, 0o644}), "leads elsewhere"},
		"absolute":               {with(entry{"/etc/passwd", nil, 0o644}), "begins at the root"},
		"of Windows":             {with(entry{`client/certs\..\..\x`, nil, 0o644}), "a character that not every system takes"},
		"on another drive":       {with(entry{"C:/x", nil, 0o644}), "a character that not every system takes"},
		"a stream":               {with(entry{"client/certs/client.pem:x", nil, 0o644}), "a character that not every system takes"},
		"a link":                 {with(entry{"client/certs/client.p12", []byte("/etc/passwd"), fs.ModeSymlink | 0o777}), "which is a link"},
		"a link to a folder":     {with(entry{"client/certs/", nil, fs.ModeSymlink | 0o777}), "which is"},
		"a device":               {with(entry{"client/certs/client.p12", nil, fs.ModeDevice | 0o666}), "which is not a regular file"},
		"twice":                  {with(entry{"client/certs/client.pem", key, 0o644}), "in it twice"},
		"in other letters":       {with(entry{"client/certs/Client.pem", key, 0o644}), "one file on some systems"},
		"another folder":         {with(entry{"Client/README.txt", nil, 0o644}), "one file on some systems"},
		"a device of Windows":    {with(entry{"client/certs/NUL.pem", nil, 0o644}), "Windows has for a device"},
		"a port of Windows":      {with(entry{"client/com1", nil, 0o644}), "Windows has for a device"},
		"a dot at the end":       {with(entry{"client/certs/client.pem.", nil, 0o644}), "Windows leaves out"},
		"a hidden file":          {with(entry{"client/certs/.lock", nil, 0o644}), "begins with ."},
		"an option":              {with(entry{"client/-rf", nil, 0o644}), "begins with -"},
		"a terminal's command":   {with(entry{"client/\x1b[2J", nil, 0o644}), "a character that not every system takes"},
		"another file":           {with(entry{"client/certs.yaml", nil, 0o644}), "no part of a hand-out for client"},
		"another certificate":    {with(entry{"client/certs/server.pem", ca, 0o644}), "no part of a hand-out for client"},
		"the key of a CA":        {with(entry{"client/certs/server-ca-key.pem", key, 0o600}), "no part of a hand-out for client"},
		"a key beside a CA":      {instead("client/certs/server-ca.pem", slices.Concat(ca, key)), "a private key in certs/server-ca.pem"},
		"a key beside a CRL":     {with(entry{"client/certs/x-crl.pem", key, 0o600}), "a private key in certs/x-crl.pem"},
		"a CA in place of a CRL": {with(entry{"client/certs/x-crl.pem", ca, 0o600}), "what is not a CRL"},
		"no CA":                  {instead("client/certs/server-ca.pem", data("client/certs/client.pem")), "what is not a CA"},
		"two keys":               {instead("client/certs/client-key.pem", slices.Concat(key, key)), "more or less than a private key"},
		"nothing":                {nil, "no handout.json"},
		"no folder":              {with(entry{"x", nil, 0o644}), "not in its only folder"},
		"no key":                 {good[:0:0], "no handout.json"},
		"a bomb":                 {with(entry{"client/certs/client.p12", make([]byte, 64<<20), 0o644}), "more than 1 MiB"},
		"many files":             {many(good), "more than 64 files"},
		"a name with a path":     {about(`"name": "client"`, `"name": "../client"`), "names that no file can have"},
		"no side":                {about(`"side": "client",`, ``), "neither for a client nor for a server"},
		"another URL":            {about(url, "file:///etc/passwd"), "url is not like"},
		"a URL with a command":   {about(url, "https://x/$(id)"), "url is not like"},
		"a URL with a user":      {about(url, "https://a:b@x/"), "url is not like"},
		"one name for both":      {about(`"server-ca"`, `"Client"`), "one name"},
		"a CRL as certificate": {[]entry{
			{"x/handout.json", named("x-crl", "server-ca"), 0o644}, {"x/certs/x-crl.pem", crl, 0o644},
			{"x/certs/x-crl-key.pem", key, 0o600}, {"x/certs/server-ca.pem", ca, 0o644}}, "names that no file can have"},
		"a key as CA": {[]entry{
			{"x/handout.json", named("x", "x-key"), 0o644}, {"x/certs/x.pem", data("client/certs/client.pem"), 0o644},
			{"x/certs/x-key.pem", key, 0o600}}, "names that no file can have"},
		"a CRL as CA":        {instead("client/certs/server-ca.pem", crl), "no certificate in certs/server-ca.pem"},
		"more than it knows": {about(`{`, `{"run": "rm",`), "cannot be read"},
	} {
		file := archive(t, c.entries)
		if _, err := handout.Open(file); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nnot %s", name, err, c.want)
		}
	}
	large := filepath.Join(t.TempDir(), "large.zip")
	if err := os.WriteFile(large, make([]byte, handout.MaxSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := handout.Open(large); err == nil || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Errorf("a large file: %v", err)
	}
	if _, err := handout.Open(archive(t, good)); err != nil {
		t.Errorf("a good one: %v", err)
	}
	h, err := handout.Open(archive(t, instead("client/certs/client-key.pem", otherKey(t))))
	if err != nil {
		t.Fatal(err)
	}
	var mismatch *certfile.MismatchError
	if err := h.Unlock(""); !errors.As(err, &mismatch) {
		t.Errorf("the key of another certificate: %v", err)
	}
}

func many(good []entry) []entry {
	all := slices.Clone(good)
	for i := range 100 {
		all = append(all, entry{fmt.Sprintf("client/certs/x%d-crl.pem", i), nil, 0o644})
	}
	return all
}

// newCRL returns the CRL of a CA of another PKI.
func newCRL(t testing.TB) []byte {
	t.Helper()
	dir := t.TempDir()
	generate(t, dir, []byte("subject: CN=ca\n---\nsubject: CN=client\nissuer: CN=ca\n---\nsubject: CN=bad\nissuer: CN=ca\nrevoked: true\n"), 0)
	data, err := os.ReadFile(filepath.Join(dir, "ca-crl.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func otherKey(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(pki(t, 0), "client-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A folder is read as carefully.
func TestOpenFolderRefusesLinks(t *testing.T) {
	out, certs := t.TempDir(), pki(t, 0)
	if err := newHandout(t, certs, "client", endpoint.Client, "server-ca", handout.Options{}).Write(out, true, false); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(out, "client")
	if err := os.Symlink(filepath.Join(certs, "server-ca-key.pem"), filepath.Join(folder, "certs", "client.p12")); err != nil {
		t.Skip(err)
	}
	if _, err := handout.Open(folder); err == nil || !strings.Contains(err.Error(), "which is a link") {
		t.Error(err)
	}
}

// Whatever an archive holds: no panic, and nothing outside of the folder.
func FuzzOpen(f *testing.F) {
	f.Add(archived(f, entries(f)))
	for _, name := range []string{"x-crl", "x-key"} {
		f.Add(archived(f, []entry{ // one file for two things
			{"x/handout.json", fmt.Appendf(nil, `{"name": %q, "side": "client", "authority": "x", "url": %q}`, name, url), 0o644},
			{"x/certs/" + name + ".pem", newCRL(f), 0o644}, {"x/certs/" + name + "-key.pem", nil, 0o600}, {"x/certs/x.pem", nil, 0o644}}))
	}
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		file := filepath.Join(dir, "x.zip")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		h, err := handout.Open(file)
		if err != nil || h.Unlock("") != nil {
			return
		}
		if _, err := h.Unpack(t.Context(), filepath.Join(dir, "a", "certs"), false); err != nil {
			t.Fatal(err)
		}
		for _, folder := range []string{dir, filepath.Join(dir, "a")} {
			if entries, err := os.ReadDir(folder); err != nil || len(entries) > 2 {
				t.Errorf("%v, %v", entries, err)
			}
		}
	})
}

// BenchmarkRoom makes the certificates and the hand-outs of a room.
func BenchmarkRoom(b *testing.B) {
	const participants = 200
	manifest, err := os.ReadFile("../../certs.yaml")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		dir, out := b.TempDir(), b.TempDir()
		for _, name := range generate(b, dir, manifest, participants) {
			h := newHandout(b, dir, name, endpoint.Client, "server-ca", handout.Options{})
			if err := h.Write(out, false, false); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(participants, "hand-outs/op")
}
