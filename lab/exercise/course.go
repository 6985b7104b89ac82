package exercise

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/certgen/spell"
	"mtlslab.example/lab/lab/endpoint"
)

// Course is the exercises that somebody does in a folder.
type Course struct {
	Dir    string // the user's folder, in which Folder is
	inside string // the exercise whose folder the user is in; "": none
}

// Open returns the course in dir, or the one that dir is an exercise's folder
// of.
func Open(dir string) Course {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return Course{Dir: dir}
	}
	if parent := filepath.Dir(absolute); filepath.Base(parent) == Folder {
		c := Course{Dir: filepath.Join(dir, "..", ".."), inside: filepath.Base(absolute)}
		if p, err := c.Progress(c.inside); err == nil && p != nil {
			return c
		}
	}
	return Course{Dir: dir}
}

func (c Course) dir() string { return filepath.Join(c.Dir, Folder) }

// FolderOf returns the folder of an exercise.
func (c Course) FolderOf(name string) string { return filepath.Join(c.dir(), name) }

// NotStartedError is an exercise that was not started in a folder.
type NotStartedError struct {
	Name   string // "": none was
	Folder string
}

func (e *NotStartedError) Error() string {
	where := "here"
	if e.Folder != "." {
		where = "in " + e.Folder
	}
	if e.Name == "" {
		return "no exercise was started " + where
	}
	return fmt.Sprintf("%s was not started %s", e.Name, where)
}

// NameTakenError is a trainer's own exercise with the name of another.
type NameTakenError struct{ Name, File string }

func (e *NameTakenError) Error() string {
	return fmt.Sprintf("%s has the name of a built-in exercise, %s", e.File, e.Name)
}

// Preparation is what Start will do on this computer.
type Preparation struct {
	*Exercise                 // as the document has it
	Missing   []string        // programs that are not installed
	Own       []endpoint.Side // for whose programs the lab's own stand
}

// Prepare finds the exercise of a name or file. With own set the lab's own stand
// for other programs wherever they can. Errors are *UnknownError,
// *yamldoc.Error, *MissingError, *NameTakenError and those of files.
func (c Course) Prepare(name string, own bool) (*Preparation, error) {
	e, err := Find(name)
	if err != nil {
		return nil, err
	}
	if e.IsOwn() {
		if builtIn, err := Find(e.Name); err == nil && !bytes.Equal(builtIn.Text, e.Text) {
			return nil, &NameTakenError{Name: e.Name, File: e.File}
		}
	}
	b := &Preparation{Exercise: e, Missing: append(e.missing(endpoint.Server), e.missing(endpoint.Client)...)}
	b.Own, err = e.replaceable(own)
	return b, err
}

// IsOwn reports whether an exercise was read from a file, and is not built in.
func (e *Exercise) IsOwn() bool { return e.fromFile }

// Start makes the folder of an exercise, and begins to keep its progress.
// Errors are *FolderExistsError and those of files.
func (c Course) Start(ctx context.Context, b *Preparation) (*Progress, error) {
	p := &Progress{Name: b.Name, Own: b.Own, Started: time.Now().UTC()}
	if before, err := c.Progress(b.Name); err == nil && before != nil { // its folder was removed, or put aside
		p.Hints, p.Solved, p.GaveUp, p.Marked = before.Hints, before.Solved, before.GaveUp, before.Marked
	}
	if b.IsOwn() {
		file, err := filepath.Abs(b.File)
		if err != nil {
			return nil, err
		}
		p.Document = file
	}
	var err error
	if p.Values, err = b.variant(b.Own).make(ctx, c.FolderOf(b.Name)); err != nil {
		return nil, err
	}
	return p, c.keep(p)
}

// Work is an exercise that somebody does.
type Work struct {
	*Exercise // the variant that is done
	*Progress
	Folder string

	course Course
}

// Work returns an exercise that was started; "" is the current one. Errors are
// *NotStartedError, *UnknownError and those of Find.
func (c Course) Work(name string) (*Work, error) {
	var err error
	if name == "" {
		if name, err = c.Current(); err != nil {
			return nil, err
		}
		if name == "" {
			return nil, &NotStartedError{Folder: c.Dir}
		}
	}
	name = strings.TrimSuffix(filepath.Base(filepath.FromSlash(name)), ".yaml")
	p, err := c.Progress(name)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, c.notStarted(name)
	}
	of := p.Name
	if p.Document != "" {
		of = p.Document
	}
	e, err := Find(of)
	if err != nil {
		return nil, err
	}
	return &Work{Exercise: e.variant(p.Own), Progress: p, Folder: c.FolderOf(p.Name), course: c}, nil
}

