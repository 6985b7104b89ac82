package tlswire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"flag"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"mtlslab.example/lab/lab/peertest"
)

var update = flag.Bool("update", false, "record testdata/*.flow anew: needs openssl, curl, gnutls-cli, gnutls-serv and tstclnt")

// turn waits for a line of one peer and then types at one.
type turn struct {
	await string // a regular expression, at the peer from
	from  string // "server" or "client"
	to    string
	typed string
}

// recording is a flow of handshake messages as openssl prints them, decrypted,
// with -msg.
type recording struct {
	name    string
	server  string   // arguments of openssl s_server; empty: a crypto/tls server, and clients print
	clients []string // command lines, or "go"
	turns   []turn
}

const (
	www    = "-www "
	mutual = "-Verify 2 -CAfile ca.pem "
	show   = "-cert client.pem -key client-key.pem "
	get    = "openssl s_client -connect ADDR -servername localhost -ign_eof "
	talk   = "openssl s_client -connect ADDR -servername localhost -msg "
	psk    = "-psk 0badc0de -psk_hint teacher -naccept 1 "
)

var ticket, quit = `>>>.*NewSessionTicket`, "Q\n"

var recordings = []recording{
	{name: "openssl-tls13-mutual", server: www + mutual + "-status_file ocsp.der -alpn http/1.1 -naccept 1", clients: []string{get + show + "-status -alpn h2,http/1.1 -maxfraglen 4096"}},
	{name: "openssl-tls13-rejected", server: www + mutual + "-naccept 1", clients: []string{get}},
	{name: "openssl-tls13-retry", server: www + "-groups P-256 -naccept 1", clients: []string{get + "-groups X25519:P-256"}},
	{name: "openssl-tls13-psk", server: "-nocert " + www + psk + "-tls1_3", clients: []string{get + "-psk 0badc0de -psk_identity pupil"}},
	{name: "openssl-tls13-key-update", server: "-naccept 1", clients: []string{talk}, turns: []turn{
		{ticket, "server", "", ""}, {ticket, "server", "client", "K\n"}, {`<<<.*KeyUpdate`, "server", "server", "K\n"}, {`>>>.*KeyUpdate`, "server", "server", quit}}},
	{name: "openssl-tls13-post-handshake", server: mutual[len("-Verify 2 "):] + "-naccept 1", clients: []string{talk + show + "-enable_pha"}, turns: []turn{
		{ticket, "server", "", ""}, {ticket, "server", "server", "c\n"}, {`<<<.*CertificateVerify`, "server", "", ""}, {`<<<.*Finished`, "server", "server", quit}}},
	{name: "openssl-tls13-early-data", server: "-early_data -naccept 2", clients: []string{talk + "-sess_out session.pem", talk + "-sess_in session.pem -early_data request.txt"}, turns: []turn{
		{`<<<.*NewSessionTicket`, "client", "", ""}, {`<<<.*NewSessionTicket`, "client", "client", quit},
		{`<<<.*NewSessionTicket`, "client", "client", quit}}},
	{name: "openssl-tls12-mutual", server: www + mutual + "-tls1_2 -status_file ocsp.der -naccept 1", clients: []string{get + show + "-status"}},
	{name: "openssl-tls12-resumed", server: www + "-tls1_2 -naccept 2", clients: []string{get + "-sess_out session.pem", get + "-sess_in session.pem"}},
	{name: "openssl-tls12-renegotiation", server: mutual[len("-Verify 2 "):] + "-tls1_2 -no_ticket -naccept 1", clients: []string{talk + show}, turns: []turn{
		{`>>>.*Finished`, "server", "server", "R\n"}, {`>>>.*Finished`, "server", "server", quit}}},
	{name: "openssl-tls12-npn", server: www + "-tls1_2 -nextprotoneg http/1.1,spdy/3 -naccept 1", clients: []string{get + "-nextprotoneg http/1.1"}},
	{name: "openssl-tls12-dhe", server: www + "-tls1_2 -cipher DHE-RSA-AES128-SHA256 -naccept 1", clients: []string{get}},
	{name: "openssl-tls12-rsa", server: www + "-tls1_2 -cipher AES128-GCM-SHA256 -naccept 1", clients: []string{get}},
	{name: "openssl-tls12-psk", server: "-nocert -tls1_2 -cipher PSK-AES128-GCM-SHA256 " + www + psk, clients: []string{get + "-psk 0badc0de -psk_identity pupil"}},
	{name: "openssl-tls12-dhe-psk", server: "-nocert -tls1_2 -cipher DHE-PSK-AES128-CCM8 " + www + psk, clients: []string{get + "-cipher ALL -psk 0badc0de -psk_identity pupil"}},
	{name: "openssl-tls12-ecdhe-psk", server: "-nocert -tls1_2 -cipher ECDHE-PSK-CHACHA20-POLY1305 " + www + psk, clients: []string{get + "-psk 0badc0de -psk_identity pupil"}},
	{name: "openssl-tls12-rsa-psk", server: "-tls1_2 -cipher RSA-PSK-AES128-CBC-SHA " + www + psk, clients: []string{get + "-psk 0badc0de -psk_identity pupil"}},
	{name: "openssl-tls12-anonymous", server: "-nocert -tls1_2 -cipher AECDH-AES128-SHA:@SECLEVEL=0 " + www + "-naccept 1", clients: []string{get + "-cipher AECDH-AES128-SHA:ADH:@SECLEVEL=0"}},
	{name: "openssl-tls10-mutual", server: www + mutual + "-tls1 -cipher ALL:@SECLEVEL=0 -naccept 1", clients: []string{get + show + "-tls1 -cipher ALL:@SECLEVEL=0"}},
	{name: "curl-tls13", server: www + mutual + "-alpn h2 -naccept 1", clients: []string{"curl --noproxy * -sk --cert client.pem --key client-key.pem --http2 https://ADDR/"}},
	{name: "gnutls-tls13", server: www + mutual + "-naccept 1", clients: []string{"gnutls-cli --insecure --x509certfile client.pem --x509keyfile client-key.pem --alpn http/1.1 -p PORT localhost"}},
	{name: "gnutls-tls12", server: www + "-tls1_2 -naccept 1", clients: []string{"gnutls-cli --insecure --no-ocsp --recordsize 1024 -p PORT localhost"}},
	{name: "nss-tls13", server: www + "-naccept 1", clients: []string{"tstclnt -4 -D -o -V tls1.2:tls1.3 -T -U -G -B -u -e -i 64 -h localhost -p PORT"}},
	{name: "go-client-tls13", server: www + mutual + "-naccept 1", clients: []string{"go"}},
	{name: "go-client-tls12", server: www + mutual + "-tls1_2 -naccept 1", clients: []string{"go"}},
	{name: "go-server-tls13", clients: []string{get + "-msg " + show}},
	{name: "go-server-tls12", clients: []string{get + "-msg -tls1_2 " + show}},
}

