package browser

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Family is what browsers of one make have in common: where their profiles
// hold certificates, and their flags.
type Family string

// Chromium is also Chrome, Edge and Brave.
const (
	Chromium Family = "Chromium"
	Firefox  Family = "Firefox"
)

// Browser is one that is installed.
type Browser struct {
	Family Family
	Path   string

	nss nssTools
}

// place is where a browser may be: a name in PATH, or a path that may begin
// with an environment variable.
type place struct {
	family Family
	path   string
}

// places are those of each operating system, best first. On macOS and Windows
// Chromium takes client certificates from the user's own key store only.
var places = map[string][]place{
	"darwin": {
		{Firefox, "/Applications/Firefox.app/Contents/MacOS/firefox"},
		{Firefox, "${HOME}/Applications/Firefox.app/Contents/MacOS/firefox"},
		{Firefox, "/Applications/Firefox Developer Edition.app/Contents/MacOS/firefox"},
	},
	"windows": {
		{Firefox, `${ProgramFiles}\Mozilla Firefox\firefox.exe`},
		{Firefox, `${ProgramFiles(x86)}\Mozilla Firefox\firefox.exe`},
		{Firefox, `${LocalAppData}\Mozilla Firefox\firefox.exe`},
	},
	"": {
		{Chromium, "chromium"},
		{Chromium, "chromium-browser"},
		{Chromium, "google-chrome"},
		{Chromium, "google-chrome-stable"},
		{Chromium, "microsoft-edge"},
		{Chromium, "brave-browser"},
		{Firefox, "firefox"},
		{Firefox, "firefox-esr"},
	},
}

// Find returns the best browser of a family, or of any if it is empty. Errors
// are *NotFoundError, *KeyStoreError and *ToolError.
func Find(family Family) (*Browser, error) {
	candidates, ok := places[runtime.GOOS]
	if !ok {
		candidates = places[""]
	} else if family == Chromium {
		return nil, &KeyStoreError{System: runtime.GOOS}
	}
	missing := &NotFoundError{Family: family}
	for _, p := range candidates {
		if family != "" && p.family != family {
			continue
		}
		path, err := exec.LookPath(os.ExpandEnv(p.path))
		if err != nil {
			continue
		}
		if isSnap(path) {
			missing.Snap = path
			continue
		}
		tools, err := findNSSTools()
		if err != nil {
			return nil, err
		}
		return &Browser{Family: p.family, Path: path, nss: tools}, nil
	}
	return nil, missing
}

// isSnap reports whether a program is a snap or a script that starts one. A
// snap cannot see a profile outside its own folders.
func isSnap(path string) bool {
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false
	}
	if strings.HasPrefix(resolved, "/snap/") || filepath.Base(resolved) == "snap" {
		return true
	}
	file, err := os.Open(resolved)
	if err != nil {
		return false
	}
	defer file.Close()
	script, err := io.ReadAll(io.LimitReader(file, 8<<10))
	return err == nil && bytes.HasPrefix(script, []byte("#!")) && bytes.Contains(script, []byte("/snap/bin/"))
}

// nssTools are the programs that write NSS's certificate databases.
type nssTools struct{ certutil, pk12util string }

// findNSSTools looks for certutil beside pk12util: another program of the name
// certutil belongs to Windows.
func findNSSTools() (nssTools, error) {
	pk12util, err := exec.LookPath("pk12util")
	if err != nil {
		return nssTools{}, &ToolError{Tool: "pk12util"}
	}
	certutil, err := exec.LookPath(filepath.Join(filepath.Dir(pk12util), "certutil"))
	if err != nil {
		return nssTools{}, &ToolError{Tool: "certutil"}
	}
	return nssTools{certutil, pk12util}, nil
}
