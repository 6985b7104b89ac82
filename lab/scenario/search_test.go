package scenario

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// pasted is what somebody types, and what it finds.
type pasted struct {
	typed string
	first string   // found
	also  []string // found too
	not   []string
}

// What people paste finds what it is about.
func TestSearch(t *testing.T) {
	testSearch(t, []pasted{
		{"x509: certificate signed by unknown authority", "untrusted-server", []string{"server-missing-intermediate", "self-signed-client"}, []string{"expired-server"}},
		{`2026/11/24 12:42:48 http: TLS handshake error from 10.0.0.1:48116: tls: first record does not look like a TLS handshake`, "plain-http-to-tls", []string{"tls-to-plain-http"}, []string{"no-client-cert"}},
		{"curl: (60) SSL certificate problem: unable to get local issuer certificate", "server-missing-intermediate", []string{"untrusted-server"}, []string{"wrong-host"}},
		{"ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1006)", "expired-server", nil, []string{"wrong-host"}},
		{"CERTIFICATE_VERIFY_FAILED", "untrusted-server", []string{"wrong-host", "expired-server"}, []string{"no-client-cert"}},
		{"PKIX path building failed", "untrusted-server", []string{"self-signed-server"}, []string{"expired-server"}},
		{"alert number 116", "no-client-cert", []string{"untrusted-client-withheld"}, []string{"untrusted-server", "weak-client-key"}},
		{"116", "no-client-cert", nil, []string{"rsa"}},
		{"alert 48", "untrusted-client-forced", []string{"look-alike-ca"}, []string{"no-client-cert"}},
		{"42", "wrong-host", nil, []string{"closed-mid-handshake", "client-too-old"}},
		{"forbidden", "authenticated-but-not-authorised", nil, []string{"no-client-cert"}},
		{"connection reset", "closed-mid-handshake", []string{"no-client-cert"}, []string{"rsa"}},
		{"EOF", "closed-mid-handshake", nil, []string{"rsa"}},
		{"no shared cipher", "no-common-cipher", []string{"no-common-group"}, []string{"rsa"}},
		{"wrong version number", "tls-to-plain-http", nil, []string{"client-too-old"}},
		{"400 No required SSL certificate was sent", "refused-in-http", []string{"no-client-cert"}, []string{"expired-server"}},
		{"400", "refused-in-http", nil, []string{"tls-to-plain-http"}},
		{"HTTP 400", "refused-in-http", nil, []string{"plain-http-to-tls"}},
		{"403", "authenticated-but-not-authorised", nil, []string{"no-client-cert"}},
		{"HTTP 403", "authenticated-but-not-authorised", nil, []string{"no-client-cert"}},
		{"403.7", "no-client-cert", nil, []string{"wrong-host"}},
		{"495", "refused-in-http", nil, []string{"wrong-host"}},
		{"496", "refused-in-http", nil, []string{"wrong-host"}},
		{"497", "plain-http-to-tls", nil, []string{"refused-in-http"}},
		{"421", "misdirected-request", nil, []string{"wrong-host"}},
		{"yesterday", "expired-server", []string{"expired-client"}, []string{"rsa"}},
		{"javax.net.ssl.SSLHandshakeException: Received fatal alert: bad_certificate", "wrong-host", []string{"client-wrong-eku"}, []string{"tls-to-plain-http"}},
		{"error:0A000418:SSL routines::tlsv1 alert unknown ca, errno 0", "untrusted-client-forced", nil, []string{"wrong-host"}},
		{"remote error: tls: unknown certificate authority", "untrusted-client-forced", nil, []string{"wrong-host"}},
		{"*** Received alert [45]: Certificate is expired", "expired-client", nil, []string{"no-client-cert"}},
		{"SSL_ERROR_RX_CERTIFICATE_REQUIRED_ALERT", "no-client-cert", nil, []string{"wrong-host"}},
		{"http: TLS handshake error from 10.1.2.3:48116: remote error: tls: bad certificate", "wrong-host", []string{"untrusted-server"}, []string{"no-client-cert", "closed-mid-handshake"}},
		{"http: TLS handshake error from 10.1.2.3:48116: EOF", "closed-mid-handshake", nil, []string{"wrong-host"}},
		{"remote error: tls: handshake failure", "no-common-cipher", []string{"no-client-cert"}, []string{"client-key-mismatch"}},
		{"post-quantum", "post-quantum", nil, []string{"wrong-host"}},
		{"RFC 9849", "ech", nil, []string{"rsa"}},
		{"expired", "expired-server", []string{"expired-client"}, []string{"wrong-host"}},
		{"revoc", "revoked-client", nil, []string{"wrong-host"}},
		{"certificate_expired", "expired-client", nil, []string{"wrong-host"}},
		{"unknown_ca", "untrusted-client-forced", nil, []string{"expired-client"}},
	})
}