func TestRecordFlows(t *testing.T) {
	if !*update {
		t.Skip("records only with -update")
	}
	dir := t.TempDir()
	pki := makePKI(t, dir)
	for _, r := range recordings {
		t.Run(r.name, func(t *testing.T) { r.record(t, dir, pki) })
	}
	t.Run("gnutls-tls12-raw-public-key", func(t *testing.T) { recordRawPublicKey(t, dir) })
}

func (r recording) record(t *testing.T, dir string, pki *tls.Config) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var server *peer
	var addr string
	if r.server == "" {
		addr = serveGo(t, pki)
	} else {
		cert := "-cert server.pem -key server-key.pem "
		if strings.Contains(r.server, "-nocert") {
			cert = ""
		} else if strings.Contains(r.server, "RSA") || strings.Contains(r.server, " AES128") {
			cert = "-cert rsa.pem -key rsa-key.pem "
		}
		server = start(ctx, t, dir, "openssl s_server -accept 127.0.0.1:0 -msg "+cert+r.server)
		addr = strings.TrimPrefix(server.await(t, `^ACCEPT `), "ACCEPT ")
	}
	_, port, _ := net.SplitHostPort(addr)
	turns := r.turns
	var log []string
	for _, command := range r.clients {
		if command == "go" {
			getGo(t, addr, pki)
			continue
		}
		client := start(ctx, t, dir, strings.NewReplacer("ADDR", addr, "PORT", port).Replace(command))
		if len(turns) == 0 {
			io.WriteString(client.stdin, "GET / HTTP/1.0\r\n\r\n")
		}
		if strings.HasPrefix(command, "tstclnt") { // it waits for the end of its input
			client.stdin.Close()
		}
		for len(turns) > 0 {
			at := turns[0]
			turns = turns[1:]
			peers := map[string]*peer{"server": server, "client": client}
			peers[at.from].await(t, at.await)
			if at.to != "" {
				io.WriteString(peers[at.to].stdin, at.typed)
			}
			if at.typed == quit { // on to the next client
				break
			}
		}
		log = append(log, client.rest()...)
	}
	received, sent := "server", "client"
	if server != nil {
		received, sent = "client", "server"
		log = server.rest()
	}
	write(t, r.name, r.clients[0]+" / "+r.server, messages(log, received, sent))
}

