package starttls

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/prologue"
)

// certificate returns one for a server, and the files of it and its key.
func certificate(t *testing.T) (c tls.Certificate, cert, key string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, secret.Public(), secret)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: secret}, cert, key
}

// Each protocol comes to TLS with a server that others' programs come to TLS
// with, too, and an answer is read where that server has one.
func TestBegin(t *testing.T) {
	peertest.Need(t, "python3")
	_, cert, key := certificate(t)
	for name, answer := range map[string]string{
		"smtp": "250 HELP", "ftp": "200 ok", "imap": "a2 OK done", "ldap": "", "mysql": "", "xmpp": "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dialPython(t, name, cert, key)
			p := Find(name)
			if err := p.Begin(c, Session{Host: "chat.example"}); err != nil {
				t.Fatal(err)
			}
			secure := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
			if err := secure.Handshake(); err != nil {
				t.Fatal(err)
			}
			if answer == "" {
				return
			}
			if a, err := p.Ask(secure, Session{}); err != nil || a != (Answer{Text: answer}) {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
}

// A server that refuses TLS is quoted.
func TestRefusals(t *testing.T) {
	peertest.Need(t, "python3")
	_, cert, key := certificate(t)
	for server, said := range map[string]string{
		"smtp-refuses": "454 4.7.0 TLS not available", "pop3-refuses": "-ERR no TLS", "ldap-refuses": "LDAP result code 52", "mysql-without-tls": "it has no TLS",
	} {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			name, _, _ := strings.Cut(server, "-")
			var refused *RefusedError
			if err := Find(name).Begin(dialPython(t, server, cert, key), Session{}); !errors.As(err, &refused) || refused.Said != said {
				t.Error(err)
			}
		})
	}
}

