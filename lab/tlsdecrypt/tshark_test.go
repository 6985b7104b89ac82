package tlsdecrypt_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
)

// node is a part of tshark's JSON. It is an object, whose members keep their
// order and may have the same name, or text.
type node struct {
	name, text string
	members    []node
}

// readNode reads the value that begins with token.
func readNode(d *json.Decoder, name string) (n node, err error) {
	n.name = name
	token, err := d.Token()
	if err != nil {
		return n, err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		n.text = fmt.Sprint(token)
		return n, nil
	}
	for d.More() {
		member := ""
		if delim == '{' {
			if token, err = d.Token(); err != nil {
				return n, err
			}
			member = token.(string)
		}
		m, err := readNode(d, member)
		if err != nil {
			return n, err
		}
		n.members = append(n.members, m)
	}
	_, err = d.Token()
	return n, err
}

// each calls f for every node below n, in order, until f returns false for one:
// then not for those below it.
func (n node) each(f func(node) bool) {
	for _, m := range n.members {
		if f(m) {
			m.each(f)
		}
	}
}

// find returns the text of the first node of a name below n, or "".
func (n node) find(name string) (text string) {
	found := false
	n.each(func(m node) bool {
		if !found && m.name == name {
			found, text = true, m.text
		}
		return !found
	})
	return text
}

// tshark returns what tshark says of each connection in a capture, by the port
// of its client.
func tshark(t *testing.T, capture, keyLog string) map[int]*account {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command("tshark", "-r", capture, "-o", "tls.keylog_file:"+keyLog,
		"-o", "http.desegment_body:FALSE", "-T", "json", "-J", "tcp tls http http2")
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(out)
	if _, err := d.Token(); err != nil {
		t.Fatalf("tshark: %v, %s", err, &stderr)
	}
	connections := map[int]*witness{}
	for d.More() {
		packet, err := readNode(d, "")
		if err != nil {
			t.Fatalf("tshark: %v, %s", err, &stderr)
		}
		from, port := endpoint.Client, packet.find("tcp.srcport")
		if port == "443" {
			from, port = endpoint.Server, packet.find("tcp.dstport")
		}
		number, _ := strconv.Atoi(port)
		if connections[number] == nil {
			connections[number] = &witness{}
		}
		connections[number].packet(from, packet)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("tshark: %v, %s", err, &stderr)
	}
	accounts := map[int]*account{}
	for port, w := range connections {
		accounts[port] = &w.account
	}
	return accounts
}

// witness follows a connection in tshark's packets.
type witness struct {
	account
	tls13   bool
	changed [3]bool // by side: it has sent ChangeCipherSpec
}

func (w *witness) packet(from endpoint.Side, packet node) {
	packet.each(func(n node) bool {
		switch {
		case n.name == "tls.record":
			w.record(from, n)
			return false
		case n.name == "http":
			w.http1(from, n)
			return false
		case n.name == "http2.stream":
			w.http2(from, n)
			return false
		}
		return true
	})
}

func (w *witness) record(from endpoint.Side, record node) {
	protected := record.find("tls.record.opaque_type") != "" || w.changed[from] && !w.tls13
	for _, n := range record.members {
		switch n.name {
		case "tls.handshake":
			switch {
			case n.members != nil:
				w.handshake(from, n, protected)
			default:
				w.closed(from, tlswire.ContentTypeHandshake)
			}
		case "tls.alert_message":
			if n.members == nil {
				w.closed(from, tlswire.ContentTypeAlert)
			} else {
				w.alert(from, number(n.find("tls.alert_message.level")), number(n.find("tls.alert_message.desc")), protected)
			}
		case "tls.change_cipher_spec":
			w.say(from, "change_cipher_spec")
			w.changed[from] = true
		case "tls.app_data":
			if content := record.find("tls.record.content_type"); record.find("tls.record.opaque_type") != "" && content == "" {
				w.closed(from, tlswire.ContentTypeApplicationData)
			}
		case "tls.handshake.key_update.request_update": // stands behind its message
			w.field(from, n.name+" "+n.text)
		}
	}
}

func (w *witness) handshake(from endpoint.Side, message node, protected bool) {
	t := tlswire.HandshakeType(number(message.find("tls.handshake.type")))
	if strings.HasPrefix(message.find("tls.handshake.random"), "cf:21:ad:74:e5:9a:61:11:be:1d:8c:02:1e:65:b8:91") { // RFC 9846 section 4.2.3
		t = tlswire.TypeHelloRetryRequest
	}
	w.message(from, t, protected)
	message.each(func(n node) bool {
		if n.name == "tls.handshake.extensions.supported_version" && from == endpoint.Server {
			w.tls13 = number(n.text) == uint64(tlswire.VersionTLS13)
		}
		if kind, ok := fieldKinds[n.name]; ok && n.text != "" {
			w.field(from, n.name+" "+kind.theirs(n.text))
		}
		return n.name != "tls.handshake.certificate_tree"
	})
}

// number reads a number as tshark shows it, in decimal or hexadecimal.
func number(text string) uint64 {
	n, _ := strconv.ParseUint(text, 0, 64)
	return n
}

// http1 notes the head of an HTTP/1 message.
func (w *witness) http1(from endpoint.Side, n node) {
	var line []string
	for _, name := range []string{"http.request.method", "http.request.uri", "http.request.version", "http.response.version", "http.response.code", "http.response.phrase"} {
		if part := n.find(name); part != "" {
			line = append(line, part)
		}
	}
	if line == nil {
		return
	}
	e := entry{head: "http " + strings.Join(line, " ")}
	n.each(func(m node) bool {
		if m.name == "http.request.line" || m.name == "http.response.line" {
			e.fields = append(e.fields, strings.TrimSpace(m.text))
		}
		return true
	})
	w.http[from] = append(w.http[from], e)
}

// http2 notes the head of an HTTP/2 message.
func (w *witness) http2(from endpoint.Side, n node) {
	var e entry
	if path := n.find("http2.headers.path"); path != "" {
		e.head = "http " + n.find("http2.headers.method") + " " + path + " HTTP/2"
	} else if status := n.find("http2.headers.status"); status != "" {
		e.head = "http HTTP/2 " + status
	} else {
		return
	}
	n.each(func(m node) bool {
		if m.name == "http2.header" {
			e.fields = append(e.fields, m.find("http2.header.name")+": "+m.find("http2.header.value"))
		}
		return true
	})
	w.http[from] = append(w.http[from], e)
}
