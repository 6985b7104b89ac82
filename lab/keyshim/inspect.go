package keyshim

import (
	"bufio"
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/gokeys"
)

// Obstacle is why a program's keys cannot be had by preloading.
type Obstacle uint8

// The obstacles.
const (
	Nothing    Obstacle = iota
	Go                  // its TLS is Go's own, which logs keys only for tls.Config.KeyLogWriter; and it names no variable for them
	Java                // its TLS is Java's own, which logs no keys
	Static              // it is statically linked: nothing can be loaded into it; and it names no variable for its keys
	Privileged          // it gains privileges here (setuid, setgid, capabilities): the loader ignores what is preloaded
	Foreign             // it is for another processor than the shim
	Unknown             // its file has no section headers, as that of a packed program, so that it is not known what it is
)

// maxInterpreters bounds how often a script's interpreter may be a script.
const maxInterpreters = 4

// Inspect searches for an obstacle in the program at path or, if it is a
// script, in its interpreter. It returns the file with the obstacle. What it
// cannot read has none.
func Inspect(path string) (Obstacle, string) {
	for range maxInterpreters {
		next := interpreter(path)
		if next == "" {
			break
		}
		path = next
	}
	return inspect(path), path
}

func inspect(path string) Obstacle {
	if gainsPrivileges(path) {
		return Privileged
	}
	if name := strings.TrimSuffix(filepath.Base(path), ".exe"); name == "java" || name == "javaw" {
		return Java
	}
	file, err := elf.Open(path)
	if err != nil {
		if contains(path, gokeys.BuildInfo) && !readsEnvironment(path) { // of another system
			return Go
		}
		return Nothing
	}
	defer file.Close()
	loaded := slices.ContainsFunc(file.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
	switch machine, known := machines[runtime.GOARCH]; {
	case file.Section(".go.buildinfo") != nil, len(file.Sections) == 0 && contains(path, gokeys.BuildInfo):
		if readsEnvironment(path) {
			return Nothing
		}
		return Go
	case !loaded && readsEnvironment(path):
		return Nothing
	case !loaded && len(file.Sections) == 0:
		return Unknown
	case !loaded:
		return Static
	case known && machine != file.Machine:
		return Foreign
	}
	return Nothing
}

// readsEnvironment reports whether the program at path has the name of the
// variable in it that says where to log keys, so that it probably does. lab is
// such a program.
func readsEnvironment(path string) bool { return contains(path, "SSLKEYLOGFILE") }

// contains reports whether the file at path has a text in it.
func contains(path, text string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	name := []byte(text)
	part, kept := make([]byte, 1<<20), 0 // from the part before: the text may begin there
	for {
		n, err := file.Read(part[kept:])
		if bytes.Contains(part[:kept+n], name) {
			return true
		}
		if err != nil {
			return false
		}
		kept = copy(part, part[max(0, kept+n-len(name)+1):kept+n])
	}
}

// machines are the processors that people have; of others it is not said that a
// program is Foreign.
var machines = map[string]elf.Machine{
	"386": elf.EM_386, "amd64": elf.EM_X86_64, "arm": elf.EM_ARM, "arm64": elf.EM_AARCH64, "riscv64": elf.EM_RISCV,
}

// interpreter returns the path of the program that runs a script, or "". Of
// "#!/usr/bin/env NAME" that is NAME.
func interpreter(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	line, _ := bufio.NewReaderSize(file, 256).ReadSlice('\n') // as long as Linux reads
	line, script := bytes.CutPrefix(line, []byte("#!"))
	words := strings.Fields(string(line))
	if !script || len(words) == 0 {
		return ""
	}
	if filepath.Base(words[0]) != "env" {
		return words[0]
	}
	for _, word := range words[1:] {
		if !strings.HasPrefix(word, "-") && !strings.Contains(word, "=") {
			found, _ := exec.LookPath(word)
			return found
		}
	}
	return words[0]
}
