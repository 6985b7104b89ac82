package fault

import (
	"bytes"
	"crypto/tls"
	"net"
	"slices"
	"testing"
)

// clientHello returns the first record of a client.
func clientHello(t *testing.T) []byte {
	t.Helper()
	client, server := net.Pipe()
	defer server.Close()
	go func() {
		_ = tls.Client(client, &tls.Config{ServerName: "localhost"}).Handshake() // which the end of the pipe ends
		client.Close()
	}()
	record := make([]byte, 16<<10)
	n, err := server.Read(record)
	if err != nil {
		t.Fatal(err)
	}
	return record[:n]
}

// A server reads the suites that are offered, and all else as it was.
func TestOffering(t *testing.T) {
	hello := clientHello(t)
	suites := []uint16{0x1304, 0xc0ac}
	changed := offering(suites, hello)
	var got *tls.ClientHelloInfo
	client, server := net.Pipe()
	go func() {
		_, _ = client.Write(changed)
		client.Close()
	}()
	_ = tls.Server(server, &tls.Config{GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
		got = info
		return nil, nil
	}}).Handshake()
	if got == nil || got.ServerName != "localhost" || len(changed) != len(hello) {
		t.Fatalf("the server cannot read it: %+v", got)
	}
	for i, suite := range got.CipherSuites {
		if suite != suites[i%2] {
			t.Errorf("suite %d is %04x", i, suite)
		}
	}
	if len(got.CipherSuites) < 3 || slices.Equal(changed, hello) {
		t.Error("nothing was changed")
	}
	for n := range hello { // what is no whole ClientHello is let through
		if n < 46+2*len(got.CipherSuites) && !bytes.Equal(offering(suites, hello[:n]), hello[:n]) {
			t.Errorf("%d bytes of it are changed", n)
		}
	}
}
