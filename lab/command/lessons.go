package command

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"slices"

	"mtlslab.example/lab/lab/ladder"
	"mtlslab.example/lab/lab/scenario"
	"mtlslab.example/lab/lab/web"
)

// lessons are the scenarios, for the live view. They run in the folder, as with
// lab scenario run.
type lessons struct {
	*Program
	folder folder
}

// Find implements web.Lessons.
func (l *lessons) Find(message string) (found []json.RawMessage, err error) {
	all, err := scenario.All()
	if err != nil {
		return nil, err
	}
	if message != "" {
		all = scenario.Search(message).Scenarios
	}
	for _, s := range all {
		found = append(found, bytes.TrimSpace(l.encoded(listed(s))))
	}
	return found, nil
}

// Run implements web.Lessons.
func (l *lessons) Run(ctx context.Context, name, version string) ([]*web.Exchange, error) {
	all, err := scenario.All() // a name from a browser is no file
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		for _, v := range s.Versions() {
			if s.Name == name && tls.VersionName(v) == version {
				return l.run(ctx, s, v)
			}
		}
	}
	return nil, fmt.Errorf("there is no lesson %s with %s", name, version)
}

func (l *lessons) run(ctx context.Context, s *scenario.Scenario, version uint16) ([]*web.Exchange, error) {
	r, err := s.Run(ctx, version, scenario.Options{Manifest: l.Manifest, Dir: string(l.folder), Keep: web.KeepBytes})
	if err != nil {
		return nil, err
	}
	exchanges, err := onPage(r, l.folder, s.Name+", "+tls.VersionName(version))
	for _, x := range exchanges {
		x.Lesson.Text = lessonText(s)
	}
	return exchanges, err
}

// lessonText is what the page says of a scenario beside its verdict.
func lessonText(s *scenario.Scenario) []web.Paragraph {
	return slices.DeleteFunc(aboutLesson(s).Text, func(part web.Paragraph) bool {
		return part.Name == "run it" // which the verdict has
	})
}

// onPage returns all exchanges of a run as a page has them.
func onPage(r *scenario.Result, f folder, title string) ([]*web.Exchange, error) {
	trust, err := trustOf(r.Scenario.Certs(f.certs()), trustsOf(r, f))
	if err != nil {
		return nil, err
	}
	calls := len(r.Earlier) + 1
	var all []*web.Exchange
	for i, x := range append(r.Earlier[:len(r.Earlier):len(r.Earlier)], r.Exchange) {
		called, file := title, r.Scenario.RunName(r.Version)
		if calls > 1 {
			called = fmt.Sprintf("%s, call %d of %d", title, i+1, calls)
			file = fmt.Sprintf("%s-call-%d", file, i+1)
		}
		all = append(all, &web.Exchange{Exchange: x, Trust: trust, Ladder: ladder.Options{Title: called}, Lesson: &web.Lesson{File: file}})
	}
	return all, nil
}
