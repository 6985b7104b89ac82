package keyshim

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

var (
	errTooLong    = errors.New("the request is too long")
	errNotTheirs  = errors.New("the client is not the program that the proxy is for")
	errNotConnect = errors.New("the proxy only connects")
)

// askHTTP reads a CONNECT request (RFC 9110 section 9.3.6). See ask.
func askHTTP(in *bufio.Reader, out io.Writer, g guard) (target string, answer func(error) error, err error) {
	refuse := func(status int, err error) (string, func(error) error, error) {
		return "", nil, errors.Join(err, sayHTTP(out, status, err.Error()))
	}
	request, err := http.ReadRequest(in)
	switch {
	case errors.Is(err, errTooLong):
		return refuse(http.StatusRequestHeaderFieldsTooLarge, err)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, io.ErrUnexpectedEOF):
		return "", nil, err
	case err != nil:
		return refuse(http.StatusBadRequest, errors.New("the request is malformed"))
	case !g.admits(basicAuth(request)):
		return refuse(http.StatusProxyAuthRequired, errNotTheirs)
	case request.Method != http.MethodConnect:
		return refuse(http.StatusNotImplemented, errNotConnect)
	}
	host, port, err := net.SplitHostPort(request.RequestURI) // as it was sent: with no user cut off
	if err == nil {
		target, err = targetOf(host, port)
	}
	if err != nil {
		return refuse(http.StatusBadRequest, errBadTarget)
	}
	return target, func(dialed error) error {
		if dialed != nil {
			return sayHTTP(out, http.StatusBadGateway, dialed.Error())
		}
		_, err := io.WriteString(out, "HTTP/1.1 200 Connection established\r\n\r\n")
		return err
	}, nil
}

// sayHTTP writes a response that ends the connection.
func sayHTTP(out io.Writer, status int, why string) error {
	challenge := ""
	if status == http.StatusProxyAuthRequired {
		challenge = "Proxy-Authenticate: Basic realm=\"lab exec\"\r\n"
	}
	_, err := fmt.Fprintf(out, "HTTP/1.1 %d %s\r\n%sConnection: close\r\nContent-Length: %d\r\n\r\n%s\n",
		status, http.StatusText(status), challenge, len(why)+1, why)
	return err
}
