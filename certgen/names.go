package certgen

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"mtlslab.example/lab/lab/text"
)

// maxName is the longest file name in bytes. It leaves room for the suffixes
// in the 255 bytes that file systems take.
const maxName = 200

func certificateFile(name string) string { return name + ".pem" }
func keyFile(name string) string         { return name + "-key.pem" }
func crlFile(name string) string         { return name + "-crl.pem" }

// checkName returns why name cannot be the base name of files, or "".
func checkName(name string) string {
	switch {
	case name == "":
		return "is empty"
	case strings.HasPrefix(name, "."):
		return "begins with a dot"
	case strings.ContainsAny(name, `/\`):
		return "has a path in it"
	case !utf8.ValidString(name):
		return "is not UTF-8"
	case strings.ContainsFunc(name, unicode.IsControl):
		return "has a control character in it"
	case strings.ContainsFunc(name, text.Hidden):
		return "has an invisible character in it"
	case len(name) > maxName:
		return "is longer than 200 bytes"
	}
	return ""
}

// toASCII returns a DNS name with non-ASCII labels as A-labels (RFC 5890),
// and an ASCII name as it is. A leading wildcard label is kept.
func toASCII(name string) (string, error) {
	if isASCII(name) {
		return name, checkHost(name)
	}
	rest, wildcard := strings.CutPrefix(name, "*.")
	ascii, err := idna.Lookup.ToASCII(rest)
	if err != nil {
		return "", err
	}
	if wildcard {
		ascii = "*." + ascii
	}
	return ascii, nil
}

// checkHost returns an error if an ASCII DNS name has other characters than
// hosts have (RFC 5280 section 4.2.1.6, RFC 1123 section 2.1): letters, digits,
// hyphens and, as is common, underscores. A wildcard is a label of its own
// (RFC 9525 section 6.3). A slash names no host either, but there are manifests
// with one at the end that people use.
func checkHost(name string) error {
	for label := range strings.SplitSeq(name, ".") {
		for _, r := range label {
			switch {
			case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_', r == '/', label == "*":
			case r == '*':
				return errors.New("* stands for a whole label, as in *.example.com")
			default:
				return fmt.Errorf("no host has %q in its name", r)
			}
		}
	}
	return nil
}

// isPrintableASCII reports whether s has neither control characters nor others
// than ASCII.
func isPrintableASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f })
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}
