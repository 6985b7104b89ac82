package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"time"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/ladder"
	"mtlslab.example/lab/lab/room"
	"mtlslab.example/lab/lab/text"
)

// The pace of the stream.
const (
	writeTimeout = 10 * time.Second       // after which a browser that reads nothing is given up
	aliveEvery   = 15 * time.Second       // shows that the connection is still there
	shortestRest = 100 * time.Millisecond // a browser draws each time
	restForEach  = 4 * time.Millisecond
	longestRest  = 2 * time.Second // in which a thousand may come: the older ones are not sent then
)

// row is an exchange in the list: a line of lab up --json.
type row struct {
	ID    int    `json:"id"`
	Title string `json:"title,omitempty"` // in place of its number
	// Early are the sides whose turn to show a certificate had not come.
	Early  []endpoint.Side `json:"early,omitempty"`
	Hidden []endpoint.Side `json:"hidden,omitempty"` // those of which nobody can read what they have shown
	Took   string          `json:"took,omitempty"`   // see took
	*lab.Exchange
}

func (x *Exchange) row() row {
	title := x.Ladder.Title
	if x.Ladder.Stream {
		title = fmt.Sprintf("TCP stream %d", x.Number)
	}
	r := row{ID: x.id, Title: title, Took: x.took(), Exchange: x.Exchange}
	r.Early, r.Hidden = sidesOf(&x.early), sidesOf(&x.hidden)
	return r
}

// took is how long an exchange took, as the ladder says it; "": that is not
// known.
func (x *Exchange) took() string {
	if x.DurationMS == 0 {
		return ""
	}
	return ladder.Elapsed(text.OfMilliseconds(x.DurationMS))
}

// sidesOf returns the sides that are so.
func sidesOf(so *endpoint.Pair[bool]) (sides []endpoint.Side) {
	for side, is := range so.All() {
		if *is {
			sides = append(sides, side)
		}
	}
	return sides
}

// stream sends the exchanges that are there, and then each as it comes, as
// server-sent events (HTML section 9.2). Many at once are sent together, and
// the more there were, the longer the next ones wait.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	send := func(event []byte) bool {
		_ = out.SetWriteDeadline(time.Now().Add(writeTimeout)) // what cannot have one is a test
		_, err := w.Write(event)
		return err == nil && out.Flush() == nil
	}
	last, err := strconv.Atoi(r.Header.Get("Last-Event-ID"))
	if err != nil {
		last, _ = strconv.Atoi(r.URL.Query().Get("after")) // 0: this is the first time
	}
	s.watching.Add(1)
	defer s.watching.Add(-1)
	alive, pki := time.NewTicker(aliveEvery), s.watchPKI(r)
	defer alive.Stop()
	if !send([]byte(": here are the exchanges\n\n")) {
		return
	}
	var exercise *Exercise
	var guests *room.View
	roomLast := false
	for {
		select {
		case listed := <-pki:
			if !send(event("pki", last, listed)) {
				return
			}
		default: // where exchanges come all the time, nobody waits for one below
		}
		added, ended, more := s.page.exchanges.after(last)
		now, in := s.page.exercise.Load(), s.page.room.Load()
		switch {
		case now != exercise:
			if exercise = now; !send(event("exercise", last, encode(now))) {
				return
			}
			continue
		case in != guests && (len(added) == 0 || !roomLast): // the two take turns
			guests, roomLast = in, true
			if !send(event("room", last, encode(in))) || !pause(r, rest(len(in.Guests))) {
				return
			}
			continue
		case len(added) > 0:
			last, roomLast = added[len(added)-1].id, false
			if !send(event("exchanges", last, encode(together(added)))) || !pause(r, rest(len(added))) {
				return
			}
			continue
		case ended:
			send(event("ended", last, []byte("{}")))
			return
		}
		select {
		case <-more:
		case listed := <-pki:
			if !send(event("pki", last, listed)) {
				return
			}
		case <-alive.C:
			if !send([]byte(": still here\n\n")) {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// rest is how long to wait after n rows were sent.
func rest(n int) time.Duration {
	return min(max(time.Duration(n)*restForEach, shortestRest), longestRest)
}

// pause waits, and reports whether the browser is still there.
func pause(r *http.Request, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-r.Context().Done():
		return false
	}
}

// rows returns exchanges as rows of the list.
func rows(added []*Exchange) []row {
	list := make([]row, len(added))
	for i, x := range added {
		list[i] = x.row()
	}
	return list
}

// alike is a row that differs from an earlier one of the same event only in
// what it has itself.
type alike struct {
	ID         int       `json:"id"`
	Like       int       `json:"like"` // id of the earlier one
	Number     int       `json:"exchange"`
	Time       time.Time `json:"time"`
	ClientAddr string    `json:"client_addr"`
	DurationMS float64   `json:"duration_ms"`
	Took       string    `json:"took"`
}

// mostKinds is how many rows another one is compared with: the latest that were
// sent whole.
const mostKinds = 8

// together returns exchanges as rows of one event: where hundreds come a
// second, they are much the same, and what they have in common is sent once.
func together(added []*Exchange) []any {
	list := make([]any, len(added))
	var kinds []kind
	for i, x := range added {
		k := kindOf(x)
		if at := slices.IndexFunc(kinds, func(other kind) bool { return reflect.DeepEqual(k.row, other.row) }); at >= 0 {
			list[i] = alike{x.id, kinds[at].id, x.Number, x.Time, x.ClientAddr, x.DurationMS, x.took()}
			continue
		}
		list[i] = x.row()
		kinds = append(kinds[max(len(kinds)+1-mostKinds, 0):], k)
	}
	return list
}

// kind is what rows may have in common.
type kind struct {
	id  int // of the first
	row row
}

func kindOf(x *Exchange) kind {
	r, common := x.row(), *x.Exchange
	r.ID, r.Took, r.Exchange = 0, "", &common
	common.Number, common.Time, common.ClientAddr, common.DurationMS = 0, time.Time{}, "", 0
	common.Wire, common.WireLeftOut = nil, false // they are no part of a row
	return kind{x.id, r}
}

// event returns a server-sent event. JSON has no line feeds.
func event(name string, id int, data []byte) []byte {
	return fmt.Appendf(nil, "event: %s\nid: %d\ndata: %s\n\n", name, id, data)
}

// encode returns JSON as the terminal prints it: hidden characters are escaped,
// and so is what HTML could take for a tag.
func encode(v any) []byte {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		b.Reset()
		_ = json.NewEncoder(&b).Encode(map[string]string{"error": err.Error()})
	}
	return bytes.TrimRight(text.Unicode.JSON(b.Bytes()), "\n")
}
