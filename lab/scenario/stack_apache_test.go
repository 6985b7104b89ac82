package scenario

import (
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/peertest"
)

var stackApache = &stack{
	name: "Apache httpd", needs: []string{"apache2"},
	version: func(t *testing.T) string { return firstWords(t, 3, "apache2", "-v")[len("Server version: "):] },
	client:  "ProxyPass https://HOST/ with SSLProxyVerify require, SSLProxyCACertificateFile CA, SSLProxyMachineCertificateFile CERT",
	server:  "SSLVerifyClient require, SSLCACertificateFile CA, SSLCertificateFile CERT; LogLevel ssl:info",
	lines:   `.*(AH02276|AH02268|AH02411|AH00898|AH02039|SSL Library Error: ).*`,
	proxy:   true,
	crl:     true,
	call: func(t *testing.T, e *end) (int, string) {
		port, dir := peertest.FreePort(t), t.TempDir()
		own := e.apacheCRL("SSLProxyCARevocation")
		if e.cert != "" {
			leaf, rest := splitChain(t, dir, e.cert)
			own += "SSLProxyMachineCertificateFile " + joined(t, filepath.Join(dir, "client.pem"), leaf, e.key) + "\n"
			if rest != "" {
				own += "SSLProxyMachineCertificateChainFile " + rest + "\n"
			}
		}
		p := startApache(t, dir, port, fmt.Sprintf("SSLProxyEngine on\nSSLProxyProtocol -all +TLSv%s\nSSLProxyVerify require\nSSLProxyVerifyDepth 4\nSSLProxyCACertificateFile %s\n%s\nProxyPass / https://%s:%s/\n", e.version, e.trust, own, e.host, e.port))
		return askProxy(t, p, port, regexp.MustCompile(`AH00898`))
	},
	serve: func(t *testing.T, e *end) (string, func(*regexp.Regexp) string) {
		port := peertest.FreePort(t)
		p := startApache(t, t.TempDir(), port, fmt.Sprintf("Redirect 204 /\nSSLEngine on\nSSLProtocol -all +TLSv%s\nSSLVerifyClient require\nSSLVerifyDepth 4\nSSLCACertificateFile %s\nSSLCertificateFile %s\nSSLCertificateKeyFile %s\n%s", e.version, e.trust, e.cert, e.key, e.apacheCRL("SSLCARevocation")))
		return "127.0.0.1:" + port, func(*regexp.Regexp) string {
			return untilLine(p)(regexp.MustCompile(`SSL Library Error: .*\n`)) // the last of them
		}
	},
}

// apacheCRL returns the directives of a family for CRLs, if it is to look at
// them.
func (e *end) apacheCRL(family string) string {
	switch {
	case !e.crl:
		return ""
	case e.as == endpoint.Server:
		return fmt.Sprintf("%sFile %s\n%[1]sCheck chain\n", family, e.trust)
	}
	return fmt.Sprintf("%sFile %s\n%[1]sCheck leaf\n", family, e.trust)
}

// splitChain writes the first certificate of a file and the others, if there
// are any, into files. Behind SSLProxyMachineCertificateFile each certificate
// needs its key (AH02326).
func splitChain(t *testing.T, dir, file string) (leaf, rest string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, others := pem.Decode(text)
	leaf = filepath.Join(dir, "leaf.pem")
	if err := os.WriteFile(leaf, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	if block, _ := pem.Decode(others); block == nil {
		return leaf, ""
	}
	rest = filepath.Join(dir, "rest.pem")
	if err := os.WriteFile(rest, others, 0o600); err != nil {
		t.Fatal(err)
	}
	return leaf, rest
}

// startApache starts it with a virtual host, and returns when it listens. It
// prints its error log.
func startApache(t *testing.T, dir, port, host string) *peertest.Program {
	t.Helper()
	config := ""
	for _, name := range []string{"mpm_event", "authz_core", "alias", "ssl", "proxy", "proxy_http"} {
		config += fmt.Sprintf("LoadModule %s_module /usr/lib/apache2/modules/mod_%[1]s.so\n", name)
	}
	config += fmt.Sprintf("ServerRoot %s\nDocumentRoot %[1]s\nPidFile pid\nErrorLog /dev/stderr\nLogLevel ssl:info\nServerName localhost\nUser nobody\nGroup nogroup\nMutex posixsem\nListen 127.0.0.1:%s\n<VirtualHost 127.0.0.1:%[2]s>\n%s</VirtualHost>\n", dir, port, host)
	file := filepath.Join(dir, "httpd.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return listening(t, exec.Command("apache2", "-X", "-f", file), port)
}