// Resettable returns an exercise like Work, also one of which there is only its
// folder: its progress was lost, or never kept. A trainer's own is named by its
// file then.
func (c Course) Resettable(name string) (*Work, error) {
	w, err := c.Work(name)
	var (
		begun   *NotStartedError
		unknown *UnknownError
	)
	if name == "" || err == nil || !errors.As(err, &begun) && !errors.As(err, &unknown) {
		return w, err
	}
	e, unread := Find(name)
	if unread != nil {
		return nil, err
	}
	if _, gone := os.Stat(c.FolderOf(e.Name)); gone != nil {
		return nil, err
	}
	p := &Progress{Name: e.Name}
	if e.IsOwn() {
		if p.Document, err = filepath.Abs(e.File); err != nil {
			return nil, err
		}
	}
	return &Work{Exercise: e, Progress: p, Folder: c.FolderOf(e.Name), course: c}, nil
}

// notStarted says why there is no progress with an exercise.
func (c Course) notStarted(name string) error {
	if _, err := Find(name); err != nil {
		var unknown *UnknownError
		if errors.As(err, &unknown) {
			started, _ := c.all()
			for _, p := range started {
				if slices.Contains(spell.Nearest(name, []string{p.Name}), p.Name) {
					unknown.Nearest = append(unknown.Nearest, p.Name)
				}
			}
		}
		return err
	}
	return &NotStartedError{Name: name, Folder: c.Dir}
}

// Name is that of the exercise.
func (w *Work) Name() string { return w.Exercise.Name }

// Verify marks the work, and keeps the progress. unkept says why that could not
// be kept, nil: it was. Errors are about what the participant has written that
// cannot be read: *yamldoc.Error, or those of files.
func (w *Work) Verify(ctx context.Context) (r *Result, unkept, err error) {
	if _, err := os.Stat(w.Folder); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, &NotStartedError{Name: w.Name(), Folder: w.course.Dir}
	}
	if now, err := w.course.Progress(w.Progress.Name); err == nil && now != nil { // a reset while it is watched changes its values
		*w.Progress = *now
	}
	r, err = w.verify(ctx, w.Folder, w.Values, filepath.Join(w.Folder, captureFile), Limit)
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	unkept = w.course.update(w.Progress, func(p *Progress) {
		p.Marked++
		if err == nil && r.Solved && p.Solved == nil {
			now := time.Now().UTC()
			p.Solved = &now
		}
	})
	return r, unkept, err
}

// Hint gives the next hint: its number, from 1, and its text. After the last it
// gives that again, and more is false.
func (w *Work) Hint() (number int, more bool, err error) {
	if w.Progress.Hints >= len(w.Exercise.Hints) {
		return w.Progress.Hints, false, nil
	}
	err = w.course.update(w.Progress, func(p *Progress) { p.Hints = min(p.Hints+1, len(w.Exercise.Hints)) })
	return w.Progress.Hints, true, err
}

// GiveUp notes that the work was explained before it was solved.
func (w *Work) GiveUp() error {
	if w.Progress.Solved != nil || w.GaveUp {
		return nil
	}
	return w.course.update(w.Progress, func(p *Progress) { p.GaveUp = p.Solved == nil })
}

// asideFolder is where Reset puts what was there.
const asideFolder = "put-aside"

// Reset puts what is in the folder of an exercise aside and begins it anew. It
// returns the folder that has what was there, "" if nothing was. The folder
// itself stays where it is: who stands in it stands in the new one.
func (w *Work) Reset(ctx context.Context) (aside string, err error) {
	of := w.Progress.Name
	if w.Document != "" {
		of = w.Document
	}
	b, err := w.course.Prepare(of, len(w.Own) > 0)
	if err != nil {
		return "", err
	}
	if _, err := os.Lstat(w.Folder); err == nil && !isEmpty(w.Folder) {
		if aside, err = w.course.aside(w.Name()); err != nil {
			return "", err
		}
		if err := moveAll(w.Folder, aside); err != nil {
			return "", errors.Join(err, os.Remove(aside))
		}
	}
	if _, err := w.course.Start(ctx, b); err != nil {
		if aside != "" {
			err = errors.Join(err, moveAll(aside, w.Folder), os.Remove(aside))
		}
		return "", err
	}
	return aside, nil
}

// aside makes a folder for what was in that of an exercise.
func (c Course) aside(name string) (string, error) {
	if err := os.MkdirAll(filepath.Join(c.dir(), asideFolder), 0o755); err != nil {
		return "", err
	}
	for n := 1; ; n++ {
		aside := filepath.Join(c.dir(), asideFolder, fmt.Sprintf("%s-%d", name, n))
		if err := os.Mkdir(aside, 0o755); !errors.Is(err, fs.ErrExist) {
			return aside, err
		}
	}
}
