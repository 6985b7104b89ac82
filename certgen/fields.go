package certgen

import (
	"crypto/x509"
	"errors"
	"maps"
	"math"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/certgen/spell"
	"mtlslab.example/lab/certgen/yamldoc"
)

// fieldSetter sets a part of the certificate from a value that is not null.
type fieldSetter func(*document, *yaml.Node) error

// fieldSetters are the fields of a document.
var fieldSetters = map[string]fieldSetter{
	"subject":                 textField(func(d *document) *string { return &d.certificate.Subject }),
	"filename":                textField(func(d *document) *string { return &d.certificate.Name }),
	"issuer":                  textField(func(d *document) *string { return &d.issuer }),
	"sans":                    (*document).setSANs,
	"key_type":                (*document).setKeyType,
	"key_size":                (*document).setKeySize,
	"expires":                 (*document).setExpires,
	"not_before":              dateField(func(d *document) *time.Time { return &d.certificate.NotBefore }),
	"not_after":               dateField(func(d *document) *time.Time { return &d.certificate.NotAfter }),
	"key_usages":              (*document).setKeyUsages,
	"ext_key_usages":          (*document).setExtKeyUsages,
	"ca":                      boolField(func(d *document) *bool { return &d.certificate.CA }),
	"revoked":                 boolField(func(d *document) *bool { return &d.certificate.Revoked }),
	"serial":                  (*document).setSerial,
	"crl_distribution_points": listField(func(d *document) *[]string { return &d.certificate.CRLDistributionPoints }),
	"ocsp":                    listField(func(d *document) *[]string { return &d.certificate.OCSP }),
}

// keyUsages are the values of key_usages, RFC 5280 section 4.2.1.3.
var keyUsages = map[string]x509.KeyUsage{
	"DigitalSignature":  x509.KeyUsageDigitalSignature,
	"ContentCommitment": x509.KeyUsageContentCommitment,
	"KeyEncipherment":   x509.KeyUsageKeyEncipherment,
	"DataEncipherment":  x509.KeyUsageDataEncipherment,
	"KeyAgreement":      x509.KeyUsageKeyAgreement,
	"CertSign":          x509.KeyUsageCertSign,
	"CRLSign":           x509.KeyUsageCRLSign,
	"EncipherOnly":      x509.KeyUsageEncipherOnly,
	"DecipherOnly":      x509.KeyUsageDecipherOnly,
}

// extKeyUsages are the values of ext_key_usages, RFC 5280 section 4.2.1.12.
var extKeyUsages = map[string]x509.ExtKeyUsage{
	"Any":                            x509.ExtKeyUsageAny,
	"ServerAuth":                     x509.ExtKeyUsageServerAuth,
	"ClientAuth":                     x509.ExtKeyUsageClientAuth,
	"CodeSigning":                    x509.ExtKeyUsageCodeSigning,
	"EmailProtection":                x509.ExtKeyUsageEmailProtection,
	"IPSECEndSystem":                 x509.ExtKeyUsageIPSECEndSystem,
	"IPSECTunnel":                    x509.ExtKeyUsageIPSECTunnel,
	"IPSECUser":                      x509.ExtKeyUsageIPSECUser,
	"TimeStamping":                   x509.ExtKeyUsageTimeStamping,
	"OCSPSigning":                    x509.ExtKeyUsageOCSPSigning,
	"MicrosoftServerGatedCrypto":     x509.ExtKeyUsageMicrosoftServerGatedCrypto,
	"NetscapeServerGatedCrypto":      x509.ExtKeyUsageNetscapeServerGatedCrypto,
	"MicrosoftCommercialCodeSigning": x509.ExtKeyUsageMicrosoftCommercialCodeSigning,
	"MicrosoftKernelCodeSigning":     x509.ExtKeyUsageMicrosoftKernelCodeSigning,
}

func textField(field func(*document) *string) fieldSetter {
	return func(d *document, n *yaml.Node) (err error) {
		*field(d), err = d.Text(n)
		return err
	}
}

