// Wait is a mutual-TLS client in Go: wait CERTS. It makes a connection to each
// port that it reads, has a full handshake, sends one GET, and prints how many
// nanoseconds it waited for the response.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	certs := os.Args[1]
	pem, err := os.ReadFile(certs + "/server-ca.pem")
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	own, err := tls.LoadX509KeyPair(certs+"/client.pem", certs+"/client-key.pem")
	if err != nil {
		log.Fatal(err)
	}
	config := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}, ServerName: "localhost", NextProtos: []string{"http/1.1"}}
	for ports := bufio.NewScanner(os.Stdin); ports.Scan(); {
		took, err := call(ports.Text(), config)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(took.Nanoseconds())
	}
}

func call(port string, config *tls.Config) (took time.Duration, err error) {
	start := time.Now()
	conn, err := tls.Dial("tcp", "127.0.0.1:"+port, config)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
		return 0, err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s", response.Status)
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0, err
	}
	return time.Since(start), nil
}
