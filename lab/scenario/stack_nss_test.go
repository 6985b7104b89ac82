package scenario

import (
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

var stackNSS = &stack{
	name: "NSS", needs: []string{"tstclnt", "selfserv", "certutil", "pk12util", "crlutil", "openssl"},
	version: func(t *testing.T) string {
		out, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", "libnss3").Output()
		if err != nil {
			t.Skip("its version is not known: there is no dpkg-query")
		}
		version, _, _ := strings.Cut(string(out), "-")
		return "NSS " + strings.TrimPrefix(version, "2:")
	},
	client:  "tstclnt -h HOST -d DATABASE -n NICKNAME (the code of Firefox)",
	server:  "selfserv -r -r -d DATABASE -n NICKNAME",
	without: []string{"ca-as-server/server"}, // selfserv refuses to load it
	crl:     true,
	lines:   `^(tstclnt|selfserv): .*(SEC_ERROR|SSL_ERROR|PR_|rror|fail).*|^\s*(SEC_ERROR|SSL_ERROR)\w*: .*`,
	call: func(t *testing.T, e *end) (int, string) {
		request := filepath.Join(t.TempDir(), "request") // it does not end at the end of a pipe
		if err := os.WriteFile(request, []byte("GET / HTTP/1.0\r\n\r\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		args := append([]string{"-h", "127.0.0.1", "-p", e.port, "-a", e.host, "-4", "-A", request}, e.nssFlags(t)...)
		return output(t, "", "tstclnt", args...)
	},
	serve: func(t *testing.T, e *end) (string, func(*regexp.Regexp) string) {
		port := peertest.FreePort(t)
		p := peertest.Start(t, exec.Command("selfserv", append([]string{"-p", port, "-r", "-r", "-v"}, e.nssFlags(t)...)...))
		p.Await(t, "selfserv: About to call accept")
		return "127.0.0.1:" + port, untilLine(p)
	},
}

// nssFlags are those of tstclnt and selfserv. The files are brought into a
// database.
func (e *end) nssFlags(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	db := "sql:" + dir
	run := func(name string, args ...string) {
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
	}
	run("certutil", "-N", "-d", db, "--empty-password")
	cas, err := os.ReadFile(e.trust)
	if err != nil {
		t.Fatal(err)
	}
	for i, block := range strings.SplitAfter(string(cas), "-----END CERTIFICATE-----\n") {
		if !strings.Contains(block, "BEGIN CERTIFICATE") {
			continue
		}
		file := filepath.Join(dir, "ca.pem")
		if err := os.WriteFile(file, []byte(block), 0o600); err != nil {
			t.Fatal(err)
		}
		run("certutil", "-A", "-d", db, "-n", "ca"+string(rune('0'+i)), "-t", "CT,,", "-a", "-i", file)
	}
	for rest := cas; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == "X509 CRL" {
			file := filepath.Join(dir, "crl.der")
			if err := os.WriteFile(file, block.Bytes, 0o600); err != nil {
				t.Fatal(err)
			}
			run("crlutil", "-I", "-d", db, "-i", file)
		}
	}
	flags := []string{"-d", db, "-V", "tls" + e.version + ":tls" + e.version}
	if e.cert != "" {
		p12 := filepath.Join(dir, "own.p12")
		run("openssl", "pkcs12", "-export", "-in", e.cert, "-inkey", e.key, "-name", "own", "-out", p12, "-passout", "pass:")
		run("pk12util", "-i", p12, "-d", db, "-W", "")
		flags = append(flags, "-n", "own")
	}
	return flags
}
