package command

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/certgen/spell"
	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/certfile"
)

// nearestOf are the names of certificates in the folder that look like that of
// a certificate that is missing.
func nearestOf(missing *certgen.MissingError) []string {
	names, _ := certgen.Names(filepath.Dir(missing.File)) // without them there is no such hint
	name := strings.TrimSuffix(missing.Name, ".pem")
	names = slices.DeleteFunc(names, func(n string) bool { return n == missing.Name })
	return spell.Nearest(name, names)
}

// dialHint says what to do about a server that cannot be reached.
func dialHint(err *lab.DialError) string {
	var dns *net.DNSError
	host, _, _ := net.SplitHostPort(err.Addr)
	switch ip := net.ParseIP(host); {
	case errors.As(err, &dns):
		return "is the host spelt right? this machine finds no address for " + host
	case host == "localhost", ip.IsLoopback():
		return fmt.Sprintf("does a server run there? lab server --addr HOST:PORT starts one; %s is where lab client looked", err.Addr)
	}
	return "does a server run there, and may this machine reach it? curl -v https://" + err.Addr + "/ asks the same"
}

// hintCommands are what to type, a line each, below a hint that ends with a colon.
func hintCommands(err error) []string {
	var pair *certfile.MismatchError
	var mismatch *certgen.KeyMismatchError
	certificate, key := "", ""
	switch {
	case errors.As(err, &pair) && pair.Position == 0:
		certificate, key = pair.CertificateFile, pair.KeyFile
	case errors.As(err, &mismatch):
		certificate, key = mismatch.CertificateFile, mismatch.KeyFile
	default:
		return nil
	}
	return []string{"openssl x509 -noout -pubkey -in " + shellWord(certificate), "openssl pkey -pubout -in " + shellWord(key)}
}
