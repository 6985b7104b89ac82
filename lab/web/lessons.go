package web

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
)

// Lessons are scenarios that the page shows and runs.
type Lessons interface {
	// Find returns those that a message may be about, the best first, or of ""
	// all, each as lab scenario list --json has it.
	Find(message string) ([]json.RawMessage, error)
	// Run runs one with a version of TLS, as "TLS 1.3", and returns its exchanges,
	// of which the last is what the lesson is about. It is called once at a time.
	Run(ctx context.Context, name, version string) ([]*Exchange, error)
}

// Lesson is what the page says of the scenario that an exchange is a run of.
type Lesson struct {
	Text []Paragraph
	File string // what files of the exchange are called, without their ending
}

// running is held while a lesson runs: those of one scenario share their
// certificates.
var running sync.Mutex

// lessons answers with the lessons that q may be about.
func (s *Server) lessons(w http.ResponseWriter, r *http.Request) {
	found, err := s.page.options.Lessons.Find(r.URL.Query().Get("q"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(encode(append([]json.RawMessage{}, found...)))
}

// runLesson runs a lesson, puts its exchanges on the page, and answers with the
// id of the last.
func (s *Server) runLesson(w http.ResponseWriter, r *http.Request) {
	running.Lock()
	defer running.Unlock()
	exchanges, err := s.page.options.Lessons.Run(r.Context(), r.PathValue("name"), r.URL.Query().Get("tls"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	last := 0
	for _, x := range exchanges {
		last = s.page.Add(x)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(encode(map[string]int{"id": last}))
}