// messages picks the handshake messages and alerts out of what -msg prints.
func messages(log []string, received, sent string) []string {
	head := regexp.MustCompile(`^(<<<|>>>) .*, (Handshake|Alert) \[`)
	var out []string
	for i := 0; i < len(log); i++ {
		m := head.FindStringSubmatch(log[i])
		if m == nil {
			continue
		}
		var digits strings.Builder
		for ; i+1 < len(log) && strings.HasPrefix(log[i+1], "    "); i++ {
			digits.WriteString(strings.ReplaceAll(log[i+1], " ", ""))
		}
		who := map[string]string{"<<<": received, ">>>": sent}[m[1]]
		out = append(out, who+" "+strings.ToLower(m[2])+" "+digits.String())
	}
	return out
}

func write(t *testing.T, name, about string, lines []string) {
	t.Helper()
	if len(lines) < 2 {
		t.Fatalf("recorded only %d messages", len(lines))
	}
	about = regexp.MustCompile(`-?\S*(ADDR|PORT)\S*`).ReplaceAllString(about, "")
	text := "# " + strings.Join(strings.Fields(about), " ") + "\n" + strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(filepath.Join("testdata", name+".flow"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// peer is a program that takes part in a flow.
type peer struct {
	name  string
	stdin io.WriteCloser
	lines chan string
	log   []string
}

func start(ctx context.Context, t *testing.T, dir, command string) *peer {
	t.Helper()
	words := strings.Fields(command)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir = dir
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &peer{name: words[0], stdin: stdin, lines: make(chan string, 1<<16)}
	go func() {
		cmd.Wait()
		w.Close()
	}()
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(r); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	return p
}

func (p *peer) await(t *testing.T, pattern string) string {
	t.Helper()
	want := regexp.MustCompile(pattern)
	for line := range p.lines {
		p.log = append(p.log, line)
		if want.MatchString(line) {
			return line
		}
	}
	t.Fatalf("%s ended without %s:\n%s", p.name, pattern, strings.Join(p.log, "\n"))
	return ""
}

func (p *peer) rest() []string {
	for line := range p.lines {
		p.log = append(p.log, line)
	}
	return p.log
}

func serveGo(t *testing.T, pki *tls.Config) string {
	config := pki.Clone()
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.ClientCAs = pki.RootCAs
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		conn.Read(make([]byte, 100))
		conn.Close()
	}()
	return l.Addr().String()
}

func getGo(t *testing.T, addr string, pki *tls.Config) {
	config := pki.Clone()
	config.ServerName, config.NextProtos = "localhost", []string{"h2", "http/1.1"}
	conn, err := tls.Dial("tcp", addr, config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
	io.Copy(io.Discard, conn)
}

// recordRawPublicKey keeps the bytes of a TLS 1.2 flow in which both sides show
// bare keys.
func recordRawPublicKey(t *testing.T, dir string) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	const priority = "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CTYPE-ALL:+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK"
	port := peertest.FreePort(t)
	server := start(ctx, t, dir, "gnutls-serv --http --require-client-cert --priority "+priority+" --rawpkfile server-pub.pem --rawpkkeyfile server-key.pem -p "+port)
	server.await(t, `listening`)
	var streams [2]bytes.Buffer
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		down, err := proxy.Accept()
		if err != nil {
			return
		}
		up, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			down.Close()
			return
		}
		go func() {
			io.Copy(up, io.TeeReader(down, &streams[0]))
			up.Close()
		}()
		io.Copy(down, io.TeeReader(up, &streams[1]))
		down.Close()
	}()
	_, proxied, _ := net.SplitHostPort(proxy.Addr().String())
	client := start(ctx, t, dir, "gnutls-cli --insecure --priority "+priority+" --rawpkfile client-pub.pem --rawpkkeyfile client-key.pem -p "+proxied+" localhost")
	io.WriteString(client.stdin, "GET / HTTP/1.0\r\n\r\n")
	client.rest()
	<-done
	write(t, "gnutls-tls12-raw-public-key", "gnutls-cli, gnutls-serv --priority "+priority, []string{
		"client stream " + hex.EncodeToString(streams[0].Bytes()), "server stream " + hex.EncodeToString(streams[1].Bytes())})
}

