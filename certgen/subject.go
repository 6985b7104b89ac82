package certgen

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tsaarni/certyaml"

	"mtlslab.example/lab/certgen/yamldoc"
)

// attributeTypes are the attribute types that have a name, in lower case: those
// of certyaml, from RFC 4519 and RFC 2985. Any other is written as its OID.
var attributeTypes = map[string]asn1.ObjectIdentifier{
	"businesscategory":           {2, 5, 4, 15},
	"c":                          {2, 5, 4, 6},
	"cn":                         {2, 5, 4, 3},
	"dc":                         {0, 9, 2342, 19200300, 100, 1, 25},
	"description":                {2, 5, 4, 13},
	"destinationindicator":       {2, 5, 4, 27},
	"distinguishedname":          {2, 5, 4, 49},
	"dnqualifier":                {2, 5, 4, 46},
	"e":                          {1, 2, 840, 113549, 1, 9, 1},
	"emailaddress":               {1, 2, 840, 113549, 1, 9, 1},
	"enhancedsearchguide":        {2, 5, 4, 47},
	"facsimiletelephonenumber":   {2, 5, 4, 23},
	"generationqualifier":        {2, 5, 4, 44},
	"givenname":                  {2, 5, 4, 42},
	"houseidentifier":            {2, 5, 4, 51},
	"initials":                   {2, 5, 4, 43},
	"internationalisdnnumber":    {2, 5, 4, 25},
	"l":                          {2, 5, 4, 7},
	"member":                     {2, 5, 4, 31},
	"name":                       {2, 5, 4, 41},
	"o":                          {2, 5, 4, 10},
	"ou":                         {2, 5, 4, 11},
	"owner":                      {2, 5, 4, 32},
	"physicaldeliveryofficename": {2, 5, 4, 19},
	"postaladdress":              {2, 5, 4, 16},
	"postalcode":                 {2, 5, 4, 17},
	"postofficebox":              {2, 5, 4, 18},
	"preferreddeliverymethod":    {2, 5, 4, 28},
	"registeredaddress":          {2, 5, 4, 26},
	"roleoccupant":               {2, 5, 4, 33},
	"searchguide":                {2, 5, 4, 14},
	"seealso":                    {2, 5, 4, 34},
	"serialnumber":               {2, 5, 4, 5},
	"sn":                         {2, 5, 4, 4},
	"st":                         {2, 5, 4, 8},
	"street":                     {2, 5, 4, 9},
	"telephonenumber":            {2, 5, 4, 20},
	"teletexterminalidentifier":  {2, 5, 4, 22},
	"telexnumber":                {2, 5, 4, 21},
	"title":                      {2, 5, 4, 12},
	"uid":                        {0, 9, 2342, 19200300, 100, 1, 1},
	"uniquemember":               {2, 5, 4, 50},
	"userpassword":               {2, 5, 4, 35},
	"x121address":                {2, 5, 4, 24},
}

// issuable are the attribute types that certyaml v0.11.0 writes into a
// certificate, by their OID. It leaves out all others.
var issuable = map[string]string{
	"2.5.4.6": "C", "2.5.4.8": "ST", "2.5.4.7": "L", "2.5.4.9": "STREET", "2.5.4.17": "postalCode",
	"2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.3": "CN", "2.5.4.5": "serialNumber",
	"0.9.2342.19200300.100.1.25": "DC", "1.2.840.113549.1.9.1": "emailAddress",
}

// subject is a distinguished name in the forms that are needed of it.
type subject struct {
	commonName string // the last one; may be empty
	der        []byte // of the RDNSequence, RFC 5280 section 4.1.2.4
	issuable   string // what certyaml can write of it, in its own syntax
	issued     []byte // DER of what certyaml makes of it; der itself if that is all
}

