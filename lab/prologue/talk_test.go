package prologue_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/prologue"
	"mtlslab.example/lab/lab/wiretap"
)

// segment is what one side sent at once.
type segment struct {
	from endpoint.Side
	data string
}

// talk is what a Talk makes of segments: in the order in which they came, until
// a side has begun TLS. rest is what of it is TLS.
func talk(segments []segment) (p *prologue.Prologue, rest endpoint.Pair[string]) {
	t := &prologue.Talk{}
	var tls endpoint.Pair[bool]
	for _, s := range segments {
		if !*tls.Of(s.from) {
			b, begins := t.Take(s.from, []byte(s.data), time.Time{})
			*tls.Of(s.from), s.data = begins, string(b)
		}
		*rest.Of(s.from) += s.data
	}
	t.End()
	return &t.Prologue, rest
}

const (
	client = endpoint.Client
	server = endpoint.Server

	hello       = "\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03 and so on"
	serverHello = "\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03 and so on"
	mysqlPlain  = "\x1e\x00\x00\x00\x0a8.0\x00aaaabbbbbbbb\x00\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	helloV2     = "\x80\x1f\x01\x03\x01\x00\x06\x00\x00\x00\x10\x00\x00\x2f\x00\x00\x350123456789abcdef"
)

// recorded returns the segments of each capture of programs that begin in plain
// text.
func recorded(t testing.TB) map[string][]segment {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "verdict", "testdata", "prologue", "*.pcap"))
	if err != nil || len(files) == 0 {
		t.Fatal(err, "no captures")
	}
	all := map[string][]segment{}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".pcap")
		err = capture.Read(f, capture.ReadOptions{Sink: sink(func(e wiretap.Event) {
			if e.Kind == wiretap.Data {
				all[name] = append(all[name], segment{e.From, string(e.Data)})
			}
		})})
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

type sink func(wiretap.Event)

func (s sink) Open(wiretap.Event) wiretap.Handler { return wiretap.Handler(s) }

// Where TLS begins, and what came before it, does not depend on how TCP cuts
// the bytes, or joins them.
func TestSegments(t *testing.T) {
	for name, segments := range recorded(t) {
		want, rest := talk(segments)
		var joined []segment
		for _, s := range segments {
			if last := len(joined) - 1; last >= 0 && joined[last].from == s.from {
				joined[last].data += s.data
			} else {
				joined = append(joined, s)
			}
		}
		for _, size := range []int{1, 2, 3, 7, 11, 1 << 20} {
			var cut []segment
			for _, s := range joined {
				for ; len(s.data) > size; s.data = s.data[size:] {
					cut = append(cut, segment{s.from, s.data[:size]})
				}
				cut = append(cut, s)
			}
			got, gotRest := talk(cut)
			if describe(got) != describe(want) || gotRest != rest {
				t.Errorf("%s in segments of %d bytes:\n%s\nand as it was\n%s", name, size, describe(got), describe(want))
			}
		}
	}
}

// describe is a prologue in words, without how often a side spoke where its
// messages are not known.
func describe(p *prologue.Prologue) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %+v", p.Name(), p.Bytes)
	for _, l := range p.Layers {
		fmt.Fprintf(&b, "\n%s %q %v %q %q %v", l.Protocol, l.Asked, l.Agreed, l.Refused, l.Demanded, l.WentOn)
		for _, s := range l.Steps {
			fmt.Fprintf(&b, "\n\t%v %q", s.From, s.Text)
		}
	}
	return b.String()
}

