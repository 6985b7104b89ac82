package tlsdecrypt_test

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/browser"
	"mtlslab.example/lab/lab/peertest"
)

// part is what a case plays, and what the recording must show of it: the side
// and the beginning of a line.
type part struct {
	play  func(*testing.T, stage)
	needs string // programs besides openssl and tshark
	shows []string
}

var cases = map[string]part{
	"openssl suites TLS 1.2": {opensslSuitesTLS12, "", []string{"client handshake finished protected", "server http HTTP/1.0 200 ok"}},
	"openssl suites TLS 1.3": {opensslSuitesTLS13, "", []string{"client handshake certificate_verify protected", "server http HTTP/1.0 200 ok"}},
	"openssl legacy":         {opensslLegacy, "", []string{"client handshake certificate_verify", "server http HTTP/1.0 200 ok"}},
	"openssl resumption":     {opensslResumption, "", []string{"resumed by ticket", "resumed by session id", "resumed by psk"}},
	"openssl external PSK":   {opensslExternalPSK, "", []string{"resumed by psk"}},
	"openssl early data":     {opensslEarlyData, "", []string{"client handshake end_of_early_data protected", "client http GET /early HTTP/1.1"}},
	"openssl key update":     {opensslKeyUpdate, "", []string{"client handshake key_update protected", "server handshake key_update protected"}},
	"openssl renegotiation":  {opensslRenegotiation, "", []string{"client handshake client_hello protected", "client change_cipher_spec"}},
	"openssl OCSP":           {opensslOCSP, "", []string{"server handshake certificate_status"}},
	"openssl rejections":     {opensslRejections, "", []string{"server alert 2 116 protected", "server alert 2 40", "server alert 2 45", "client alert 2 45", "client alert 2 48", "server alert 2 70"}},
	"openssl retry":          {opensslRetry, "", []string{"server handshake hello_retry_request", "client tls.handshake.extensions.cookie "}},
	"curl":                   {curl, "curl", []string{"client http GET /curl HTTP/1.1", "client http GET /curl HTTP/2", "server alert 2 116 protected", "server alert 2 40", "server alert 2 45", "client alert 2 48"}},
	"GnuTLS":                 {gnutls, "gnutls-cli gnutls-serv", []string{"client http GET /gnutls HTTP/1.1", "server handshake new_session_ticket protected", "client handshake client_hello protected", "resumed by ticket", "resumed by session id", "resumed by psk"}},
	"Python":                 {python, "python3", []string{"server handshake certificate_request protected", "server alert 2 116 protected"}},
	"Go":                     {golang, "", []string{"server handshake hello_retry_request", "server tls.handshake.extensions_key_share_group 4588", "server http HTTP/2 200", "resumed by ticket", "resumed by psk"}},
	"ECH":                    {ech, "", []string{"client tls.handshake.extension.type 65037", "client unread application_data", "client alert 2 121 protected"}},
	"Chromium":               {chromium, "chromium certutil pk12util", []string{"client http GET /browser HTTP/2", "client handshake certificate_verify protected"}},
	"Firefox":                {firefox, "firefox certutil pk12util", []string{"client http GET /browser HTTP/2", "client handshake certificate_verify protected"}},
}

// goServer runs a server of crypto/tls that answers every request, and returns
// the relay to it.
func (s stage) goServer(t *testing.T, change func(*tls.Config)) string {
	t.Helper()
	certificate, err := certgen.Load(s.dir, "ecdsa")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := os.OpenFile(s.keyLog(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: s.roots(t),
		NextProtos: []string{"h2", "http/1.1"}, KeyLogWriter: keys,
	}
	if change != nil {
		change(config)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "hello %s", r.URL.Path) }),
		TLSConfig: config, ErrorLog: log.New(io.Discard, "", 0),
	}
	go server.ServeTLS(listener, "", "")
	t.Cleanup(func() { server.Close(); keys.Close() })
	return s.relay(t, listener.Addr().String())
}

