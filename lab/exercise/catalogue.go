package exercise

import (
	_ "embed"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"mtlslab.example/lab/certgen/spell"
	"mtlslab.example/lab/certgen/yamldoc"
	"mtlslab.example/lab/lab/packed"
)

// The names of the files begin with numbers: their order is the one that
// teaches.
//
//go:embed exercises.txtar.gz
var archive []byte

var embedded = packed.Files(archive)

// UnknownError is a name that no exercise has.
type UnknownError struct {
	Name    string
	Nearest []string // names that look alike, best first; may be empty
}

func (e *UnknownError) Error() string { return fmt.Sprintf("no exercise is called %q", e.Name) }

// All returns the built-in exercises in the order in which they teach.
func All() ([]*Exercise, error) {
	files, err := fs.Glob(embedded(), "exercises/*.yaml")
	if err != nil {
		return nil, err
	}
	all := make([]*Exercise, len(files))
	for i, file := range files {
		text, err := fs.ReadFile(embedded(), file)
		if err != nil {
			return nil, err
		}
		if all[i], err = Parse(path.Base(file), text); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Find returns the built-in exercise of that name, or reads a file if name has
// a dot or a slash in it. Errors are *UnknownError, *yamldoc.Error or
// *fs.PathError.
func Find(name string) (*Exercise, error) {
	if strings.ContainsAny(name, `./\`) {
		return read(name)
	}
	files, err := fs.Glob(embedded(), "exercises/*.yaml")
	if err != nil {
		return nil, err
	}
	names := make([]string, len(files))
	for i, file := range files {
		_, names[i], _ = strings.Cut(strings.TrimSuffix(path.Base(file), ".yaml"), "-")
		if names[i] == name {
			text, err := fs.ReadFile(embedded(), file)
			if err != nil {
				return nil, err
			}
			return Parse(path.Base(file), text)
		}
	}
	return nil, &UnknownError{Name: name, Nearest: spell.Nearest(name, names)}
}

// read reads a trainer's own.
func read(file string) (*Exercise, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, yamldoc.MaxSize+1))
	if err != nil {
		return nil, err
	}
	e, err := Parse(file, text)
	if err != nil {
		return nil, err
	}
	e.fromFile = true
	return e, nil
}
