package tlsdecrypt

import (
	"crypto/rsa"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/wiretap"
	"mtlslab.example/lab/lab/wiretap/wiretaptest"
)

// sessions is what passed a relay, a recording for each connection.
type relay struct {
	port string
	mu   sync.Mutex
	all  []*recording
	open sync.WaitGroup
}

func (r *relay) Open(e wiretap.Event) wiretap.Handler {
	one := &recording{}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, one)
	return one.Open(e)
}

// newRelay passes connections on to a port and records them.
func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	t.Cleanup(func() { l.Close() })
	r := &relay{}
	_, r.port, _ = net.SplitHostPort(l.Addr().String())
	tapped := wiretaptest.Listener(wiretap.New(r), l)
	go func() {
		for {
			client, err := tapped.Accept()
			if err != nil {
				return
			}
			r.open.Add(1)
			go r.pass(client, to)
		}
	}()
	return r
}

func (r *relay) pass(client net.Conn, to string) {
	defer r.open.Done()
	defer client.Close()
	server, err := net.Dial("tcp", "127.0.0.1:"+to)
	if err != nil {
		return
	}
	defer server.Close()
	deadline := time.Now().Add(30 * time.Second)
	client.SetDeadline(deadline)
	server.SetDeadline(deadline)
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(server, client)
		server.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(client, server)
	client.(interface{ CloseWrite() error }).CloseWrite()
	<-done
}

// secretsFrom reads a key log file.
func secretsFrom(t *testing.T, path string) *keylog.Store {
	t.Helper()
	s := &keylog.Store{}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for entry, err := range keylog.NewTail(file).Entries() {
		if err != nil {
			t.Fatal(err)
		}
		s.Add(entry)
	}
	return s
}

// dissect gives the connections that passed, in their order, once all have
// ended.
func (r *relay) dissect(t *testing.T, o Options) (all []*Connection) {
	t.Helper()
	r.open.Wait()
	o.Done = func(c *Connection) { all = append(all, c) }
	d := New(o)
	for _, one := range r.all {
		one.replay(d)
	}
	d.Close()
	return all
}

// openssl runs s_server and then s_client through a relay.
type openssl struct {
	relay  *relay
	keys   string
	server *peertest.Program
}

func newOpenssl(t *testing.T, args ...string) *openssl {
	t.Helper()
	peertest.Need(t, "openssl")
	o := &openssl{keys: filepath.Join(t.TempDir(), "keys.log")}
	args = append([]string{"s_server", "-accept", "127.0.0.1:0", "-keylogfile", o.keys}, args...)
	o.server = peertest.Start(t, exec.Command("openssl", args...))
	o.relay = newRelay(t, o.server.Await(t, "^ACCEPT 127.0.0.1:"))
	return o
}

// client runs s_client with input until the server closes; steps are lines to
// type, each when the text before it has been written.
func (o *openssl) client(t *testing.T, steps []string, args ...string) {
	t.Helper()
	args = append([]string{"s_client", "-connect", "127.0.0.1:" + o.relay.port}, args...)
	client := peertest.Start(t, exec.Command("openssl", args...))
	for i := 0; i+1 < len(steps); i += 2 {
		if steps[i] != "" {
			client.Await(t, steps[i])
		}
		client.Say(steps[i+1])
	}
	client.Wait(t)
}

const get = "GET / HTTP/1.0\r\n\r\n"

// mutual are the options of s_server and s_client for mutual TLS.
func mutual(t *testing.T, kind string) (server, client []string) {
	t.Helper()
	p := testPKI()
	serverCert, serverKey := write(t, "server", p.server[kind])
	clientCert, clientKey := write(t, "client", p.client[kind])
	ca := filepath.Join(t.TempDir(), "client-ca.pem")
	writePEM(t, ca, "CERTIFICATE", p.clientCA.cert.Raw)
	return []string{"-www", "-cert", serverCert, "-key", serverKey, "-Verify", "2", "-CAfile", ca},
		[]string{"-cert", clientCert, "-key", clientKey, "-servername", "localhost"}
}

