package exercise

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"mtlslab.example/lab/lab/private"
)

// A file in the working directory is a trainer's own, with or without a folder
// before its name.
func TestOwnFile(t *testing.T) {
	for _, file := range []string{"mine.yaml", "./mine.yaml"} {
		t.Run(file, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if err := os.WriteFile("mine.yaml", documentOf(t, "lost-link", "name: lost-link", "name: mine"), 0o644); err != nil {
				t.Fatal(err)
			}
			if w := begin(t, Open("."), file); w.Name() != "mine" || !w.IsOwn() {
				t.Errorf("it is %s, own: %v", w.Name(), w.IsOwn())
			}
			if err := os.WriteFile("mine.yaml", documentOf(t, "lost-link", "minutes: 8", "minutes: 9"), 0o644); err != nil {
				t.Fatal(err)
			}
			var taken *NameTakenError
			if _, err := Open(".").Prepare(file, false); !errors.As(err, &taken) {
				t.Errorf("one with a built-in's name: %v", err)
			}
		})
	}
}

// Progress that no exercise can have is said to be damaged.
func TestDamagedProgress(t *testing.T) {
	c := Open(t.TempDir())
	if err := c.keep(&Progress{Name: "lost-link"}); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`{"name": "lost-link", "hints": 7}`, `{"name": "lost-link", "hints": -1}`, `{"name": "../../lost-link"}`, `null`, `{`,
	} {
		if err := os.WriteFile(filepath.Join(c.dir(), progressFolder, "lost-link.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		var damaged *DamagedError
		if _, err := c.Work("lost-link"); !errors.As(err, &damaged) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// An exercise whose progress was lost is begun anew, and its folder is kept.
func TestResetWithoutProgress(t *testing.T) {
	c := Open(t.TempDir())
	mine := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(mine, documentOf(t, "lost-link", "name: lost-link", "name: mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lost-link", mine} {
		w := begin(t, c, name)
		if err := os.Remove(c.progressFile(w.Name())); err != nil {
			t.Fatal(err)
		}
		lost, err := c.Resettable(name)
		if err != nil {
			t.Fatal(err)
		}
		if aside, err := lost.Reset(t.Context()); err != nil || aside == "" {
			t.Errorf("%s: %q, %v", name, aside, err)
		}
		if w = resume(t, c, w.Name()); w.Values["token"] == "" || w.IsOwn() != (name == mine) {
			t.Errorf("%s begins anew with %+v", name, w.Progress)
		}
	}
	var begun *NotStartedError
	if _, err := c.Resettable("does-not-ask"); !errors.As(err, &begun) {
		t.Errorf("one that was never begun: %v", err)
	}
}

// What another lab notes during a watch stays, and the watch knows of it.
func TestHintDuringWatch(t *testing.T) {
	t.Parallel()
	c := Open(t.TempDir())
	watched := begin(t, c, "lost-link")
	other := resume(t, c, "lost-link")
	if _, _, err := other.Hint(); err != nil {
		t.Fatal(err)
	}
	if err := other.GiveUp(); err != nil {
		t.Fatal(err)
	}
	marked(t, watched)
	for _, w := range []*Work{watched, resume(t, c, "lost-link")} {
		if p := w.Progress; p.Hints != 1 || !p.GaveUp || p.Marked != 1 {
			t.Errorf("after a marking there is %+v", p)
		}
	}
	if _, err := other.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	marked(t, watched)
	if now := resume(t, c, "lost-link"); watched.Values["token"] != now.Values["token"] || now.Marked != 2 {
		t.Errorf("after a reset there is %+v, and the watch has %+v", now.Progress, watched.Progress)
	}
}

// Labs that count at the same time lose nothing.
func TestProgressTogether(t *testing.T) {
	t.Parallel()
	c := Open(t.TempDir())
	if err := c.keep(&Progress{Name: "lost-link"}); err != nil {
		t.Fatal(err)
	}
	var counting sync.WaitGroup
	for range 20 {
		counting.Go(func() {
			if err := c.update(&Progress{Name: "lost-link"}, func(p *Progress) { p.Marked++ }); err != nil {
				t.Error(err)
			}
		})
	}
	counting.Wait()
	if p, err := c.Progress("lost-link"); err != nil || p.Marked != 20 {
		t.Errorf("%+v, %v", p, err)
	}
}

// What a start that was killed has left, keys among it, goes with the next.
func TestKilledStart(t *testing.T) {
	t.Parallel()
	c := Open(t.TempDir())
	if err := os.MkdirAll(c.dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	killed, err := private.MkdirStaging(c.dir(), "exercise")
	if err != nil {
		t.Fatal(err)
	}
	if err := private.WriteFile(filepath.Join(killed.Path, "a-key.pem"), nil); err != nil {
		t.Fatal(err)
	}
	if err := killed.Lock.Close(); err != nil {
		t.Fatal(err)
	}
	begin(t, c, "lost-link")
	entries, err := os.ReadDir(c.dir())
	if err != nil || len(entries) != 2 { // the exercise, and progress
		t.Errorf("there is %v, %v", entries, err)
	}
}

// Why there is no capture is not kept from the participant.
func TestUnrecorded(t *testing.T) {
	t.Parallel()
	w := begin(t, Open(t.TempDir()), "lost-link")
	if err := os.MkdirAll(filepath.Join(w.Folder, captureFile, "mine"), 0o755); err != nil {
		t.Fatal(err)
	}
	if r := marked(t, w); r.Unrecorded == nil || r.Capture != "" || len(r.Steps) == 0 {
		t.Errorf("%q, %v, %d steps", r.Capture, r.Unrecorded, len(r.Steps))
	}
}