// It depends on whose log it is in which side a message is about; and what a
// log puts around a message changes nothing.
func TestSearchKnowsWhoseLogItIs(t *testing.T) {
	serverFaults, clientFaults := []string{"untrusted-server", "wrong-host", "expired-server"}, []string{"untrusted-client-forced", "no-client-cert", "expired-client", "client-wrong-eku"}
	nginx := func(message, tail string) string {
		return "2026/11/24 12:42:48 [error] 4242#4242: *17 " + message + tail + `, client: 10.0.0.42, server: expired.example, request: "GET /revoked?x=48 HTTP/1.1", upstream: "https://10.0.0.3:8443/unknown", host: "localhost:8443"`
	}
	const toUpstream, reading = " while SSL handshaking to upstream", " while reading response header from upstream"
	testSearch(t, []pasted{
		{`Get "https://localhost:8443/": remote error: tls: bad certificate`, "client-wrong-eku", []string{"revoked-client"}, serverFaults},
		{"Get https://localhost:8443/: remote error: tls: bad certificate", "client-wrong-eku", nil, serverFaults}, // the shell took the quotes
		{`Post "https://wrong.host.example/expired": remote error: tls: unknown certificate authority`, "untrusted-client-forced", nil, serverFaults},
		{`Get "https://localhost:8443/": remote error: tls: certificate required`, "no-client-cert", nil, serverFaults},
		{`Get "https://localhost:8443/": remote error: tls: expired certificate`, "expired-client", nil, serverFaults},
		{`Get "https://localhost:8443/": tls: failed to verify certificate: x509: certificate signed by unknown authority`, "untrusted-server", nil, clientFaults},
		{"curl: (56) OpenSSL SSL_read: error:0A000412:SSL routines::sslv3 alert bad certificate, errno 0", "client-wrong-eku", nil, serverFaults},
		{"curl: (35) error:14094418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca", "untrusted-client-forced", nil, serverFaults},
		{"curl: (56) error:0A00045C:SSL routines::tlsv13 alert certificate required:../ssl/record/rec_layer_s3.c:1605:SSL alert number 116", "no-client-cert", nil, serverFaults},
		{"curl: (60) SSL certificate problem: certificate has expired", "expired-server", nil, clientFaults},
		{"Error: write EPROTO 40:error:0A000412:SSL routines:ssl3_read_bytes:sslv3 alert bad certificate:../deps/openssl/ssl/record/rec_layer_s3.c:1605:SSL alert number 42", "client-wrong-eku", nil, serverFaults},
		{"curl: (58) could not load PEM client certificate, OpenSSL error error:0A00018F:SSL routines::ee key too small", "weak-client-key", nil, nil},
		{`Get "https://localhost:8443/": EOF`, "closed-mid-handshake", nil, serverFaults},
		{"curl: (60) SSL: no alternative certificate subject name matches target host name 'expired.example'", "wrong-host", nil, clientFaults},
		{"http: TLS handshake error from 10.0.0.1:48116: remote error: tls: bad certificate", "untrusted-server", []string{"wrong-host", "expired-server"}, clientFaults},
		{"http: TLS handshake error from [::1]:48116: remote error: tls: unknown certificate authority", "untrusted-server", []string{"self-signed-server"}, clientFaults},
		{"http: TLS handshake error from 10.0.0.1:48116: tls: failed to verify certificate: x509: certificate signed by unknown authority", "untrusted-client-forced", []string{"self-signed-client"}, serverFaults},
		{"http: TLS handshake error from 10.0.0.1:48116: tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-11-24T12:42:48Z is after 2021-01-02T00:00:00Z", "expired-client", nil, serverFaults},
		{nginx("upstream SSL certificate verify error: (20:unable to get local issuer certificate)", toUpstream), "untrusted-server", []string{"server-missing-intermediate"}, append(clientFaults, "wrong-host")},
		{nginx("upstream SSL certificate verify error: (10:certificate has expired)", toUpstream), "expired-server", nil, append(clientFaults, "wrong-host")},
		{nginx("upstream SSL certificate verify error: (18:self-signed certificate)", toUpstream), "self-signed-server", nil, append(clientFaults, "wrong-host")},
		{nginx(`upstream SSL certificate does not match "foo"`, toUpstream), "wrong-host", nil, append(clientFaults, "expired-server")},
		{nginx(`upstream SSL certificate does not match "revoked.foo.example"`, toUpstream), "wrong-host", nil, append(clientFaults, "revoked-server")},
		{nginx("SSL_read() failed (SSL: error:0A000412:SSL routines::sslv3 alert bad certificate:SSL alert number 42)", reading), "client-wrong-eku", nil, serverFaults},
		{nginx("SSL_do_handshake() failed (SSL: error:0A000418:SSL routines::tlsv1 alert unknown ca:SSL alert number 48)", toUpstream), "untrusted-client-forced", nil, serverFaults},
		{nginx("SSL_read() failed (SSL: error:0A00045C:SSL routines::tlsv13 alert certificate required:SSL alert number 116)", reading), "no-client-cert", nil, append(serverFaults, "untrusted-client-forced")},
		{`2026/11/24 12:42:48 [info] 4242#4242: *17 SSL_do_handshake() failed (SSL: error:0A000418:SSL routines::tlsv1 alert unknown ca:SSL alert number 48) while SSL handshaking, client: 10.0.0.42, server: 0.0.0.0:443`, "untrusted-server", nil, clientFaults},
		{nginx("client SSL certificate verify error: (10:certificate has expired)", " while reading client request headers"), "expired-client", nil, serverFaults},
		{"client SSL certificate verify error: (21:unable to verify the first certificate)", "untrusted-client-forced", nil, serverFaults},
		{nginx("client sent no required SSL certificate", " while reading client request headers"), "no-client-cert", []string{"refused-in-http"}, serverFaults},
		{`2026/11/24 12:42:48 [info] 4242#4242: *17 client sent plain HTTP request to HTTPS port while reading client request headers, client: 10.0.0.42, server: , request: "GET / HTTP/1.1", host: "localhost:8443"`, "plain-http-to-tls", nil, append(serverFaults, "no-client-cert")},
		{`Get "https://localhost:8443/": net/http: TLS handshake timeout`, "slow-server", nil, []string{"slow-client"}},
		{"curl: (28) SSL connection timeout", "slow-server", nil, []string{"slow-client"}},
		{"certificate_unknown", "untrusted-client-forced", []string{"untrusted-server"}, []string{"no-client-cert"}},
		{"alert 46", "untrusted-client-forced", []string{"untrusted-server"}, []string{"no-client-cert"}},
		{"javax.net.ssl.SSLHandshakeException: Received fatal alert: certificate_unknown", "untrusted-server", []string{"untrusted-client-forced"}, []string{"no-client-cert"}},
	})
}

