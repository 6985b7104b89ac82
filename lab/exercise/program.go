package exercise

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mtlslab.example/lab/lab/endpoint"
)

// Program is a program of somebody else in the world of an exercise.
type Program struct {
	Name  string // by which steps call it
	Role  endpoint.Side
	Run   string   // what it is: one of Runs()
	File  string   // its configuration or its source
	Port  uint16   // that File has: it listens there, or calls it
	Files []string // that are its own besides: without the program they are left out
}

// kind says how a program is found and run.
type kind struct {
	candidates []string // what it is called, in the order of trying
	beside     string   // what must be installed with it; "": nothing
	try        []string // arguments with which it ends at once, with status 0
	what       string   // in words, for who does not have it

	// serve and call return the arguments of a server and of a client, whose
	// file in dir has the right ports. nil: it is none.
	serve, call func(dir, file string) ([]string, error)
}

// kinds are the programs by their names.
var kinds = map[string]kind{
	"nginx":   {candidates: []string{"nginx"}, try: []string{"-v"}, what: "nginx 1.20 or later", serve: nginxArgs},
	"openssl": {candidates: []string{"openssl"}, try: []string{"version"}, what: "OpenSSL's command openssl", serve: opensslArgs, call: opensslArgs},
	"python":  {candidates: []string{"python3", "python", "py"}, try: []string{"-c", "import ssl, http.server"}, what: "Python 3", serve: scriptArgs, call: scriptArgs},
	"node":    {candidates: []string{"node", "nodejs"}, try: []string{"--version"}, what: "Node.js", serve: scriptArgs, call: scriptArgs},
	"java":    {candidates: []string{"java"}, beside: "javac", try: []string{"-version"}, what: "a JDK of Java 11 or later", call: javaArgs},
}

// Runs returns the programs that an exercise can run.
func Runs() []string { return slices.Sorted(maps.Keys(kinds)) }

// canBe reports whether the program has the means to be a server, or a client.
func (p *Program) canBe(side endpoint.Side) bool {
	if side == endpoint.Server {
		return kinds[p.Run].serve != nil
	}
	return kinds[p.Run].call != nil
}

// missing returns what is not installed, in words; empty: nothing.
func (p *Program) missing() []string {
	if _, err := p.look(); err != nil {
		return []string{kinds[p.Run].what}
	}
	return nil
}

// MissingProgramError is a program that is not installed, or does not run.
type MissingProgramError struct {
	Name string
	What string // in words, as "a JDK of Java 11 or later"
	Err  error
}

func (e *MissingProgramError) Error() string {
	return fmt.Sprintf("%s is missing: %v", e.What, e.Err)
}

// Unwrap returns why it cannot be used.
func (e *MissingProgramError) Unwrap() error { return e.Err }

// trying bounds how long a program may take to say that it is there.
const trying = 10 * time.Second

// found are the programs that were looked for, by their names.
var found sync.Map // of func() (string, error)

// look returns the path of the program. Errors are *MissingProgramError. That
// there is a file is not enough: macOS and Windows have some that only say how
// to get the program. So it is run, once in a process.
func (p *Program) look() (path string, err error) {
	look, _ := found.LoadOrStore(p.Run, sync.OnceValues(func() (string, error) { return look(p.Run) }))
	return look.(func() (string, error))()
}

func look(name string) (string, error) {
	k := kinds[name]
	var last error
	for _, candidate := range k.candidates {
		path, err := exec.LookPath(candidate)
		if err == nil && k.beside != "" {
			_, err = exec.LookPath(k.beside)
		}
		if err == nil {
			if err = tryRun(path, k.try); err == nil {
				return path, nil
			}
		}
		last = err
	}
	return "", &MissingProgramError{Name: name, What: k.what, Err: last}
}

// tryRun reports whether a program runs.
func tryRun(path string, args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), trying)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s does not run: %w", path, err)
	}
	return nil
}