func listField(field func(*document) *[]string) fieldSetter {
	return func(d *document, n *yaml.Node) error {
		to := field(d)
		return d.texts(n, func(item *yaml.Node, text string) error {
			if text == "" || !isPrintableASCII(text) {
				return d.ErrorAt(item, "write a URL, for example http://ca.example.com/crl", "%s is not a URL", yamldoc.Quoted(text))
			}
			*to = append(*to, text)
			return nil
		})
	}
}

func boolField(field func(*document) *bool) fieldSetter {
	return func(d *document, n *yaml.Node) (err error) {
		*field(d), err = d.Bool(n)
		return err
	}
}

func dateField(field func(*document) *time.Time) fieldSetter {
	const hint = "write RFC 3339, for example 2030-01-31T12:00:00Z"
	return func(d *document, n *yaml.Node) error {
		text, err := d.Text(n)
		if err != nil {
			return err
		}
		date, err := time.Parse(time.RFC3339, text)
		if err != nil && isNoDay(text) {
			return d.ErrorAt(n, "write a day of the calendar, in RFC 3339, for example 2030-01-31T12:00:00Z", "%s is not a date: there is no such day", yamldoc.Quoted(text))
		}
		if err != nil {
			return d.ErrorAt(n, hint, "%s is not a date", yamldoc.Quoted(text))
		}
		date = date.UTC().Truncate(time.Second)
		if date.Year() < 1950 || date.Year() > 9999 {
			return d.ErrorAt(n, "write a year from 1950 to 9999", "%s is out of range", yamldoc.Quoted(text))
		}
		*field(d) = date
		return nil
	}
}

// isNoDay reports whether text begins like a date whose day or month is not in
// the calendar.
func isNoDay(text string) bool {
	_, err := time.Parse(time.DateOnly, text[:min(len(time.DateOnly), len(text))])
	var parse *time.ParseError
	return errors.As(err, &parse) && strings.HasSuffix(parse.Message, "out of range")
}

func (d *document) setExpires(n *yaml.Node) error {
	text, err := d.Text(n)
	if err != nil || text == "" {
		return err
	}
	expires, err := d.Duration(n)
	if err != nil {
		return err
	}
	if expires <= 0 {
		return d.ErrorAt(n, "write more than zero; for an expired certificate give not_before and not_after", "the lifetime %s is not positive", yamldoc.Quoted(text))
	}
	d.certificate.Expires = expires
	return nil
}

func (d *document) setKeyType(n *yaml.Node) error {
	text, err := d.Text(n)
	if err != nil || text == "" {
		return err
	}
	switch kind := KeyType(strings.ToUpper(text)); kind { // in any case: real manifests have rsa
	case EC, RSA, Ed25519:
		d.certificate.KeyType = kind
		return nil
	}
	return d.ErrorAt(n, "write EC, RSA or ED25519", "unknown key type %s", yamldoc.Quoted(text))
}

func (d *document) setKeySize(n *yaml.Node) error {
	text, err := d.Text(n)
	if err != nil {
		return err
	}
	size, ok := wholeNumber(text)
	if !ok || size.Sign() < 0 || !size.IsInt64() {
		return d.ErrorAt(n, "write a number of bits, for example 256", "%s is not a key size", yamldoc.Quoted(text))
	}
	d.certificate.KeySize = int(min(size.Int64(), math.MaxInt32))
	return nil
}

func (d *document) setSerial(n *yaml.Node) error {
	text, err := d.Text(n)
	if err != nil {
		return err
	}
	const hint = "write a whole number from 1 to 2^159-1"
	if len(text) > 200 {
		return d.ErrorAt(n, hint, "the serial number is longer than 20 octets")
	}
	serial, ok := wholeNumber(text)
	switch {
	case !ok:
		return d.ErrorAt(n, hint, "%s is not a serial number", yamldoc.Quoted(text))
	case serial.Sign() <= 0:
		return d.ErrorAt(n, hint, "the serial number %s is not positive", text)
	case serial.BitLen() > 159: // RFC 5280 section 4.1.2.2: 20 octets, positive
		return d.ErrorAt(n, hint, "the serial number is longer than 20 octets")
	}
	d.certificate.Serial = serial
	return nil
}

