package command

import (
	"crypto/tls"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"
)

// The flags that several commands share. A function each, since the library
// keeps state in a flag.

func dirFlag() cli.Flag {
	return &cli.StringFlag{Name: "dir", Value: ".", EnvVars: []string{"LAB_DIR"}, Usage: "`DIR` with certs.yaml, certs and keys.log"}
}

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "one JSON object a line"}
}

func addrFlag() cli.Flag {
	return &cli.StringFlag{Name: "addr", Value: "127.0.0.1:8443", EnvVars: []string{"LAB_ADDR"}, Usage: "`HOST:PORT` of the server"}
}

// pairFlags are those of lab up and of both its halves. count is the default of
// --count.
func pairFlags(count int, keylog string) []cli.Flag {
	return []cli.Flag{
		dirFlag(),
		&cli.StringFlag{Name: "tls", Usage: "only TLS `VERSION` 1.2 or 1.3 (default: both)"},
		&cli.StringFlag{Name: "http", Value: "1.1", Usage: "HTTP `VERSION`, 1.1 or 2"},
		&cli.IntFlag{Name: "count", Value: count, Usage: "end after `N` exchanges; 0: only with Ctrl-C"},
		&cli.StringFlag{Name: "keylog", EnvVars: []string{"SSLKEYLOGFILE"}, DefaultText: keylog, Usage: "append the TLS secrets to `FILE`, or off"},
		jsonFlag(),
		&cli.BoolFlag{Name: "verbose", Usage: "tell more of every exchange"},
	}
}

// callFlags are those of lab up and lab client.
func callFlags() []cli.Flag {
	return []cli.Flag{
		&cli.DurationFlag{Name: "interval", Value: 5 * time.Second, Usage: "`TIME` between two calls"},
		&cli.BoolFlag{Name: "resume", Usage: "resume sessions instead of full handshakes"},
	}
}

// tlsVersion reads --tls; 0 is every version.
func tlsVersion(c *cli.Context) (uint16, error) {
	switch v := c.String("tls"); v {
	case "":
		return 0, nil
	case "1.2":
		return tls.VersionTLS12, nil
	case "1.3":
		return tls.VersionTLS13, nil
	default:
		return 0, &usageError{command: commandName(c), problem: fmt.Sprintf("--tls is %q, and must be 1.2 or 1.3", v)}
	}
}

// wantsHTTP2 reads --http.
func wantsHTTP2(c *cli.Context) (bool, error) {
	switch v := c.String("http"); v {
	case "1.1", "1":
		return false, nil
	case "2":
		return true, nil
	default:
		return false, &usageError{command: commandName(c), problem: fmt.Sprintf("--http is %q, and must be 1.1 or 2", v)}
	}
}

// checkCount refuses numbers that cannot be counted to.
func checkCount(c *cli.Context) error {
	if n := c.Int("count"); n < 0 {
		return &usageError{command: commandName(c), problem: fmt.Sprintf("--count is %d, and must be 0 or more", n)}
	}
	if d := c.Duration("interval"); d < 0 {
		return &usageError{command: commandName(c), problem: fmt.Sprintf("--interval is %v, and must be 0 or more", d)}
	}
	return nil
}