func port(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

func curl(t *testing.T, s stage) {
	both := s.goServer(t, nil)
	get := func(addr string, args ...string) error {
		out, err := run(t, s.sslKeyLog(), "", "curl", append([]string{"-sS", "--noproxy", "*", "--resolve", "localhost:" + port(addr) + ":127.0.0.1",
			"https://localhost:" + port(addr) + "/curl"}, args...)...)
		if err != nil {
			return fmt.Errorf("curl %q: %w: %s", args, err, out)
		}
		return nil
	}
	for _, version := range []string{"1.2", "1.3"} {
		v := []string{"--tlsv" + version, "--tls-max", version}
		trust := append(v, "--cacert", s.cert("ca"))
		for _, cert := range []string{"ecdsa", "rsa", "ed25519"} {
			for _, protocol := range []string{"--http1.1", "--http2"} {
				if err := get(both, append(trust, protocol, "--cert", s.cert(cert), "--key", s.key(cert))...); err != nil {
					t.Error(err)
				}
			}
		}
		if err := get(both, trust...); err == nil {
			t.Error("curl was accepted without a certificate")
		}
		if err := get(both, append(trust, "--cert", s.cert("expired"), "--key", s.key("expired"))...); err == nil {
			t.Error("curl was accepted with an expired certificate")
		}
		if err := get(both, append(v, "--cacert", s.cert("stranger"))...); err == nil {
			t.Error("curl took a server of another CA")
		}
	}
}

func gnutls(t *testing.T, s stage) {
	const get = "GET /gnutls HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	cli := func(addr, priority string, args ...string) {
		t.Helper()
		succeed(t, s.sslKeyLog(), get, "gnutls-cli", append([]string{"--x509cafile", s.cert("ca"), "--x509certfile", s.cert("rsa"),
			"--x509keyfile", s.key("rsa"), "--priority", priority, "--port", port(addr), "localhost"}, args...)...)
	}
	goServer := s.goServer(t, func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} })
	gnutlsServer := s.gnutlsServ(t)
	for _, addr := range []string{goServer, gnutlsServer} {
		for _, priority := range []string{
			"NORMAL", "NORMAL:-VERS-TLS1.3", "NORMAL:-VERS-TLS1.3:%NO_SESSION_HASH:%NO_ETM:%NO_TICKETS",
			"NORMAL:-GROUP-ALL:+GROUP-SECP256R1", "NORMAL:-CIPHER-ALL:+CHACHA20-POLY1305",
		} {
			cli(addr, priority)
		}
	}
	for _, priority := range []string{
		"NORMAL:-CIPHER-ALL:+AES-128-CCM", "NORMAL:-VERS-TLS1.3:-CIPHER-ALL:+AES-256-CBC", "NORMAL:-VERS-TLS1.3:-CIPHER-ALL:+AES-256-CBC:%NO_ETM",
		"NORMAL:-VERS-TLS1.3:-CIPHER-ALL:+AES-256-CBC:%NO_ETM:%NO_SESSION_HASH", "NORMAL:-GROUP-ALL:+GROUP-X25519:+GROUP-FFDHE2048",
	} {
		cli(gnutlsServer, priority)
	}
	for _, version := range []string{"NORMAL", "NORMAL:-VERS-TLS1.3", "NORMAL:-VERS-TLS1.3:%NO_TICKETS"} {
		cli(gnutlsServer, version, "--resume", "--waitresumption")
	}
	cli(gnutlsServer, "NORMAL:-VERS-TLS1.3", "--rehandshake")
}

// gnutlsServ runs gnutls-serv, which has to be given a port.
func (s stage) gnutlsServ(t *testing.T) string {
	t.Helper()
	port := peertest.FreePort(t)
	serv := exec.Command("gnutls-serv", "--http", "--port", port, "--x509cafile", s.cert("ca"), "--x509certfile", s.cert("rsa"),
		"--x509keyfile", s.key("rsa"), "--priority", "NORMAL:+AES-128-CCM:+AES-256-CBC")
	serv.Env = append(os.Environ(), s.sslKeyLog()...)
	peertest.Start(t, serv)
	if err := peertest.AwaitListener(port); err != nil {
		t.Fatal(err)
	}
	return s.relay(t, "127.0.0.1:"+port)
}

// pythonServer asks for the client's certificate after the handshake.
const pythonServer = `
import socket, ssl, sys
c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
c.load_cert_chain(sys.argv[1], sys.argv[2])
c.load_verify_locations(sys.argv[3])
c.keylog_filename = sys.argv[4]
c.verify_mode = ssl.CERT_REQUIRED
c.post_handshake_auth = True
l = socket.create_server(('127.0.0.1', 0))
print('listening', l.getsockname()[1], flush=True)
while True:
    s, _ = l.accept()
    try:
        with c.wrap_socket(s, server_side=True) as tls:
            tls.recv(1000)
            tls.verify_client_post_handshake()
            tls.sendall(b'HTTP/1.1 401 Who are you\r\nContent-Length: 0\r\n\r\n')
            tls.recv(1000)
            tls.sendall(b'HTTP/1.1 200 You are\r\nContent-Length: 2\r\n\r\n%d\n' % bool(tls.getpeercert()))
    except (ssl.SSLError, OSError) as e:
        print(e, flush=True)
`

const pythonClient = `
import socket, ssl, sys
c = ssl.create_default_context(cafile=sys.argv[1])
c.post_handshake_auth = True
if len(sys.argv) > 3:
    c.load_cert_chain(sys.argv[3], sys.argv[4])
with c.wrap_socket(socket.create_connection(('127.0.0.1', int(sys.argv[2]))), server_hostname='localhost') as tls:
    for path in 'first', 'second':
        tls.sendall(b'GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n' % path.encode())
        print(tls.recv(1000).decode().split('\r\n')[0])
`