func (d *document) setKeyUsages(n *yaml.Node) error {
	return d.texts(n, func(item *yaml.Node, text string) error {
		usage, ok := keyUsages[text]
		if !ok {
			return d.ErrorAt(item, choiceHint(text, slices.Sorted(maps.Keys(keyUsages))), "unknown key usage %s", yamldoc.Quoted(text))
		}
		d.certificate.KeyUsage |= usage
		return nil
	})
}

func (d *document) setExtKeyUsages(n *yaml.Node) error {
	return d.texts(n, func(item *yaml.Node, text string) error {
		usage, ok := extKeyUsages[text]
		if !ok {
			return d.ErrorAt(item, choiceHint(text, slices.Sorted(maps.Keys(extKeyUsages))), "unknown extended key usage %s", yamldoc.Quoted(text))
		}
		d.certificate.ExtKeyUsage = append(d.certificate.ExtKeyUsage, usage)
		return nil
	})
}

func (d *document) setSANs(n *yaml.Node) error { return d.texts(n, d.addSAN) }

// addSAN adds one subject alternative name, RFC 5280 section 4.2.1.6.
func (d *document) addSAN(n *yaml.Node, text string) error {
	names := &d.certificate.sans
	kind, value, _ := strings.Cut(text, ":")
	if value == "" {
		return d.ErrorAt(n, sanHint(text), "%s is not a subject alternative name", yamldoc.Quoted(text))
	}
	switch kind {
	case "DNS":
		ascii, err := toASCII(value)
		if err != nil {
			return d.ErrorAt(n, "write a host name, for example DNS:bücher.example", "%s is not a host name: %v", yamldoc.Quoted(value), err)
		}
		names.dns = append(names.dns, ascii)
		text = "DNS:" + ascii
	case "IP":
		ip := net.ParseIP(value)
		if ip == nil {
			return d.ErrorAt(n, "write one address, for example IP:127.0.0.1 or IP:::1", "%s is not an IP address", yamldoc.Quoted(value))
		}
		names.ips = append(names.ips, ip)
	case "URI":
		uri, err := url.Parse(value)
		if err != nil || !isASCII(uri.String()) || !validURIHost(uri.Host) {
			return d.ErrorAt(n, "write a URI in ASCII, for example URI:spiffe://example.org/server", "%s is not a URI", yamldoc.Quoted(value))
		}
		names.uris = append(names.uris, uri)
	case "email":
		if !isPrintableASCII(value) {
			return d.ErrorAt(n, "certificates hold ASCII addresses only, for example email:joe@example.com", "%s is not an ASCII address", yamldoc.Quoted(value))
		}
		names.emails = append(names.emails, value)
	default:
		return d.ErrorAt(n, sanHint(text), "unknown type of subject alternative name in %s", yamldoc.Quoted(text))
	}
	d.certificate.SANs = append(d.certificate.SANs, text)
	return nil
}

// validURIHost reports whether crypto/x509 will read the host of a URI back: no
// empty label, and no trailing dot.
func validURIHost(host string) bool {
	if strings.ContainsFunc(host, func(r rune) bool { return r < 33 || r > 126 }) {
		return false
	}
	return host == "" || !slices.Contains(strings.Split(host, "."), "")
}

// sanHint guesses which prefix was meant.
func sanHint(text string) string {
	kind, value, found := strings.Cut(text, ":")
	for _, known := range []string{"DNS", "IP", "URI", "email"} {
		if found && value != "" && len(value) <= maxName && strings.EqualFold(kind, known) {
			return "write " + known + ":" + value
		}
	}
	if net.ParseIP(text) != nil {
		return "write IP:" + text
	}
	return "write the type first: DNS:localhost, IP:127.0.0.1, URI:spiffe://example.org/x or email:joe@example.com"
}

// choiceHint names the choice that was probably meant, or all of them.
func choiceHint(text string, choices []string) string {
	if near := spell.Nearest(text, choices); len(near) > 0 {
		return "did you mean " + near[0] + "?"
	}
	return "write one of " + strings.Join(choices, ", ")
}
