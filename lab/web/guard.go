package web

import (
	"crypto/rand"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// guard lets in who has the token. It is a part of the printed address, and a
// cookie from then on.
type guard struct {
	token string
	host  string // as the user named it, with port; "": none
	port  string
	every bool // it listens on every address
}

func newGuard(addr net.Addr, host string) guard {
	listens, port, _ := net.SplitHostPort(addr.String())
	g := guard{token: rand.Text(), port: port, every: net.ParseIP(listens).IsUnspecified()}
	if host != "" {
		g.host = net.JoinHostPort(host, port)
	}
	return g
}

// policy allows the page its own files, and nothing else. What is not named
// here is not allowed: frames around it, forms, scripts within it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// protect returns a handler that answers 403 to who may not look, before next
// is asked.
func (g guard) protect(next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		switch {
		case !g.isHere(r):
			http.Error(w, "This is not the address that lab listens on. Open the one that it has printed.", http.StatusForbidden)
		case !g.admits(w, r):
			http.Error(w, "Open the address that lab has printed, with the token in it.", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// isHere reports whether a request is for the address on which it came in, or
// for localhost on that machine, or on another that forwards a port, as to a
// container. A name that is made to lead here is neither.
func (g guard) isHere(r *http.Request) bool {
	host := strings.ToLower(r.Host)
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), "80") // the port that browsers leave out
	}
	if host == strings.ToLower(g.host) {
		return true
	}
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if local == nil {
		return false
	}
	here, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return false
	}
	here = netip.AddrPortFrom(here.Addr().Unmap(), here.Port())
	asked, err := netip.ParseAddrPort(host)
	if err == nil && (asked == here || !g.every) {
		return asked == here
	}
	isLocal := host == "localhost:"+g.port || host == "127.0.0.1:"+g.port || host == "[::1]:"+g.port
	return isLocal && (here.Addr().IsLoopback() || g.every)
}

// cookie is the name of the cookie. Cookies are not kept apart by port, and
// another lab may have one of its own.
func (g guard) cookie() string { return "lab-" + g.port }

// admits reports whether a request has the token. With the one in the address
// it sets the cookie.
func (g guard) admits(w http.ResponseWriter, r *http.Request) bool {
	for _, c := range r.CookiesNamed(g.cookie()) {
		if g.isToken(c.Value) {
			return true
		}
	}
	if r.Method != http.MethodGet || r.URL.Path != "/" || !g.isToken(r.URL.Query().Get("token")) {
		return false
	}
	http.SetCookie(w, &http.Cookie{Name: g.cookie(), Value: g.token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	return true
}

func (g guard) isToken(s string) bool {
	return subtle.ConstantTimeCompare([]byte(s), []byte(g.token)) == 1
}
