package tlsdecrypt_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

const (
	httpRequest = "GET / HTTP/1.0\r\n\r\n"
	pskInHex    = "0123456789abcdef0123456789abcdef"
)

// sServer runs openssl s_server with a certificate of each name, at most two,
// and returns the relay to it.
func (s stage) sServer(t *testing.T, certs string, args ...string) string {
	t.Helper()
	args = append([]string{"s_server", "-accept", "127.0.0.1:0", "-keylogfile", s.keyLog(), "-CAfile", s.cert("ca")}, args...)
	for i, name := range strings.Fields(certs) {
		d := []string{"", "d"}[i]
		args = append(args, "-"+d+"cert", s.cert(name), "-"+d+"key", s.key(name))
	}
	if certs == "" {
		args = append(args, "-nocert")
	}
	return s.relay(t, "127.0.0.1:"+peertest.Start(t, exec.Command("openssl", args...)).Await(t, "ACCEPT 127.0.0.1:"))
}

func (s stage) clientArgs(addr string, args ...string) []string {
	return append([]string{"s_client", "-connect", addr, "-servername", "localhost", "-CAfile", s.cert("ca"), "-keylogfile", s.keyLog()}, args...)
}

// sClient runs openssl s_client for one request.
func (s stage) sClient(t *testing.T, addr string, args ...string) string {
	t.Helper()
	return succeed(t, nil, httpRequest, "openssl", s.clientArgs(addr, append(args, "-ign_eof")...)...)
}

func opensslSuitesTLS12(t *testing.T, s stage) {
	const every = "ALL:eNULL:@SECLEVEL=0"
	suites := strings.Split(strings.TrimSpace(succeed(t, nil, "", "openssl", "ciphers", "-s", "-tls1_2", "-psk", every)), ":")
	addr := s.sServer(t, "rsa ecdsa", "-cipher", every, "-psk", pskInHex, "-www")
	dsa := s.sServer(t, "dsa", "-cipher", every, "-www")
	for _, suite := range suites {
		to := addr
		if strings.Contains(suite, "-DSS-") {
			to = dsa
		}
		args := []string{"-tls1_2", "-cipher", suite + ":@SECLEVEL=0"}
		if strings.Contains(suite, "PSK") {
			args = append(args, "-psk", pskInHex)
		}
		if out := s.sClient(t, to, args...); !strings.Contains(out, "HTTP/1.0 200 ok") {
			t.Errorf("%s: no answer\n%s", suite, out)
		}
	}
}

// makeDSA makes a DSA certificate, which only openssl does.
func (s *studio) makeDSA(t *testing.T) {
	t.Helper()
	params := filepath.Join(s.dir, "dsa-params.pem")
	succeed(t, nil, "", "openssl", "genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:1024", "-out", params)
	succeed(t, nil, "", "openssl", "req", "-x509", "-newkey", "dsa:"+params, "-nodes", "-subj", "/CN=dsa", "-keyout", s.key("dsa"), "-out", s.cert("dsa"))
}

func opensslSuitesTLS13(t *testing.T, s stage) {
	const every = "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256"
	for _, cert := range []string{"rsa", "ecdsa", "ed25519"} {
		addr := s.sServer(t, cert, "-ciphersuites", every, "-cipher", "ALL:@SECLEVEL=0", "-www", "-Verify", "1", "-verify_return_error")
		for suite := range strings.SplitSeq(every, ":") {
			s.sClient(t, addr, "-ciphersuites", suite, "-cipher", "ALL:@SECLEVEL=0", "-cert", s.cert(cert), "-key", s.key(cert))
		}
	}
}

func opensslLegacy(t *testing.T, s stage) {
	addr := s.sServer(t, "rsa ecdsa", "-cipher", "ALL:@SECLEVEL=0", "-www", "-verify", "1")
	for _, version := range []string{"-tls1", "-tls1_1", "-tls1_2"} {
		for _, suite := range []string{"AES128-SHA", "ECDHE-RSA-AES256-SHA", "ECDHE-ECDSA-AES128-SHA", "DHE-RSA-CAMELLIA128-SHA"} {
			args := []string{version, "-cipher", suite + ":@SECLEVEL=0", "-cert", s.cert("rsa"), "-key", s.key("rsa")}
			s.sClient(t, addr, args...)
			s.sClient(t, addr, append(args, "-no_etm", "-no_ticket")...)
		}
	}
}

func opensslResumption(t *testing.T, s stage) {
	addr := s.sServer(t, "ecdsa", "-www")
	for _, args := range [][]string{{"-tls1_2", "-reconnect"}, {"-tls1_2", "-reconnect", "-no_ticket"}} {
		s.sClient(t, addr, args...)
	}
	session := filepath.Join(t.TempDir(), "session")
	s.sClient(t, addr, "-tls1_3", "-sess_out", session)
	s.sClient(t, addr, "-tls1_3", "-sess_in", session)
}