// withPorts writes a copy of a file, with other ports, beside it, since paths
// in it are relative to its folder, and returns its name. The copy of each call
// has a name of its own.
func withPorts(dir, file string, ports map[uint16]uint16) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return "", err
	}
	name := "lab"
	for _, written := range slices.Sorted(maps.Keys(ports)) {
		port := strconv.Itoa(int(ports[written]))
		text = regexp.MustCompile(`\b`+strconv.Itoa(int(written))+`\b`).ReplaceAll(text, []byte(port))
		name += "-" + port
	}
	name = filepath.Join(filepath.Dir(file), name+"-"+filepath.Base(file))
	return name, os.WriteFile(filepath.Join(dir, name), text, 0o600)
}

// hasPort reports whether a file names a port.
func hasPort(text []byte, port uint16) bool {
	return regexp.MustCompile(`\b` + strconv.Itoa(int(port)) + `\b`).Match(text)
}

// nginxArgs adds to a configuration what nginx needs to stay in the foreground,
// with its process number in its folder. Where it keeps its access log and its
// temporary files is for the configuration to say.
func nginxArgs(dir, file string) ([]string, error) {
	path := filepath.Join(dir, file)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var add strings.Builder
	for _, directive := range []string{"daemon off", "master_process off", "pid nginx.pid", "error_log stderr info"} {
		name, _, _ := strings.Cut(directive, " ")
		if !hasDirective(string(text), name) {
			add.WriteString(directive + "; ") // in the first line, so that nginx counts lines as the participant does
		}
	}
	if err := os.WriteFile(path, append([]byte(add.String()), text...), 0o600); err != nil {
		return nil, err
	}
	return []string{"-p", dir, "-e", "stderr", "-c", path}, nil
}

// hasDirective reports whether nginx's configuration has a directive outside of
// comments.
func hasDirective(text, name string) bool {
	return regexp.MustCompile(`(?m)^[ \t]*` + regexp.QuoteMeta(name) + `[ \t]`).MatchString(text)
}

// opensslArgs returns the arguments of a command line that stands in a file.
func opensslArgs(dir, file string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return nil, err
	}
	return commandLine(file, string(text), "openssl")
}

func scriptArgs(_, file string) ([]string, error) { return []string{file}, nil }

// javaArgs returns the arguments of a program in one source file. A file
// java.args beside it has options of the command java.
func javaArgs(dir, file string) ([]string, error) {
	args := []string{"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"} // it starts sooner
	if _, err := os.Stat(filepath.Join(dir, "java.args")); err == nil {
		args = append(args, "@java.args")
	}
	return append(args, file), nil
}

// CommandLineError is a file that should have one command line, and has not.
type CommandLineError struct{ File, Problem string }

func (e *CommandLineError) Error() string { return e.File + ": " + e.Problem }

// commandLine returns the arguments of the one command in a text, which is
// split as a shell does, and never given to one. Lines that begin with # are
// comments; a line that ends with \ goes on in the next.
func commandLine(file, text, program string) ([]string, error) {
	var lines []string
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\\\n", " ")
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	if len(lines) != 1 {
		return nil, &CommandLineError{file, fmt.Sprintf("it has %d command lines in place of one", len(lines))}
	}
	words, err := splitWords(lines[0])
	if err != nil {
		return nil, &CommandLineError{file, err.Error()}
	}
	if words[0] != program {
		return nil, &CommandLineError{file, "the command is not " + program}
	}
	return words[1:], nil
}

// splitWords splits a line at blanks that are not quoted.
func splitWords(line string) (words []string, err error) {
	var word strings.Builder
	inside, quote := false, rune(0)
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			inside, quote = true, r
		case strings.ContainsRune("|&;<>`$", r):
			return nil, fmt.Errorf("%q is for a shell, and none reads the line", r)
		case r == ' ' || r == '\t':
			if inside {
				words = append(words, word.String())
			}
			word.Reset()
			inside = false
		default:
			inside = true
			word.WriteRune(r)
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quotation mark %c has no end", quote)
	}
	if inside {
		words = append(words, word.String())
	}
	return words, nil
}
