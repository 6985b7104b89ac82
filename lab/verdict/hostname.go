package verdict

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"golang.org/x/net/idna"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// The server's name in TLS (server_name, RFC 6066 section 3) and in HTTP (Host,
// RFC 9110 section 7.2). The client compares the certificate with one, and the
// server may go by the other.

// noteNames adds to the verdict on a client that was accepted that it called
// the server by two names.
func (w *wire) noteNames(v *Verdict) {
	status := 0
	if w.Answer != nil {
		status = w.Answer.HTTP.Status
	}
	if v.Code != "" || w.ServerName == "" && status != http.StatusMisdirectedRequest {
		return
	}
	host := w.misdirected()
	if host == "" && status != http.StatusMisdirectedRequest {
		return
	}
	differ := fmt.Sprintf("the client asked for %s in TLS (server_name) and for %s in HTTP (Host)", w.ServerName, host)
	switch {
	case status == http.StatusMisdirectedRequest && host != "" && w.ServerName == "":
		differ = fmt.Sprintf("the client asked for no host in TLS (server_name) and for %s in HTTP (Host)", host)
		fallthrough
	case status == http.StatusMisdirectedRequest && host != "":
		v.becauseInHTTP(Reason{Code: Misdirected, Text: "the server refuses in HTTP with 421: " + differ})
	case status == http.StatusMisdirectedRequest && w.shown.Client.empty && w.isCalledAlike():
		v.becauseInHTTP(Reason{Code: RefusedInHTTP, Text: fmt.Sprintf("the server refuses in HTTP with 421, although the client asked for %s in TLS and in HTTP alike: it may be because the client sent no certificate", w.ServerName)})
	case status == http.StatusMisdirectedRequest:
		v.becauseInHTTP(misdirected)
	case status == http.StatusBadRequest:
		v.becauseInHTTP(Reason{Code: Misdirected, Text: "the server refuses in HTTP with 400, as some do when the names differ: " + differ})
	default:
		v.Reason = joined(v.Reason, differ+": the certificate was checked against the first, and the request goes by the second")
	}
}

// isCalledAlike reports whether the answered request was for the host that the
// client asked for in TLS.
func (w *wire) isCalledAlike() bool {
	request, _ := w.RequestOf(w.Answer)
	return w.ServerName != "" && request != nil && sameHost(w.ServerName, hostOf(request.HTTP))
}

// misdirected is 421 without what the two names are.
var misdirected = Reason{Code: Misdirected, Text: "the server refuses in HTTP with 421: it does not answer for this host on this connection",
	Fix: "have the client open a connection of its own for each host"}

// noteWarning adds to the verdict on a client that was accepted that the server
// has another host's certificate for it (RFC 6066 section 3).
func (w *wire) noteWarning(v *Verdict) {
	if v.Code == "" && w.warned(endpoint.Server) == tlswire.AlertUnrecognizedName.String() {
		v.Reason = joined(v.Reason, "the server warned that it has no host of the name "+cmp.Or(w.ServerName, "that the client asked for")+" (unrecognized_name), and went on as another")
	}
}

// joined adds to a sentence; "" is none.
func joined(sentence, more string) string {
	if sentence == "" {
		return more
	}
	return sentence + "; " + more
}

// misdirected returns the host of a request that is not the name that the
// client asked for in TLS; "": there is none. It is the request that the server
// may refuse for that (400, 421), or, where that is not known, the first such
// one. After the first request a client may call other hosts of the same
// certificate (RFC 9113 section 9.1.1), which 421 alone refuses.
func (w *wire) misdirected() string {
	if w.Answer != nil {
		status := w.Answer.HTTP.Status
		if status == http.StatusBadRequest || status == http.StatusMisdirectedRequest {
			if request, number := w.RequestOf(w.Answer); request != nil {
				return w.otherHost(request, number == 1 || status == http.StatusMisdirectedRequest)
			}
		}
	}
	first := true
	for _, m := range w.Messages {
		if !m.IsRequest() {
			continue
		}
		if host := w.otherHost(m, first); host != "" {
			return host
		}
		first = false
	}
	return ""
}

// otherHost returns the host of a request if that is not the name that the
// client asked for in TLS. One that the server's certificate is for counts if
// certified.
func (w *wire) otherHost(request *tlsdecrypt.Message, certified bool) string {
	host := hostOf(request.HTTP)
	if host == "" || sameHost(w.ServerName, host) || !certified && w.isCertifiedFor(host) {
		return ""
	}
	return host
}

// isCertifiedFor reports whether the server's certificate is for a host, too.
func (w *wire) isCertifiedFor(host string) bool {
	leaf := w.shown.Server.leaf
	return leaf != nil && leaf.VerifyHostname(plainHost(host)) == nil
}

// hostOf returns what a request names as its host; "": nothing.
func hostOf(request *httpwire.Message) string {
	host := ""
	for _, h := range request.Headers {
		switch {
		case strings.EqualFold(h.Name, ":authority"):
			return h.Value
		case strings.EqualFold(h.Name, "host"):
			host = h.Value
		}
	}
	return host
}

// sameHost reports whether two names are of the same host. Ports, case, a dot
// at the end and the two forms of international names do not matter (RFC 9110
// section 4.2.3, RFC 5890 section 2.3.2.4).
func sameHost(a, b string) bool {
	name, port, _ := strings.Cut(b, ":")
	usual := a == name && !strings.Contains(port, ":") // what follows takes long for each connection
	return usual || plainHost(a) == plainHost(b)
}

// plainHost returns a host without its port, in one form of several.
func plainHost(host string) string {
	host = strings.TrimSpace(host)
	if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return addr.Unmap().WithZone("").String()
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.Contains(host[i:], "]") {
		host = host[:i]
	}
	if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return addr.Unmap().WithZone("").String()
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		return ascii
	}
	return host
}
