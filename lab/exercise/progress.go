package exercise

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"mtlslab.example/lab/certgen/atomicfile"
	"mtlslab.example/lab/lab/endpoint"
)

// Progress is how far somebody has come with an exercise. It is kept beside the
// folder of the exercise.
type Progress struct {
	Name     string          `json:"name"`
	Document string          `json:"document,omitempty"` // a trainer's own; "": it is built in
	Own      []endpoint.Side `json:"own,omitempty"`      // where the lab's own stands for a program
	Started  time.Time       `json:"started"`
	Marked   int             `json:"marked"` // how often
	Hints    int             `json:"hints"`  // how many were given
	Solved   *time.Time      `json:"solved,omitempty"`
	GaveUp   bool            `json:"gave_up,omitempty"` // it was explained before it was solved
	Values   values          `json:"values,omitempty"`
}

// progressFolder is where progress is kept, in [Folder].
const progressFolder = "progress"

func (c Course) progressFile(name string) string {
	return filepath.Join(c.dir(), progressFolder, name+".json")
}

// Progress returns how far somebody has come with an exercise, nil if it was
// not started.
func (c Course) Progress(name string) (*Progress, error) {
	text, err := os.ReadFile(c.progressFile(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p := &Progress{}
	if err := json.Unmarshal(text, p); err != nil {
		return nil, &DamagedError{File: c.progressFile(name), Err: err}
	}
	if err := p.check(name); err != nil {
		return nil, &DamagedError{File: c.progressFile(name), Err: err}
	}
	return p, nil
}

// check refuses what no exercise of that name has.
func (p *Progress) check(name string) error {
	switch {
	case !strings.EqualFold(p.Name, name): // some file systems know no case
		return fmt.Errorf("it is about %q", p.Name)
	case p.Hints < 0 || p.Hints > hintsWanted:
		return fmt.Errorf("%d hints cannot have been given", p.Hints)
	}
	return nil
}

// DamagedError is a file with progress that cannot be read.
type DamagedError struct {
	File string
	Err  error
}

func (e *DamagedError) Error() string { return e.File + " cannot be read: " + e.Err.Error() }

// Unwrap returns what is wrong with it.
func (e *DamagedError) Unwrap() error { return e.Err }

// keep writes progress, in place of what there is.
func (c Course) keep(p *Progress) error {
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	return errors.Join(c.write(p), unlock())
}

// update changes progress, as it is by now: another lab may have changed it
// since it was read, as a hint does during a watch. p is changed in any case.
func (c Course) update(p *Progress, change func(*Progress)) error {
	unlock, err := c.lock()
	if err != nil {
		change(p)
		return err
	}
	now, err := c.Progress(p.Name)
	if now != nil {
		*p = *now
	}
	if change(p); err == nil {
		err = c.write(p)
	}
	return errors.Join(err, unlock())
}

// lock has other labs, and other goroutines, wait with their changes.
func (c Course) lock() (unlock func() error, err error) {
	dir := filepath.Join(c.dir(), progressFolder)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	l := flock.New(filepath.Join(dir, ".lock"))
	return l.Unlock, l.Lock()
}

// write writes progress.
func (c Course) write(p *Progress) error {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(c.progressFile(p.Name), append(text, '\n'), 0o644)
}

// all returns the progress with all exercises that were started.
func (c Course) all() (all []*Progress, err error) {
	files, err := os.ReadDir(filepath.Join(c.dir(), progressFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		name, ok := strings.CutSuffix(file.Name(), ".json")
		if !ok {
			continue
		}
		p, err := c.Progress(name)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// Current returns the exercise that is meant where none is named: the one whose
// folder the course was opened from, or the one that was started last and is
// not solved, or else the one that was started last. "" if there is none.
func (c Course) Current() (string, error) {
	if c.inside != "" {
		return c.inside, nil
	}
	all, err := c.all()
	if err != nil {
		return "", err
	}
	var best *Progress
	for _, p := range all {
		if best == nil || cmp.Or(compareBool(p.Solved == nil, best.Solved == nil), p.Started.Compare(best.Started)) > 0 {
			best = p
		}
	}
	if best == nil {
		return "", nil
	}
	return best.Name, nil
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