// readsWell wants the request and the response, nothing left closed, and no
// problem.
func readsWell(t *testing.T, c *Connection, checks int) {
	t.Helper()
	var lines []string
	for _, m := range c.Messages {
		if m.HTTP != nil {
			lines = append(lines, m.HTTP.Line)
		}
		if m.Encrypted || m.Err != nil {
			t.Errorf("%s: %v", describe(m), m.Err)
		}
	}
	if len(lines) != 2 || lines[0] != "GET / HTTP/1.0" || !strings.HasPrefix(lines[1], "HTTP/1.0 200") {
		t.Errorf("HTTP %q", lines)
	}
	for _, p := range c.Problems {
		t.Errorf("problem: %+v", p)
	}
	allHold(t, c, checks)
}

func TestOpensslSuites(t *testing.T) {
	for _, c := range []struct {
		kind, version, suite string
		more                 []string // of the client
	}{
		{"rsa", "-tls1_2", "ECDHE-RSA-AES128-SHA256", nil}, // encrypt_then_mac
		{"rsa", "-tls1_2", "ECDHE-RSA-AES256-SHA384", nil},
		{"rsa", "-tls1_2", "DHE-RSA-AES256-CCM", nil},
		{"rsa", "-tls1_2", "DHE-RSA-AES128-CCM8", nil},
		{"rsa", "-tls1_2", "AES256-GCM-SHA384", nil},
		{"rsa", "-tls1_2", "NULL-SHA256:@SECLEVEL=0", nil},
		{"rsa", "-tls1_2", "ECDHE-RSA-AES128-SHA256", []string{"-no_etm"}},
		{"ecdsa", "-tls1_2", "ECDHE-ECDSA-AES128-CCM8", nil},
		{"ecdsa", "-tls1_2", "ECDHE-ECDSA-AES256-CCM", nil},
		{"ecdsa", "-tls1_2", "ECDHE-ECDSA-CHACHA20-POLY1305", nil},
		{"rsa", "-tls1_1", "AES128-SHA:@SECLEVEL=0", nil},
		{"rsa", "-tls1", "AES128-SHA:@SECLEVEL=0", nil},
		{"rsa", "-tls1", "DHE-RSA-AES256-SHA:@SECLEVEL=0", nil},
		{"ed25519", "-tls1_3", "TLS_AES_128_CCM_SHA256", nil},
		{"ecdsa", "-tls1_3", "TLS_AES_128_CCM_8_SHA256:@SECLEVEL=0", nil},
		{"rsa", "-tls1_3", "TLS_CHACHA20_POLY1305_SHA256", nil},
	} {
		t.Run(strings.TrimPrefix(c.version, "-")+" "+c.suite+strings.Join(c.more, ""), func(t *testing.T) {
			t.Parallel()
			server, client := mutual(t, c.kind)
			option := "-cipher"
			if c.version == "-tls1_3" {
				option = "-ciphersuites"
			}
			suite, level, _ := strings.Cut(c.suite, ":")
			both := []string{c.version, option, c.suite}
			if option == "-ciphersuites" {
				both = []string{c.version, option, suite}
				if level != "" {
					both = append(both, "-cipher", "DEFAULT:"+level)
				}
			}
			o := newOpenssl(t, append(server, both...)...)
			o.client(t, []string{"", get}, append(append(client, both...), append(c.more, "-ign_eof")...)...)
			all := o.relay.dissect(t, Options{Secrets: secretsFrom(t, o.keys)})
			if len(all) != 1 {
				t.Fatalf("%d connections", len(all))
			}
			if strings.HasPrefix(c.suite, "NULL-") { // which is said
				all[0].Problems = slices.DeleteFunc(all[0].Problems, func(p Problem) bool { return strings.HasPrefix(p.Text, "nothing is encrypted: ") })
			}
			readsWell(t, all[0], 5)
		})
	}
}

