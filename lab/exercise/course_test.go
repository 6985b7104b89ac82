package exercise

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"mtlslab.example/lab/certgen/yamldoc"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/peertest"
)

// begin starts an exercise in a course.
func begin(t *testing.T, c Course, name string) *Work {
	t.Helper()
	prepared, err := c.Prepare(name, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Start(t.Context(), prepared); err != nil {
		t.Fatal(err)
	}
	return resume(t, c, prepared.Name)
}

// resume returns an exercise that was started, as another process would.
func resume(t *testing.T, c Course, name string) *Work {
	t.Helper()
	w, err := c.Work(name)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// marked marks an exercise.
func marked(t *testing.T, w *Work) *Result {
	t.Helper()
	r, unkept, err := w.Verify(t.Context())
	if err != nil || unkept != nil {
		t.Fatal(err, unkept)
	}
	return r
}

// solve does what the document says solves it.
func solve(t *testing.T, w *Work) {
	t.Helper()
	if _, err := w.apply(t.Context(), w.Folder, w.Values, &w.Solution); err != nil {
		t.Fatal(err)
	}
}

// Somebody begins, asks for hints, comes back another day, and solves it.
func TestFromStartToEnd(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a folder with blanks")
	c := Open(dir)
	w := begin(t, c, "lost-link")
	if r := marked(t, w); r.Solved || r.Steps[0].Met || r.Capture == "" {
		t.Errorf("at the start: %+v%s", r, told(r))
	}
	if n, more, err := w.Hint(); n != 1 || !more || err != nil {
		t.Errorf("the first hint is %d, %v, %v", n, more, err)
	}

	w = resume(t, Open(dir), "") // the current one
	if w.Name() != "lost-link" || w.Marked != 1 || w.Progress.Hints != 1 {
		t.Errorf("after coming back: %+v", w.Progress)
	}
	if err := w.GiveUp(); err != nil {
		t.Error(err)
	}
	solve(t, w)
	if r := marked(t, w); !r.Solved {
		t.Errorf("with the solution: %s", told(r))
	}
	w = resume(t, Open(w.Folder), "") // from within its folder
	if w.Progress.Solved == nil || !w.GaveUp {
		t.Errorf("at the end: %+v", w.Progress)
	}
	story, err := w.Story(t.Context())
	if err != nil || story == nil || !story.Before.isRejected() || story.After.isRejected() {
		t.Errorf("the story is %+v, %v", story, err)
	}
}

// What somebody has done is never lost: a second start refuses, and a reset
// puts it aside.
func TestNothingIsOverwritten(t *testing.T) {
	t.Parallel()
	c := Open(t.TempDir())
	w := begin(t, c, "lost-link")
	note := filepath.Join(w.Folder, settingsFile)
	if err := os.WriteFile(note, []byte("# mine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	prepared, err := c.Prepare("lost-link", false)
	if err != nil {
		t.Fatal(err)
	}
	var there *FolderExistsError
	if _, err := c.Start(t.Context(), prepared); !errors.As(err, &there) {
		t.Errorf("a second start: %v", err)
	}
	if _, _, err := w.Hint(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		aside, err := w.Reset(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		kept, err := os.ReadFile(filepath.Join(aside, settingsFile))
		if err != nil || string(kept) != "# mine\n" {
			t.Errorf("what is kept is %q, %v", kept, err)
		}
		if text, err := os.ReadFile(note); err != nil || !strings.Contains(string(text), "billing") {
			t.Errorf("after the reset there is %q, %v", text, err)
		}
		if err := os.WriteFile(note, []byte("# mine\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if w = resume(t, c, "lost-link"); w.Progress.Hints != 1 {
		t.Errorf("the reset has forgotten %+v", w.Progress)
	}
}

// Marking leaves the folder as it is, keys and all, and several exercises are
// marked at once.
func TestMarkingTogether(t *testing.T) {
	t.Parallel()
	c := Open(t.TempDir())
	var marking sync.WaitGroup
	for _, name := range []string{"lost-link", "revoked-laptop", "does-not-ask"} {
		w := begin(t, c, name)
		solve(t, w)
		before := w.state()
		for range 2 {
			mine := resume(t, c, name)
			marking.Go(func() {
				r, _, err := mine.Verify(t.Context())
				if err != nil || !r.Solved {
					t.Errorf("%s: %v%s", name, err, told(r))
				}
				if mine.state() != before {
					t.Errorf("%s: its folder was changed", name)
				}
			})
		}
	}
	marking.Wait()
}

// A folder that cannot be written is marked all the same.
func TestReadOnly(t *testing.T) {
	if os.Geteuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("needs a user who cannot write everywhere")
	}
	c := Open(t.TempDir())
	w := begin(t, c, "lost-link")
	solve(t, w)
	for _, dir := range []string{w.Folder, filepath.Join(c.dir(), progressFolder)} {
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(dir, 0o700)
	}
	r, unkept, err := w.Verify(t.Context())
	if err != nil || !r.Solved || unkept == nil || r.Capture != "" || r.Unrecorded == nil {
		t.Errorf("%+v, %v, %v", r, unkept, err)
	}
}

// Marking goes by the document in the program, not by a copy in the folder.
func TestMarksAreTheProgram(t *testing.T) {
	t.Parallel()
	w := begin(t, Open(t.TempDir()), "lost-link")
	for _, name := range []string{"lost-link.yaml", "060-lost-link.yaml", readmeFile} {
		if err := os.WriteFile(filepath.Join(w.Folder, name), []byte("name: lost-link\nsolved: []\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if r := marked(t, w); r.Solved {
		t.Error("it was solved by a file")
	}
}

// A mistake in what the participant writes has its place.
func TestSettingsHaveMistakes(t *testing.T) {
	t.Parallel()
	w := begin(t, Open(t.TempDir()), "lost-link")
	for text, want := range map[string]string{
		"server:\n  trsut: [root]\n":          "settings.yaml:2:3: unknown field",
		"client:\n  chain: half\n":            "settings.yaml:2:10: unknown value",
		"server: {trust: [root]\nclient: {}}": "settings.yaml:",
	} {
		if err := os.WriteFile(filepath.Join(w.Folder, settingsFile), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		var wrong *yamldoc.Error
		if _, _, err := w.Verify(t.Context()); !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := os.WriteFile(filepath.Join(w.Folder, settingsFile), []byte("server: {trust: [root]}\nclient: {certificate: nobody}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := marked(t, w); r.Solved || r.Steps[0].Err == nil || !strings.HasPrefix(r.Steps[0].Err.Error(), "the client does not start: nobody: certs/nobody.pem") {
		t.Errorf("a client without a certificate:%s", told(r))
	}
}

// After a change of certs.yaml, verify says that the certificates were not
// made.
func TestStaleCertificates(t *testing.T) {
	t.Parallel()
	w := begin(t, Open(t.TempDir()), "first-certificate")
	if r := marked(t, w); r.Stale {
		t.Error("at the start certs.yaml asks for more")
	}
	file := filepath.Join(w.Folder, manifestFile)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(text, "---\nsubject: CN=reports\nissuer: CN=client-ca\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := marked(t, w); !r.Stale {
		t.Error("the new certificate is not missed")
	}
	if err := w.generate(t.Context(), w.Folder, time.Now(), nil, nil); err != nil {
		t.Fatal(err)
	}
	if r := marked(t, w); r.Stale {
		t.Error("all was made, and something is missed")
	}
}

// A program that does not start says so in the participant's own terms: the
// name of the file, and the line.
func TestProgramDoesNotStart(t *testing.T) {
	t.Parallel()
	peertest.Need(t, "nginx")
	w := begin(t, Open(t.TempDir()), "nginx-lets-anybody-in")
	if err := os.WriteFile(filepath.Join(w.Folder, "nginx.conf"), []byte("# mine\nmistake;\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := marked(t, w)
	var start *StartError
	if r.Solved || !errors.As(r.Steps[0].Err, &start) || !strings.Contains(start.Output, `unknown directive "mistake" in nginx.conf:2`) {
		t.Errorf("%s", told(r))
	}
}

// Watch marks at the beginning, and after each change.
func TestWatch(t *testing.T) {
	t.Parallel()
	w := begin(t, Open(t.TempDir()), "lost-link")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var solved []bool
	done := errors.New("done")
	err := w.Watch(ctx, func() error {
		r := marked(t, w)
		if solved = append(solved, r.Solved); r.Solved {
			return done
		}
		solve(t, w)
		return nil
	})
	if !errors.Is(err, done) || len(solved) != 2 {
		t.Errorf("%v, %v", solved, err)
	}
}

// Where a program is missing, the lab's own takes its place, if the document
// has one, and the exercise that teaches the same is named, if it has not.
func TestWithoutPrograms(t *testing.T) {
	t.Parallel()
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	c := Open(t.TempDir())
	for _, e := range all {
		if len(e.World.Programs) == 0 {
			continue
		}
		own := e.World.own(e.World.Programs[0].Role) != nil
		if instead, err := Find(e.Instead); !own && (err != nil || len(instead.World.Programs) > 0 && instead.World.own(instead.World.Programs[0].Role) == nil) {
			t.Errorf("%s: nothing teaches the same without programs: %v", e.Name, err)
		}
		if !own {
			continue
		}
		prepared, err := c.Prepare(e.Name, true)
		if err != nil {
			t.Errorf("%s: %v", e.Name, err)
			continue
		}
		if _, err := c.Start(t.Context(), prepared); err != nil {
			t.Errorf("%s: %v", e.Name, err)
			continue
		}
		w := resume(t, c, e.Name)
		if len(w.World.Programs) > 0 || w.World.own(endpoint.Server) == nil && w.World.own(endpoint.Client) == nil {
			t.Errorf("%s: %d programs are left", e.Name, len(w.World.Programs))
		}
		if r := marked(t, w); r.Solved {
			t.Errorf("%s is solved at the start without its programs", e.Name)
		}
		solve(t, w)
		if r := marked(t, w); !r.Solved {
			t.Errorf("%s is not solved without its programs:%s", e.Name, told(r))
		}
	}
}

// A plan fills its time, and takes no exercise twice.
func TestPlans(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	for _, minutes := range Lengths {
		plan, at, seen := PlanOf(all, minutes), 0, map[string]bool{}
		for _, item := range plan.Items {
			if item.From != at || item.Minutes <= 0 {
				t.Errorf("%d: %+v begins otherwise than at %d", minutes, item, at)
			}
			at += item.Minutes
			if e := item.Exercise; e != nil && e.Minutes >= item.Minutes {
				t.Errorf("%d: %s takes %d minutes, and has %d", minutes, e.Name, e.Minutes, item.Minutes)
			}
			if item.What == "" {
				t.Errorf("%d: nothing is said of what is at %d", minutes, at)
			}
			if e := item.Exercise; e != nil && seen[e.Name] {
				t.Errorf("%d: %s is there twice", minutes, e.Name)
			} else if e != nil {
				seen[e.Name] = true
			}
		}
		if at != minutes || len(seen) < 3 {
			t.Errorf("%d: %d minutes are planned, with %d exercises", minutes, at, len(seen))
		}
	}
}

// Who has solved all gets a certificate, once.
func TestPrize(t *testing.T) {
	t.Parallel()
	c := Open(t.TempDir())
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for i, e := range all {
		if file, _, err := c.Prize(t.Context(), "Ada"); file != "" || err != nil {
			t.Fatalf("after %d: %s, %v", i, file, err)
		}
		if err := c.keep(&Progress{Name: e.Name, Solved: &now}); err != nil {
			t.Fatal(err)
		}
	}
	if won := c.Won(); won != "" { // who only looks makes nothing
		t.Errorf("before it is made, %s is there", won)
	}
	for _, want := range []bool{true, false} {
		file, isNew, err := c.Prize(t.Context(), "Ada,O=x\x1b[31m")
		if err != nil || isNew != want {
			t.Fatalf("%s, %v, %v", file, isNew, err)
		}
		if _, err := os.Stat(file); err != nil || c.Won() != file {
			t.Errorf("%v, %q", err, c.Won())
		}
	}
}
