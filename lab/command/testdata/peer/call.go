// Call is a mutual-TLS client in Go: call PORT CERTS PATH [1.2]. It makes two
// requests on connections of their own; in TLS 1.3 the second resumes.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"os"
)

func main() {
	port, certs, path := os.Args[1], os.Args[2], os.Args[3]
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
	config := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}, ClientSessionCache: tls.NewLRUClientSessionCache(0)}
	if len(os.Args) > 4 {
		config.MaxVersion = tls.VersionTLS12
		config.ClientSessionCache = nil // tshark does not decrypt what it resumes
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
	for i := 0; i < 2; i++ {
		response, err := client.Get("https://localhost:" + port + path)
		if err != nil {
			log.Fatal(err)
		}
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
}