// What fits nothing is not met with what is merely there.
func TestSearchNearest(t *testing.T) {
	for typed, want := range map[string]string{"gibberish xyzzy": "", "ASN1 encoding routines::nested asn1 error": "",
		"connection refused": "",
		"dial tcp 127.0.0.1:8443: connect: connection refused": "", "expierd-client": "expired-client"} {
		r := Search(typed)
		found, nearest := r.Scenarios, r.Nearest
		if len(found) > 0 || (want == "") != (len(nearest) == 0) || want != "" && nearest[0].Name != want {
			t.Errorf("%q finds %d, and nearest are %v", typed, len(found), nearest)
		}
	}
}

func testSearch(t *testing.T, cases []pasted) {
	t.Helper()
	for _, c := range cases {
		found := Search(c.typed).Scenarios
		var names []string
		for _, s := range found {
			names = append(names, s.Name)
		}
		if !slices.Contains(names, c.first) {
			t.Errorf("%q finds %q, not %s", c.typed, names, c.first)
		}
		for _, name := range c.also {
			if !slices.Contains(names, name) {
				t.Errorf("%q finds %q, not %s", c.typed, names, name)
			}
		}
		for _, name := range c.not {
			if slices.Contains(names, name) {
				t.Errorf("%q finds %s", c.typed, name)
			}
		}
	}
}