// parseSubject reads a distinguished name in the syntax of RFC 4514. As with
// certyaml the order in the certificate is that of pkix.Name, "+" is as good as
// ",", and values are PrintableString or UTF8String, or IA5String in DC and
// emailAddress. An attribute without a value is left out: none may be empty
// (RFC 5280 appendix A.1).
func parseSubject(text string) (subject, error) {
	attributes, err := parseAttributes(text)
	if err != nil {
		return subject{}, err
	}
	count := map[string]int{}
	for _, a := range attributes {
		count[a.Type.String()]++
	}
	var name pkix.Name
	name.FillFromRDNSequence(&pkix.RDNSequence{attributes})
	issued := name // as certyaml has it, which leaves out what pkix.Name has no field for
	for _, a := range attributes {
		ia5 := a.Type.Equal(attributeTypes["dc"]) || a.Type.Equal(attributeTypes["e"])
		twice := count[a.Type.String()] > 1 && (a.Type.Equal(attributeTypes["cn"]) || a.Type.Equal(attributeTypes["serialnumber"]))
		switch _, written := issuable[a.Type.String()]; {
		case ia5 && !isASCII(a.Value.(string)):
			return subject{}, errors.New("DC and emailAddress are ASCII")
		case ia5:
			a.Value = asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte(a.Value.(string))}
			issued.ExtraNames = append(issued.ExtraNames, a)
		case written && !twice:
			continue
		}
		name.ExtraNames = append(name.ExtraNames, a)
	}
	s := subject{commonName: name.CommonName, issuable: issuableText(attributes)}
	if s.der, err = asn1.Marshal(name.ToRDNSequence()); err != nil {
		return subject{}, err
	}
	s.issued = s.der
	if len(issued.ExtraNames) < len(name.ExtraNames) {
		s.issued, err = asn1.Marshal(issued.ToRDNSequence())
	}
	return s, err
}

// issuableText writes the attributes that certyaml can write, each byte of a
// value escaped.
func issuableText(attributes []pkix.AttributeTypeAndValue) string {
	var parts []string
	for _, a := range attributes {
		kind, ok := issuable[a.Type.String()]
		if !ok {
			continue
		}
		var b strings.Builder
		for _, octet := range []byte(a.Value.(string)) {
			fmt.Fprintf(&b, `\%02x`, octet)
		}
		parts = append(parts, kind+"="+b.String())
	}
	return strings.Join(parts, ",")
}

// ParseAttributes returns the attributes of a distinguished name (RFC 4514),
// each with a value that is a string and not empty, in the order of writing.
func ParseAttributes(text string) ([]pkix.AttributeTypeAndValue, error) {
	attributes, err := allAttributes(text)
	if err == nil && slices.ContainsFunc(attributes, hasNoValue) {
		err = errors.New("has an attribute without a value")
	}
	return attributes, err
}

func hasNoValue(a pkix.AttributeTypeAndValue) bool { return a.Value == "" }

// parseAttributes returns the attributes of a distinguished name that have a
// value.
func parseAttributes(text string) ([]pkix.AttributeTypeAndValue, error) {
	attributes, err := allAttributes(text)
	return slices.DeleteFunc(attributes, hasNoValue), err
}

// allAttributes returns the attributes of a distinguished name, whose values are
// always strings, in the order of writing.
func allAttributes(text string) ([]pkix.AttributeTypeAndValue, error) {
	var attributes []pkix.AttributeTypeAndValue
	for rest := strings.TrimLeft(text, " "); rest != ""; rest = strings.TrimLeft(rest, " ") {
		end := strings.IndexAny(rest, "=,+")
		if end < 0 || rest[end] != '=' {
			return nil, errors.New(`a part of it is not TYPE=VALUE`)
		}
		oid, err := attributeType(strings.TrimRight(rest[:end], " "))
		if err != nil {
			return nil, err
		}
		var value string
		if value, rest, err = cutValue(rest[end+1:]); err != nil {
			return nil, err
		}
		if !utf8.ValidString(value) {
			return nil, errors.New("a value is not UTF-8")
		}
		attributes = append(attributes, pkix.AttributeTypeAndValue{Type: oid, Value: value})
	}
	return attributes, nil
}

