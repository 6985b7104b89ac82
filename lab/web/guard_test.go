package web

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Nobody gets anything without the token, on loopback too.
func TestToken(t *testing.T) {
	s := serve(t, NewPage(Options{Title: "a test"}))
	at := "http://" + s.listener.Addr().String()
	bare := func(method, path string) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), method, at+path, nil)
		must(t, err)
		return r
	}
	for _, r := range []*http.Request{
		bare("GET", "/"), bare("GET", "/?token="), bare("GET", "/?token=guess"), bare("GET", "/static/main.js"), bare("GET", "/events"),
		bare("GET", "/exchanges/1"), bare("GET", "/nothing"), bare("POST", "/?token="+s.guard.token), bare("GET", "/exchanges/1?token="+s.guard.token),
	} {
		if status, body := get(t, r); status != http.StatusForbidden || strings.Contains(body, s.guard.token) {
			t.Errorf("%s %s without the cookie: %d %q, want 403", r.Method, r.URL, status, body)
		}
	}
	response, err := http.Get(s.URL())
	must(t, err)
	response.Body.Close()
	if response.StatusCode != http.StatusOK || len(response.Cookies()) != 1 {
		t.Fatalf("the printed address: %s, %d cookies; want 200 and one", response.Status, len(response.Cookies()))
	}
	cookie := response.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Domain != "" {
		t.Errorf("the cookie is %v: want HttpOnly, SameSite=Strict and this host alone", cookie)
	}
	with := bare("GET", "/static/main.js")
	with.AddCookie(cookie)
	if status, _ := get(t, with); status != http.StatusOK {
		t.Errorf("with the cookie: %d, want 200", status)
	}
	wrong := bare("GET", "/")
	wrong.AddCookie(&http.Cookie{Name: cookie.Name, Value: "guess"})
	if status, _ := get(t, wrong); status != http.StatusForbidden {
		t.Errorf("with another cookie: %d, want 403", status)
	}
}

// A name that leads here is not enough: the Host must be the address, or
// localhost.
func TestHost(t *testing.T) {
	s := serve(t, NewPage(Options{}))
	port := s.guard.port
	for host, want := range map[string]int{
		"127.0.0.1:" + port: 200, "localhost:" + port: 200, "LOCALHOST:" + port: 200,
		"rebound.example:" + port: 403, "127.0.0.1.nip.example:" + port: 403, "127.0.0.1": 403, "localhost": 403, "localhost:1": 403,
		"127.0.0.2:" + port: 403, "[::1]:" + port: 403, "0.0.0.0:" + port: 403, "lab.localhost:" + port: 403,
	} {
		r := s.request(t, "GET", "/")
		r.Host = host
		if status, _ := get(t, r); status != want {
			t.Errorf("Host %s: %d, want %d", host, status, want)
		}
	}
	named := serve(t, NewPage(Options{}))
	named.guard.host = "lab.example:" + named.guard.port
	named.server.Handler = named.handler()
	r := named.request(t, "GET", "/")
	r.Host = "lab.example:" + named.guard.port
	if status, _ := get(t, r); status != 200 {
		t.Errorf("the name that the user gave: %d, want 200", status)
	}
}

// A container's page is asked for by the address of the machine that forwards
// the port. One that listens on one address is not.
func TestForwardedPort(t *testing.T) {
	s := serve(t, NewPage(Options{}))
	inside := &net.TCPAddr{IP: net.ParseIP("172.18.0.3"), Port: s.listener.Addr().(*net.TCPAddr).Port}
	port := s.guard.port
	for host, want := range map[string]int{
		"127.0.0.1:" + port: 200, "localhost:" + port: 200, "[::1]:" + port: 200, inside.String(): 200,
		"rebound.example:" + port: 403, "192.0.2.1:" + port: 403, "127.0.0.1:1": 403, "localhost": 403,
	} {
		r := s.request(t, "GET", "/")
		r.Host = host
		r = r.WithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, inside))
		for _, every := range []bool{true, false} {
			if !every && host != inside.String() {
				want = 403
			}
			s.guard.every = every
			answer := httptest.NewRecorder()
			if s.handler().ServeHTTP(answer, r); answer.Code != want {
				t.Errorf("Host %s, on every address: %v: %d, want %d", host, every, answer.Code, want)
			}
		}
	}
}

// What changes something must come from the page itself.
func TestCrossOrigin(t *testing.T) {
	s := serve(t, NewPage(Options{}))
	for header, want := range map[[2]string]int{
		{"Sec-Fetch-Site", "cross-site"}:                   http.StatusForbidden,
		{"Sec-Fetch-Site", "same-site"}:                    http.StatusForbidden,
		{"Origin", "http://evil.example"}:                  http.StatusForbidden,
		{"Origin", "http://127.0.0.1:1"}:                   http.StatusForbidden,
		{"Sec-Fetch-Site", "same-origin"}:                  http.StatusMethodNotAllowed, // it is let through, and there is nothing to change here
		{"Origin", "http://" + s.listener.Addr().String()}: http.StatusMethodNotAllowed,
	} {
		r := s.request(t, "POST", "/events")
		r.Header.Set(header[0], header[1])
		if status, _ := get(t, r); status != want {
			t.Errorf("POST with %s: %s: %d, want %d", header[0], header[1], status, want)
		}
	}
}

// Every answer forbids scripts in the page, frames around it and guesses of its
// type.
func TestHeaders(t *testing.T) {
	s := serve(t, NewPage(Options{}))
	for _, path := range []string{"/", "/static/style.css", "/exchanges/1", "/nothing"} {
		r := s.request(t, "GET", path)
		response, err := http.DefaultClient.Do(r)
		must(t, err)
		response.Body.Close()
		csp := response.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: the policy %q lacks %s", path, csp, want)
			}
		}
		if strings.Contains(csp, "unsafe") || response.Header.Get("X-Content-Type-Options") != "nosniff" || response.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", path, response.Header)
		}
	}
}
