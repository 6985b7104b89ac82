package httpwire

import (
	"slices"
	"strings"
)

// MayRefuse reports whether a status may be what a server says to a client
// whose certificate it does not take, or that has sent none: 400, 401, 403, and
// nginx's own 495 and 496.
func MayRefuse(status int) bool { return slices.Contains([]int{400, 401, 403, 495, 496}, status) }

// RefusesCertificate reports whether a response is how nginx refuses a
// certificate, or misses one: 495 and 496, which it sends as 400.
func (m *Message) RefusesCertificate() bool {
	if m.Request {
		return false
	}
	nginx := slices.ContainsFunc(m.Headers, func(h Header) bool {
		return strings.EqualFold(h.Name, "Server") && strings.HasPrefix(strings.ToLower(h.Value), "nginx")
	})
	return m.Status == 495 || m.Status == 496 || m.Status == 400 && nginx
}
