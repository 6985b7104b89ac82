package command

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/private"
	"mtlslab.example/lab/lab/scenario"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/web"
)

// gallery runs scenarios, and writes a page of each and one that leads to them.
func (p *Program) gallery(c *cli.Context, chosen []*scenario.Scenario) error {
	dir := c.String("html")
	if err := checkEmpty(dir); err != nil {
		return err
	}
	temporary, err := private.MkdirTemp("", "gallery") // scenarios have keys
	if err != nil {
		return err
	}
	defer func() { _ = temporary.Remove() }()
	work := temporary.Path
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var sides []web.GallerySide
	var failed error
	o := scenario.Options{Manifest: p.Manifest, Dir: work, Keep: web.KeepBytes}
	err = runScenarios(c.Context, chosen, 0, false, o, func(s *scenario.Scenario, runs []*scenario.Result, _ []scenario.Loaded) {
		lesson, err := writeLesson(dir, folder(work), s, runs)
		failed = errors.Join(failed, err)
		i := slices.IndexFunc(sides, func(side web.GallerySide) bool { return side.Name == s.Side })
		if i < 0 {
			i = len(sides)
			sides = append(sides, web.GallerySide{Name: s.Side})
		}
		sides[i].Lessons = append(sides[i].Lessons, lesson)
	})
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	var index bytes.Buffer
	if err := web.WriteGallery(&index, sides); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "index.html"), index.Bytes(), 0o644); err != nil {
		return err
	}
	p.say("%s in %s; open index.html there, or put the folder on a web server", text.Counted(len(chosen), "lesson"), dir)
	return nil
}

// writeLesson writes the page of a scenario.
func writeLesson(dir string, f folder, s *scenario.Scenario, runs []*scenario.Result) (web.GalleryLesson, error) {
	about := aboutLesson(s)
	page := web.NewPage(web.Options{Title: s.Title, Showing: shownAlike, About: about})
	lesson := web.GalleryLesson{Name: s.Name, Title: s.Title, Words: wordsOf(s)}
	for _, r := range runs {
		version := tls.VersionName(r.Version)
		exchanges, err := onPage(r, f, version)
		if err != nil {
			return lesson, err
		}
		last := 0
		for _, x := range exchanges {
			last = page.Add(x)
		}
		about.Judged = append(about.Judged, last)
		lesson.Ends = append(lesson.Ends, version+": "+outcome(r.Exchange))
	}
	var b bytes.Buffer
	if _, err := page.WriteHTML(&b); err != nil {
		return lesson, err
	}
	return lesson, os.WriteFile(filepath.Join(dir, s.Name+".html"), b.Bytes(), 0o644)
}

// aboutLesson is what the page of a scenario says of it.
func aboutLesson(s *scenario.Scenario) *web.About {
	about := &web.About{}
	for _, part := range []web.Paragraph{
		{Name: "what it teaches", Text: s.Teaches}, {Name: "why", Text: s.Reason}, {Name: "fix", Text: s.Fix}, {Name: "what shows it", Text: s.Evidence},
		{Name: "OpenSSL", Text: s.OpenSSL}, {Name: "RFC", Text: s.RFC}, {Name: "run it", Text: "lab scenario run " + s.Name},
	} {
		if part.Text != "" {
			about.Text = append(about.Text, part)
		}
	}
	return about
}

// wordsOf is what a lesson is found by: its texts, and what programs say.
func wordsOf(s *scenario.Scenario) string {
	words := []string{s.Name, s.Title, s.Side, s.Topic, s.Teaches, s.Reason, s.Fix, s.RFC}
	for _, messages := range s.Says {
		words = append(words, messages...)
	}
	for _, e := range s.Expect {
		words = append(words, string(e.Code), e.Alert)
	}
	slices.Sort(words) // the same each time
	return strings.Join(slices.Compact(words), " ")
}

// checkEmpty refuses a folder with something in it, and what is no folder.
func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s is not empty: name a new folder", dir)
	}
	return nil
}