func opensslExternalPSK(t *testing.T, s stage) {
	addr := s.sServer(t, "", "-tls1_3", "-psk", pskInHex, "-www")
	s.sClient(t, addr, "-tls1_3", "-psk", pskInHex)
}

func opensslEarlyData(t *testing.T, s stage) {
	dir := t.TempDir()
	session, early := filepath.Join(dir, "session"), filepath.Join(dir, "early")
	if err := os.WriteFile(early, []byte("GET /early HTTP/1.1\r\nHost: localhost\r\n\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-tls1_3", "-early_data", "-max_early_data", "4096"}
	accepts, knowsNothing := s.sServer(t, "ecdsa", args...), s.sServer(t, "ecdsa", args...)
	client := peertest.Start(t, exec.Command("openssl", s.clientArgs(accepts, "-tls1_3", "-sess_out", session)...))
	peertest.Eventually(t, "the ticket", func() bool { stat, err := os.Stat(session); return err == nil && stat.Size() > 0 })
	client.Say("Q\n")
	for _, addr := range []string{accepts, knowsNothing} {
		client = peertest.Start(t, exec.Command("openssl", s.clientArgs(addr, "-tls1_3", "-sess_in", session, "-early_data", early)...))
		client.Await(t, "Early data was ")
		client.Say("hello\n")
		client.Say("Q\n")
	}
}

func opensslKeyUpdate(t *testing.T, s stage) {
	addr := s.sServer(t, "ecdsa", "-tls1_3", "-rev")
	client := peertest.Start(t, exec.Command("openssl", s.clientArgs(addr)...))
	client.Await(t, "Verify return code")
	for i, command := range []string{"k\n", "K\n", "K\n"} {
		client.Say(command)
		client.Await(t, "KEYUPDATE")
		client.Say(strings.Repeat("a", i+1) + "b\n")
		client.Await(t, "b"+strings.Repeat("a", i+1))
	}
	client.Say("Q\n")
}

func opensslRenegotiation(t *testing.T, s stage) {
	addr := s.sServer(t, "ecdsa", "-tls1_2", "-client_renegotiation", "-rev", "-verify", "1")
	for _, args := range [][]string{{}, {"-cipher", "AES128-SHA256:ECDHE-ECDSA-AES128-SHA256"}} {
		client := peertest.Start(t, exec.Command("openssl", s.clientArgs(addr, append(args, "-cert", s.cert("rsa"), "-key", s.key("rsa"))...)...))
		client.Await(t, "Verify return code")
		client.Say("ab\n")
		client.Await(t, "ba")
		client.Say("R\n")
		client.Await(t, "RENEGOTIATING")
		client.Say("abc\n")
		client.Await(t, "cba")
		client.Say("Q\n")
	}
}

func opensslOCSP(t *testing.T, s stage) {
	dir := t.TempDir()
	index, response := filepath.Join(dir, "index"), filepath.Join(dir, "response")
	if err := os.WriteFile(index, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	succeed(t, nil, "", "openssl", "ocsp", "-index", index, "-CA", s.cert("ca"), "-rsigner", s.cert("ca"), "-rkey", s.key("ca"),
		"-issuer", s.cert("ca"), "-cert", s.cert("ecdsa"), "-respout", response)
	addr := s.sServer(t, "ecdsa", "-status_file", response, "-www")
	s.sClient(t, addr, "-tls1_2", "-status")
	s.sClient(t, addr, "-tls1_3", "-status")
}

func opensslRejections(t *testing.T, s stage) {
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		addr := s.sServer(t, "ecdsa", "-www", "-Verify", "1", "-verify_return_error")
		for _, cert := range []string{"", "expired", "stranger"} {
			args := []string{version, "-ign_eof"}
			if cert != "" {
				args = append(args, "-cert", s.cert(cert), "-key", s.key(cert))
			}
			if out, err := run(t, nil, httpRequest, "openssl", s.clientArgs(addr, args...)...); err == nil {
				t.Errorf("%s: certificate %q was accepted\n%s", version, cert, out)
			}
		}
		for _, cert := range []string{"expired", "stranger"} {
			addr := s.sServer(t, cert, "-www")
			if out, err := run(t, nil, httpRequest, "openssl", s.clientArgs(addr, version, "-verify_return_error")...); err == nil {
				t.Errorf("%s: server certificate %q was accepted\n%s", version, cert, out)
			}
		}
	}
	addr := s.sServer(t, "ecdsa", "-tls1_3")
	if out, err := run(t, nil, "", "openssl", s.clientArgs(addr, "-tls1_2")...); err == nil {
		t.Errorf("TLS 1.2 was accepted\n%s", out)
	}
}

func opensslRetry(t *testing.T, s stage) {
	addr := s.sServer(t, "ecdsa", "-www", "-groups", "P-384")
	s.sClient(t, addr, "-tls1_3", "-groups", "X25519:P-384")
	addr = s.sServer(t, "ecdsa", "-stateless") // with a cookie; it stumbles over ChangeCipherSpec
	succeed(t, nil, "Q\n", "openssl", s.clientArgs(addr, "-tls1_3", "-no_middlebox")...)
}
