package httpwire

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// page is how nginx answers.
func page(title string) string {
	return "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n</body>\r\n</html>\r\n"
}

// answered is the answer to a request as it is read, cut into pieces of a size.
func answered(t *testing.T, answer []byte, size int, alpn string, asked []byte) *Message {
	t.Helper()
	c := New(alpn)
	if _, err := c.Write(false, asked); err != nil {
		t.Fatal(err)
	}
	var got *Message
	for len(answer) > 0 {
		n := min(size, len(answer))
		heads, err := c.Write(true, answer[:n])
		if err != nil {
			t.Fatal(err)
		}
		if answer = answer[n:]; len(heads) > 0 {
			got = heads[0]
		}
	}
	return got
}

// What a response says of TLS stands in its body, however that is sent.
func TestComplains(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	plain := func(status, body string) []byte {
		return []byte("HTTP/1.1 " + status + "\r\nServer: nginx\r\nConnection: close\r\n\r\n" + body)
	}
	chunked := func(body string) []byte {
		return []byte("HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n" + body[:5] + "\r\n" +
			strings.ToLower("50\r\n") + body[5:85] + "\r\n0\r\n\r\n")
	}
	for name, test := range map[string]struct {
		answer   []byte
		want     Complaint
		isRefuse bool
	}{
		"no certificate":       {plain("400 Bad Request", page("400 "+string(NoCertificate))), NoCertificate, true},
		"in chunks":            {chunked(page("400 " + string(NoCertificate))), NoCertificate, true},
		"a bad one":            {plain("400 Bad Request", page("400 "+string(CertificateError))), CertificateError, true},
		"no TLS":               {plain("400 Bad Request", page("400 "+string(PlainToTLS))), PlainToTLS, false},
		"no TLS, of Go":        {plain("400 Bad Request", "Client sent an HTTP request to an HTTPS server.\n"), PlainToTLS, true},
		"something else":       {plain("400 Bad Request", page("400 Bad Request")), "", false},
		"nothing":              {plain("400 Bad Request", ""), "", true},
		"as text of another":   {plain("200 OK", page("400 "+string(NoCertificate))), "", false},
		"beyond what is kept":  {plain("400 Bad Request", strings.Repeat(" ", mostBegins)+page("400 "+string(NoCertificate))), "", true},
		"in words, not titles": {plain("400 Bad Request", "<p>"+string(NoCertificate)+"</p>"), "", true},
	} {
		for _, size := range []int{1, 7, 1 << 16} {
			m := answered(t, test.answer, size, "http/1.1", []byte(get))
			for _, what := range []Complaint{NoCertificate, CertificateError, PlainToTLS} {
				if m.Complains(what) != (what == test.want) {
					t.Errorf("%s, in pieces of %d: %q: %v (%q)", name, size, what, m.Complains(what), m.Begins)
				}
			}
			if m.RefusesCertificate() != test.isRefuse {
				t.Errorf("%s: refuses a certificate: %v", name, !test.isRefuse)
			}
			if len(m.Begins) > mostBegins || m.Status == 200 && m.Begins != nil {
				t.Errorf("%s: %d bytes are kept", name, len(m.Begins))
			}
		}
	}
}

// In HTTP/2 a body may be padded and in several frames.
func TestComplainsHTTP2(t *testing.T) {
	var head, asked bytes.Buffer
	encode := func(b *bytes.Buffer, fields ...hpack.HeaderField) []byte {
		e := hpack.NewEncoder(b)
		for _, f := range fields {
			_ = e.WriteField(f)
		}
		return b.Bytes()
	}
	client := &bytes.Buffer{}
	client.WriteString(http2.ClientPreface)
	f := http2.NewFramer(client, nil)
	_ = f.WriteSettings()
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, EndStream: true,
		BlockFragment: encode(&asked, hpack.HeaderField{Name: ":method", Value: "GET"}, hpack.HeaderField{Name: ":path", Value: "/"})})
	server := &bytes.Buffer{}
	f = http2.NewFramer(server, nil)
	_ = f.WriteSettings()
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true,
		BlockFragment: encode(&head, hpack.HeaderField{Name: ":status", Value: "400"})})
	body := page("400 " + string(NoCertificate))
	_ = f.WriteDataPadded(1, false, []byte(body[:40]), make([]byte, 20))
	_ = f.WriteData(1, true, []byte(body[40:]))
	for _, size := range []int{1, 13, 1 << 16} {
		m := answered(t, server.Bytes(), size, "h2", client.Bytes())
		if !m.Complains(NoCertificate) || m.Body != int64(len(body)) || string(m.Begins) != body {
			t.Errorf("in pieces of %d: %d bytes, %q", size, m.Body, m.Begins)
		}
	}
	// A frame that is padded to more than its length is no reason to read beyond
	// it.
	bad := binary.BigEndian.AppendUint32(nil, 2<<8|uint32(http2.FrameData))
	bad = append(bad, byte(http2.FlagDataPadded), 0, 0, 0, 1, 200, 'x')
	head.Reset()
	server.Reset()
	_ = f.WriteSettings()
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, BlockFragment: encode(&head, hpack.HeaderField{Name: ":status", Value: "400"})})
	if m := answered(t, append(server.Bytes(), bad...), 1<<16, "h2", client.Bytes()); m.Body != 0 || len(m.Begins) != 0 {
		t.Errorf("%d bytes, %q", m.Body, m.Begins)
	}
}
