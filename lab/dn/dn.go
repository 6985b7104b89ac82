package dn

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"mtlslab.example/lab/lab/text"
)

// attribute is an AttributeTypeAndValue (RFC 5280 section 4.1.2.4).
type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// relativeSET is a RelativeDistinguishedName. encoding/asn1 knows a set by this
// end of its name.
type relativeSET []attribute

// Subject returns the text of a certificate's subject; it may be empty.
func Subject(c *x509.Certificate) string { return known(c.RawSubject) }

// Issuer returns the text of the name of a certificate's issuer.
func Issuer(c *x509.Certificate) string { return known(c.RawIssuer) }

// OfCRL returns the text of the name of a CRL's issuer.
func OfCRL(l *x509.RevocationList) string { return known(l.RawIssuer) }

// Serial returns a certificate's serial number in hexadecimal, two digits for
// each octet, as openssl x509 -serial and tshark write it, in small letters.
func Serial(c *x509.Certificate) string {
	digits, isNegative := strings.CutPrefix(c.SerialNumber.Text(16), "-")
	if len(digits)%2 == 1 {
		digits = "0" + digits
	}
	if isNegative {
		return "-" + digits
	}
	return digits
}

// known returns the text of a name that was parsed.
func known(der []byte) string {
	s, err := Text(der)
	if err != nil {
		return fmt.Sprintf("#%X", der)
	}
	return s
}

// remembered caches texts by their DER: connections show the same few names
// over and over.
var remembered struct {
	sync.Mutex
	texts map[string]string
}

// Bounds of remembered: how many texts, and bytes of DER of each.
const (
	maxRemembered     = 256
	maxRememberedSize = 1024
)

// Text returns a distinguished name in the string representation of RFC 4514,
// which begins with the last relative name. It is what OpenSSL writes with
// -nameopt RFC2253,-esc_msb; characters that a terminal shows as nothing or
// takes for a command are escaped, too. An empty name is an empty text.
func Text(der []byte) (string, error) {
	remembered.Lock()
	s, ok := remembered.texts[string(der)]
	remembered.Unlock()
	if ok || len(der) == 0 {
		return s, nil
	}
	s, err := textOf(der)
	if err != nil || len(der) > maxRememberedSize {
		return s, err
	}
	remembered.Lock()
	defer remembered.Unlock()
	if remembered.texts == nil || len(remembered.texts) >= maxRemembered {
		remembered.texts = make(map[string]string)
	}
	remembered.texts[string(der)] = s
	return s, nil
}

func textOf(der []byte) (string, error) {
	var name []relativeSET
	if rest, err := asn1.Unmarshal(der, &name); err != nil || len(rest) > 0 {
		return "", errors.New("not a distinguished name")
	}
	var b strings.Builder
	for i := len(name) - 1; i >= 0; i-- {
		for j := len(name[i]) - 1; j >= 0; j-- {
			name[i][j].write(&b)
			switch {
			case j > 0:
				b.WriteByte('+')
			case i > 0:
				b.WriteByte(',')
			}
		}
	}
	return b.String(), nil
}

// write writes an attribute. A value that is no string, or is of a type without
// a name, is written as the hexadecimal digits of its DER (RFC 4514 section
// 2.4).
func (a attribute) write(b *strings.Builder) {
	name, named := names[a.Type.String()]
	value, isText := characters(a.Value)
	if !named {
		name = a.Type.String()
	}
	b.WriteString(name + "=")
	if !named || !isText {
		fmt.Fprintf(b, "#%X", a.Value.FullBytes)
		return
	}
	last := len(value) - 1
	for i, r := range value {
		width := max(utf8.RuneLen(r), 1)
		switch {
		case r == utf8.RuneError, r != ' ' && text.Hidden(r), r == 0x7f:
			for _, octet := range []byte(string(r)) {
				fmt.Fprintf(b, `\%02X`, octet)
			}
		case strings.ContainsRune(`"+,;<>\`, r), i == 0 && r == '#', r == ' ' && (i == 0 || i+width-1 == last):
			b.WriteByte('\\')
			fallthrough
		default:
			b.WriteRune(r)
		}
	}
}

// characters returns the text of a value of one of the string types (RFC 5280
// section 4.1.2.4). Strings of one byte a character are taken for Latin-1.
func characters(v asn1.RawValue) (string, bool) {
	const universalString, bmpString, visibleString = 28, 30, 26
	if v.Class != asn1.ClassUniversal || v.IsCompound {
		return "", false
	}
	switch v.Tag {
	case asn1.TagUTF8String:
		return string(v.Bytes), utf8.Valid(v.Bytes)
	case asn1.TagNumericString, asn1.TagPrintableString, asn1.TagIA5String, asn1.TagT61String, visibleString:
		runes := make([]rune, len(v.Bytes))
		for i, octet := range v.Bytes {
			runes[i] = rune(octet)
		}
		return string(runes), true
	case bmpString:
		units := make([]uint16, len(v.Bytes)/2)
		for i := range units {
			units[i] = uint16(v.Bytes[2*i])<<8 | uint16(v.Bytes[2*i+1])
		}
		return string(utf16.Decode(units)), len(v.Bytes)%2 == 0
	case universalString:
		runes := make([]rune, len(v.Bytes)/4)
		for i := range runes {
			runes[i] = rune(v.Bytes[4*i])<<24 | rune(v.Bytes[4*i+1])<<16 | rune(v.Bytes[4*i+2])<<8 | rune(v.Bytes[4*i+3])
		}
		return string(runes), len(v.Bytes)%4 == 0
	}
	return "", false
}
