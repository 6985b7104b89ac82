package scenario

import (
	"strings"
	"unicode"

	"mtlslab.example/lab/lab/text"
)

// words returns the words of a message in lower case: glued names are taken
// apart (UnknownIssuer, OPENSSL_internal:CERTIFICATE_VERIFY_FAILED), and of
// numbers only those are kept that are codes (-9807, 0x80090325, HTTP 421).
func words(message string) []string {
	message = strings.NewReplacer("'", "", "’", "", "‘", "").Replace(message)
	var all []string
	for _, glued := range strings.FieldsFunc(message, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' }) {
		whole, says := strings.ToLower(glued), false
		if fillers[whole] { // such as OpenSSL
			all = append(all, whole)
			continue
		}
		for _, word := range unglued(glued) {
			if word = singular(strings.ToLower(word)); isCode(word) {
				if n := len(all); word == "trusted" && n > 0 && all[n-1] == "not" {
					all, word = all[:n-1], "nottrusted" // as in "untrusted"
				}
				all = append(all, word)
				says = says || !fillers[word]
			}
		}
		if !says {
			all = append(all, whole) // such as HTTP_REQUEST
		}
	}
	return all
}

// unglued takes a name in CamelCase apart. It leaves TLSv1, SANs and x509
// whole: a new word begins before a capital letter that follows a small one, or
// that two small ones follow.
func unglued(s string) (parts []string) {
	if strings.Contains(s, "_") {
		for _, part := range strings.Split(s, "_") {
			if part != "" {
				parts = append(parts, unglued(part)...)
			}
		}
		return parts
	}
	runes := []rune(s)
	small := func(i int) bool { return i < len(runes) && unicode.IsLower(runes[i]) }
	begin := 0
	for i := 1; i < len(runes); i++ {
		if unicode.IsUpper(runes[i]) && (small(i-1) || unicode.IsUpper(runes[i-1]) && small(i+1) && small(i+2)) {
			parts = append(parts, string(runes[begin:i]))
			begin = i
		}
	}
	return append(parts, string(runes[begin:]))
}

// shortForms are words that programs write in several ways.
var shortForms = map[string]string{
	"cert": "certificate", "certs": "certificate", "certificates": "certificate", "crt": "certificate",
	"authorities": "authority", "cas": "ca", "keys": "key", "names": "name", "sans": "san", "alerts": "alert",
	"cyphers": "cipher", "ciphersuite": "cipher", "ciphersuites": "cipher", "ciphers": "cipher", "cypher": "cipher", "suites": "suite", "purposes": "purpose",
	"protocols": "protocol", "versions": "version", "algorithms": "algorithm", "signatures": "signature", "groups": "group",
	"selfsigned": "self signed", "altname": "alternative name", "altnames": "alternative name", "alternate": "alternative",
	"mismatched": "mismatch", "mismatches": "mismatch", "revocated": "revoked", "untrusted": "not trusted", "hostname": "host name",
	"unrecognised": "unrecognized", "authorised": "authorized", "cancelled": "canceled",
}

func singular(word string) string {
	if long, ok := shortForms[word]; ok {
		return strings.ReplaceAll(long, " ", "")
	}
	return word
}

var number = text.Pattern(`^\d+$`)

// isCode reports whether a word is no number, or one that says something: an
// HTTP status of an error, or a code of four to five digits. What is longer or
// shorter counts something, or is a part of an address or a time.
func isCode(word string) bool {
	if !number().MatchString(word) {
		return true
	}
	return isStatus(word) || len(word) == 4 || len(word) == 5
}

// isStatus reports whether a word may be the HTTP status of an error.
func isStatus(word string) bool {
	return len(word) == 3 && (word[0] == '4' || word[0] == '5') && number().MatchString(word)
}

// fillers are words of every log. They say little, however few scenarios have
// them.
var fillers = setOf(`a an and any are as at be been being but by can cannot could did do does doesn dont during for
	from had has have if in into is isn it its may must my no non not of off on once one or out so some that the their them then there
	this to too unable until up was we were when where which while who why will with within without would you your
	error errors occur occurs occurred err warn warning info debug notice fatal emerg crit severe exception exceptions java javax net org com io lang sun
	failed failure fail fails failing cause caused code reason message msg level status result problem details
	ssl tls openssl lib library routines internal handshake connection connect connecting connected request response
	peer host port http https url uri socket session stream read write get post put file line
	function func module main thread process system service user name key value type data time context call called attempt attempting
	please see more information using used use set try trying retry again while could new old
	sslerror openssl_internal ssl_routines tls_error error_code ssl_error tls_error_end end`)

func setOf(s string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(s) {
		set[word] = true
	}
	return set
}