// A program's own words are understood by what they are about; who refuses, by
// whose log it is.
func TestSearchUnderstands(t *testing.T) {
	testSearch(t, []pasted{
		{"the certificate of the peer could not be validated", "untrusted-server", []string{"untrusted-client-forced"}, nil},
		{"TLS: the domain of the certificate is not a match", "wrong-host", nil, nil},
		{"proxy: certificate chain incomplete", "server-missing-intermediate", nil, []string{"expired-server"}},
		{"client must present a certificate", "no-client-cert", nil, []string{"wrong-host"}},
		{"HTTP/1.1 403 Forbidden\n<title>403 Forbidden</title>\n<p>You don't have permission to access this resource.Reason: Cannot perform Post-Handshake Authentication.<br />", "post-handshake-auth", nil, nil},
		{"TLS negotiation timed out", "slow-server", []string{"slow-client"}, nil},
		{`Post "https://a.example/": acme: the certificate of the peer is outdated`, "expired-server", nil, []string{"expired-client"}},
	})
}

// A long message with nothing in it, and one that is all the same, end soon; a
// line among many that are about nothing is found.
func TestSearchOfMuch(t *testing.T) {
	for _, much := range []string{strings.Repeat("a", 8<<20), strings.Repeat("certificate ", 1<<20), strings.Repeat("\n", 8<<20), strings.Repeat("\x00\xff", 1<<20), strings.Repeat("A1b_", 1<<20)} {
		Search(much)
	}
	var log strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&log, "Nov 29 01:00:00 host app[1]: GET /%d in %d ms\n", i, i)
		if i == 17_000 {
			log.WriteString("Nov 29 01:00:00 host app[1]: ssl.SSLCertVerificationError: certificate verify failed: Hostname mismatch\n")
		}
	}
	found := Search(log.String())
	if len(found.Scenarios) == 0 || found.Scenarios[0].Name != "wrong-host" || !strings.HasPrefix(found.Line, "ssl.SSLCert") {
		t.Errorf("found %+v", found)
	}
}

// What a stack says of a fault finds that fault, or a commoner one of which it
// says the same.
func TestSearchKnowsTheTable(t *testing.T) {
	same := map[string][]string{} // scenarios by what is said of them
	for _, r := range stacks().Runs {
		if r.Reason == r.As {
			said := strings.Join(r.Says, "\n")
			same[said] = append(same[said], r.Scenario)
		}
	}
	all, agree := 0, 0
	for said, scenarios := range same {
		var found []string
		for _, s := range Search(said).Scenarios {
			found = append(found, s.Name)
		}
		all++
		if slices.ContainsFunc(found, func(name string) bool { return slices.Contains(scenarios, name) }) {
			agree++
			continue
		}
		if strings.Contains(said, "no shared cipher") && slices.Contains(found, "no-common-cipher") || said == "Error in handshake: Error in the certificate." { // it may be anything
			continue
		}
		t.Errorf("%q finds %q, not %q", said, found, scenarios)
	}
	t.Logf("%d of %d", agree, all)
}

// A number alone is an alert if it is all that was asked, and not among other
// lines.
func TestSearchOfNumbers(t *testing.T) {
	for _, text := range []string{"42\n1\n", " count \n-------\n 1\n(1 row)\n", "48\n48\n"} {
		if found := Search(text); len(found.Scenarios) > 0 || found.Alert != nil {
			t.Errorf("%q finds %+v", text, found)
		}
	}
	if found := Search("48\n"); found.Alert == nil {
		t.Error("48 finds no alert")
	}
}

// Text that is no message finds nothing.
func TestSearchOfOtherText(t *testing.T) {
	base64 := strings.Repeat("xDIcxzfgbEOFdL7b2VK5Az7JA7ur6FCjXRCYWr8ErQ+N8kdclWFEJhjAVG71KOn7ZXEemF3HG3I\n", 9)
	packages := "Log started\nCommandline: apt-get install x\nRequested-By: user (1000)\nStart-Date: 2026-11-29  00:10:11\nInstall: " + strings.Repeat("libcipher-java:amd64 (3.5.3-1, automatic), openssl:amd64 (3.0.19-1), ssl-cert:amd64 (1.1.2), ", 20) + "\nEnd-Date: 2026-11-29  00:12:00\n"
	for _, text := range []string{base64, packages} {
		if found := Search(text); len(found.Scenarios) > 0 {
			t.Errorf("%.80q finds %s: %.80s", text, found.Scenarios[0].Name, found.Line)
		}
	}
}

