package chain

import (
	"crypto/x509"
	"net/netip"
	"strings"
)

// Misnomer is an alternative name that is written in a way in which no client
// looks for it (RFC 9525 sections 6.1 and 6.2).
type Misnomer struct {
	Name string // as it is in the certificate, a DNS name
	Host string // what it was meant for: an address, or a host without port and path
	IsIP bool   // Host is an address
}

// Misnomers returns the names of a certificate that are addresses among the DNS
// names, or hosts with a scheme, a port or a path, but for those that it has in
// the right way, too.
func Misnomers(cert *x509.Certificate) (all []Misnomer) {
	for _, name := range cert.DNSNames {
		if strings.ContainsFunc(name, isOddInName) {
			continue
		}
		host := hostIn(name)
		addr, err := netip.ParseAddr(host)
		if isIP := err == nil; isIP && !hasAddress(cert, addr) || !isIP && host != name && host != "" && !hasName(cert, host) {
			all = append(all, Misnomer{name, host, isIP})
		}
	}
	return all
}

// isOddInName reports whether a character is in no address, host or URL.
func isOddInName(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(".-_*:/[]", r))
}

// hostIn returns the host in a name that may be a URL or have a port.
func hostIn(name string) string {
	if _, err := netip.ParseAddr(name); err == nil {
		return name
	}
	if _, after, ok := strings.Cut(name, "://"); ok {
		name = after
	}
	name, _, _ = strings.Cut(name, "/")
	if at, err := netip.ParseAddrPort(name); err == nil {
		return at.Addr().String()
	}
	if strings.HasPrefix(name, "[") {
		return strings.Trim(name, "[]")
	}
	name, _, _ = strings.Cut(name, ":")
	return name
}

func hasAddress(cert *x509.Certificate, addr netip.Addr) bool {
	for _, ip := range cert.IPAddresses {
		if has, ok := netip.AddrFromSlice(ip); ok && has.Unmap() == addr.Unmap() {
			return true
		}
	}
	return false
}

func hasName(cert *x509.Certificate, host string) bool {
	for _, name := range cert.DNSNames {
		if strings.EqualFold(name, host) {
			return true
		}
	}
	return false
}

// MisnomerOf returns the name of a certificate that was meant for a host, and
// by which no client finds it; nil: there is none.
func MisnomerOf(cert *x509.Certificate, host string) *Misnomer {
	host = strings.Trim(host, "[]")
	addr, err := netip.ParseAddr(host)
	for _, m := range Misnomers(cert) {
		meant, _ := netip.ParseAddr(m.Host)
		if err == nil && m.IsIP && meant.Unmap() == addr.Unmap() || strings.EqualFold(m.Host, host) {
			return &m
		}
	}
	return nil
}

// Clause says what is wrong with the name, as a clause: "127.0.0.1 is in it as
// a DNS name, and clients look for an address among the IP addresses".
func (m Misnomer) Clause() string {
	if m.IsIP {
		return m.Name + " is in it as a DNS name, and clients look for an address among the IP addresses"
	}
	return m.Name + " is in it as a DNS name, and clients look for the host alone, " + m.Host
}

// Right is the name as it should be, in the words of OpenSSL and certs.yaml:
// "IP:127.0.0.1".
func (m Misnomer) Right() string {
	if m.IsIP {
		return "IP:" + m.Host
	}
	return "DNS:" + m.Host
}

// Fix is what to change.
func (m Misnomer) Fix() string {
	return "issue the server's certificate again with " + m.Right() + " as a subject alternative name, or call the server by another name in it"
}
