package httpwire

import (
	"bytes"
	"slices"
	"strings"
)

// MayRefuse reports whether a status may be what a server says to a client
// whose certificate it does not take, or that has sent none: 400, 401, 403, and
// nginx's own 495 and 496.
func MayRefuse(status int) bool { return slices.Contains([]int{400, 401, 403, 495, 496}, status) }

// Refuses reports whether a response refuses the client, whatever the server
// has answered before: with 401, 403 or 421, in gRPC, as nginx refuses a
// certificate, or complains.
func (m *Message) Refuses() bool {
	return m.GRPC.Refuses() || slices.Contains([]int{401, 403, 421, 495, 496}, m.Status) ||
		slices.ContainsFunc([]Complaint{NoCertificate, CertificateError, PlainToTLS}, m.Complains)
}

// Authenticate returns WWW-Authenticate of a response: how the client may say
// who it is (RFC 9110 section 11.6.1); "": it has none.
func (m *Message) Authenticate() string {
	for _, h := range m.Headers {
		if strings.EqualFold(h.Name, "WWW-Authenticate") {
			return h.Value
		}
	}
	return ""
}

// Complaint is what a response with status 400 says of TLS.
type Complaint string

// The complaints, in nginx's words.
const (
	NoCertificate    Complaint = "No required SSL certificate was sent"
	CertificateError Complaint = "The SSL certificate error"
	PlainToTLS       Complaint = "The plain HTTP request was sent to HTTPS port"
)

// toHTTPS are how others say PlainToTLS: Go, Apache and Tomcat.
var toHTTPS = []string{"Client sent an HTTP request to an HTTPS server.", "speaking plain HTTP to an SSL-enabled server port.", "This combination of host and port requires TLS."}

// Complains reports whether a response has a complaint: nginx's in its title.
func (m *Message) Complains(what Complaint) bool {
	if m.Request || m.Status != 400 {
		return false
	}
	says := func(text string) bool { return bytes.Contains(m.Begins, []byte(text)) }
	return says("<title>400 "+string(what)+"</title>") || what == PlainToTLS && slices.ContainsFunc(toHTTPS, says)
}

// RefusesCertificate reports whether a response is how nginx refuses a
// certificate, or misses one: 495 and 496, which it sends as 400. Of a response
// whose title cannot be read it may be.
func (m *Message) RefusesCertificate() bool {
	if m.Request {
		return false
	}
	nginx := slices.ContainsFunc(m.Headers, func(h Header) bool {
		return strings.EqualFold(h.Name, "Server") && strings.HasPrefix(strings.ToLower(h.Value), "nginx")
	})
	other := bytes.Contains(m.Begins, []byte("<title>")) && !m.Complains(NoCertificate) && !m.Complains(CertificateError)
	return m.Status == 495 || m.Status == 496 || m.Status == 400 && nginx && !other
}