// A log about several things names each, with how often.
func TestSearchOfSeveral(t *testing.T) {
	line := func(n int, message string) string {
		return fmt.Sprintf(`2026/11/29 06:10:2%d [info] 72%d#72%d: *%d %s while reading client request headers, client: 127.0.0.%d, server: localhost, request: "GET / HTTP/1.1", host: "localhost:8443"`+"\n", n, n, n, n, message, n)
	}
	found := Search(line(1, "client SSL certificate verify error: (21:unable to verify the first certificate)") + line(2, "client SSL certificate verify error: (10:certificate has expired)") +
		line(3, "client sent no required SSL certificate") + line(4, "client sent no required SSL certificate") + line(5, "client sent no required SSL certificate"))
	times := map[string]int{found.Scenarios[0].Name: found.Times}
	for _, o := range found.Others {
		times[o.Scenario.Name] = o.Times
	}
	if times["no-client-cert"] != 3 || times["expired-client"] != 1 || times["untrusted-client-forced"] != 1 {
		t.Errorf("%v; best %s, line %s", times, found.Scenarios[0].Name, found.Line)
	}
	trace := "Exception in thread \"main\" javax.net.ssl.SSLHandshakeException: PKIX path building failed: unable to find valid certification path to requested target\n\tat a.B(C.java:1)\nCaused by: sun.security.validator.ValidatorException: PKIX path building failed: unable to find valid certification path to requested target\n"
	if found := Search(trace); len(found.Others) > 0 {
		t.Errorf("one trace is about %+v, too", found.Others)
	}
}

// What is to be done depends on the program that says it.
func TestFixOfAMessage(t *testing.T) {
	for message, want := range map[string]string{
		`FATAL:  no pg_hba.conf entry for host "127.0.0.1", user "lab", database "lab", no encryption`:   "sslmode=require",
		`FATAL:  certificate authentication failed for user "bob"`:                                       "pg_ident.conf",
		`FATAL:  no pg_hba.conf entry for host "127.0.0.1", user "lab", database "lab", SSL encryption`:  "hostssl DATABASE",
		"java.security.InvalidAlgorithmParameterException: the trustAnchors parameter must be non-empty": "marked as trusted",
		`psql: error: connection to server failed: root certificate file "nope.crt" does not exist`:      "sslrootcert=FILE",
		"400 The plain HTTP request was sent to HTTPS port":                                              "",
		"403 Forbidden": "",
		"curl: (56) Recv failure: Connection reset by peer":                                                                            "its own part of the handshake is done",
		"curl: (56) OpenSSL SSL_read: error:0A000126:SSL routines::unexpected eof while reading, errno 0":                              "its own part of the handshake is done",
		"curl: (35) Recv failure: Connection reset by peer":                                                                            "",
		"tlsClientError ECONNRESET socket hang up":                                                                                     "Node's server",
		"HTTP/1.1 400 Bad Request\n<head><title>400 The SSL certificate error</title>":                                                 "client SSL certificate verify error",
		`psql: error: connection to server at "127.0.0.1", port 5432 failed: FATAL:  certificate authentication failed for user "bob"`: "pg_ident.conf",
	} {
		found := Search(message)
		if len(found.Scenarios) == 0 || !strings.Contains(found.Fix, want) || want == "" && found.Fix != "" {
			t.Errorf("%q: %q", message, found.Fix)
		}
	}
}

