package command_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/peertest"
)

// A browser sees the exercise beside the exchanges of its marking, and that it
// is solved as soon as a file is saved that solves it.
func TestExerciseInBrowser(t *testing.T) {
	program, dir := peertest.Build(t, runtime.GOOS), t.TempDir()
	lab := func(args ...string) *exec.Cmd {
		cmd := exec.Command(program, args...)
		cmd.Dir = dir
		return cmd
	}
	if out, err := lab("exercise", "start", "lost-link").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	watch := peertest.Start(t, lab("exercise", "watch", "--web", "127.0.0.1:0"))
	address := "http" + watch.Await(t, "^ +http")
	watch.Await(t, "verify.pcapng")
	check(t, os.WriteFile(filepath.Join(dir, "exercises", "lost-link", "settings.yaml"), []byte("server: {trust: [root]}\nclient: {certificate: billing}\n"), 0o644))
	watch.Await(t, "the page stays until Ctrl-C")

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	jar, err := cookiejar.New(nil)
	check(t, err)
	browser := http.Client{Jar: jar} // the page's address gives it the cookie
	get := func(url string) *http.Response {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		check(t, err)
		response, err := browser.Do(request)
		check(t, err)
		t.Cleanup(func() { response.Body.Close() })
		return response
	}
	get(address)
	page, _, _ := strings.Cut(address, "?")
	response := get(page + "events")
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if line := lines.Text(); strings.Contains(line, "The new service gets nowhere") {
			for _, want := range []string{`"solved":true`, `"text":"billing gets in","met":true`, `"exchange":`} {
				if !strings.Contains(line, want) {
					t.Errorf("there is no %s in %s", want, line)
				}
			}
			return
		}
	}
	t.Errorf("the exercise is not on the page: %v", lines.Err())
}

// A reset by a process that stands in the exercise's folder leaves it standing in
// the fresh one.
func TestResetWhereOneStands(t *testing.T) {
	program, dir := peertest.Build(t, runtime.GOOS), t.TempDir()
	folder := filepath.Join(dir, "exercises", "lost-link")
	lab := func(in string, args ...string) {
		t.Helper()
		cmd := exec.Command(program, args...)
		cmd.Dir = in
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("lab %v: %v\n%s", args, err, out)
		}
	}
	lab(dir, "exercise", "start", "lost-link")
	settings := filepath.Join(folder, "settings.yaml")
	check(t, os.WriteFile(settings, []byte("# mine\n"), 0o644))
	before, err := os.Stat(folder)
	check(t, err)
	lab(folder, "exercise", "reset")
	after, err := os.Stat(folder)
	check(t, err)
	if !os.SameFile(before, after) {
		t.Error("the folder is another one")
	}
	if text, err := os.ReadFile(settings); err != nil || !strings.Contains(string(text), "billing") {
		t.Errorf("after the reset there is %q, %v", text, err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "exercises", "put-aside", "lost-link-1", "settings.yaml")); string(text) != "# mine\n" {
		t.Errorf("put aside is %q, %v", text, err)
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "exercises")); len(entries) != 3 { // with progress
		t.Errorf("there are %v, %v", entries, err)
	}
}
