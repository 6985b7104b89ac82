package javakeys

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// tokenVariable is the environment variable with the token of a run.
const tokenVariable = "LAB_JAVA_RUN"

// WithShim returns environ with what makes JVMs connect into which the shim is
// preloaded. The shim decides for each whether it can. Others are options that
// these JVMs get besides.
func (j *Listener) WithShim(environ []string, others []string) []string {
	options := append([]string{j.option()}, others...)
	return append(environ, Variable+"="+strings.Join(options, " "), tokenVariable+"="+j.token)
}

// Errors of WithoutShim.
var (
	ErrOwnDebugger = errors.New("it has a debugger of its own (jdwp), and a JVM takes only one")
	ErrNoDebugger  = errors.New("it lacks the module jdk.jdwp.agent, with which lab reads keys")
	ErrOldJDK      = errors.New("here lab needs JDK 9 or later")
	ErrNoJDK       = errors.New("no JDK was found whose version could be read; set JAVA_HOME")
)

// WithoutShim returns environ with what makes all JVMs connect that a program
// starts, or is. It takes what every JVM can start with that it knows of: the
// program's arguments and environment, and the first of the program itself,
// $JAVA_HOME and the java in $PATH. If that has an obstacle, the error says
// which, and environ comes back as it was.
//
// JVMs read their options from a file, which is emptied by Close: one that is
// started later, by what outlives the program, starts without a debugger. On
// Unix the file is emptied too when this process is killed.
func (j *Listener) WithoutShim(environ, args, others []string) ([]string, error) {
	if mentionsDebugger(environ, args) {
		return environ, ErrOwnDebugger
	}
	if err := checkImage(args[0], environ); err != nil {
		return environ, err
	}
	options := append([]string{j.option()}, others...)
	file, err := writeOptions(strings.Join(options, "\n") + "\n")
	if err != nil {
		return environ, err
	}
	j.options = file
	if j.guard, err = guardOptions(file); err != nil {
		return environ, err
	}
	value := strings.TrimSpace(valueOf(environ, "JAVA_TOOL_OPTIONS") + ` "-XX:VMOptionsFile=` + file + `"`)
	return append(environ, "JAVA_TOOL_OPTIONS="+value, tokenVariable+"="+j.token), nil
}

// option is what makes a JVM connect. A JVM exits at once if it cannot, or has
// another option of this kind.
func (j *Listener) option() string {
	return "-agentlib:jdwp=transport=dt_socket,server=n,suspend=y,address=" + j.l.Addr().String()
}

// mentionsDebugger reports whether a program may start a JVM with a debugger:
// Tomcat's catalina.sh does so for jpda, Gradle for --debug-jvm.
func mentionsDebugger(environ, args []string) bool {
	for _, word := range append(environ, args[1:]...) {
		if strings.Contains(word, "jdwp") || word == "jpda" || word == "--debug-jvm" {
			return true
		}
	}
	return false
}

// checkImage looks at the JDK that a program is part of, or else will probably
// use.
func checkImage(program string, environ []string) error {
	var images []string
	if path, err := exec.LookPath(program); err == nil {
		images = append(images, imageOf(path))
	}
	images = append(images, valueOf(environ, "JAVA_HOME"))
	if path, err := exec.LookPath("java"); err == nil {
		images = append(images, imageOf(path))
	}
	for _, image := range images {
		if image == "" {
			continue
		}
		version, err := versionOf(image)
		switch {
		case err != nil:
			continue
		case version < 9:
			return ErrOldJDK
		}
		agent := map[string]string{"windows": "bin/jdwp.dll", "darwin": "lib/libjdwp.dylib"}[runtime.GOOS]
		if agent == "" {
			agent = "lib/libjdwp.so"
		}
		if _, err := os.Stat(filepath.Join(image, agent)); err != nil {
			return ErrNoDebugger
		}
		return nil
	}
	return ErrNoJDK
}

// imageOf returns the folder of which a program in bin is part.
func imageOf(path string) string {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return ""
	}
	return filepath.Dir(filepath.Dir(path))
}

// versionOf reads the version of a JDK, 17 or 1 for 1.8, from the file release
// that each has had since JDK 9, and many before.
func versionOf(image string) (int, error) {
	file, err := os.Open(filepath.Join(image, "release"))
	if err != nil {
		return 0, err
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if version, ok := strings.CutPrefix(lines.Text(), `JAVA_VERSION="`); ok {
			major, _, _ := strings.Cut(strings.Trim(version, `"`), ".")
			major, _, _ = strings.Cut(major, "-")
			return strconv.Atoi(major)
		}
	}
	return 0, fmt.Errorf("%s names no version", file.Name())
}

// valueOf returns the value of a variable, the last one if there are several.
func valueOf(environ []string, name string) (value string) {
	for _, v := range environ {
		if after, ok := strings.CutPrefix(v, name+"="); ok {
			value = after
		}
	}
	return value
}
