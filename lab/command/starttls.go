package command

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/starttls"
)

func starttlsFlag(served bool) cli.Flag {
	usage := "speak `PROTOCOL` first, and in place of HTTP: "
	return &cli.StringFlag{Name: "starttls", Usage: usage + strings.Join(starttls.Names(served), ", ")}
}

func proxyFlag() cli.Flag {
	return &cli.StringFlag{Name: "proxy-protocol", DefaultText: "none", Usage: "begin with the header of the PROXY protocol, `VERSION` 1 or 2"}
}

// proxyHeader reads --proxy-protocol, and returns what is said before begin.
func proxyHeader(c *cli.Context, begin func(net.Conn) error) (func(net.Conn) error, error) {
	version := map[string]int{"1": 1, "2": 2}[c.String("proxy-protocol")]
	switch {
	case c.String("proxy-protocol") == "":
		return begin, nil
	case version == 0:
		return nil, &usageError{command: commandName(c), problem: fmt.Sprintf("--proxy-protocol is %q, and must be 1 or 2", c.String("proxy-protocol"))}
	}
	return func(c net.Conn) error {
		_, err := c.Write(starttls.ProxyHeader(version, c))
		if err == nil && begin != nil {
			err = begin(c)
		}
		return err
	}, nil
}

// starttlsOf reads --starttls, or else the scheme of a URL; nil: it is neither.
func starttlsOf(c *cli.Context, served bool, given string) (*starttls.Protocol, error) {
	name := c.String("starttls")
	if name == "" {
		scheme, _, _ := strings.Cut(given, "://")
		return starttls.Find(scheme), nil
	}
	p := starttls.Find(name)
	if p == nil || !slices.Contains(starttls.Names(served), p.Name) {
		return nil, &usageError{command: commandName(c), problem: fmt.Sprintf("--starttls is %q, and must be one of %s", name, strings.Join(starttls.Names(served), ", "))}
	}
	return p, nil
}

// starttlsURL returns a URL of a protocol as one of https, and who logs in: "":
// nobody was named.
func starttlsURL(p *starttls.Protocol, given string) (asHTTPS, user string) {
	u, err := url.Parse(given)
	if p == nil || err != nil || starttls.Find(u.Scheme) != p && u.Scheme != "https" || u.Host == "" {
		return given, ""
	}
	user = u.User.Username()
	return "https://" + net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), p.Port)) + "/", user
}
