package keylog

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFollow: what comes to a key log after it was first read is found when it
// is asked for, a line that is written in two pieces too.
func TestFollow(t *testing.T) {
	name := filepath.Join(t.TempDir(), "keys.log")
	first, second, third := strings.Repeat("01", 32), strings.Repeat("02", 32), strings.Repeat("03", 32)
	if err := os.WriteFile(name, []byte("# a comment\n\nCLIENT_RANDOM "+first+" aa\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var s Store
	if err := s.Follow(r); err != nil {
		t.Fatal(err)
	}
	w, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	check := func(b byte, want string) {
		t.Helper()
		if got := s.Secret(LabelClientRandom, bytes.Repeat([]byte{b}, 32)); string(got) != want {
			t.Errorf("the secret of %d is %x, want %x", b, got, want)
		}
	}
	check(1, "\xaa")
	check(2, "")
	write := func(text string) {
		t.Helper()
		if _, err := w.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	write("CLIENT_RANDOM " + second + " bb\nCLIENT_RANDOM " + third[:10])
	check(2, "\xbb")
	check(3, "")
	write(third[10:] + " cc\n")
	check(3, "\xcc")
	if s.Has(bytes.Repeat([]byte{4}, 32)) {
		t.Error("there is a secret that nobody has written")
	}

	var syntax *SyntaxError
	if err := new(Store).Follow(strings.NewReader("CLIENT_RANDOM " + first + " aa\nnonsense\n")); !errors.As(err, &syntax) || syntax.Line != 2 {
		t.Errorf("a file that is no key log: %v", err)
	}
	if err := new(Store).Follow(strings.NewReader("nonsense without an end")); err == nil {
		t.Error("half a line of something else is read as a key log")
	}
	if err := new(Store).Follow(strings.NewReader(strings.Repeat("x", 100000))); err == nil {
		t.Error("a line without end is read as a key log")
	}
}

// TestFollowAnyCut: wherever a line is cut when it is first read, its secret is
// the whole one when all of it is there: a secret of 48 bytes that was cut
// after 32 looks like another's.
func TestFollowAnyCut(t *testing.T) {
	random := bytes.Repeat([]byte{1}, 32)
	want := bytes.Repeat([]byte{0xab}, 48)
	line, _ := Entry{Label: LabelServerTraffic0, ClientRandom: random, Secret: want}.AppendText(nil)
	for cut := range line { // of the first line
		var log bytes.Buffer
		log.Write(line[:cut])
		var s Store
		if err := s.Follow(&log); err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if there := s.Has(random); there == s.Empty() || there != (len(s.Secret(LabelServerTraffic0, random)) > 0) {
			t.Errorf("cut at %d: there is a secret: %v, and none: %v", cut, there, s.Empty())
		}
		log.Write(line[cut:])
		if got := s.Secret(LabelServerTraffic0, random); !bytes.Equal(got, want) {
			t.Errorf("cut at %d: the secret is %x", cut, got)
		}
	}
}

// TestTailReadsPastErrors: what is no line of a key log is reported once, and
// not kept, however long it is; entries are found after it.
func TestTailReadsPastErrors(t *testing.T) {
	var log bytes.Buffer
	tail := NewTail(&log)
	for _, step := range []struct {
		text              string
		problems, entries int
	}{
		{"nonsense\n" + line + "\n", 1, 1},
		{strings.Repeat("x", 1<<17), 0, 0},
		{strings.Repeat("\r", 1<<17), 0, 0},
		{line + "\n" + line + "\n" + line[:10], 1, 1},
		{"\n#" + strings.Repeat("x", 1<<17) + "\n" + line + "\n", 1, 1},
	} {
		log.WriteString(step.text)
		problems, entries := 0, 0
		for _, err := range tail.Entries() {
			if err != nil {
				problems++
			} else {
				entries++
			}
		}
		if problems != step.problems || entries != step.entries {
			t.Errorf("%.20q…: %d entries and %d problems", step.text, entries, problems)
		}
		if len(tail.rest) > 1<<16 {
			t.Errorf("%.20q…: %d bytes are kept", step.text, len(tail.rest))
		}
	}
}

// TestFollowLastLine: a key log need not end in a line feed, as one that people
// have cut out of another does not.
func TestFollowLastLine(t *testing.T) {
	random := strings.Repeat("01", 32)
	for text, want := range map[string]int{
		"CLIENT_RANDOM " + random + " " + strings.Repeat("ab", 48):           48,
		"CLIENT_RANDOM " + random + " " + strings.Repeat("ab", 32):           0, // not all of it
		"CLIENT_TRAFFIC_SECRET_0 " + random + " " + strings.Repeat("ab", 32): 32,
		"CLIENT_TRAFFIC_SECRET_0 " + random + " " + strings.Repeat("ab", 31): 0,
	} {
		var s Store
		if err := s.Follow(strings.NewReader(text)); err != nil {
			t.Error(err)
		}
		label, _, _ := strings.Cut(text, " ")
		if got := s.Secret(label, bytes.Repeat([]byte{1}, 32)); len(got) != want {
			t.Errorf("%s: %d bytes of secret, want %d", text, len(got), want)
		}
	}
}
