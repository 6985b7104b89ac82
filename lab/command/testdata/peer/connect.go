// Connect is a client that connects in every way: connect TLS4 TLS6 UDP UNIX
// NOBODY. It fails if a way does not look as it does elsewhere. connect serve N
// is a server of N connections.
package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"syscall"
)

func main() {
	if os.Args[1] == "serve" {
		times, err := strconv.Atoi(os.Args[2])
		if err != nil {
			log.Fatal(err)
		}
		serve(times)
		return
	}
	tls4, tls6, udp, unix, nobody := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]
	get(tls4, "/four", net.Dialer{})
	if tls6 != "" {
		get(tls6, "/six", net.Dialer{})
	}
	var all sync.WaitGroup
	for i := 0; i < 16; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			get(tls4, "/many", net.Dialer{})
		}()
	}
	all.Wait()
	echo("udp", udp)
	echo("unix", unix)
	for _, network := range []string{"tcp", "tcp4"} {
		if _, err := net.Dial(network, nobody); !errors.Is(err, syscall.ECONNREFUSED) {
			log.Fatalf("nobody listens: %v", err)
		}
	}
	get(tls4, "/bound", net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}})
}

func serve(times int) {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS() // which makes a certificate
	l, err := tls.Listen("tcp", "127.0.0.1:0", s.TLS)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.Addr())
	for i := 0; i < times; i++ {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		if err := c.(*tls.Conn).Handshake(); err != nil {
			log.Fatal(err)
		}
		c.Close()
	}
}

func get(address, path string, dialer net.Dialer) {
	c, err := tls.DialWithDialer(&dialer, "tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if at := c.RemoteAddr().String(); at != address {
		log.Fatalf("connected to %s, not %s", at, address)
	}
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path)
	if answer, err := io.ReadAll(c); err != nil || len(answer) == 0 {
		log.Fatal(err)
	}
}

func echo(network, address string) {
	c, err := net.Dial(network, address)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if at := c.RemoteAddr().String(); at != address {
		log.Fatalf("connected to %s, not %s", at, address)
	}
	b := make([]byte, 16)
	if _, err := io.WriteString(c, "hello"); err != nil {
		log.Fatal(err)
	}
	if n, err := c.Read(b); err != nil || string(b[:n]) != "hello" {
		log.Fatal(n, err)
	}
}