func TestOpensslUnsupportedCipher(t *testing.T) {
	t.Parallel()
	server, client := mutual(t, "rsa")
	both := []string{"-tls1_2", "-cipher", "ECDHE-ARIA128-GCM-SHA256"}
	o := newOpenssl(t, append(server, both...)...)
	o.client(t, []string{"", get}, append(append(client, both...), "-ign_eof")...)
	c := o.relay.dissect(t, Options{Secrets: secretsFrom(t, o.keys)})[0]
	if len(c.Problems) != 1 || !strings.Contains(c.Problems[0].Text, "TLS_ECDHE_RSA_WITH_ARIA_128_GCM_SHA256 cannot be decrypted here") {
		t.Errorf("problems %+v", c.Problems)
	}
	if last := c.Messages[len(c.Messages)-1]; !last.Encrypted {
		t.Errorf("the last message is %s", describe(last))
	}
}

// The private key of the server opens what was agreed on with RSA, with the
// extended master secret (OpenSSL) and without (GnuTLS); so does the premaster
// secret in the client's key log.
func TestRSAKeyExchange(t *testing.T) {
	t.Parallel()
	peertest.Need(t, "gnutls-cli")
	server, client := mutual(t, "rsa")
	both := []string{"-tls1_2", "-cipher", "AES128-GCM-SHA256"}
	o := newOpenssl(t, append(server, both...)...)
	clientKeys := filepath.Join(t.TempDir(), "client.log")
	o.client(t, []string{"", get}, append(append(client, both...), "-ign_eof", "-keylogfile", clientKeys)...)
	gnutls := peertest.Start(t, exec.Command("gnutls-cli", "--no-ca-verification", "--x509certfile", client[1], "--x509keyfile", client[3], "--sni-hostname", "localhost",
		"--priority", "NORMAL:-KX-ALL:+RSA:-VERS-ALL:+VERS-TLS1.2:%NO_SESSION_HASH", "--crlf", "--port", o.relay.port, "127.0.0.1"))
	gnutls.Say("GET / HTTP/1.0\n\n")
	gnutls.Wait(t)

	key := testPKI().server["rsa"].PrivateKey.(*rsa.PrivateKey)
	all := o.relay.dissect(t, Options{RSAKeys: []*rsa.PrivateKey{key}})
	if len(all) != 2 || !all[0].handshakes[0].extendedMaster || all[1].handshakes[0].extendedMaster {
		t.Fatalf("%d connections, not one with and one without extended_master_secret", len(all))
	}
	readsWell(t, all[0], 5)
	expectSome(t, all[1], "server HTTP/1.0 200 ok [master_secret]") // which comes after the request's first line
	allHold(t, all[1], 5)
	premasters := &keylog.Store{}
	file := must(os.Open(clientKeys))
	defer file.Close()
	for e := range keylog.NewTail(file).Entries() {
		if e.Label == keylog.LabelRSA {
			premasters.Add(e)
		}
	}
	readsWell(t, o.relay.dissect(t, Options{Secrets: premasters})[0], 5)

	c := o.relay.dissect(t, Options{})[0]
	if len(c.Problems) != 1 || !strings.Contains(c.Problems[0].Text, "set SSLKEYLOGFILE for one of the two programs") {
		t.Errorf("without any key: problems %+v", c.Problems)
	}
}

func TestOpensslResumption(t *testing.T) {
	for _, version := range []string{"-tls1_2", "-tls1_2 -no_ticket", "-tls1_3"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			server, client := mutual(t, "ecdsa")
			options := strings.Fields(version)
			session := filepath.Join(t.TempDir(), "session")
			o := newOpenssl(t, append(server, append(options, "-id_prefix", "lab")...)...)
			client = append(append(client, options...), "-ign_eof")
			o.client(t, []string{"", get}, append(client, "-sess_out", session)...)
			o.client(t, []string{"", get}, append(client, "-sess_in", session)...)
			all := o.relay.dissect(t, Options{Secrets: secretsFrom(t, o.keys)})
			readsWell(t, all[0], 5)
			readsWell(t, all[1], 2)
			want := map[string]Resumption{"-tls1_2": ByTicket, "-tls1_2 -no_ticket": BySessionID, "-tls1_3": ByPSK}[version]
			if all[0].Resumption != FullHandshake || all[1].Resumption != want {
				t.Errorf("resumption %q, then %q", all[0].Resumption, all[1].Resumption)
			}
		})
	}
}