// Programs that tell much say the same of every connection: what has failed
// comes first, and of a connection that works nothing is said.
func TestSearchOfWhatAlwaysStandsThere(t *testing.T) {
	const sClient = "Acceptable client certificate CA names\nO = Shop, CN = Shop Root\nRequested Signature Algorithms: ECDSA+SHA256:RSA-PSS+SHA256\nShared Requested Signature Algorithms: ECDSA+SHA256:RSA-PSS+SHA256\nVerification: OK\n---\nNew, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384\nSecure Renegotiation IS NOT supported\nNo ALPN negotiated\nEarly data was not sent\nVerify return code: 0 (ok)\n---\n"
	const curl = "* ALPN: offers h2,http/1.1\n* TLSv1.3 (OUT), TLS handshake, Client hello (1):\n* TLSv1.3 (IN), TLS handshake, Request CERT (13):\n* ALPN: server did not agree on a protocol. Uses default.\n*  subjectAltName: host \"a.example\" matched cert's \"a.example\"\n*  issuer: O=Shop; CN=Shop Issuing CA\n*  SSL certificate verify ok.\n"
	const gnutls = "- Certificate type: X.509\n- Got a certificate list of 2 certificates.\n- Status: The certificate is trusted. \n- Description: (TLS1.3-X.509)-(ECDHE-SECP256R1)-(ECDSA-SECP256R1-SHA256)-(AES-256-GCM)\n- Options:\n- Handshake was completed\n"
	testSearch(t, []pasted{
		{sClient + "80FB:error:0A00045C:SSL routines:ssl3_read_bytes:tlsv13 alert certificate required:ssl/record/rec_layer_s3.c:1602:SSL alert number 116", "no-client-cert", nil, []string{"unsafe-legacy-renegotiation"}},
		{sClient + "80FB:error:0A000418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca:ssl/record/rec_layer_s3.c:1602:SSL alert number 48", "untrusted-client-forced", nil, []string{"unsafe-legacy-renegotiation", "server-does-not-ask"}},
		{"80FB:error:0A00042E:SSL routines:ssl3_read_bytes:tlsv1 alert protocol version:ssl/record/rec_layer_s3.c:1602:SSL alert number 70\n---\nno peer certificate available\n---\nNo client certificate CA names sent\n---\nNew, (NONE), Cipher is (NONE)\nSecure Renegotiation IS NOT supported\n", "client-too-old", nil, []string{"server-does-not-ask"}},
		{curl + "* TLSv1.3 (IN), TLS alert, unknown CA (560):\ncurl: (56) OpenSSL SSL_read: error:0A000418:SSL routines::tlsv1 alert unknown ca, errno 0", "untrusted-client-forced", nil, []string{"no-alpn-selected", "wrong-host"}},
		{gnutls + "*** Fatal error: A TLS fatal alert has been received.\n*** Received alert [116]: Certificate is required", "no-client-cert", nil, []string{"key-of-another-certificate"}},
	})
	const slapd = "6b0d2d3c.05438cf4 0x7f69edbce6c0 conn=1009 fd=11 ACCEPT from IP=10.0.0.7:43800 (IP=10.0.0.2:636)\n6b0d2d3c.05979e58 0x7f69edbce6c0 conn=1009 fd=11 TLS established tls_ssf=256 ssf=256 tls_proto=TLS1.3 tls_cipher=AES-256-GCM\n6b0d2d40.05073655 0x7f69edbce6c0 conn=1009 fd=11 closed (connection lost)\n"
	const proftpd = "mod_tls/2.9.2[21033]: TLS/TLS-C requested, starting TLS handshake\nmod_tls/2.9.2[21033]: client supports secure renegotiations\nmod_tls/2.9.2[21033]: TLSv1.3 connection accepted, using cipher TLS_AES_256_GCM_SHA384 (256 bits)\n"
	const vsftpd = `Mon Nov 30 08:05:17 2026 [pid 211] FTP response: Client "10.0.0.7", "234 Proceed with negotiation."` + "\n" + `Mon Nov 30 08:05:17 2026 [pid 211] DEBUG: Client "10.0.0.7", "SSL version: TLSv1.3, SSL cipher: TLS_AES_256_GCM_SHA384, not reused, CERT PRESENTED"` + "\n"
	const postfix = "Nov 30 11:36:32 mx postfix/smtpd[302]: connect from a.example[10.0.0.7]\nNov 30 11:36:32 mx postfix/smtpd[302]: Trusted TLS connection established from a.example[10.0.0.7]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature ECDSA (prime256v1) server-digest SHA256 client-signature ECDSA (prime256v1) client-digest SHA256\nNov 30 11:36:32 mx postfix/smtp[303]: Verified TLS connection established to b.example[10.0.0.3]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\nNov 30 11:36:33 mx postfix/smtpd[302]: lost connection after CONNECT from a.example[10.0.0.7]\n"
	const others = "2026-11-30T11:29:51: New client connected from 10.0.0.7:38902 as till-7 (p2, c1, k60).\n2026-11-30T11:29:51: Client till-8 disconnected due to protocol error.\n(3) Login OK: [jane] (from client ap-3 port 0 cli 02-00-00-00-00-01)\nMon Nov 30 11:42:07 2026: tlsconnect: TLS connection to fr (localhost port 2083), subject CN=server up\n2026-11-30 11:26:40 UTC [1] jane@shop FATAL:  password authentication failed for user \"jane\"\n"
	for _, works := range append(strings.Split(postfix+others, "\n"), sClient, curl, gnutls, slapd, proftpd, vsftpd, postfix, others) {
		if found := Search(works); len(found.Scenarios) > 0 {
			t.Errorf("%q finds %s: %s", works, found.Scenarios[0].Name, found.Line)
		}
	}
	if found := Search("Secure Renegotiation IS NOT supported"); len(found.Scenarios) == 0 || found.Scenarios[0].Name != "unsafe-legacy-renegotiation" {
		t.Errorf("the line alone finds %+v", found)
	}
}
