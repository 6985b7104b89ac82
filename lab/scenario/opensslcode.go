package scenario

import (
	"strconv"

	"mtlslab.example/lab/lab/text"
)

// openSSLCode puts OpenSSL's words in place of a code that has none behind it:
// of a program that has not loaded them, and in Squid's logs. The last three
// digits of a code of library 20, which is TLS, are the reason (ERR_PACK in
// openssl/err.h); before OpenSSL 3 a function stood before it.
var openSSLCode = text.ReplacingFunc(
	`(?i)(\berror:|\bTLS_LIB_ERR=|^)0?(A000|14[0-9A-F]{3})[0-9A-F]{3}(:lib\(20\):[^:]*:reason\(\d+\)|[+ ,;)]|$)`,
	func(code string) string {
		digits := openSSLReason().FindStringSubmatch(code)[1]
		reason, err := strconv.ParseUint(digits, 16, 16)
		switch words := openSSLReasons[reason]; {
		case err != nil:
			return code
		case reason > alertReasons:
			return " alert number " + strconv.FormatUint(reason-alertReasons, 10) + " "
		case words != "":
			return " " + words + " "
		}
		return code
	})

var openSSLReason = text.Pattern(`(?i)(?:A000|14[0-9A-F]{3})([0-9A-F]{3})`)

// alertReasons is the reason from which on the rest is the number of an alert
// (SSL_AD_REASON_OFFSET in openssl/ssl.h).
const alertReasons = 1000

// openSSLReasons are those of openssl/sslerr.h that scenarios are about, and
// their texts.
var openSSLReasons = map[uint64]string{
	101: "no suitable key share",
	115: "bad packet length",
	118: "no suitable signature algorithm",
	123: "bad signature",
	134: "certificate verify failed",
	155: "https proxy request",
	156: "SSL routines::http request",
	166: "version too high",
	181: "no ciphers available",
	191: "no protocols available",
	193: "no shared cipher",
	198: "packet length too long",
	199: "peer did not return a certificate",
	235: "no application protocol",
	252: "unknown protocol",
	258: "unsupported protocol",
	267: "wrong version number",
	281: "decryption failed or bad record mac",
	294: "unexpected eof while reading",
	338: "unsafe legacy renegotiation disabled",
	376: "no shared signature algorithms",
	378: "wrong curve",
	394: "dh key too small",
	396: "version too low",
	397: "ca key too small",
	398: "ca md too weak",
	399: "ee key too small",
	410: "no shared groups",
}
