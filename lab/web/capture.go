package web

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"time"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/wiretap"
)

// canRecord reports whether a capture can be made of what is kept of a
// connection: of one that began with something else than TLS, the order of the
// two sides' bytes is not kept.
func canRecord(c *tlsdecrypt.Connection) bool {
	return c != nil && c.Client.IsValid() && c.Server.IsValid() && len(c.Messages) > 0 && len(c.Kept.Client) > 0 &&
		c.Prologue == nil && c.NotTLSFrom == endpoint.Unknown && !c.Late
}

// record writes a capture of an exchange, as far as its bytes are kept: each
// record is a packet at the time of its message. With its keys whoever has the
// file can read it. The error is w's.
func record(w io.Writer, x *Exchange, withKeys bool) error {
	c, number := x.Wire, x.Number
	if x.Ladder.Stream {
		number = 0 // that of the lab is among the comments, if there is one
	}
	recording, err := capture.NewWriter(unclosed{w}, capture.Options{})
	if err != nil {
		return err
	}
	handle := recording.Open(wiretap.Event{Kind: wiretap.Open, Exchange: number, Time: c.Opened, Client: c.Client, Server: c.Server})
	last := c.Opened
	emit := func(e wiretap.Event, at time.Time) {
		if at.After(last) {
			last = at
		}
		e.Time = last
		handle(e)
	}
	if withKeys && len(c.KeyLog) > 0 {
		emit(wiretap.Event{Kind: wiretap.Secret, From: endpoint.Client, Data: c.KeyLog}, last)
	}
	var sent endpoint.Pair[int64]
	for _, m := range c.Messages {
		for _, r := range m.Records {
			kept, from := *c.Kept.Of(m.From), sent.Of(m.From)
			if end := r.Offset + int64(r.Length); end > *from && end <= int64(len(kept)) {
				emit(wiretap.Event{Kind: wiretap.Data, From: m.From, Data: kept[*from:end]}, m.Time)
				*from = end
			}
		}
	}
	for _, text := range c.Comments {
		emit(wiretap.Event{Kind: wiretap.Verdict, From: endpoint.Server, Data: []byte(text)}, last)
	}
	for _, e := range ending(c, sent) {
		emit(e, c.Ended)
	}
	return recording.Close()
}

// ending is how a connection ended, of which that much is recorded.
func ending(c *tlsdecrypt.Connection, sent endpoint.Pair[int64]) []wiretap.Event {
	first := c.EndedBy
	whole := sent.Client == int64(len(c.Kept.Client)) && sent.Server == int64(len(c.Kept.Server)) && max(sent.Client, sent.Server) < KeepBytes
	switch {
	case !whole || first == endpoint.Unknown || c.Ended.IsZero():
		return []wiretap.Event{{Kind: wiretap.CutOff}}
	case c.EndedByReset:
		return []wiretap.Event{{Kind: wiretap.Reset, From: first}, {Kind: wiretap.Close, From: first}}
	}
	return []wiretap.Event{{Kind: wiretap.HalfClose, From: first}, {Kind: wiretap.Close, From: first.Other()}}
}

// unclosed is a writer that closing does not close.
type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

// capture answers with an exchange as a pcapng file, with its keys or without.
func (s *Server) capture(withKeys bool) http.HandlerFunc {
	name := "capture"
	if withKeys {
		name = "capture-with-keys"
	}
	return func(w http.ResponseWriter, r *http.Request) {
		x := s.find(r)
		if x == nil || !canRecord(x.Wire) {
			http.Error(w, gone, http.StatusNotFound)
			return
		}
		var file bytes.Buffer
		x.reading.Lock()
		err := record(&file, x, withKeys)
		x.reading.Unlock()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=\"%s-%s.pcapng\"", x.fileName(), name))
		_, _ = w.Write(file.Bytes())
	}
}
