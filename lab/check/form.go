package check

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/text"
)

// lookAtForm finds what is odd about how a file is written.
func (f *File) lookAtForm() {
	add := func(level Level, rule, by, fix, format string, args ...any) {
		f.Findings = append(f.Findings, Finding{Level: level, Rule: rule, RefusedBy: by, Fix: fix, File: f.Name, Text: f.Name + " " + fmt.Sprintf(format, args...)})
	}
	name, isDER := strings.ToLower(filepath.Base(f.Name)), f.parts[0].Form == certfile.DER
	switch {
	case f.parts[0].HasMark:
		mark := certfile.MarkError(f.Name)
		mark.Next = f.parts[0].Next(mark.Next)
		f.Findings = append(f.Findings, fileFinding("byte_order_mark", mark))
	case isDER && (strings.HasSuffix(name, ".pem") || strings.HasSuffix(name, ".key")):
		add(Wrong, "not_pem", "nginx, curl, Python, Node.js, Go", toPEM(f), "is DER, and named as PEM is")
	case isDER:
		add(Note, "der", "", toPEM(f), "is DER: nginx, curl, Python, Node.js and Go load PEM alone")
	case f.parts[0].HasCRLF:
		add(Note, "windows_line_ends", "", "", "has the line ends of Windows, which TLS programs take")
	}
	for _, part := range f.parts {
		f.lookAtPart(part, name, add)
	}
}

// toPEM is how a file in DER becomes PEM.
func toPEM(f *File) string {
	what := "x509"
	switch part := f.parts[0]; {
	case len(part.Keys) > 0:
		what = "pkey"
	case len(part.CRLs) > 0:
		what = "crl"
	}
	return "openssl " + what + " -inform DER -out other.pem -in $FILE"
}

// oldToNew is how PKCS#12 is encrypted anew.
const oldToNew = "openssl pkcs12 -legacy -nodes -out both.pem -in $FILE, then openssl pkcs12 -export -in both.pem -out new.p12; remove both.pem"

// keyName is how people call the file of a key: api.key, key.pem, api-key.pem.
var keyName = text.Pattern(`\.key$|(^|[-_.])key\.(pem|der)$`)

// lookAtPart finds what is in the place of something else.
func (f *File) lookAtPart(part *certfile.Contents, name string, add func(level Level, rule, by, fix, format string, args ...any)) {
	if part.IsTrusted {
		add(Wrong, "trusted_certificate", "Go, GnuTLS", part.Next("openssl x509 -out plain.pem -in $FILE"),
			"has a TRUSTED CERTIFICATE, which is a form of OpenSSL's alone")
	}
	if part.OldCipher != "" {
		add(Wrong, "old_encryption", "OpenSSL 3 and what is built on it: curl, Python, Node.js", oldToNew,
			"is PKCS#12 that is encrypted with %s, which OpenSSL 3 reads with -legacy alone", part.OldCipher)
	}
	if part.IsUnmarked {
		add(Wrong, "not_marked_as_trusted", "Java", "keytool -importcert -alias ca -file CA.pem -storetype PKCS12 -keystore new.p12",
			"has certificates alone, and none is marked as trusted (trustedKeyUsage, 2.16.840.1.113894.746875.1.1): to Java the store is empty")
	}
	for _, key := range part.Keys {
		switch {
		case key.Problem != "":
			f.Findings = append(f.Findings, keyFinding(f.Name, part, key))
		case key.IsEncrypted:
			add(Note, "encrypted_key", "", "", "has an encrypted key: a program that starts by itself needs its password from somewhere")
		}
	}
	isNamedKey := part.Form != certfile.Secret && keyName().MatchString(name) || part.Entry == "tls.key"
	has := part.Holds()
	switch {
	case isNamedKey && len(part.Keys) == 0:
		add(Wrong, "no_key", "every program that loads its key from there", "name the file of the private key", "is named as a key is, and has %s", has)
	case len(part.Certificates)+len(part.Keys)+len(part.CRLs) > 0:
	case isRequest(part): // see lookAtRequests
	case len(part.Others) > 0:
		add(Wrong, "nothing_of_use", "every program that loads a certificate or a key from there", "name the certificate or the private key", "has only %s", has)
	}
}

// keyFinding is what is wrong with a key.
func keyFinding(file string, part *certfile.Contents, key certfile.Key) Finding {
	rule, level := "key_unreadable", Wrong
	if errors.Is(key.Err, certfile.ErrPassword) {
		rule = "encrypted_key"
	}
	if isUnknown(key.Err) {
		level = Unknown
	}
	in := file
	if part.Entry != "" {
		in += ", " + part.Entry + ","
	}
	return Finding{Level: level, Rule: rule, File: file, Text: in + " " + key.Problem, Fix: key.Next}
}