func TestOpensslKeyUpdate(t *testing.T) {
	t.Parallel()
	server, client := mutual(t, "ecdsa")
	o := newOpenssl(t, server...)
	o.client(t, []string{"Verify return code", "K\n", "KEYUPDATE", get}, append(client, "-tls1_3")...)
	c := o.relay.dissect(t, Options{Secrets: secretsFrom(t, o.keys)})[0]
	readsWell(t, c, 6)
	var got []string
	for _, m := range c.Messages {
		if s := describe(m); strings.Contains(s, "KeyUpdate") || strings.Contains(s, "HTTP") {
			got = append(got, s)
		}
	}
	slices.Sort(got) // the server may answer first
	want := []string{
		"client GET / HTTP/1.0 [client_application_traffic_secret 1]",
		"client KeyUpdate [client_application_traffic_secret]",
		"server HTTP/1.0 200 ok [server_application_traffic_secret 1]",
		"server KeyUpdate [server_application_traffic_secret]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOpensslRenegotiation(t *testing.T) {
	t.Parallel()
	server, client := mutual(t, "rsa")
	o := newOpenssl(t, append(server, "-tls1_2", "-client_renegotiation")...)
	o.client(t, []string{"Verify return code", "R\n", "RENEGOTIATING", get}, append(client, "-tls1_2")...)
	c := o.relay.dissect(t, Options{Secrets: secretsFrom(t, o.keys)})[0]
	readsWell(t, c, 10)
	var got []string
	for _, m := range c.Messages {
		if s := describe(m); strings.Contains(s, "ClientHello") || strings.Contains(s, "Finished") || m.HTTP != nil {
			got = append(got, s)
		}
	}
	want := []string{
		"client ClientHello", "client Finished [master_secret]", "server Finished [master_secret]",
		"client ClientHello [master_secret]", "client Finished [master_secret 1]", "server Finished [master_secret 1]",
		"client GET / HTTP/1.0 [master_secret 1]", "server HTTP/1.0 200 ok [master_secret 1]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// earlyData makes a session, and takes it up again with early data, as often as
// there are options for it.
func earlyData(t *testing.T, o *openssl, options ...string) []*Connection {
	t.Helper()
	dir := t.TempDir()
	session, early := filepath.Join(dir, "session"), filepath.Join(dir, "early")
	if err := os.WriteFile(early, []byte("GET /early HTTP/1.0\r\n\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.talk(t, "-tls1_3", "-sess_out", session, "-servername", "localhost")
	for _, option := range options {
		o.talk(t, append([]string{"-tls1_3", "-sess_in", session, "-early_data", early, "-servername", "localhost"}, strings.Fields(option)...)...)
	}
	return o.relay.dissect(t, Options{Secrets: secretsFrom(t, o.keys)})[1:]
}

// talk is a connection of a server without -www: both sides say something. When
// the client has heard it, it has the tickets too.
func (o *openssl) talk(t *testing.T, args ...string) {
	t.Helper()
	args = append([]string{"s_client", "-connect", "127.0.0.1:" + o.relay.port, "-keylogfile", o.keys}, args...)
	client := peertest.Start(t, exec.Command("openssl", args...))
	client.Await(t, "Verify return code")
	client.Say("GET / HTTP/1.0\n\n")
	o.server.Await(t, "GET / HTTP/1.0")
	o.server.Say("welcome\n")
	client.Await(t, "welcome")
	client.Stdin.Close()
	client.Wait(t)
}

func TestOpensslEarlyData(t *testing.T) {
	t.Parallel()
	cert, key := write(t, "server", testPKI().server["ecdsa"])
	o := newOpenssl(t, "-cert", cert, "-key", key, "-tls1_3", "-early_data", "-ciphersuites", "TLS_AES_256_GCM_SHA384")
	all := earlyData(t, o, "", "")
	c := all[0]
	allHold(t, c, 2)
	expectSome(t, c, "client GET /early HTTP/1.0 [client_early_traffic_secret]", "client EndOfEarlyData [client_early_traffic_secret]",
		"client Finished [client_handshake_traffic_secret]", "client GET / HTTP/1.0 [client_application_traffic_secret]")
	if !c.EarlyData || c.Resumption != ByPSK {
		t.Errorf("negotiated %+v", c.Negotiated)
	}

	c = all[1] // the ticket a second time: a full handshake, and early data is passed over
	allHold(t, c, 4)
	expectSome(t, c, "client GET /early HTTP/1.0 [client_early_traffic_secret]", "server Certificate [server_handshake_traffic_secret]",
		"client Finished [client_handshake_traffic_secret]", "client GET / HTTP/1.0 [client_application_traffic_secret]")
	if c.EarlyData || c.Resumption != FullHandshake {
		t.Errorf("negotiated %+v", c.Negotiated)
	}
}

func TestOpensslEarlyDataRejectedByHelloRetryRequest(t *testing.T) {
	t.Parallel()
	cert, key := write(t, "server", testPKI().server["ecdsa"])
	o := newOpenssl(t, "-cert", cert, "-key", key, "-tls1_3", "-early_data", "-groups", "P-521")
	c := earlyData(t, o, "-groups X25519:P-521")[0]
	allHold(t, c, 2)
	expectSome(t, c, "client GET /early HTTP/1.0 [client_early_traffic_secret]", "server HelloRetryRequest", "client ClientHello",
		"client Finished [client_handshake_traffic_secret]", "client GET / HTTP/1.0 [client_application_traffic_secret]")
	if c.EarlyData || !c.Retried {
		t.Errorf("negotiated %+v", c.Negotiated)
	}

	// Without the early secret, which a server that rejects does not log, the
	// early data stays closed, and nothing else.
	secrets := &keylog.Store{}
	file := must(os.Open(o.keys))
	defer file.Close()
	for e := range keylog.NewTail(file).Entries() {
		if e.Label != keylog.LabelClientEarlyTraffic {
			secrets.Add(e)
		}
	}
	c = o.relay.dissect(t, Options{Secrets: secrets})[1]
	closed := 0
	for _, m := range c.Messages {
		if m.Encrypted {
			closed++
		}
	}
	if closed != 1 || len(c.Problems) != 1 || !strings.Contains(c.Problems[0].Text, "only the client logs CLIENT_EARLY_TRAFFIC_SECRET") {
		t.Errorf("%d messages are closed; problems %+v", closed, c.Problems)
	}
	allHold(t, c, 2)
}

// expectSome wants messages in this order, with others between them, and
// nothing left closed.
func expectSome(t *testing.T, c *Connection, want ...string) {
	t.Helper()
	var got []string
	for _, m := range c.Messages {
		got = append(got, describe(m))
		if len(want) > 0 && describe(m) == want[0] {
			want = want[1:]
		}
		if m.Encrypted || m.Err != nil {
			t.Errorf("%s: %v", describe(m), m.Err)
		}
	}
	if len(want) > 0 {
		t.Errorf("no %q in %q", want, got)
	}
	for _, p := range c.Problems {
		t.Errorf("problem: %+v", p)
	}
}

func TestOpensslPSK(t *testing.T) {
	for _, args := range [][]string{
		{"-tls1_3"},
		{"-tls1_2", "-cipher", "PSK-AES128-CBC-SHA256"},
		{"-tls1_2", "-cipher", "DHE-PSK-AES256-CCM8"},
		{"-tls1_2", "-cipher", "ECDHE-PSK-CHACHA20-POLY1305"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			psk := append([]string{"-psk", "00112233445566778899aabbccddeeff"}, args...)
			o := newOpenssl(t, append(psk, "-nocert", "-www")...)
			o.client(t, []string{"", get}, append(psk, "-ign_eof")...)
			c := o.relay.dissect(t, Options{Secrets: secretsFrom(t, o.keys)})[0]
			readsWell(t, c, 2)
		})
	}
}

const postHandshakeAuth = `
import socket, ssl, sys, threading
port, keys, cert, key, ca, client_cert, client_key = sys.argv[1:]
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.load_cert_chain(cert, key)
server.load_verify_locations(ca)
server.verify_mode = ssl.CERT_OPTIONAL
server.post_handshake_auth = True
server.minimum_version = ssl.TLSVersion.TLSv1_3
server.keylog_filename = keys
listener = socket.create_server(("127.0.0.1", int(port)))
listener.settimeout(10)
print("LISTENING", flush=True)
relay = int(sys.stdin.readline())
def call():
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.load_cert_chain(client_cert, client_key)
    client.post_handshake_auth = True
    with client.wrap_socket(socket.create_connection(("127.0.0.1", relay), 10), server_hostname="localhost") as c:
        c.sendall(b"GET / HTTP/1.0\r\n\r\n")
        while c.recv(1000):
            pass
thread = threading.Thread(target=call)
thread.start()
raw, _ = listener.accept()
with server.wrap_socket(raw, server_side=True) as s:
    s.recv(1000)
    s.verify_client_post_handshake()
    s.sendall(b"HTTP/1.0 200 ok\r\n\r\n")
    s.settimeout(10)
    try:
        s.unwrap()
    except (ssl.SSLError, OSError):
        pass
    print("CERT", s.getpeercert(True) is not None)
thread.join()
`

func TestPythonPostHandshakeAuthentication(t *testing.T) {
	t.Parallel()
	peertest.Need(t, "python3")
	p := testPKI()
	serverCert, serverKey := write(t, "server", p.server["ecdsa"])
	clientCert, clientKey := write(t, "client", p.client["ecdsa"])
	dir := t.TempDir()
	ca, keys := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "keys.log")
	writePEM(t, ca, "CERTIFICATE", p.clientCA.cert.Raw)
	port := peertest.FreePort(t)
	python := peertest.Start(t, exec.Command("python3", "-c", postHandshakeAuth, port, keys, serverCert, serverKey, ca, clientCert, clientKey))
	python.Await(t, "LISTENING")
	r := newRelay(t, port)
	python.Say(r.port + "\n")
	python.Wait(t)
	c := r.dissect(t, Options{Secrets: secretsFrom(t, keys)})[0]
	expectSome(t, c, "client Finished [client_handshake_traffic_secret]", "client GET / HTTP/1.0 [client_application_traffic_secret]",
		"server CertificateRequest [server_application_traffic_secret]",
		"client Certificate [client_application_traffic_secret]", "client CertificateVerify [client_application_traffic_secret]",
		"client Finished [client_application_traffic_secret]")
	allHold(t, c, 7)
}

// curl rejects the server of TLS 1.3 with an alert in the clear, though its
// keys are agreed on.
func TestCurlRejectsInTheClear(t *testing.T) {
	t.Parallel()
	peertest.Need(t, "curl")
	cert, key := write(t, "server", testPKI().server["ecdsa"])
	o := newOpenssl(t, "-cert", cert, "-key", key, "-www")
	peertest.Start(t, exec.Command("curl", "-s", "--tlsv1.3", "https://127.0.0.1:"+o.relay.port+"/")).Wait(t)
	c := o.relay.dissect(t, Options{Secrets: secretsFrom(t, o.keys)})[0]
	expect(t, c, "client ClientHello", "server ServerHello", "server change_cipher_spec",
		"server EncryptedExtensions [server_handshake_traffic_secret]", "server Certificate [server_handshake_traffic_secret]",
		"server CertificateVerify [server_handshake_traffic_secret]", "server Finished [server_handshake_traffic_secret]",
		"client unknown_ca")
}
