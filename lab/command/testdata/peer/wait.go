// Wait is a mutual-TLS client in Go: wait CERTS. It reads lines of ports. It
// makes a connection to each of a line in turn, has a full handshake, sends one
// GET, and reads the response. At the end of the line it prints how many
// nanoseconds each took, so that no other program has anything to do meanwhile.
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
	"strings"
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
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var all []int64
		for _, port := range strings.Fields(lines.Text()) {
			took, err := call(port, config)
			if err != nil {
				log.Fatal(err)
			}
			all = append(all, took.Nanoseconds())
		}
		fmt.Println(strings.Trim(fmt.Sprint(all), "[]"))
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