// attributeType returns the attribute type of that name, in any case, or of
// that dotted OID, with or without the "OID." of RFC 2253.
func attributeType(name string) (asn1.ObjectIdentifier, error) {
	lower := strings.ToLower(name)
	if oid, ok := attributeTypes[lower]; ok {
		return oid, nil
	}
	dotted := strings.TrimPrefix(lower, "oid.")
	var oid asn1.ObjectIdentifier
	for part := range strings.SplitSeq(dotted, ".") {
		arc, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return nil, fmt.Errorf("no attribute type is called %s", yamldoc.Quoted(name))
		}
		oid = append(oid, int(arc))
	}
	if _, err := asn1.Marshal(oid); err != nil || oid.String() != dotted {
		return nil, fmt.Errorf("%s is not an object identifier", yamldoc.Quoted(name))
	}
	return oid, nil
}

// cutValue reads a value up to the separator after it, or to the end, and
// returns what follows the separator. Spaces around it do not count, unless
// they are escaped.
func cutValue(text string) (value, rest string, err error) {
	if strings.HasPrefix(text, "#") {
		return cutEncodedValue(text[1:])
	}
	var b strings.Builder
	end := 0 // of the value so far, without spaces that may turn out to trail
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == ',' || c == '+':
			return b.String()[:end], text[i+1:], nil
		case c == '\\' && i+1 < len(text):
			octet, length, err := unescape(text[i+1:])
			if err != nil {
				return "", "", err
			}
			b.WriteByte(octet)
			i += length
			end = b.Len()
		case c == '\\': // escapes nothing
			end = b.Len()
		case c != ' ':
			b.WriteByte(c)
			end = b.Len()
		case b.Len() > 0:
			b.WriteByte(c)
		}
	}
	return b.String()[:end], "", nil
}

// unescape reads what stands behind a backslash: one of the characters that may
// be escaped, or two hexadecimal digits.
func unescape(text string) (octet byte, length int, err error) {
	if strings.IndexByte(` "#+,;<=>\`, text[0]) >= 0 {
		return text[0], 1, nil
	}
	pair, err := hex.DecodeString(text[:min(2, len(text))])
	if err != nil || len(pair) != 1 {
		return 0, 0, errors.New(`after \ stands neither a special character nor two hexadecimal digits`)
	}
	return pair[0], 2, nil
}

// cutEncodedValue reads a value that is written as the hexadecimal digits of
// its encoding (RFC 4514 section 2.4), which must be one primitive element.
func cutEncodedValue(text string) (value, rest string, err error) {
	end := strings.IndexAny(text, ",+")
	if end < 0 {
		end = len(text)
	} else {
		rest = text[end+1:]
	}
	der, err := hex.DecodeString(text[:end])
	if err != nil {
		return "", "", errors.New("the value after # is not hexadecimal; a # that begins a value is written \\#")
	}
	var element asn1.RawValue
	if trailing, err := asn1.Unmarshal(der, &element); err != nil || len(trailing) > 0 || element.IsCompound {
		return "", "", errors.New("the value after # is not one encoded string")
	}
	return string(element.Bytes), rest, nil
}

// signAgain puts the whole subject into a certificate from which certyaml left
// a part of it out, and signs it again.
func (c *Certificate) signAgain(request *certyaml.Certificate, leaf *x509.Certificate) (*x509.Certificate, error) {
	template := *leaf
	template.RawSubject = c.subject.der
	template.ExtraExtensions = c.extensions
	parent, key := &template, request.GeneratedCert.PrivateKey
	if request.Issuer != nil {
		var err error
		key = request.Issuer.GeneratedCert.PrivateKey
		if parent, err = x509.ParseCertificate(request.Issuer.GeneratedCert.Certificate[0]); err != nil {
			return nil, err
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, parent, leaf.PublicKey, key)
	if err != nil {
		return nil, err
	}
	request.GeneratedCert.Certificate[0] = der
	return x509.ParseCertificate(der)
}

// isCertyamls reports whether a certificate that the lab did not write has the
// subject that certyaml gives it, which leaves out a part of the manifest's. It
// is not replaced for that.
func (f *folder) isCertyamls(c *Certificate, leaf *x509.Certificate) bool {
	return bytes.Equal(leaf.RawSubject, c.subject.issued) && !f.isIntact(c.CertificateFile())
}
