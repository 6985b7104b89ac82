package exercise

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Who looks at the file with the progress reads no answers there, and lab does.
func TestValuesAreSealed(t *testing.T) {
	t.Parallel()
	c := Open(t.TempDir())
	w := begin(t, c, "who-refused")
	text, err := os.ReadFile(c.progressFile("who-refused"))
	if err != nil {
		t.Fatal(err)
	}
	serial := w.Values["serial till-4"]
	if serial == "" || strings.Contains(string(text), serial) || strings.Contains(string(text), "till") {
		t.Errorf("the serial number %q, and the file %s", serial, text)
	}
	if again := resume(t, c, "who-refused"); again.Values["serial till-4"] != serial {
		t.Errorf("of %q there is %q later", serial, again.Values["serial till-4"])
	}
	var v values
	if err := json.Unmarshal([]byte(`"`+strings.Repeat("A", 64)+`"`), &v); err == nil {
		t.Error("values that were changed are read")
	}
}

// A CA that was made anew under its name is noticed, whether or not that solves
// the exercise.
func TestNewCA(t *testing.T) {
	t.Parallel()
	w := begin(t, Open(t.TempDir()), "lost-link")
	if r := marked(t, w); r.NewCAs != nil {
		t.Errorf("at the start %q are said to be new", r.NewCAs)
	}
	if err := os.RemoveAll(filepath.Join(w.Folder, certsFolder)); err != nil {
		t.Fatal(err)
	}
	if err := w.generate(t.Context(), w.Folder, time.Now(), nil, nil); err != nil {
		t.Fatal(err)
	}
	if r := marked(t, w); strings.Join(r.NewCAs, " ") != "issuing root server-ca" {
		t.Errorf("%q are said to be new, want all", r.NewCAs)
	}
}

// A marking that takes too long says where the capture is of what was said.
func TestLate(t *testing.T) {
	t.Parallel()
	w := begin(t, Open(t.TempDir()), "lost-link")
	file := filepath.Join(w.Folder, captureFile)
	_, err := w.verify(context.Background(), w.Folder, w.Values, file, time.Nanosecond)
	var late *LateError
	if !errors.As(err, &late) || late.Capture != file || !errors.Is(err, ErrLate) {
		t.Errorf("%v, %+v", err, late)
	}
}
