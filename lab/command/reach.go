package command

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/text"
)

// sayReachable warns of an address that other machines can reach.
func (p *Program) sayReachable(addr net.Addr, clientCA string) {
	if tcp, ok := addr.(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		p.say("warning: %s can be reached from other machines; they need a certificate of %s to get in", addr, clientCA)
	}
}

// sayNames says by which addresses and names other machines can call a server,
// and how to add those that its certificate is not for.
func (a *labRun) sayNames(addr net.Addr, own lab.Credentials) {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || tcp.IP.IsLoopback() {
		return
	}
	reachable := []string{tcp.IP.String()}
	if tcp.IP.IsUnspecified() {
		reachable = ownAddresses()
	}
	typed, others := namesFor(own.Leaf(), reachable)
	urls := make([]string, len(typed))
	for i, name := range typed {
		urls[i] = "https://" + net.JoinHostPort(name, portOf(addr))
	}
	switch {
	case len(urls) > 0:
		a.say("others can type %s", text.Joined(urls, "or"))
		return
	case len(others) == 0:
		a.say("this machine has no address that others could type")
		return
	}
	a.say("others can reach %s%s, but the certificate is not for it: their clients will refuse it", text.JoinedFew(others, 4, "and"), knownAs())
	switch _, err := os.Stat(a.folder.manifest()); {
	case certfile.IsFile(own.Certificate):
		a.say("have the certificate issued for one of these")
		return
	case errors.Is(err, fs.ErrNotExist):
		a.say("who made the certificate adds a name, and hands it out again:")
	default:
		a.say("this adds the names, and is used from the next exchange on:")
	}
	a.sayAddName(a.folder, own.Certificate, strings.Join(others, " "))
}

// namesFor are the names that another machine can type for a server with that
// certificate and those addresses: first of all those addresses that the
// certificate is for, then its other names. others are the addresses that it is
// not for.
func namesFor(leaf *x509.Certificate, reachable []string) (typed, others []string) {
	for _, address := range reachable {
		if leaf.VerifyHostname(address) == nil {
			typed = append(typed, address)
		} else {
			others = append(others, address)
		}
	}
	for _, name := range leaf.DNSNames {
		if !isOwnName(name) && !strings.Contains(name, "*") && !slices.Contains(typed, name) {
			typed = append(typed, name)
		}
	}
	return typed, others
}

// knownAs adds this machine's name, which others can type where their network
// knows it.
func knownAs() string {
	name, err := os.Hostname()
	if err != nil || isOwnName(name) {
		return ""
	}
	return " (or " + name + ", where their network knows it)"
}

// farApart is by how much two clocks must differ to be named: more than an
// answer takes on its way.
const farApart = time.Minute

// sayClocks says once that the server's clock is not this machine's.
func (a *labRun) sayClocks(ahead time.Duration) {
	if a.saidClocks || ahead.Abs() <= farApart {
		return
	}
	a.saidClocks = true
	how := "ahead of"
	if ahead < 0 {
		how = "behind"
	}
	a.say("warning: the server's clock is %s %s this machine's, by its answer: a certificate may be valid on one of them alone", text.Roughly(ahead), how)
}

// sayNotYet says of certificates that this machine's clock has yet to reach.
func (p *Program) sayNotYet(name string, certificates ...*x509.Certificate) {
	for _, certificate := range certificates {
		if ahead := time.Until(certificate.NotBefore); ahead > 0 {
			p.say("warning: %s is valid from %s, %s ahead of this machine's clock: set the clock, or wait", name, certificate.NotBefore.UTC().Format("2006-01-02 15:04:05 UTC"), text.Roughly(ahead))
			return
		}
	}
}

// typeable are the hosts and addresses among subject alternative names by which
// another machine can call: not those of this machine alone, and no wildcards.
func typeable(sans []string) (hosts []string) {
	for _, san := range sans {
		kind, value, _ := strings.Cut(san, ":")
		ip := net.ParseIP(value)
		switch {
		case kind == "IP" && ip != nil && !ip.IsLoopback() && !ip.IsUnspecified():
			hosts = append(hosts, ip.String())
		case kind == "DNS" && !isOwnName(value) && !strings.Contains(value, "*"):
			hosts = append(hosts, value)
		}
	}
	return hosts
}

// isOwnName reports whether a host is this machine by every machine's account.
func isOwnName(host string) bool {
	host = "." + strings.ToLower(strings.TrimSuffix(host, "."))
	return strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".127-0-0-1.nip.io") || strings.HasSuffix(host, ".127.0.0.1.nip.io")
}

// coversHost reports whether subject alternative names are for a host.
func coversHost(sans []string, host string) bool {
	leaf := &x509.Certificate{}
	for _, san := range sans {
		kind, value, _ := strings.Cut(san, ":")
		switch kind {
		case "DNS":
			leaf.DNSNames = append(leaf.DNSNames, value)
		case "IP":
			leaf.IPAddresses = append(leaf.IPAddresses, net.ParseIP(value))
		}
	}
	return leaf.VerifyHostname(host) == nil
}
