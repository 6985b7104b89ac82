package command_test

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mtlslab.example/lab/lab/peertest"
)

// TestWindows runs lab's Windows program under Wine: with the scripts of
// testdata/windows, and with those of testdata/script that are the same there.
// What else they start is of this machine.
func TestWindows(t *testing.T) {
	program := peertest.Wine(t, peertest.Build(t, "windows"))
	files, err := filepath.Glob(filepath.Join("testdata", "windows", "*.txtar"))
	check(t, err)
	for _, name := range []string{"add_name", "allow", "certs", "crash", "foreign", "handout", "interrupt", "ownfiles", "peers_gnutls", "peers_openssl", "peers_python", "reload", "room", "together"} {
		files = append(files, filepath.Join("testdata", "script", name+".txtar"))
	}
	params := scripts(t)
	params.Dir, params.Files = "", files
	setup := params.Setup
	params.Setup = func(env *testscript.Env) error {
		env.Setenv("PATH", filepath.Dir(program)+string(filepath.ListSeparator)+env.Getenv("PATH"))
		env.Setenv("WINDOWS", peertest.WindowsPath(env.WorkDir))
		return setup(env)
	}
	params.Condition = func(name string) (bool, error) {
		if name == "terminal" { // Wine's console waits for ever on one of Linux
			return false, nil
		}
		return condition(name)
	}
	testscript.Run(t, params)
}
