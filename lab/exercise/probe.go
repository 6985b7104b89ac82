package exercise

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/probe"
)

// probe has lab probe try cases on the server of the world, and returns those
// that it does not pass, with what happened.
func (r *run) probe(ctx context.Context, s *Step) (failed []string, err error) {
	to, err := r.serve(ctx, s)
	if err != nil {
		return nil, notStarting(err, endpoint.Server)
	}
	_, port, err := net.SplitHostPort(to.addr)
	if err != nil {
		return nil, err
	}
	pairs, _ := r.pairs(false)
	o := probe.ServerOptions{Only: s.Probe, Capture: r.sink, Timeout: patience,
		Target: probe.Target{URL: &url.URL{Scheme: "https", Host: net.JoinHostPort("localhost", port), Path: "/"}, Addr: to.addr}}
	var good bool
	if o.Good, good = pairs.Pairs[r.goodClient()]; !good {
		return nil, fmt.Errorf("%s, which must be let in, has no certificate", r.goodClient())
	}
	o.ClientCA = issuerOf(pairs, o.Good.Leaf)
	if own := r.World.own(endpoint.Server); own != nil {
		if server, ok := pairs.Pairs[own.Certificate]; ok {
			o.ServerCA = issuerOf(pairs, server.Leaf)
		}
	}
	if o.ServerCA != nil {
		o.ServerCAs = []*x509.Certificate{o.ServerCA.Leaf}
	}
	report, err := probe.Server(ctx, o)
	if err == nil && report.Error != "" {
		err = errors.New("lab probe: " + report.Error)
	}
	if err != nil {
		return nil, err
	}
	for _, f := range report.Findings {
		if f.Judgement != probe.Right {
			failed = append(failed, f.Case+" "+f.TLS+": "+f.Words())
		}
	}
	return failed, nil
}

// goodClient returns the name of the certificate that the world's client shows.
func (r *run) goodClient() string {
	if r.World.Client != nil && r.World.Client.Certificate != "" {
		return r.World.Client.Certificate
	}
	return endpoint.Client.String()
}

// issuerOf returns the CA among all that has issued a certificate, nil if it is
// not there.
func issuerOf(all *certgen.Issued, issued *x509.Certificate) *tls.Certificate {
	for _, pair := range all.Pairs {
		if pair.Leaf.IsCA && chain.Issued(pair.Leaf, issued) {
			return &pair
		}
	}
	return nil
}
