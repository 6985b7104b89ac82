package web

import (
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
)

// About is what a page says of a lesson beside its exchanges.
type About struct {
	Text   []Paragraph
	Judged []int // ids of the exchanges that it is about, one of each version of TLS
}

// Versions is the part of an address that names two of them; "": there are not
// two.
func (a *About) Versions() string {
	if len(a.Judged) < 2 {
		return ""
	}
	return fmt.Sprintf("#%d+%d", a.Judged[0], a.Judged[1])
}

// Paragraph is a text with the name of what it is about.
type Paragraph struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// GallerySide is a part of a gallery.
type GallerySide struct {
	Name    string
	Lessons []GalleryLesson
}

// GalleryLesson is one lesson in a gallery. Its page, NAME.html, is in the same
// folder.
type GalleryLesson struct {
	Name, Title string
	Ends        []string // how each version ends
	Words       string   // what it is found by
}

// Mood is the class that colours a lesson, by how it ends; "": it never reaches
// the wire.
func (l GalleryLesson) Mood() string {
	isGood := func(end string) bool { return strings.HasSuffix(end, ": accepted") }
	switch {
	case len(l.Ends) == 0:
		return ""
	case slices.ContainsFunc(l.Ends, func(end string) bool { return !isGood(end) }):
		return "bad"
	}
	return "good"
}

// WriteGallery writes the page that leads to the pages of lessons. The error is
// w's.
func WriteGallery(w io.Writer, sides []GallerySide) error {
	count := 0
	for _, side := range sides {
		for i := range side.Lessons {
			side.Lessons[i].Words = strings.ToLower(side.Lessons[i].Words)
			count++
		}
	}
	style, script := read(static(), "static/style.css"), read(files, "gallery.js")
	return templates().ExecuteTemplate(w, "gallery.html", struct {
		Sides  []GallerySide
		Count  int
		Policy string
		Style  template.CSS
		Script template.JS
	}{sides, count, policyOf(script, style), template.CSS(style), template.JS(script)})
}
