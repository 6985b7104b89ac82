package command

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/ladder"
	"mtlslab.example/lab/lab/text"
)

// The flags that several commands share. A function each, since the library
// keeps state in a flag.

func dirFlag() cli.Flag {
	return &cli.StringFlag{Name: "dir", Value: ".", EnvVars: []string{"LAB_DIR"}, Usage: "`DIR` with certs.yaml, certs and keys.log"}
}

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "one JSON object a line"}
}

// addrFlag reads $LAB_ADDR by itself: IsSet then says that --addr was typed.
func addrFlag() cli.Flag {
	const byDefault = "127.0.0.1:8443"
	return &cli.StringFlag{Name: "addr", Value: cmp.Or(os.Getenv("LAB_ADDR"), byDefault), DefaultText: byDefault,
		Usage: "`HOST:PORT` of the server, or $LAB_ADDR"}
}

func asciiFlag() cli.Flag {
	return &cli.BoolFlag{Name: "ascii", Usage: "draw with ASCII characters alone"}
}

// fit reads --ascii, and warns if the terminal is too narrow.
func (p *Program) fit(c *cli.Context) error {
	if c.Bool("ascii") {
		p.charset = text.ASCII
	}
	if columns := p.columns(p.Stdout); columns > 0 && columns < text.Narrowest && len(c.Command.Subcommands) == 0 && !c.Bool("json") {
		p.say("this terminal has %d columns, and lab needs %d: lines will break", columns, text.Narrowest)
	}
	return nil
}

func forceFlag() cli.Flag {
	return &cli.BoolFlag{Name: "force", Usage: "also replace files that lab did not make; they are kept in certs/replaced"}
}

// ladderOptions fits drawings to where they go.
func (p *Program) ladderOptions(c *cli.Context) ladder.Options {
	o := ladder.Options{Width: p.columns(p.Stdout), ASCII: bool(p.charset), Verbose: c.Bool("verbose")}
	if isTerminal(p.Stdout) {
		o.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	return o
}

// labRunFlags are those of lab up, lab server and lab client, with the
// defaults that differ.
func labRunFlags(count int, keylog, capture string) []cli.Flag {
	return []cli.Flag{
		dirFlag(),
		&cli.StringFlag{Name: "tls", Usage: "only TLS `VERSION` 1.2 or 1.3 (default: both)"},
		&cli.StringFlag{Name: "http", Value: "1.1", Usage: "HTTP `VERSION`, 1.1 or 2"},
		&cli.IntFlag{Name: "count", Value: count, Usage: "end after `N` exchanges; 0: only with Ctrl-C"},
		&cli.StringFlag{Name: "scenario", Usage: "act as in scenario `NAME`; lab scenario list has the names"},
		&cli.StringFlag{Name: "crl", Value: string(lab.CRLSoft), Usage: "check revocation lists: `POLICY` require, soft or off"},
		&cli.StringFlag{Name: "keylog", EnvVars: []string{"SSLKEYLOGFILE"}, DefaultText: keylog, Usage: "append the TLS secrets to `FILE`, or off"},
		&cli.StringFlag{Name: "capture", DefaultText: capture, Usage: "record the traffic, with its keys, to `FILE`, - for stdout, or off"},
		&cli.StringFlag{Name: "capture-limit", Usage: "end the recording at `SIZE`, such as 100M"},
		&cli.IntFlag{Name: "snaplen", Usage: "record only `N` bytes of each packet's application data; 0 is all"},
		jsonFlag(),
		&cli.BoolFlag{Name: "brief", Usage: "one line an exchange, and no drawing"},
		&cli.BoolFlag{Name: "verbose", Usage: "draw every exchange, each message with its fields and bytes"},
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

// crlPolicy reads --crl.
func crlPolicy(c *cli.Context) (lab.CRLPolicy, error) {
	policy := lab.CRLPolicy(c.String("crl"))
	if !policy.Valid() {
		return "", &usageError{command: commandName(c), problem: fmt.Sprintf("--crl is %q, and must be require, soft or off", policy)}
	}
	return policy, nil
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

// checkDetail refuses flags for less and for more detail together.
func checkDetail(c *cli.Context) error {
	if !c.Bool("verbose") {
		return nil
	}
	for _, flag := range []string{"brief", "blind"} {
		if c.Bool(flag) {
			return &usageError{command: commandName(c), problem: "--" + flag + " shows less, and --verbose more: leave one of them out"}
		}
	}
	return nil
}

// checkCount refuses a negative --count or --interval.
func checkCount(c *cli.Context) error {
	if n := c.Int("count"); n < 0 {
		return &usageError{command: commandName(c), problem: fmt.Sprintf("--count is %d, and must be 0 or more", n)}
	}
	if d := c.Duration("interval"); d < 0 {
		return &usageError{command: commandName(c), problem: fmt.Sprintf("--interval is %v, and must be 0 or more", d)}
	}
	return nil
}

// checkAddr refuses what is not an address to listen on or connect to.
func checkAddr(c *cli.Context) error {
	addr := c.String("addr")
	problem := addrProblem(addr, "127.0.0.1:8443")
	if problem == "" {
		return nil
	}
	return &usageError{command: commandName(c), problem: fmt.Sprintf("--addr is %q, and %s", addr, problem)}
}

// addrProblem returns why a TCP address is not valid, or "".
func addrProblem(addr, example string) string {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "must be like " + example
	}
	switch _, err = strconv.ParseUint(port, 10, 16); {
	case errors.Is(err, strconv.ErrRange):
		return "ports end at 65535"
	case err != nil:
		return "must be like " + example
	}
	return ""
}

// leastCapture is the smallest --capture-limit in bytes: room for one exchange,
// which takes about half of it.
const leastCapture = 16 << 10

// captureLimit reads --capture-limit, in bytes; 0 is none.
func captureLimit(c *cli.Context) (int64, error) {
	given := c.String("capture-limit")
	if given == "" {
		return 0, nil
	}
	size, shift := strings.ToUpper(given), 0
	digits := strings.TrimRight(size, "KMGT")
	if unit := size[len(digits):]; len(unit) == 1 {
		shift = 10 * (strings.Index("KMGT", unit) + 1)
	} else if unit != "" {
		digits = size // two units: not a number
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64>>shift {
		return 0, &usageError{command: commandName(c), problem: fmt.Sprintf("--capture-limit is %q, and must be like 500K, 100M or 2G", given)}
	}
	if n<<shift < leastCapture {
		e := &usageError{command: commandName(c), problem: fmt.Sprintf("--capture-limit is %q, and must be 16K or more: %s", given, text.Counted(int(n<<shift), "byte")+" cannot hold one exchange")}
		if shift == 0 {
			e.hint = fmt.Sprintf("did you mean %dM?", n)
		}
		return 0, e
	}
	return n << shift, nil
}