// dialPython starts a server of plain.py and connects to it.
func dialPython(t *testing.T, protocol, cert, key string) net.Conn {
	t.Helper()
	port := peertest.FreePort(t)
	p := peertest.Start(t, exec.Command("python3", filepath.Join("..", "verdict", "testdata", "prologue", "plain.py"), protocol, port, cert, key))
	p.Await(t, "listening")
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

// What a server answers in TLS, word by word.
func TestAsk(t *testing.T) {
	for name, c := range map[string]struct {
		protocol, says string
		want           Answer
	}{
		"a start of PostgreSQL":        {"postgres", "R\x00\x00\x00\x08\x00\x00\x00\x0a", Answer{Text: "asks how to log in, or has logged in"}},
		"PostgreSQL wants another":     {"postgres", message('E', "SFATAL\x00VFATAL\x00C28000\x00Mconnection requires a valid client certificate\x00\x00"), Answer{"28000 connection requires a valid client certificate", "28000 connection requires a valid client certificate"}},
		"PostgreSQL has no such thing": {"postgres", message('E', "SFATAL\x00C3D000\x00Mdatabase \"postgres\" does not exist\x00\x00"), Answer{Text: `3D000 database "postgres" does not exist`}},
		"MySQL goes on":                {"mysql", "\x07\x00\x00\x03\xfe456789", Answer{Text: "asks how to log in, or has logged in"}},
		"MySQL refuses":                {"mysql", "\x14\x00\x00\x03\xff\x15\x04#28000Access deni", Answer{"error 1045: Access deni", "error 1045: Access deni"}},
		"LDAP":                         {"ldap", "\x30\x0c\x02\x01\x02\x61\x07\x0a\x01\x30\x04\x00\x04\x00", Answer{Text: "LDAP result code 48"}},
		"POP3":                         {"pop3", "-ERR log in first\r\n", Answer{Text: "-ERR log in first"}},
		"XMPP":                         {"xmpp", "<stream:stream><stream:features/><stream:features></stream:features>", Answer{Text: "stream features"}},
		"XMPP refuses":                 {"xmpp", "<stream:stream><stream:error><not-authorized/></stream:error>", Answer{"an error of the stream", "an error of the stream"}},
		"SMTP refuses":                 {"smtp", "550-go\r\n550 away\x1b[2J\r\n", Answer{"550 away\ufffd[2J", "550 away\ufffd[2J"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := Find(c.protocol)
			a, err := p.ask(&talk{rw: both{strings.NewReader(c.says), io.Discard}}, Session{User: "me"})
			if err != nil || a.shown() != c.want {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
}

// A server that has no room refuses nobody for a certificate, and lets nobody
// in.
func TestBusy(t *testing.T) {
	for name, says := range map[string]string{
		"postgres 53300": message('E', "SFATAL\x00C53300\x00Msorry, too many clients already\x00\x00"),
		"postgres 57P03": message('E', "SFATAL\x00C57P03\x00Mthe database system is starting up\x00\x00"),
		"mysql 1040":     "\x17\x00\x00\x03\xff\x10\x04#08004Too many connec",
	} {
		protocol, _, _ := strings.Cut(name, " ")
		var busy *BusyError
		if _, err := Find(protocol).ask(&talk{rw: both{strings.NewReader(says), io.Discard}}, Session{}); !errors.As(err, &busy) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var busy *BusyError
	if err := Find("mysql").begin(&talk{rw: both{strings.NewReader("\x17\x00\x00\x00\xff\x10\x04#08004Too many connec"), io.Discard}}, Session{}); !errors.As(err, &busy) {
		t.Errorf("before TLS: %v", err)
	}
}

// A reply may have many short lines, and what is shown of it is short and
// clean.
func TestLongReplies(t *testing.T) {
	for _, c := range []struct{ protocol, says, want string }{
		{"smtp", strings.Repeat("250-A\r\n", 100) + "250 B\r\n", "250 B"},
		{"imap", strings.Repeat("* A\r\n", 100) + "a2 OK\r\n", "a2 OK"},
	} {
		if a, err := Find(c.protocol).ask(&talk{rw: both{strings.NewReader(c.says), io.Discard}}, Session{}); err != nil || a.Text != c.want {
			t.Errorf("%s: %+v, %v", c.protocol, a, err)
		}
	}
	a := Answer{Refusal: "550 \x1b[2J" + strings.Repeat("\u00e9", 4000)}.shown()
	if len(a.Refusal) > 2000 || strings.Contains(a.Refusal, "\x1b") || !utf8.ValidString(a.Refusal) {
		t.Errorf("%q", a.Refusal)
	}
}

// A protocol has its own names alone.
func TestNames(t *testing.T) {
	if Find("postgresql") != Find("postgres") || Find("postgres") == nil || Find("smtpql") != nil || Find("") != nil {
		t.Error("the wrong names")
	}
}

type both struct {
	io.Reader
	io.Writer
}

// A server that says something else, too much or nothing is an error, and never
// more than 64 KiB of it is kept.
func TestUnexpected(t *testing.T) {
	for _, says := range []string{"", "x", "HTTP/1.1 400 Bad Request\r\n\r\n", strings.Repeat("a", 1<<20), strings.Repeat("220-a\r\n", 1<<18), strings.Repeat("\x00", 1<<20), strings.Repeat("\xff", 1<<20), strings.Repeat("* a\r\n", 1<<18)} {
		for _, p := range protocols {
			if err := p.begin(&talk{rw: both{strings.NewReader(says), io.Discard}}, Session{}); err == nil {
				t.Errorf("%s took %.10q", p.Name, says)
			}
			if _, err := p.ask(&talk{rw: both{strings.NewReader(says), io.Discard}}, Session{}); err == nil && p.Name != "pop3" {
				t.Errorf("%s took %.10q for an answer", p.Name, says)
			}
		}
	}
}

// What the lab's own servers say, its clients understand.
func TestServe(t *testing.T) {
	own, _, _ := certificate(t)
	for _, name := range Names(true) {
		t.Run(name, func(t *testing.T) {
			p := Find(name)
			client, server := net.Pipe()
			defer client.Close()
			done := make(chan error, 1)
			go func() {
				c := tls.Server(p.Serve(server, nil), &tls.Config{Certificates: []tls.Certificate{own}})
				err := c.Handshake()
				if err == nil {
					err = p.Talk(c)
				}
				done <- errors.Join(err, server.Close())
			}()
			if err := p.Begin(client, Session{}); err != nil {
				t.Fatal(err)
			}
			secure := tls.Client(client, &tls.Config{InsecureSkipVerify: true})
			if a, err := p.Ask(secure, Session{User: "me"}); err != nil || a.Refusal != "" || a.Text == "" {
				t.Errorf("%+v, %v", a, err)
			}
			go func() { _, _ = io.Copy(io.Discard, secure) }()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// The header of the PROXY protocol is one that the lab itself reads.
func TestProxyHeader(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for version := 1; version <= 2; version++ {
		if header := ProxyHeader(version, c); !prologue.IsHeader(header) {
			t.Errorf("%q", header)
		}
	}
	if header := ProxyHeader(1, c); !bytes.HasPrefix(header, []byte("PROXY TCP4 127.0.0.1 127.0.0.1 ")) {
		t.Errorf("%q", header)
	}
	pipe, _ := net.Pipe()
	if header := ProxyHeader(2, pipe); len(header) != 16 || !prologue.IsHeader(header) {
		t.Errorf("%q", header)
	}
}