func TestWhereTLSBegins(t *testing.T) {
	v2 := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0f\xc0\x00\x02\x01\xc0\x00\x02\x02\x12\x67\x01\xbb\x03\x00\x00"
	for name, test := range map[string]struct {
		segments       []segment
		protocol       string
		client, server int64
	}{
		"an unknown protocol":                 {[]segment{{server, "\x00\x01\x02"}, {client, "\x07\x07"}, {client, hello}, {server, serverHello}}, "", 2, 3},
		"unknown text":                        {[]segment{{client, "HOWDY\n"}, {server, "HI\n"}, {client, hello}, {server, serverHello}}, "", 6, 3},
		"text, and ClientHello behind it":     {[]segment{{client, "HOWDY\n" + hello}}, "", 6, 0},
		"PROXY v1, and ClientHello behind it": {[]segment{{client, "PROXY UNKNOWN\r\n" + hello}, {server, serverHello}}, "PROXY v1", 15, 0},
		"PROXY v2 with more than addresses":   {[]segment{{client, v2 + hello}}, "PROXY v2", 31, 0},
		"two headers":                         {[]segment{{client, "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + v2}, {client, hello}}, "PROXY v1, then PROXY v2", 67, 0},
		"a ClientHello of SSL 2.0":            {[]segment{{server, "220 mail ESMTP\r\n"}, {client, "STARTTLS\r\n"}, {server, "220 go\r\n"}, {client, helloV2}}, "SMTP", 10, 24},
		"the server's half alone":             {[]segment{{server, "220 2.0.0 go ahead\r\n"}, {server, serverHello}}, "SMTP or FTP", 0, 20},
		"no ServerHello but an alert":         {[]segment{{server, "+OK\r\n"}, {client, "STLS\r\n"}, {server, "+OK\r\n"}, {client, hello}, {server, "\x15\x03\x03\x00\x02\x02\x28"}}, "POP3", 6, 10},
		"plain after 407, then again":         {[]segment{{client, "CONNECT a:443 HTTP/1.1\r\n\r\n"}, {server, "HTTP/1.1 407 No\r\nContent-Length: 3\r\n\r\nno\n"}, {client, "CONNECT a:443 HTTP/1.1\r\nProxy-Authorization: Basic c2VjcmV0\r\n\r\n"}, {server, "HTTP/1.1 200 OK\r\n\r\n"}, {client, hello}}, "HTTP CONNECT", 89, 60},
		"RDP":                                 {[]segment{{client, "\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00"}, {server, "\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x1f\x08\x00\x02\x00\x00\x00"}, {client, hello}}, "RDP", 19, 19},
		"GSSENCRequest, then SSLRequest":      {[]segment{{client, "\x00\x00\x00\x08\x04\xd2\x16\x30"}, {server, "N"}, {client, "\x00\x00\x00\x08\x04\xd2\x16\x2f"}, {server, "S"}, {client, hello}}, "PostgreSQL", 16, 2},
		"a line that has no end":              {[]segment{{client, strings.Repeat("x", 10000)}, {client, hello}}, "", 10000, 0},
		"bytes like those of TLS":             {[]segment{{client, "\x16\x03\x01\x00\xc8\x01\x01"}, {client, "more"}}, "", 11, 0},
	} {
		p, rest := talk(test.segments)
		if p.Name() != test.protocol || p.Bytes.Client != test.client || p.Bytes.Server != test.server {
			t.Errorf("%s: %s", name, describe(p))
		}
		for side, s := range rest.All() {
			if *s != "" && *s != hello && *s != helloV2 && *s != serverHello && !strings.HasPrefix(*s, "\x15") {
				t.Errorf("%s: TLS of the %v is %q", name, side, *s)
			}
		}
	}
}

// Bytes like those of TLS are none in what another protocol sends as it is.
func TestBodies(t *testing.T) {
	upload := "POST /up HTTP/1.1\r\nContent-Length: 30\r\n\r\n"
	chunked := "PUT /up HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
	smtp := []segment{{server, "220 a ESMTP\r\n"}, {client, "EHLO b\r\n"}, {server, "250 ok\r\n"}}
	for name, segments := range map[string][]segment{
		"a request of HTTP":        {{client, upload}, {client, hello}, {server, "HTTP/1.1 200 OK\r\n\r\n"}},
		"and its response":         {{client, "GET / HTTP/1.1\r\n\r\n"}, {server, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"}, {server, serverHello}},
		"both":                     {{client, upload}, {client, hello}, {server, "HTTP/1.1 200 OK\r\n\r\n"}, {server, serverHello}},
		"a chunk":                  {{client, chunked + "c8\r\n"}, {client, hello}},
		"a request of HTTP/2":      {{client, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}, {client, hello}},
		"mail":                     append(smtp[:3:3], segment{client, "DATA\r\n"}, segment{server, "354 go\r\n"}, segment{client, "Subject: x\r\n\r\n"}, segment{client, hello + "\r\n.\r\n"}, segment{server, "250 ok\r\n"}),
		"long lines of mail":       append(smtp[:3:3], segment{client, "DATA\r\n"}, segment{server, "354 go\r\n"}, segment{client, strings.Repeat("x", 9000)}, segment{client, hello}),
		"a chunk of mail":          append(smtp[:3:3], segment{client, "BDAT 40 LAST\r\n"}, segment{client, hello}, segment{server, "250 ok\r\n"}),
		"a literal of IMAP":        {{server, "* OK a\r\n"}, {client, "1 LOGIN {40}\r\n"}, {server, "+ go\r\n"}, {client, hello}},
		"one that does not wait":   {{server, "* OK a\r\n"}, {client, "1 LOGIN {40+}\r\n"}, {client, hello}},
		"a server without a hello": {{client, "HOWDY\n"}, {server, serverHello}},
	} {
		if p, rest := talk(segments); rest != (endpoint.Pair[string]{}) {
			t.Errorf("%s: TLS begins: %q\n%s", name, rest, describe(p))
		}
	}
	for name, segments := range map[string][]segment{
		"a message that was sent": append(smtp[:3:3], segment{client, "DATA\r\n"}, segment{server, "354 go\r\n"}, segment{client, "x\r\n.\r\nSTARTTLS\r\n"}, segment{server, "250 ok\r\n220 go\r\n"}, segment{client, hello}),
		"DATA that is refused":    append(smtp[:3:3], segment{client, "DATA\r\n"}, segment{server, "503 no\r\n"}, segment{client, "STARTTLS\r\n"}, segment{server, "220 go\r\n"}, segment{client, hello}),
		"a request":               {{client, upload + "0123456789"}, {client, "01234567890123456789CONNECT a:1 HTTP/1.1\r\n\r\n"}, {server, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n\r\n"}, {client, hello}},
		"chunks":                  {{client, chunked + "2\r\nab\r\n0\r\n\r\n"}, {client, "CONNECT a:1 HTTP/1.1\r\n\r\n"}, {server, "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"}, {client, hello}},
		"a literal":               {{server, "* OK a\r\n"}, {client, "1 LOGIN {2}\r\n"}, {server, "1 NO\r\n"}, {client, "2 STARTTLS\r\n"}, {server, "2 OK\r\n"}, {client, hello}},
	} {
		if p, rest := talk(segments); rest.Client != hello {
			t.Errorf("behind %s: TLS does not begin\n%s", name, describe(p))
		}
	}
}

// What the server says to the client's request for TLS.
func TestAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		segments []segment
		want     string // asked, agreed, refused, demanded, went on
	}{
		"SMTP refuses":                          {[]segment{{server, "220 a ESMTP\r\n"}, {client, "STARTTLS\r\n"}, {server, "454 TLS not available\r\n"}, {client, "QUIT\r\n"}}, `"STARTTLS" false "454 TLS not available" "" false`},
		"and the client goes on":                {[]segment{{server, "220 a ESMTP\r\n"}, {client, "STARTTLS\r\n"}, {server, "454 TLS not available\r\n"}, {client, "MAIL FROM:<a@b>\r\n"}}, `"STARTTLS" false "454 TLS not available" "" true`},
		"pipelined":                             {[]segment{{server, "220 a ESMTP\r\n"}, {client, "EHLO b\r\nSTARTTLS\r\n"}, {server, "250-a\r\n250 STARTTLS\r\n220 go\r\n"}}, `"STARTTLS" true "" "" false`},
		"IMAP says OK to another":               {[]segment{{server, "* OK a\r\n"}, {client, "1 NOOP\r\n2 STARTTLS\r\n"}, {server, "1 OK done\r\n2 NO not here\r\n"}}, `"STARTTLS" false "2 NO not here" "" false`},
		"FTP tries SSL, then TLS":               {[]segment{{server, "220 a\r\n"}, {client, "AUTH SSL\r\n"}, {server, "504 no\r\n"}, {client, "AUTH TLS\r\n"}, {server, "234 go\r\n"}}, `"AUTH TLS" true "" "" false`},
		"POP3 refuses, and agrees to QUIT":      {[]segment{{server, "+OK a\r\n"}, {client, "CAPA\r\n"}, {server, "+OK\r\nSTLS\r\n.\r\n"}, {client, "STLS\r\n"}, {server, "-ERR no TLS\r\n"}, {client, "QUIT\r\n"}, {server, "+OK bye\r\n"}}, `"STLS" false "-ERR no TLS" "" false`},
		"and to a login without TLS":            {[]segment{{server, "+OK a\r\n"}, {client, "STLS\r\n"}, {server, "-ERR no TLS\r\n"}, {client, "USER a\r\n"}, {server, "+OK\r\n"}}, `"STLS" false "-ERR no TLS" "" true`},
		"POP3 agrees to what came before":       {[]segment{{server, "+OK a\r\n"}, {client, "CAPA\r\nSTLS\r\n"}, {server, "+OK\r\nSTLS\r\n.\r\n-ERR no TLS\r\n"}}, `"STLS" false "-ERR no TLS" "" false`},
		"and to both":                           {[]segment{{server, "+OK a\r\n"}, {client, "CAPA\r\nSTLS\r\n"}, {server, "+OK\r\nSTLS\r\n.\r\n+OK go\r\n"}}, `"STLS" true "" "" false`},
		"POP3 refuses, and agrees at last":      {[]segment{{server, "+OK a\r\n"}, {client, "STLS\r\n"}, {server, "-ERR wait\r\n"}, {client, "STLS\r\n"}, {server, "+OK go\r\n"}}, `"STLS" true "" "" false`},
		"ManageSieve refuses, and says goodbye": {[]segment{{server, "\"IMPLEMENTATION\" \"a\"\r\nOK\r\n"}, {client, "STARTTLS\r\n"}, {server, "NO \"no TLS\"\r\n"}, {client, "LOGOUT\r\n"}, {server, "OK\r\n"}}, `"STARTTLS" false "NO \"no TLS\"" "" false`},
		"SMTP refuses what came before":         {[]segment{{server, "220 a ESMTP\r\n"}, {client, "VRFY b\r\nSTARTTLS\r\n"}, {server, "502 no\r\n220 go\r\n"}}, `"STARTTLS" true "" "" false`},
		"MySQL offers no TLS":                   {[]segment{{server, mysqlPlain}}, `"" false "greeting of version 8.0, without TLS" "" false`},
		"and the client logs in all the same":   {[]segment{{server, mysqlPlain}, {client, "\x05\x00\x00\x01\x00\x00abc"}}, `"" false "greeting of version 8.0, without TLS" "" true`},
		"MySQL offers TLS":                      {[]segment{{server, strings.Replace(mysqlPlain, "\xff\x00", "\xff\x08", 1)}}, `"" false "" "" false`},
		"XMPP refuses":                          {[]segment{{client, "<stream:stream to='a'>"}, {server, "<stream:stream>"}, {client, "<starttls xmlns='x'/>"}, {server, "<failure xmlns='x'/>"}}, `"STARTTLS" false "<failure xmlns='x'/>" "" false`},
		"IRC refuses":                           {[]segment{{client, "STARTTLS\r\n"}, {server, ":a NOTICE * :hello\r\n:a 691 * :no\r\n"}}, `"STARTTLS" false ":a 691 * :no" "" false`},
		"PostgreSQL refuses":                    {[]segment{{client, "\x00\x00\x00\x08\x04\xd2\x16\x2f"}, {server, "N"}}, `"SSLRequest" false "N" "" false`},
		"and the client logs in":                {[]segment{{client, "\x00\x00\x00\x08\x04\xd2\x16\x2f"}, {server, "N"}, {client, "\x00\x00\x00\x10\x00\x03\x00\x00user\x00a\x00\x00"}}, `"SSLRequest" false "N" "" true`},
		"POP3 demands":                          {[]segment{{server, "+OK a\r\n"}, {client, "USER bob\r\n"}, {server, "-ERR must issue STLS first, TLS is required\r\n"}}, `"" false "" "-ERR must issue STLS first, TLS is required" false`},
		"LDAP demands":                          {[]segment{{client, "0\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00"}, {server, "0\x0c\x02\x01\x01\x61\x07\x0a\x01\x0d\x04\x00\x04\x00"}}, `"" false "" "confidentialityRequired (13)" false`},
		"pipelined POP3":                        {[]segment{{server, "+OK a\r\n"}, {client, "CAPA\r\nSTLS\r\n"}, {server, "+OK\r\nUSER\r\n.\r\n-ERR no\r\n"}}, `"STLS" false "-ERR no" "" false`},
		"SMTP refuses EHLO":                     {[]segment{{server, "220 a\r\n"}, {client, "EHLO b\r\nSTARTTLS\r\n"}, {server, "502 no\r\n220 go\r\n"}}, `"STARTTLS" true "" "" false`},
		"mail about STARTTLS":                   {[]segment{{server, "220 a ESMTP\r\n"}, {client, "DATA\r\n"}, {server, "354 go\r\n"}, {client, "x\r\nSTARTTLS\r\n.\r\n"}, {server, "550 spam\r\n"}}, `"" false "" "" false`},
		"407 repeats a password":                {[]segment{{client, "CONNECT a:1 HTTP/1.1\r\nProxy-Authorization: Basic bWU6c3dvcmRmaXNo\r\n\r\n"}, {server, "HTTP/1.1 407 for swordfish\r\n\r\n"}}, `"CONNECT" false "HTTP/1.1 407 for [...]" "" false`},
		"an upgrade is ignored":                 {[]segment{{client, "GET / HTTP/1.1\r\nUpgrade: TLS/1.2\r\n\r\n"}, {server, "HTTP/1.1 200 OK\r\n\r\n"}}, `"Upgrade: TLS" false "HTTP/1.1 200 OK" "" false`},
		"407, then 200":                         {[]segment{{client, "CONNECT a:1 HTTP/1.1\r\n\r\n"}, {server, "HTTP/1.1 407 A\r\nContent-Length: 4\r\n\r\nauth"}, {client, "CONNECT a:1 HTTP/1.1\r\n\r\n"}, {server, "HTTP/1.1 200 OK\r\n\r\n"}}, `"CONNECT" true "" "" false`},
		"407 in chunks, then 403":               {[]segment{{client, "CONNECT a:1 HTTP/1.1\r\n\r\n"}, {server, "HTTP/1.1 407 A\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nauth\r\n0\r\n\r\n"}, {client, "CONNECT a:1 HTTP/1.1\r\n\r\n"}, {server, "HTTP/1.1 403 F\r\n\r\n"}}, `"CONNECT" false "HTTP/1.1 403 F" "" false`},
		"SMTP demands":                          {[]segment{{server, "220 a ESMTP\r\n"}, {client, "MAIL FROM:<a@b>\r\n"}, {server, "530 5.7.0 Must issue a STARTTLS command first\r\n"}}, `"" false "" "530 5.7.0 Must issue a STARTTLS command first" false`},
		"a mailbox":                             {[]segment{{server, "220 a ESMTP\r\n"}, {client, "RCPT TO:<tls@b>\r\n"}, {server, "550 <tls@b>: must exist first\r\n"}}, `"" false "" "" false`},
		"a word that has TLS":                   {[]segment{{server, "220 a ESMTP\r\n"}, {client, "RCPT TO:<a@b>\r\n"}, {server, "550 hassle: needs a mailbox\r\n"}}, `"" false "" "" false`},
		"a file":                                {[]segment{{server, "220 FTP\r\n"}, {client, "RETR openssl.tar.gz\r\n"}, {server, "550 openssl.tar.gz: required\r\n"}}, `"" false "" "" false`},
		"a line of mail":                        {[]segment{{server, "+OK\r\n"}, {client, "RETR 1\r\n"}, {server, "+OK\r\n-ERR means TLS is required\r\n.\r\n"}}, `"" false "" "" false`},
		"IRC says what it is not":               {[]segment{{client, "NICK a\r\n"}, {server, ":s 421 a FOO :Unknown command TLS\r\n"}}, `"" false "" "" false`},
	} {
		p, _ := talk(test.segments)
		l := p.Last()
		if got := fmt.Sprintf("%q %v %q %q %v", l.Asked, l.Agreed, l.Refused, l.Demanded, l.WentOn); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// Why a proxy refuses is in its code, and not in its words.
func TestRefusals(t *testing.T) {
	connect := segment{client, "CONNECT a:443 HTTP/1.1\r\n\r\n"}
	socks := []segment{{client, "\x05\x01\x00"}, {server, "\x05\x00"}, {client, "\x05\x01\x00\x01\x7f\x00\x00\x01\x01\xbb"}}
	for name, test := range map[string]struct {
		segments []segment
		want     prologue.Refusal
	}{
		"407":                         {[]segment{connect, {server, "HTTP/1.1 407 No\r\n\r\n"}}, prologue.NotLoggedIn},
		"403, which names a password": {[]segment{connect, {server, "HTTP/1.1 403 Your password does not allow 407\r\n\r\n"}}, prologue.NotSaid},
		"502":                         {[]segment{connect, {server, "HTTP/1.0 502 Bad Gateway\r\n\r\n"}}, prologue.NotReachable},
		"200":                         {[]segment{connect, {server, "HTTP/1.1 200 unreachable\r\n\r\n"}}, prologue.NotSaid},
		"no SOCKS method":             {[]segment{{client, "\x05\x01\x00"}, {server, "\x05\xff"}}, prologue.NotLoggedIn},
		"SOCKS host unreachable":      {append(socks[:3:3], segment{server, "\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00"}), prologue.NotReachable},
		"SOCKS not allowed":           {append(socks[:3:3], segment{server, "\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00"}), prologue.NotSaid},
		"SOCKS 4":                     {[]segment{{client, "\x04\x01\x01\xbb\x7f\x00\x00\x01me\x00"}, {server, "\x00\x5b\x00\x00\x00\x00\x00\x00"}}, prologue.NotSaid},
	} {
		p, _ := talk(test.segments)
		if got := p.Last().Refusal; got != test.want || (p.Last().Refused == "") != (name == "200") {
			t.Errorf("%s: %v, %q", name, got, p.Last().Refused)
		}
	}
}

// What may be a secret is left out, wherever in a conversation the capture
// begins.
func TestSecretsAreLeftOut(t *testing.T) {
	for name, segments := range map[string][]segment{
		"SMTP":                         {{server, "220 a\r\n"}, {client, "AUTH PLAIN c3dvcmRmaXNo\r\n"}},
		"SMTP, no banner":              {{client, "auth login c3dvcmRmaXNo\r\n"}, {client, "c3dvcmRmaXNo\r\n"}},
		"within AUTH LOGIN":            {{client, "c3dvcmRmaXNo\r\n"}, {server, "235 ok\r\n"}},
		"an answer repeats it":         {{client, "EHLO a\r\nswordfish\r\n"}, {server, "220 a\r\n"}, {server, "530 'swordfish' before TLS\r\n"}},
		"an answer alone repeats it":   {{server, "500 unknown: swordfish\r\n"}},
		"the refusal repeats it":       {{server, "220 a\r\n"}, {client, "AUTH swordfish\r\nSTARTTLS\r\n"}, {server, "500 unknown command \"AUTH swordfish\"\r\n"}},
		"IMAP":                         {{client, "a LOGIN me swordfish\r\n"}, {server, "a NO no\r\n"}},
		"a literal of IMAP":            {{client, "swordfish\r\n"}, {server, "a OK\r\n"}},
		"a literal, repeated":          {{server, "* OK a\r\n"}, {client, "1 LOGIN {2+}\r\nme {9}\r\n"}, {server, "+ go\r\n"}, {client, "sword"}, {client, "fish\r\n"}, {server, "1 NO swordfish needs TLS first\r\n"}},
		"a literal, and a command":     {{client, "swordfish NOOP\r\n"}},
		"POP3":                         {{server, "+OK\r\n"}, {client, "USER swordfish\r\nPASS swordfish\r\n"}},
		"mail":                         {{server, "Your password is swordfish\r\n"}},
		"FTP":                          {{client, "PASS swordfish\r\n"}},
		"FTP, two words":               {{client, "PASS sword swordfish\r\n"}},
		"IRC":                          {{client, "PASS swordfish\r\nNICK me\r\n"}},
		"IRC, with a prefix":           {{client, ":swordfish NICK me\r\n"}},
		"a message of IRC":             {{client, "PRIVMSG bob :swordfish\r\n"}, {server, ":joe!j@h PRIVMSG bob :swordfish\r\n"}},
		"a notice of IRC":              {{server, ":NickServ!n@h NOTICE bob :your password is swordfish\r\n"}},
		"ManageSieve":                  {{client, "AUTHENTICATE \"PLAIN\" \"c3dvcmRmaXNo\"\r\n"}, {server, "\"swordfish\"\r\n"}},
		"an unknown protocol":          {{client, "login:joe password=swordfish\r\n"}, {server, "welcome, swordfish\r\n"}},
		"telnet":                       {{server, "login: "}, {client, "swordfish\r\n"}, {server, "swordfish\r\n"}},
		"CONNECT":                      {{client, "CONNECT a:1 HTTP/1.1\r\nProxy-Authorization: Basic swordfish\r\n\r\n"}, {server, "HTTP/1.1 407 no\r\n\r\n"}},
		"CONNECT, with a user":         {{client, "CONNECT user:swordfish@h:443 HTTP/1.1\r\n\r\n"}, {server, "HTTP/1.1 403 no\r\n\r\n"}},
		"CONNECT, to no host":          {{client, "CONNECT h:443?k=swordfish HTTP/1.1\r\n\r\n"}},
		"CONNECT, without a version":   {{client, "CONNECT h:443 swordfish\r\n\r\n"}},
		"a query":                      {{client, "GET /login?password=swordfish HTTP/1.1\r\n\r\n"}},
		"a fragment":                   {{client, "GET /login#swordfish HTTP/1.1\r\n\r\n"}},
		"a path with a token":          {{client, "GET /reset/swordfish HTTP/1.1\r\n\r\n"}},
		"a token with digits":          {{client, "POST /bot42:swordfish/send HTTP/1.1\r\n\r\n"}},
		"an absolute target":           {{client, "GET http://joe:swordfish@h/?swordfish HTTP/1.1\r\n\r\n"}},
		"another scheme":               {{client, "GET ftp://joe:swordfish@h/ HTTP/1.1\r\n\r\n"}},
		"no target":                    {{client, "POST swordfish\r\n"}},
		"Upgrade":                      {{client, "GET / HTTP/1.1\r\nUpgrade: TLS/1.0, swordfish\r\n\r\n"}},
		"SOCKS 5":                      {{client, "\x05\x01\x02"}, {server, "\x05\x02"}, {client, "\x01\x09swordfish\x09swordfish"}, {server, "\x01\x01"}},
		"SOCKS 5, in the name":         {{client, "\x05\x01\x00"}, {server, "\x05\x00"}, {client, "\x05\x01\x00\x03\x0bswordfish@h\x01\xbb"}},
		"SOCKS 4":                      {{client, "\x04\x01\x01\xbb\x7f\x00\x00\x01swordfish\x00"}},
		"PROXY":                        {{client, "PROXY UNKNOWN swordfish\r\n"}},
		"PROXY, without addresses":     {{client, "PROXY TCP4 swordfish\r\n"}},
		"LDAP":                         {{client, "0\x15\x02\x01\x01\x60\x10\x02\x01\x03\x04\x00\x80\x09swordfish"}},
		"MySQL":                        {{server, mysqlGreeting}, {client, "\x0b\x00\x00\x01\x00\x00swordfish"}},
		"an error of MySQL":            {{server, mysqlGreeting}, {server, "\x1b\x00\x00\x01\xff\x28\x04#42000near 'swordfish...'"}},
		"PostgreSQL":                   {{client, "\x00\x00\x00\x1f\x00\x03\x00\x00user\x00swordfish\x00\x00"}, {client, "p\x00\x00\x00\x0eswordfish\x00"}},
		"XMPP":                         {{client, "<stream:stream to='a'>"}, {client, "<auth mechanism='PLAIN'>swordfish</auth>"}},
		"within XMPP":                  {{client, "swordfish</auth>\r\n"}, {server, "<success/>"}},
		"attributes of XMPP":           {{client, "<iq password='swordfish'>"}, {server, "<stream:stream id='swordfish'>"}},
		"a page":                       {{server, "<html><title>swordfish\r\n"}},
		"a line that is not ASCII":     {{client, "pässwörd=swordfish\r\n"}},
		"SSH, and something behind it": {{client, "SSH-2.0-OpenSSH_9.2\r\nswordfish\r\n"}},
	} {
		p, _ := talk(segments)
		out, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		said := string(out) + describe(p)
		for _, s := range segments {
			line, _ := prologue.FirstLine(s.from, []byte(s.data))
			said += "\n" + line
		}
		if strings.Contains(said, "swordfish") || strings.Contains(said, "c3dvcmRmaXNo") {
			t.Errorf("%s: %s", name, said)
		}
	}
}

const mysqlGreeting = "\x20\x00\x00\x00\x0a8.0\x00aaaabbbbbbbb\x00\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// What is harmless is shown: it tells what a side speaks.
func TestFirstLine(t *testing.T) {
	for sent, want := range map[segment]string{
		{client, "EHLO mail.example.org\r\n"}:                           "EHLO mail.example.org",
		{client, "EHLO [192.0.2.1]\r\nSTARTTLS\r\n"}:                    "EHLO [192.0.2.1]",
		{client, "MAIL FROM:<a@b>\r\n"}:                                 "MAIL [...]",
		{client, "a004 SELECT INBOX\r\n"}:                               "a004 SELECT [...]",
		{client, "QUUX 1 2\r\n"}:                                        "text, 8 bytes",
		{client, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"}:                  "SSH-2.0-OpenSSH_9.2p1 Debian-2",
		{client, "GET / HTTP/1.1\r\n"}:                                  "GET / HTTP/1.1",
		{client, "GET /healthz HTTP/1.1\r\n"}:                           "GET /healthz HTTP/1.1",
		{client, "GET /login?a=b HTTP/1.1\r\n"}:                         "GET /login?[...] HTTP/1.1",
		{client, "GET /api/users/7 HTTP/1.1\r\n"}:                       "GET /api/[...] HTTP/1.1",
		{client, "GET /v1 HTTP/1.1\r\n"}:                                "GET /[...] HTTP/1.1",
		{client, "GET http://u:p@h:80/a HTTP/1.1\r\n"}:                  "GET http://h:80/a HTTP/1.1",
		{client, "OPTIONS * HTTP/1.1\r\n"}:                              "OPTIONS * HTTP/1.1",
		{client, "CONNECT u:p@h:443 HTTP/1.1\r\n"}:                      "CONNECT h:443 HTTP/1.1",
		{client, "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"}:              "PROXY TCP4 192.0.2.1 192.0.2.2 1 2",
		{client, "PROXY UNKNOWN\r\n"}:                                   "PROXY UNKNOWN",
		{client, "\x00\x01\x02\x03\x04"}:                                "",
		{server, "220 mail.example ESMTP ready\r\n"}:                    "220 mail.example ESMTP ready",
		{server, "* PREAUTH ready\r\n"}:                                 "* PREAUTH ready",
		{server, "+OK\r\n"}:                                             "+OK",
		{server, ":irc.example NOTICE * :Looking up your hostname\r\n"}: ":irc.example NOTICE * :Looking up your hostname",
		{server, "500 what?\r\n"}:                                       "500 [...]",
		{server, "HTTP/1.1 400 Bad Request\r\n"}:                        "HTTP/1.1 400 Bad Request",
		{server, "<!DOCTYPE html><title>a</title>"}:                     "<!doctype html>",
	} {
		if line, _ := prologue.FirstLine(sent.from, []byte(sent.data)); line != want {
			t.Errorf("%q: %q, want %q", sent.data, line, want)
		}
	}
}

// What the peers send cannot harm a terminal, nor take much memory.
func TestBounds(t *testing.T) {
	long := []segment{{server, "220 \x1b[2Jmail\u202e ESMTP\r\n"}}
	for range 5000 {
		long = append(long, segment{client, "NOOP " + strings.Repeat("x", 500) + "\r\n"}, segment{server, "250 ok\r\n"})
	}
	for range 100 {
		long = append(long, segment{client, "PROXY UNKNOWN\r\n"}, segment{client, "STARTTLS\r\n"}, segment{server, "454 no\r\n"})
	}
	p, _ := talk(long)
	out, err := json.Marshal(p)
	if err != nil || len(out) > 20_000 {
		t.Errorf("%d bytes, %v", len(out), err)
	}
	if bytes.ContainsAny(out, "\x1b\u202e") || strings.Contains(describe(p), `\x1b`) {
		t.Errorf("%s", out)
	}
}

// A line that comes in segments of a byte takes memory for the line, and not
// for each segment.
func TestTinySegments(t *testing.T) {
	for name, start := range map[string]string{"HTTP": "GET / HTTP/1.1\r\nA: ", "SMTP": "EHLO a\r\nMAIL ", "unknown text": "HOWDY "} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		line := &prologue.Talk{}
		for _, c := range []byte(start + strings.Repeat("x", 3000) + "\r\n") {
			line.Take(client, []byte{c}, time.Time{})
		}
		runtime.ReadMemStats(&after)
		got := after.TotalAlloc - before.TotalAlloc
		if got > 400_000 { // copying all at each segment takes 4.5 MB
			t.Errorf("%s: %d bytes for a line of 3000", name, got)
		}
	}
}

// A zone of an address is any text, and is not shown.
func TestZoneOfAddress(t *testing.T) {
	p, _ := talk([]segment{{client, "PROXY TCP6 fe80::1%\x1b[31mX fe80::2 1 2\r\n"}})
	if l := p.Header(); l == nil || l.Source != "" || strings.Contains(fmt.Sprint(l.Steps), "31m") {
		t.Errorf("%s", describe(p))
	}
}

// The first bytes of a server tell which command begins TLS there.
func TestGreetings(t *testing.T) {
	for start, want := range map[string][2]string{
		"220 m":                {"SMTP or FTP", "STARTTLS or AUTH TLS"},
		"* OK ":                {"IMAP", "STARTTLS"},
		"+OK D":                {"POP3", "STLS"},
		"200 n":                {"NNTP", "STARTTLS"},
		"* PRE":                {"IMAP", "STARTTLS"},
		"* BYE":                {"IMAP", "STARTTLS"},
		"NOTIC":                {"IRC", "STARTTLS"},
		"NOTICE AUTH :*** Lo":  {"IRC", "STARTTLS"},
		":irc.":                {"IRC", "STARTTLS"},
		"<stre":                {"XMPP", "STARTTLS"},
		"<stream:stream":       {"XMPP", "STARTTLS"},
		"* PRX":                {"", ""},
		"NOTI":                 {"IRC", "STARTTLS"},
		"\x4a\x00\x00\x00\x0a": {"MySQL or MariaDB", "SSLRequest"},
		"SSH-2":                {"SSH", ""},
		"HTTP/":                {"", ""},
		"\x15\x03\x01\x00\x02": {"", ""},
		"":                     {"", ""},
	} {
		if protocol, command := prologue.GreetingOf([]byte(start)); protocol != want[0] || command != want[1] {
			t.Errorf("%q: %q, %q", start, protocol, command)
		}
	}
}

// Redis is no mail: AUTH is followed by a password there, and the client speaks
// first.
func TestRedis(t *testing.T) {
	for name, test := range map[string]struct {
		said []segment
		want string
	}{
		"a password":         {[]segment{{client, "AUTH swordfish\r\n"}, {server, "+OK\r\n"}}, "Redis"},
		"a user, too":        {[]segment{{client, "auth me swordfish\r\n"}, {server, "+OK\r\n"}}, "Redis"},
		"an array":           {[]segment{{client, "*2\r\n$4\r\nAUTH\r\n$9\r\nswordfish\r\n"}, {server, "+OK\r\n"}}, "Redis"},
		"a refusal":          {[]segment{{client, "PING\r\n"}, {server, "-NOAUTH Authentication required.\r\n"}}, "Redis"},
		"POP3":               {[]segment{{server, "+OK ready\r\n"}, {client, "AUTH PLAIN\r\n"}, {server, "+ \r\n"}}, "POP3"},
		"its mechanisms":     {[]segment{{server, "+OK ready\r\n"}, {client, "AUTH\r\n"}, {server, "+OK\r\n"}}, "POP3"},
		"of SCRAM":           {[]segment{{server, "+OK ready\r\n"}, {client, "AUTH SCRAM-SHA-256 biws\r\n"}, {server, "+ \r\n"}}, "POP3"},
		"POP3 without AUTH":  {[]segment{{server, "+OK ready\r\n"}, {client, "USER me\r\n"}, {server, "+OK\r\n"}}, "POP3"},
		"POP3, cut in front": {[]segment{{client, "USER me\r\n"}, {server, "+OK\r\n"}, {client, "STAT\r\n"}}, "POP3"},
	} {
		p, _ := talk(test.said)
		if p.Name() != test.want {
			t.Errorf("%s: %q, want %q", name, p.Name(), test.want)
		}
		if shown, _ := json.Marshal(p); bytes.Contains(shown, []byte("swordfish")) || bytes.Contains(shown, []byte("biws")) {
			t.Errorf("%s: a password is shown: %s", name, shown)
		}
	}
}

// A Talk takes anything, loses no byte and keeps little.
func FuzzTalk(f *testing.F) {
	for _, segments := range recorded(f) {
		var b []byte
		for _, s := range segments {
			b = append(b, s.data...)
			b = append(b, 0xfe, byte(s.from)) // the fuzzer's own mark of a segment's end
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var segments []segment
		var sent endpoint.Pair[int64]
		for part := range bytes.SplitSeq(b, []byte{0xfe}) {
			if len(part) == 0 {
				continue
			}
			s := segment{client, string(part[1:])}
			if part[0]%2 == 0 {
				s.from = server
			}
			*sent.Of(s.from) += int64(len(s.data))
			segments = append(segments, s)
		}
		p, rest := talk(segments)
		for side, n := range sent.All() {
			if got := *p.Bytes.Of(side) + int64(len(*rest.Of(side))); got != *n {
				t.Fatalf("%d bytes of the %v, and %d were sent", got, side, *n)
			}
		}
		if out, err := json.Marshal(p); err != nil || len(out) > 40_000 {
			t.Fatalf("%d bytes, %v", len(out), err)
		}
	})
}
