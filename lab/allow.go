package lab

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/text"
)

// permit is one of Settings.Allow.
type permit struct {
	attributes []pkix.AttributeTypeAndValue // of the subject; nil: it is a URI
	uri        string
	below      bool // all URIs that begin with uri
}

// CheckAllow returns what is wrong with one of Settings.Allow: attributes of a
// subject (RFC 4514), which must all be in that of the client's certificate,
// such as OU=Finance or CN=client,O=Example; or a URI among its subject
// alternative names, such as a SPIFFE ID, or all of those below one:
// spiffe://example.org/*. Values are compared to the letter.
func CheckAllow(entry string) error {
	_, err := parsePermit(entry)
	return err
}

func parsePermit(entry string) (p permit, err error) {
	uri, isURI := strings.CutPrefix(entry, "URI:")
	if isURI || strings.Contains(entry, "://") {
		p.uri, p.below = strings.CutSuffix(uri, "*")
		u, err := url.Parse(p.uri)
		switch {
		case err != nil || u.Scheme == "" || u.Host == "" && u.Opaque == "":
			return p, errors.New("is not a URI")
		case p.below && (!strings.HasSuffix(p.uri, "/") || u.Path == ""), strings.Contains(p.uri, "*"):
			return p, errors.New("has a * elsewhere than at the end, behind a /")
		}
		return p, nil
	}
	p.attributes, err = dn.Parse(entry)
	switch {
	case err != nil:
	case len(p.attributes) == 0:
		err = errors.New("is empty")
	case slices.ContainsFunc(p.attributes, func(a pkix.AttributeTypeAndValue) bool { return a.Value == "" }):
		err = errors.New("has an attribute without a value")
	}
	return p, err
}

// admits reports whether a certificate is one of those that are let in.
func (p permit) admits(leaf *x509.Certificate) bool {
	if p.attributes == nil {
		return slices.ContainsFunc(leaf.URIs, func(u *url.URL) bool {
			rest, begins := strings.CutPrefix(u.String(), p.uri)
			return begins && (rest == "" && !p.below || p.below && isPlainPath(rest))
		})
	}
	for _, want := range p.attributes {
		if !slices.ContainsFunc(leaf.Subject.Names, func(a pkix.AttributeTypeAndValue) bool {
			value, isText := a.Value.(string)
			return isText && a.Type.Equal(want.Type) && value == want.Value
		}) {
			return false
		}
	}
	return true
}

// isPlainPath reports whether a path goes down only.
func isPlainPath(path string) bool {
	return path != "" && !slices.ContainsFunc(strings.Split(path, "/"), func(part string) bool { return part == "" || part == "." || part == ".." })
}

// admit serves only clients that one of allow lets in; nil admits all. Others
// get HTTP 403, with who they are and what is wanted. It takes the client's
// name from the handshake only, since anybody can write headers.
func admit(allow []string, next http.Handler) (http.Handler, error) {
	if allow == nil {
		return next, nil
	}
	permits := make([]permit, len(allow))
	for i, entry := range allow {
		var err error
		if permits[i], err = parsePermit(entry); err != nil {
			return nil, fmt.Errorf("%q %w", entry, err)
		}
	}
	wanted := text.Clean(text.Joined(allow, "or"))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leaf := leafOf(r)
		if leaf == nil {
			http.Error(w, "You have shown no certificate. Wanted: "+wanted+".", http.StatusForbidden)
			return
		}
		if slices.ContainsFunc(permits, func(p permit) bool { return p.admits(leaf) }) {
			next.ServeHTTP(w, r)
			return
		}
		names := []string{chain.Name(leaf)}
		for _, uri := range leaf.URIs {
			names = append(names, uri.String())
		}
		http.Error(w, "You are "+text.Clean(strings.Join(names, ", "))+", and not allowed here. Wanted: "+wanted+".", http.StatusForbidden)
	}), nil
}