// makePKI writes a CA, certificates for server and client, and an OCSP
// response.
func makePKI(t *testing.T, dir string) *tls.Config {
	t.Helper()
	var ca *x509.Certificate
	var caKey *ecdsa.PrivateKey
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	save := func(name, kind string, der []byte) {
		check(os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	}
	var leaves []tls.Certificate
	issue := func(name string, serial int64, key any, public any) *x509.Certificate {
		tmpl := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, DNSNames: []string{"localhost"}}
		parent, signer := ca, caKey
		if ca == nil {
			tmpl.IsCA, tmpl.BasicConstraintsValid, tmpl.KeyUsage, tmpl.ExtKeyUsage, tmpl.DNSNames = true, true, x509.KeyUsageCertSign, nil, nil
			parent, signer = tmpl, key.(*ecdsa.PrivateKey)
		}
		der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, public, signer)
		check(err)
		pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
		check(err)
		spki, err := x509.MarshalPKIXPublicKey(public)
		check(err)
		save(name+".pem", "CERTIFICATE", der)
		save(name+"-key.pem", "PRIVATE KEY", pkcs8)
		save(name+"-pub.pem", "PUBLIC KEY", spki)
		leaves = append(leaves, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})
		cert, err := x509.ParseCertificate(der)
		check(err)
		return cert
	}
	var certs []*x509.Certificate
	for i, name := range []string{"ca", "server", "client"} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		check(err)
		certs = append(certs, issue(name, int64(i+1), key, key.Public()))
		if ca == nil {
			ca, caKey = certs[0], key
		}
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(err)
	issue("rsa", 4, key, key.Public())
	response, err := ocsp.CreateResponse(ca, ca, ocsp.Response{Status: ocsp.Good, SerialNumber: certs[1].SerialNumber,
		ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour)}, caKey)
	check(err)
	check(os.WriteFile(filepath.Join(dir, "ocsp.der"), response, 0o600))
	check(os.WriteFile(filepath.Join(dir, "request.txt"), []byte("early\n"), 0o600))
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	check(os.MkdirAll("testdata", 0o755))
	return &tls.Config{Certificates: leaves[2:3], RootCAs: pool, Time: time.Now}
}
