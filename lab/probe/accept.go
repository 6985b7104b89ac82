package probe

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Accepted are the findings that are known and make no probe fail: an accept
// file, with a line each,
//
//	CASE [1.2|1.3] [# why]
//
// A line without a version is about all. Empty lines say nothing.
type Accepted []*Acceptance

// Acceptance is a line of an accept file.
type Acceptance struct {
	Line int    // from 1
	Case string // its name
	TLS  string // "TLS 1.2"; "": any
	Why  string
	used bool
}

// AcceptError is a line of an accept file that cannot be read.
type AcceptError struct {
	Line    int
	Problem string
}

func (e *AcceptError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Problem) }

// maxAcceptLine bounds a line of an accept file, in bytes.
const maxAcceptLine = 4 << 10

// ReadAccepted reads an accept file. known are the names of the cases that
// there are. Errors are *AcceptError and those of r.
func ReadAccepted(r io.Reader, known []string) (Accepted, error) {
	var all Accepted
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxAcceptLine)
	for number := 1; lines.Scan(); number++ {
		line, why, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		a := &Acceptance{Line: number, Case: words[0], Why: strings.TrimSpace(why)}
		switch {
		case !slices.Contains(known, a.Case):
			return nil, &AcceptError{number, fmt.Sprintf("no case is called %q", a.Case)}
		case len(words) > 2 || len(words) == 2 && words[1] != "1.2" && words[1] != "1.3":
			return nil, &AcceptError{number, fmt.Sprintf("after the case stands 1.2, 1.3 or nothing, and not %q", strings.Join(words[1:], " "))}
		case len(words) == 2:
			a.TLS = "TLS " + words[1]
		}
		all = append(all, a)
	}
	return all, lines.Err()
}

// Mark marks a finding that is not right, and that a line is about, as
// accepted.
func (all Accepted) Mark(f *Finding) {
	if f.Judgement != Wrong && f.Judgement != Warning {
		return
	}
	for _, a := range all {
		if a.Case == f.Case && (a.TLS == "" || a.TLS == f.TLS) {
			f.Accepted, a.used = true, true
		}
	}
}

// Unused returns the lines that were about no finding.
func (all Accepted) Unused() (unused []*Acceptance) {
	for _, a := range all {
		if !a.used {
			unused = append(unused, a)
		}
	}
	return unused
}
