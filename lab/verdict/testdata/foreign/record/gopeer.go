package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// goPeer is the program that a sealed connection has for Go: this one, with the
// connection's own side as JSON.
func goPeer(role, settings string) {
	var p peer
	check(json.Unmarshal([]byte(settings), &p))
	if role == "server" {
		p.serveGo()
	}
	cache := tls.NewLRUClientSessionCache(9)
	for range p.Calls {
		if err := p.callGo(cache); err != nil {
			fmt.Println("go:", err)
		}
	}
}

func (p *peer) goConfig() *tls.Config {
	keys, err := os.OpenFile("keys", os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	check(err)
	c := &tls.Config{KeyLogWriter: keys, MinVersion: tls.VersionTLS13, ServerName: p.Name, SessionTicketsDisabled: p.NoTickets, NextProtos: []string{"http/1.1"}}
	switch {
	case p.HTTP2:
		c.NextProtos = []string{"h2"}
	case p.Manner != "":
		c.NextProtos = nil
	}
	pem, err := os.ReadFile("root.pem")
	check(err)
	c.RootCAs, c.ClientCAs = x509.NewCertPool(), x509.NewCertPool()
	c.RootCAs.AppendCertsFromPEM(pem)
	c.ClientCAs.AppendCertsFromPEM(pem)
	if p.Pair != "" {
		own, err := tls.LoadX509KeyPair(p.chain(), p.keyFile())
		check(err)
		c.Certificates = []tls.Certificate{own}
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
	}
	switch p.Ask {
	case "on":
		c.ClientAuth = tls.RequireAndVerifyClientCert
	case "optional":
		c.ClientAuth = tls.VerifyClientCertIfGiven
	}
	if p.Group != "" {
		c.CurvePreferences = []tls.CurveID{tls.CurveP384}
	}
	return c
}

func (p *peer) serveGo() {
	listener, err := tls.Listen("tcp", "127.0.0.1:"+p.port(), p.goConfig())
	check(err)
	if p.Manner == "" {
		server := http.Server{ErrorLog: log.New(os.Stdout, "go: ", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, strings.Repeat("y", p.Answer))
		})}
		check(server.Serve(listener))
	}
	for {
		conn, err := listener.Accept()
		check(err)
		fmt.Println("go:", p.misbehave(conn.(*tls.Conn)))
	}
}

// misbehave is a server that does something else than HTTP.
func (p *peer) misbehave(c *tls.Conn) error {
	defer c.Close()
	if err := c.Handshake(); err != nil {
		return err
	}
	switch p.Manner {
	case "hang up": // without an answer, and without close_notify
		_, _ = c.Read(make([]byte, 9999))
		return c.NetConn().Close()
	case "close": // without an answer
		_, err := c.Read(make([]byte, 9999))
		return err
	case "greet": // as SMTP and others
		fmt.Fprint(c, "220 ready\r\n")
		_, err := io.Copy(io.Discard, c)
		return err
	}
	for { // "ok"
		if _, err := c.Read(make([]byte, 9999)); err != nil {
			return err
		}
		fmt.Fprint(c, "ok")
	}
}

func (p *peer) callGo(cache tls.ClientSessionCache) error {
	config := p.goConfig()
	config.ClientSessionCache = cache
	if p.HTTP2 {
		transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, DialContext: nil}
		defer transport.CloseIdleConnections()
		for range p.Requests {
			response, err := (&http.Client{Transport: transport, Timeout: 5 * time.Second}).Get("https://127.0.0.1:" + p.port() + "/index.html")
			if err != nil {
				return err
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
		}
		return nil
	}
	tcp, err := net.Dial("tcp", "127.0.0.1:"+p.port())
	check(err)
	c := tls.Client(tcp, config)
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(12 * time.Second))
	if err := c.Handshake(); err != nil {
		return err
	}
	in := bufio.NewReader(c)
	for left := p.Requests; left > 0; left-- {
		request, _ := http.NewRequest(p.method(), "https://"+p.Name+"/index.html", strings.NewReader(strings.Repeat("x", p.Body)))
		request.Close = left == 1
		if p.Manner == "ok" {
			fmt.Fprint(c, "hi")
			if _, err := io.ReadFull(in, make([]byte, 2)); err != nil {
				return err
			}
			continue
		}
		if err := request.Write(c); err != nil {
			return err
		}
		response, err := http.ReadResponse(in, request)
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, response.Body)
	}
	return nil
}
