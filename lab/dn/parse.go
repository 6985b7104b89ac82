package dn

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"strings"
	"unicode/utf8"
)

// Parse reads a distinguished name (RFC 4514) and returns its attributes in the
// order of writing, as if each were a part of its own. Their values are always
// strings, and may be empty.
func Parse(text string) ([]pkix.AttributeTypeAndValue, error) {
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
