package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/pipe"
	"mtlslab.example/lab/lab/wiretap"
)

// Versions are the TLS versions in which two sides meet.
var Versions = []uint16{tls.VersionTLS12, tls.VersionTLS13}

// Handshake is what became of one version.
type Handshake struct {
	Version  uint16
	Exchange *lab.Exchange
}

// Meet lets a server and a client with these credentials shake hands in memory,
// in each version, as lab's own do. The client asks for serverName. The
// client's credentials may have no certificate. A side that has CRLs uses them
// as programs do with CRLs switched on: see policyOf.
func Meet(ctx context.Context, server, client *lab.Loaded, serverName string) (all []Handshake, err error) {
	for _, version := range Versions {
		settings := func(own, other *lab.Loaded) lab.Settings {
			return lab.Settings{Credentials: lab.Credentials{Loaded: own}, Version: version, CRL: policyOf(own, other)}
		}
		x, err := meet(ctx, settings(server, client), settings(client, server), lab.ClientOptions{URL: urlOf(serverName)}, 1)
		if err != nil {
			return nil, err
		}
		all = append(all, Handshake{version, x[0]})
	}
	return all, nil
}

// urlOf is the URL of a server in memory.
func urlOf(name string) *url.URL {
	return &url.URL{Scheme: "https", Host: net.JoinHostPort(strings.Trim(name, "[]"), "8443"), Path: "/"}
}

// settleTimeout bounds the wait for both sides' reports.
const settleTimeout = 15 * time.Second

// meet makes calls in memory, one after the other, and returns their exchanges.
func meet(ctx context.Context, server, client lab.Settings, o lab.ClientOptions, calls int) (all []*lab.Exchange, err error) {
	exchanges := make(chan *lab.Exchange, calls)
	journal := &lab.Journal{Paired: true, Each: func(x *lab.Exchange) { exchanges <- x }}
	dissection := journal.Dissect()
	defer dissection.Close()
	server.Journal, server.Tap, client.Journal = journal, wiretap.New(dissection), journal

	listener := pipe.Listen()
	served, err := lab.NewServer(listener, server)
	if err != nil {
		return nil, err
	}
	o.Dial = listener.Dial
	caller, err := lab.NewClient(o, client)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- served.Serve(serving) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()
	for range calls {
		_, err := caller.Call(ctx)
		var rejected *lab.RejectedError
		if err != nil && !errors.As(err, &rejected) {
			return nil, err
		}
		select {
		case x := <-exchanges:
			all = append(all, x)
		case <-time.After(settleTimeout):
			return nil, errors.New("one of the two sides has not reported how the handshake ended")
		}
	}
	return all, nil
}

// SideError reports files that do not make a side.
type SideError struct {
	Side    endpoint.Side
	Problem string // what follows "the files of the server"
	Next    string // what to do; may be empty; $FILE stands for File, to be quoted for a shell
	File    string
}

func (e *SideError) Error() string { return fmt.Sprintf("the files of the %v %s", e.Side, e.Problem) }

// Side returns the credentials of one side out of its files: the certificate
// that it shows, with what stands behind it in its file, and the CAs that it
// trusts: those of authorities or, if there are none, the CAs in its other
// files. Of several certificates it shows the one in a file that is called as
// the side is. The error is a *SideError.
func (r *Report) Side(side endpoint.Side, authorities *Report) (*lab.Loaded, error) {
	loaded := new(lab.Loaded)
	p, err := r.shown(side)
	switch {
	case err != nil:
		return nil, err
	case p != nil:
		loaded.Certificates = []tls.Certificate{*p.Certificate()}
	case side == endpoint.Server:
		return nil, &SideError{side, "have no certificate with its key, and a server always shows one", "--server takes the certificate, the key and the CAs that the server trusts", ""}
	}
	for _, report := range []*Report{r, authorities} {
		if report != nil {
			for _, f := range report.Files {
				for _, part := range f.parts {
					loaded.CRLs = append(loaded.CRLs, part.CRLs...)
				}
			}
		}
	}
	loaded.CAs = r.trusted(p)
	flag := "client-ca"
	if side == endpoint.Client {
		flag = "server-ca"
	}
	if authorities != nil {
		loaded.CAs = authorities.trusted(nil)
	}
	if len(loaded.CAs) == 0 {
		return nil, &SideError{side, fmt.Sprintf("have no CA that the %v could trust", side), fmt.Sprintf("--%s FILE names the CA that the %v's certificate must have", flag, side.Other()), ""}
	}
	return loaded, nil
}

// shown returns the pair that a side shows; nil: there is none, and nothing
// that should be one.
func (r *Report) shown(side endpoint.Side) (*Pair, error) {
	var fit, named []*Pair
	for _, p := range r.Pairs {
		if isSame(fit, p) {
			continue
		}
		fit = append(fit, p)
		base := filepath.Base(p.CertificateFile)
		if strings.TrimSuffix(base, filepath.Ext(base)) == side.String() {
			named = append(named, p)
		}
	}
	if len(fit) > 1 && len(named) == 1 {
		fit = named
	}
	if len(fit) > 1 { // the CAs' own
		var leaves []*Pair
		for _, p := range fit {
			if !p.leaf().IsCA {
				leaves = append(leaves, p)
			}
		}
		fit = leaves
	}
	switch {
	case len(fit) > 1:
		var files []string
		for _, p := range fit {
			files = append(files, p.CertificateFile)
		}
		return nil, &SideError{side, "have several certificates with keys: " + strings.Join(files, ", "), fmt.Sprintf("name the files of one: --%v CERTIFICATE KEY CA", side), ""}
	case len(fit) == 1:
		return fit[0], nil
	}
	for _, f := range r.Findings() {
		switch f.Rule {
		case "key_mismatch", "wrong_order", "encrypted_key", "key_unreadable", "unreadable", "without_key", "without_certificate":
			return nil, &SideError{side, "do not make a side: " + f.Text, f.Fix, f.File}
		}
	}
	return nil, nil
}

// isSame reports whether a pair is there already, out of another file.
func isSame(pairs []*Pair, p *Pair) bool {
	for _, q := range pairs {
		if q.leaf().Equal(p.leaf()) {
			return true
		}
	}
	return false
}

// trusted returns the CAs in the files, without what a pair sends. If there are
// no others, they are the roots in the pair's own file.
func (r *Report) trusted(shown *Pair) (all []*x509.Certificate) {
	var own []*x509.Certificate
	for _, f := range r.Files {
		for _, part := range f.parts {
			for i, cert := range part.Certificates {
				switch {
				case shown != nil && part != shown.part && part.Certificates[0].Equal(shown.leaf()): // the same again
				case shown == nil || part != shown.part:
					if isAuthority(cert) {
						all = append(all, cert)
					}
				case i > 0 && chain.IsSelfIssued(cert):
					own = append(own, cert)
				}
			}
		}
	}
	if len(all) == 0 {
		return own
	}
	return all
}

// ServerName returns the name by which a client calls the server that shows a
// certificate: localhost, if the certificate has it, or else its first name.
func ServerName(leaf *x509.Certificate) string {
	if leaf.VerifyHostname("localhost") == nil {
		return "localhost"
	}
	for _, name := range leaf.DNSNames {
		if name = strings.Replace(name, "*", "www", 1); leaf.VerifyHostname(name) == nil {
			return name
		}
	}
	for _, ip := range leaf.IPAddresses {
		return ip.String()
	}
	return "localhost"
}
