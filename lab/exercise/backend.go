package exercise

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// backendPort is the port by which the files of programs call what stands
// behind them.
const backendPort = 8081

// serveBackend starts a plain HTTP server for a proxy to pass requests on to.
// It answers with the head of the request.
func (r *run) serveBackend(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(echo), ReadHeaderTimeout: patience, ReadTimeout: patience, WriteTimeout: patience, IdleTimeout: time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l) // it is closed below
	}()
	r.stops = append(r.stops, func() { server.Close(); <-ended })
	r.ports[backendPort] = l.Addr().(*net.TCPAddr).AddrPort().Port()
	return nil
}

// echo answers with the head of a request.
func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "%s %s\nHost: %s\n", r.Method, r.URL.Path, r.Host)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		fmt.Fprintf(w, "%s: %s\n", name, strings.Join(r.Header[name], ", "))
	}
}
