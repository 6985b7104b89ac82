package room

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/text"
)

// Path is where a room takes reports.
const Path = "/report"

// mostBytes bounds the body of a report.
const mostBytes = 1 << 10

// Report is what a participant tells of the exercises, and all that leaves the
// machine.
type Report struct {
	Exercise string `json:"exercise"`         // the name of the one that was worked on last
	Solved   bool   `json:"solved,omitempty"` // that one
	GaveUp   bool   `json:"gave_up,omitempty"`
	Hints    int    `json:"hints"` // that it was given
	Total    int    `json:"total"` // how many exercises are solved
}

// exerciseName is what exercises are called.
var exerciseName = text.Pattern(`^[a-z0-9][a-z0-9-]{0,63}$`)

// check refuses what no lab sends.
func (r Report) check() error {
	switch {
	case !exerciseName().MatchString(r.Exercise):
		return fmt.Errorf("%q is not the name of an exercise", first(text.Clean(r.Exercise), mostOfName))
	case r.Hints < 0 || r.Hints > 99:
		return fmt.Errorf("%d hints cannot have been given", r.Hints)
	case r.Total < 0 || r.Total > 999:
		return fmt.Errorf("%d exercises cannot have been solved", r.Total)
	}
	return nil
}

// State says what has become of the exercise, in words.
func (r Report) State() string {
	switch {
	case r.Solved:
		return "solved"
	case r.GaveUp:
		return "given up"
	}
	return ""
}

// String tells the report in a line.
func (r Report) String() string {
	line := r.Exercise
	if state := r.State(); state != "" {
		line += " " + state
	}
	return fmt.Sprintf("%s, %s, %d solved in all", line, text.Counted(r.Hints, "hint"), r.Total)
}

// Handler returns a handler that takes reports, and has next answer the other
// requests, which must all have come over TLS.
func (r *Room) Handler(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", next)
	mux.HandleFunc("PUT "+Path, func(w http.ResponseWriter, request *http.Request) {
		id := lab.IdentityOf(request.TLS)
		if id == (lab.Identity{}) {
			http.Error(w, "Reports need a client certificate that this server has verified.", http.StatusForbidden)
			return
		}
		status, err := r.take(id, chain.Name(request.TLS.PeerCertificates[0]), http.MaxBytesReader(w, request.Body, mostBytes))
		if err != nil {
			http.Error(w, err.Error(), status)
			return
		}
		w.WriteHeader(status)
	})
	return mux
}

// take takes in a report of a guest.
func (r *Room) take(id lab.Identity, name string, body io.Reader) (status int, err error) {
	if !r.allows(id, name) {
		return http.StatusTooManyRequests, fmt.Errorf("more than %d reports in a short time", mostAtOnce)
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return http.StatusRequestEntityTooLarge, err
	}
	var report Report
	if err = json.Unmarshal(data, &report); err == nil {
		err = report.check()
	}
	if err != nil {
		return http.StatusBadRequest, err
	}
	r.mu.Lock()
	g := r.guest(id, name)
	isNew := g.Report == nil || *g.Report != report
	g.State, g.Why, g.LastSeen, g.Report = In, "", time.Now(), &report
	r.changed(*g, isNew)
	return http.StatusNoContent, nil
}

// allows reports whether a guest, who is in, may report now.
func (r *Room) allows(id lab.Identity, name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.guest(id, name).take(time.Now())
}

// guest returns the row of a guest who is in. mu is held.
func (r *Room) guest(id lab.Identity, name string) *Guest {
	g := r.row(keyOf(id))
	if !g.isProven() {
		g.identity, g.Name, g.State, g.LastSeen = id, first(name, mostOfName), In, time.Now()
	}
	return g
}
