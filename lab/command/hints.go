package command

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab"
)

// nearestOf are the names of certificates in the folder that look like that of
// a certificate that is missing.
func nearestOf(missing *certgen.MissingError) []string {
	files, _ := filepath.Glob(filepath.Join(filepath.Dir(missing.File), "*.pem")) // none, in a folder with odd characters
	var names []string
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".pem"); !strings.HasSuffix(name, "-key") && !strings.HasSuffix(name, "-crl") {
			names = append(names, name)
		}
	}
	return certgen.Nearest(missing.Name, names)
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

// pairHint says how to find out which key is that of a certificate.
func pairHint(certificateFile, keyFile string) string {
	return "a key belongs to a certificate when these two print the same:\n" +
		"  openssl x509 -noout -pubkey -in " + shellWord(certificateFile) + "\n" +
		"  openssl pkey -pubout -in " + shellWord(keyFile)
}
