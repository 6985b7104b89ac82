package exercise

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Program is a program of somebody else that takes part in an exercise, as its
// server or as its client.
type Program struct {
	Name string // one of Programs()
	File string // its configuration or its source, in the folder of the exercise
}

// written is the port that stands in the files of an exercise. A program gets a
// free one in its place.
const written = "8443"

// kind says how a program is found and run.
type kind struct {
	candidates []string // what it is called, in the order of trying
	beside     string   // what must be installed with it; "": nothing
	try        []string // arguments with which it ends at once, with status 0
	what       string   // in words, for who does not have it

	// serve returns the arguments of a server that listens on a port, in dir,
	// where it may write. call returns those of a client of a URL. nil: it is none.
	serve func(dir, file, port string) ([]string, error)
	call  func(dir, file, url string) ([]string, error)
}

// kinds are the programs by their names.
var kinds = map[string]kind{
	"nginx":   {candidates: []string{"nginx"}, try: []string{"-v"}, what: "nginx 1.20 or later", serve: nginxArgs},
	"openssl": {candidates: []string{"openssl"}, try: []string{"version"}, what: "OpenSSL's command openssl", serve: opensslServer, call: opensslClient},
	"python": {candidates: []string{"python3", "python", "py"}, try: []string{"-c", "import ssl, http.server"}, what: "Python 3",
		serve: func(_, file, _ string) ([]string, error) { return []string{file}, nil },
		call:  func(_, file, url string) ([]string, error) { return []string{file, url}, nil }},
	"node": {candidates: []string{"node", "nodejs"}, try: []string{"--version"}, what: "Node.js",
		serve: func(_, file, _ string) ([]string, error) { return []string{file}, nil },
		call:  func(_, file, url string) ([]string, error) { return []string{file, url}, nil }},
	"java": {candidates: []string{"java"}, beside: "javac", try: []string{"-version"}, what: "a JDK of Java 11 or later", call: javaArgs},
}

// Programs returns the names of the programs that exercises can have.
func Programs() []string { return []string{"java", "nginx", "node", "openssl", "python"} }

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

// Look returns the path of the program. Errors are *MissingProgramError. That
// there is a file is not enough: macOS and Windows have some that only say how
// to get the program. So it is run, once in a process.
func (p Program) Look() (path string, err error) {
	look, _ := found.LoadOrStore(p.Name, sync.OnceValues(func() (string, error) { return look(p.Name) }))
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

// writtenPort is the port that stands in the files of exercises, as a word.
var writtenPort = regexp.MustCompile(`\b` + written + `\b`)

// onPort returns a text with another port.
func onPort(text, port string) string { return writtenPort.ReplaceAllString(text, port) }

// nginxArgs writes a copy of a configuration, with another port, beside it: the
// paths in it are relative to its folder. It adds what nginx needs to stay in
// the foreground and to write nowhere else.
func nginxArgs(dir, file, port string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return nil, err
	}
	var add strings.Builder
	for _, directive := range []string{"daemon off", "master_process off", "pid nginx.pid", "error_log stderr info"} {
		name, _, _ := strings.Cut(directive, " ")
		if !hasDirective(string(text), name) {
			add.WriteString(directive + ";\n")
		}
	}
	copied := "lab-" + filepath.Base(file)
	if err := os.WriteFile(filepath.Join(dir, copied), []byte(add.String()+onPort(string(text), port)), 0o600); err != nil {
		return nil, err
	}
	return []string{"-p", dir, "-e", "stderr", "-c", filepath.Join(dir, copied)}, nil
}

// hasDirective reports whether nginx's configuration has a directive outside of
// comments.
func hasDirective(text, name string) bool {
	return regexp.MustCompile(`(?m)^[ \t]*` + regexp.QuoteMeta(name) + `[ \t]`).MatchString(text)
}

// opensslServer returns the arguments of a command line that stands in a file.
func opensslServer(dir, file, port string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return nil, err
	}
	return commandLine(file, onPort(string(text), port), "openssl")
}

// opensslClient is the same for a client: of the URL it takes the port.
func opensslClient(dir, file, url string) ([]string, error) {
	at := strings.TrimSuffix(url[strings.LastIndexByte(url, ':')+1:], "/")
	return opensslServer(dir, file, at)
}

// javaArgs returns the arguments of a client in a source file. A file java.args
// beside it has options of the command java.
func javaArgs(dir, file, url string) ([]string, error) {
	args := []string{"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"} // it starts sooner
	if _, err := os.Stat(filepath.Join(dir, "java.args")); err == nil {
		args = append(args, "@java.args")
	}
	return append(args, file, url), nil
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
