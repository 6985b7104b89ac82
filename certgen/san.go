package certgen

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// NameError reports what cannot be a subject alternative name.
type NameError struct {
	Name    string
	Problem string // what follows the name
	Meant   string // a name that was perhaps meant; may be empty
	Hint    string // what else to write; may be empty
}

func (e *NameError) Error() string { return fmt.Sprintf("%q %s", e.Name, e.Problem) }

// sanKinds are the types of subject alternative names, as sans has them.
var sanKinds = []string{"DNS", "IP", "URI", "email"}

// SAN returns a name that somebody has typed with the prefix of its type, as
// sans has it: an IP address, an email address, or a host. A name may have its
// prefix already; a URI must. Hosts are those of RFC 1123 section 2.1, behind
// "*." too, or such in Unicode (RFC 5890). Errors are *NameError.
func SAN(name string) (string, error) {
	kind, value, found := strings.Cut(name, ":")
	switch {
	case net.ParseIP(name) != nil:
		return "IP:" + name, nil
	case found && slices.Contains(sanKinds, kind):
	case found && sanKindOf(kind) != "":
		return "", &NameError{Name: name, Problem: "has its type in other letters than DNS, IP, URI and email", Meant: sanKindOf(kind) + ":" + value}
	case strings.Contains(name, "://"):
		return "", urlError(name)
	case strings.Contains(name, "@"):
		kind, value = "email", name
	default:
		kind, value = "DNS", name
	}
	var err error
	switch kind {
	case "DNS":
		err = hostError(name, value)
	case "IP":
		if net.ParseIP(value) == nil {
			err = &NameError{Name: name, Problem: "has no IP address"}
		}
	case "URI":
		if u, e := url.Parse(value); e != nil || u.Scheme == "" {
			err = &NameError{Name: name, Problem: "has no URI", Hint: "write one with its scheme: URI:spiffe://example.org/server"}
		}
	case "email":
		local, host, _ := strings.Cut(value, "@")
		if local == "" || hostError(name, host) != nil || strings.ContainsAny(local, " /:") {
			err = &NameError{Name: name, Problem: "is no email address"}
		}
	}
	if err != nil {
		return "", err
	}
	return kind + ":" + value, nil
}

// urlError says which host a URL has: a certificate is for a host, whatever the
// path.
func urlError(name string) error {
	e := &NameError{Name: name, Problem: "is a URL, and a server's certificate is for a host", Hint: "for a URI name, as SPIFFE IDs are, write URI:" + name}
	if u, err := url.Parse(name); err == nil && (u.Scheme == "http" || u.Scheme == "https" || u.Scheme == "wss") {
		if _, err := SAN(u.Hostname()); err == nil {
			e.Meant = u.Hostname()
		}
	} else if err == nil {
		e.Problem, e.Meant, e.Hint = "is a URI without its type", "URI:"+name, ""
	}
	return e
}

// hostError returns why value is no host, or nil. name is what was typed.
func hostError(name, value string) error {
	e := &NameError{Name: name, Meant: hostIn(value)}
	host := strings.TrimPrefix(value, "*.")
	ascii, err := toASCII(host)
	labels := strings.Split(ascii, ".")
	switch last := labels[len(labels)-1]; {
	case value == "":
		e.Problem = "is empty"
	case err != nil:
		e.Problem = "is neither a host name nor an IP address: " + err.Error()
	case strings.ContainsAny(ascii, "/_*"):
		e.Problem = "is neither a host name nor an IP address: those have letters, digits, hyphens and dots"
	case slices.Contains(labels, ""):
		e.Problem = "is no host name: there is nothing before or after a dot"
	case len(ascii) > 253 || slices.ContainsFunc(labels, func(l string) bool { return len(l) > 63 }):
		e.Problem = "is no host name: those have at most 253 bytes, and 63 between dots"
	case slices.ContainsFunc(labels, func(l string) bool { return strings.HasPrefix(l, "-") || strings.HasSuffix(l, "-") }):
		e.Problem = "is no host name: a part of it begins or ends with a hyphen"
	case strings.Trim(last, "0123456789") == "":
		e.Problem = "is no IP address: those have four numbers from 0 to 255, without zeros before them"
	default:
		return nil
	}
	return e
}

// hostIn returns the host or the address in what is more than that: with a
// port, a path, a length of a prefix, a zone, brackets, or a dot at its end.
func hostIn(value string) string {
	host, _, _ := strings.Cut(value, "/")
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	host, _, _ = strings.Cut(host, "%")
	host = strings.TrimSuffix(host, ".")
	if host == value || net.ParseIP(host) == nil && hostError(host, host) != nil {
		return ""
	}
	return host
}

// sanKindOf returns the type that is written so but for its case, or "".
func sanKindOf(kind string) string {
	for _, k := range sanKinds {
		if strings.EqualFold(k, kind) {
			return k
		}
	}
	return ""
}
