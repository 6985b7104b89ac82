package keylog

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"

	"mtlslab.example/lab/lab/private"
)

const (
	random = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	secret = "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
	line   = "CLIENT_TRAFFIC_SECRET_0 " + random + " " + secret
)

// read reads a key log up to the first line that cannot be read.
func read(log string) (entries []Entry, err error) {
	for entry, err := range NewTail(strings.NewReader(log)).Entries() {
		if err != nil {
			return entries, err
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

func TestEntries(t *testing.T) {
	entries, err := read("# a comment\r\n\n" + line + "\r\nNEW_LABEL_7 " + random + " ff\nRSA 0011223344556677 " + secret + "\n")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 3 || entries[0].Label != "CLIENT_TRAFFIC_SECRET_0" || entries[1].Label != "NEW_LABEL_7" || entries[2].Label != "RSA" {
		t.Errorf("read %v", entries)
	}
}

func TestEntriesRefuses(t *testing.T) {
	for name, c := range map[string]struct{ log, problem string }{
		"two fields":      {line + "\nCLIENT_RANDOM " + random + "\n", "key log line 2: want LABEL CLIENT_RANDOM SECRET"},
		"after a comment": {"# a comment\n\n" + line + "\nnonsense\n", "key log line 4: want LABEL"},
		"no label":        {" " + random + " " + secret + "\n", "want LABEL"},
		"odd secret":      {"CLIENT_RANDOM " + random + " abc\n", "the secret is not hexadecimal"},
		"no secret":       {"CLIENT_RANDOM " + random + " \n", "the secret is not hexadecimal"},
		"bad random":      {"CLIENT_RANDOM zz " + secret + "\n", "the client random is not hexadecimal"},
		"short random":    {"CLIENT_RANDOM 00 " + secret + "\n", "has 1 bytes, not 32"},
		"a certificate":   {"-----BEGIN CERTIFICATE-----\n", "want LABEL"},
		"lower case":      {"client_random " + random + " " + secret + "\n", "capital letters"},
		"a long line":     {line + "\n" + strings.Repeat("A", 3*MaxLine) + "\n", "key log line 2: longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(c.log)
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("got %v, want %q", err, c.problem)
			}
		})
	}
}

func open(t *testing.T, path string) *Writer {
	t.Helper()
	w, err := Open(path, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWriterWritesEverySecretOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.log")
	w := open(t, path)
	var both sync.WaitGroup
	for range 2 { // the two ends of a connection
		both.Go(func() {
			for i := range 100 {
				w.Write([]byte("LABEL_" + strings.Repeat("X", i) + " " + random + " " + secret + "\n"))
			}
		})
	}
	both.Wait()
	if entries, err := read(content(t, path)); err != nil || len(entries) != 100 {
		t.Errorf("%d entries, error %v; want 100", len(entries), err)
	}
	if info, _ := os.Stat(path); runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

// A connection's lines are one write, and stay away from the log until then.
func TestBatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.log")
	b := Buffer{To: open(t, path)}
	lines := []string{"FIRST " + random + " " + secret + "\n", "SECOND " + random + " " + secret + "\n"}
	for _, line := range lines {
		b.Write([]byte(line))
	}
	if content(t, path) != "" {
		t.Error("written before the flush")
	}
	b.Flush()
	b.Write([]byte(lines[1])) // the connection's other end has written it
	b.Write([]byte("THIRD " + random + " " + secret + "\n"))
	b.Flush()
	b.Flush()
	if want := strings.Join(lines, "") + "THIRD " + random + " " + secret + "\n"; content(t, path) != want {
		t.Errorf("file holds\n%s", content(t, path))
	}
}

func TestWriterForgetsOldLines(t *testing.T) {
	w := open(t, filepath.Join(t.TempDir(), "keys.log"))
	for i := range 3 * recentLines {
		w.Write([]byte("L " + random + " " + strings.Repeat("0", i%7) + string(rune('a'+i%26)) + "\n"))
		w.Write([]byte{byte(i), byte(i >> 8), '\n'})
	}
	if len(w.seen) > recentLines {
		t.Errorf("remembers %d lines", len(w.seen))
	}
}

func TestOpenKeepsWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.log")
	if err := os.WriteFile(path, []byte(line), 0o644); err != nil { // another program's, cut off
		t.Fatal(err)
	}
	w := open(t, path)
	w.Write([]byte("SECOND " + random + " " + secret + "\n"))
	if want := line + "\nSECOND " + random + " " + secret + "\n"; content(t, path) != want {
		t.Errorf("file holds\n%s", content(t, path))
	}
	if info, _ := os.Stat(path); runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestOpenRefusesOtherFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.pem")
	const pem = "-----BEGIN CERTIFICATE-----\n"
	if err := os.WriteFile(path, []byte(pem), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Open(path, nil)
	var not *NotKeyLogError
	if !errors.As(err, &not) {
		t.Errorf("got %v", err)
	}
	if content(t, path) != pem {
		t.Error("the file was changed")
	}
	if info, _ := os.Stat(path); runtime.GOOS != "windows" && info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v", info.Mode())
	}
}

// TestOpenRefusesLinks: secrets go to no file that somebody else could have
// chosen.
func TestOpenRefusesLinks(t *testing.T) {
	dir := t.TempDir()
	link, target := filepath.Join(dir, "keys.log"), filepath.Join(dir, "target")
	if err := os.Symlink(target, link); err != nil {
		t.Skipf("no symbolic links: %v", err)
	}
	if _, err := os.Lstat(link); err != nil {
		t.Skipf("symbolic links that are none: %v", err)
	}
	for _, there := range []bool{false, true} {
		if there {
			if err := os.WriteFile(target, nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		var unsafe *private.UnsafeError
		if _, err := Open(link, nil); !errors.As(err, &unsafe) {
			t.Errorf("got %v", err)
		}
		info, err := os.Lstat(target)
		if there && (err != nil || info.Mode() != 0o644) || !there && err == nil {
			t.Errorf("what the link leads to: %v, %v", info, err)
		}
	}
}

func TestFullDiskDoesNotBreakTheHandshake(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("needs /dev/full")
	}
	reported := 0
	w, err := Open("/dev/full", func(error) { reported++ })
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for range 3 {
		if _, err := w.Write([]byte(line + "\n")); err != nil {
			t.Errorf("crypto/tls was reported %v", err)
		}
	}
	if reported != 1 {
		t.Errorf("reported %d times", reported)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(line + "\n")
	f.Add("# comment\r\n\nRSA 0011223344556677 " + secret + "\n")
	f.Add("CLIENT_RANDOM " + random + " \n")
	f.Fuzz(func(t *testing.T, log string) {
		first, _ := read(log)
		var text []byte
		for _, e := range first {
			text, _ = e.AppendText(text)
		}
		again, err := read(string(text))
		if err != nil || !reflect.DeepEqual(first, again) {
			t.Errorf("%v came back as %v: %v", first, again, err)
		}
	})
}
