package web

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
)

// Server serves a page.
type Server struct {
	page     *Page
	host     string // as the user named it; "": none
	listener net.Listener
	guard    guard
	served   chan error
	watching atomic.Int32 // streams
	server   *http.Server
}

// Serve serves a page on l, which Close closes. It does not wait. host is a
// name by which the page may be asked for, besides the address of l and
// localhost; "": there is none.
func Serve(l net.Listener, p *Page, host string) *Server {
	s := &Server{page: p, host: host, listener: l, guard: newGuard(l.Addr(), host), served: make(chan error, 1)}
	s.server = &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10}
	go func() { s.served <- s.server.Serve(l) }()
	return s
}

// URL is the address of the page, with its token.
func (s *Server) URL() string {
	addr := s.listener.Addr().(*net.TCPAddr)
	host := addr.IP.String()
	switch {
	case s.host != "":
		host = s.host
	case addr.IP.IsUnspecified():
		host = "127.0.0.1"
	}
	u := url.URL{Scheme: "http", Host: net.JoinHostPort(host, strconv.Itoa(addr.Port)), Path: "/", RawQuery: "token=" + s.guard.token}
	return u.String()
}

// keepGrace is how long browsers have to hear of the end, and to fetch what
// they keep; closeGrace is how long what they asked for then may take.
const (
	keepGrace  = 300 * time.Millisecond
	closeGrace = 200 * time.Millisecond
)

// Close says on the page that the lab has ended, and stops serving it. The
// error is that of a server that had ended before.
func (s *Server) Close() error {
	watched := s.watching.Load() > 0
	if s.page.End(); watched {
		time.Sleep(keepGrace)
	}
	grace, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	if s.server.Shutdown(grace) != nil {
		_ = s.server.Close()
	}
	err := <-s.served
	s.served <- err // for another Close
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// handler returns the routes of the page, behind its guard.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /static/", func(w http.ResponseWriter, r *http.Request) { http.FileServerFS(static()).ServeHTTP(w, r) })
	mux.HandleFunc("GET /page.js", func(w http.ResponseWriter, _ *http.Request) { // one request in place of many, one after the other
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		_, _ = io.WriteString(w, joinedScript())
	})
	mux.HandleFunc("GET /{$}", s.index)
	mux.HandleFunc("GET /events", s.stream)
	mux.HandleFunc("GET /exchanges/{id}", s.exchange)
	mux.HandleFunc("GET /exchanges/{id}/page.html", s.download)
	mux.HandleFunc("GET /exchanges/{id}/secrets", s.secrets)
	mux.HandleFunc("GET /exchanges/{id}/capture.pcapng", s.capture(false))
	mux.HandleFunc("GET /exchanges/{id}/capture-with-keys.pcapng", s.capture(true))
	if s.page.options.Lessons != nil {
		mux.HandleFunc("GET /lessons", s.lessons)
		mux.HandleFunc("POST /lessons/{name}", s.runLesson)
	}
	return s.guard.protect(mux)
}

// index answers with the page itself.
func (s *Server) index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	o := s.page.options
	added, _, _ := s.page.exchanges.after(0)
	_ = templates().ExecuteTemplate(w, "page.html", pageData{Title: o.Title, Live: o.Live, Lessons: o.Lessons != nil, PKI: o.PKI != nil, Room: o.Room, Waits: o.Live && len(added) == 0})
}
