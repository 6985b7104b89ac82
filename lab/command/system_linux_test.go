package command_test

import (
	"os/exec"
	"strings"
	"testing"
)

// A disk, a folder or a limit of the system that is in the way: the error says
// which, and the hint what to do.
func TestHintsForTheSystem(t *testing.T) {
	if out, err := exec.Command("unshare", "-rm", "mount", "-t", "tmpfs", "none", t.TempDir()).CombinedOutput(); err != nil {
		t.Skipf("no file systems of its own here: %v %s", err, out)
	}
	const (
		full     = "mount -t tmpfs -o size=16k none $PWD && cd $PWD && { cat /dev/zero >fill; true; } 2>/dev/null"
		beside   = "mkdir -p full && mount -t tmpfs -o size=16k none full && { cat /dev/zero >full/fill; true; } 2>/dev/null"
		readOnly = "mount --bind . . && mount -o remount,bind,ro . && cd $PWD"
		room     = "lab: hint: make room there, or write to another disk; df -h shows how full each is"
		another  = "lab: hint: write to another folder: --dir DIR, or a flag that names the file; "
		none     = "with --keylog off --capture off"
	)
	program, long := labCommand(t), strings.Repeat("x", 300)
	run := labIn(t)
	for _, test := range []struct{ before, args, problem, hint string }{
		{full, "certs generate", "write certs.yaml: no space left on device", room},
		{full, "exec --keylog off --capture lab.pcapng -- true", "no space left on device", room},
		{beside, "up --count 2 --interval 1ms --keylog full/keys.log --capture off", "lab: the key log has ended: write full/keys.log: no space left on device", room},
		{beside + " && truncate -s 8k full/fill", "up --count 9 --interval 1ms --keylog off --capture full/lab.pcapng", "lab: recording to full/lab.pcapng ends: write full/lab.pcapng: no space left on device", room},
		{beside, "exec --keylog full/keys.log -- false", "/full/keys.log: no space left on device", room},
		{readOnly, "certs regenerate", "read-only file system", another},
		{readOnly, "server", "open keys.log: read-only file system", none},
		{readOnly, "certs export server --format p12 --out x.p12", "open x.p12: read-only file system", another},
		{readOnly, "up --count 1 --keylog off --capture off", "", ""}, // what the hint says
		{"ulimit -n 10", "up --count 1", "too many open files", "lab: hint: ulimit -Hn shows how many files a process may have open"},
		{"true", "server --keylog " + long, "file name too long", "lab: hint: choose a shorter name"},
	} {
		cmd := run(t.Context(), "")
		cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", "exec unshare -rm sh -c '" + test.before + " && exec \"$0\" \"$@\"' \"$@\"", "sh", program}
		cmd.Args = append(cmd.Args, strings.Fields(test.args)...)
		out, err := cmd.CombinedOutput()
		said := strings.Join(strings.Fields(string(out)), " ") // one line
		if (err != nil) != (test.problem != "") || !strings.Contains(said, test.problem) || !strings.Contains(said, test.hint) {
			t.Errorf("%s; lab %s: %v\n%s", test.before, test.args, err, out)
		}
	}
}