func python(t *testing.T, s stage) {
	server := peertest.Start(t, exec.Command("python3", "-c", pythonServer, s.cert("ecdsa"), s.key("ecdsa"), s.cert("ca"), s.keyLog()))
	addr := s.relay(t, "127.0.0.1:"+server.Await(t, "listening"))
	for _, cert := range []string{"ecdsa", "rsa"} {
		out := succeed(t, nil, "", "python3", "-c", pythonClient, s.cert("ca"), port(addr), s.cert(cert), s.key(cert))
		if !strings.Contains(out, "200 You are") {
			t.Errorf("Python: %s", out)
		}
	}
	if out, err := run(t, nil, "", "python3", "-c", pythonClient, s.cert("ca"), port(addr)); err == nil {
		t.Errorf("Python was accepted without a certificate: %s", out)
	}
}

// get requests /go some times, on a connection for each, with HTTP/2.
func (s stage) get(t *testing.T, addr string, times int, change func(*tls.Config)) (err error) {
	t.Helper()
	certificate, err := certgen.Load(s.dir, "rsa")
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: s.roots(t), Certificates: []tls.Certificate{certificate}, ServerName: "localhost"}
	if change != nil {
		change(config)
	}
	client := http.Client{Timeout: peertest.Patience, Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		}}}
	for range times {
		response, err := client.Get("https://localhost/go")
		if err != nil {
			return err
		}
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
		client.CloseIdleConnections()
		peertest.Eventually(t, "the connection's end", s.quiet)
	}
	return nil
}

func golang(t *testing.T, s stage) {
	get := func(addr string, times int, change func(*tls.Config)) {
		t.Helper()
		if err := s.get(t, addr, times, change); err != nil {
			t.Error(err)
		}
	}
	addr := s.goServer(t, nil)
	get(addr, 1, nil)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		get(addr, 3, func(c *tls.Config) { c.MaxVersion, c.ClientSessionCache = version, tls.NewLRUClientSessionCache(1) })
	}
	get(addr, 1, func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519} })
	get(s.goServer(t, func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP384} }), 1, nil)
}

func ech(t *testing.T, s stage) {
	key, list := echKey(t, 1)
	_, unknown := echKey(t, 2)
	addr := s.goServer(t, func(c *tls.Config) { c.EncryptedClientHelloKeys = []tls.EncryptedClientHelloKey{key} })
	if err := s.get(t, addr, 1, func(c *tls.Config) { c.EncryptedClientHelloConfigList = list }); err != nil {
		t.Error(err)
	}
	var rejected *tls.ECHRejectionError
	if err := s.get(t, addr, 1, func(c *tls.Config) { c.EncryptedClientHelloConfigList = unknown }); !errors.As(err, &rejected) {
		t.Errorf("ECH with an unknown key: %v", err)
	}
}

// echKey makes a key of a server for Encrypted Client Hello, and the
// ECHConfigList that clients get of it (RFC 9849 section 4).
func echKey(t *testing.T, id uint8) (key tls.EncryptedClientHelloKey, list []byte) {
	t.Helper()
	private, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var b cryptobyte.Builder
	b.AddUint16(0xfe0d) // version
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint8(id)
		b.AddUint16(0x0020) // DHKEM(X25519, HKDF-SHA256)
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(private.PublicKey().Bytes()) })
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			b.AddUint16(0x0001) // HKDF-SHA256
			b.AddUint16(0x0001) // AES-128-GCM
		})
		b.AddUint8(0) // maximum_name_length
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte("public.example")) })
		b.AddUint16(0) // extensions
	})
	config := b.BytesOrPanic()
	return tls.EncryptedClientHelloKey{Config: config, PrivateKey: private.Bytes(), SendAsRetry: true},
		append([]byte{byte(len(config) >> 8), byte(len(config))}, config...)
}

func chromium(t *testing.T, s stage) { s.browse(t, browser.Chromium) }
func firefox(t *testing.T, s stage)  { s.browse(t, browser.Firefox) }

// browse has a browser with a client certificate open a page of the Go server.
func (s stage) browse(t *testing.T, family browser.Family) {
	b, err := browser.Find(family)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*peertest.Patience)
	defer cancel()
	page := &url.URL{Scheme: "https", Host: "localhost:" + port(s.goServer(t, nil)), Path: "/browser"}
	_, err = b.Screenshot(ctx, browser.Options{
		URL: page, CA: s.cert("ca"), KeyLog: s.keyLog(),
		PKCS12: func(password string) ([]byte, error) { return certgen.PKCS12(s.dir, "ecdsa", password) },
	})
	if err != nil {
		t.Fatal(err)
	}
}
