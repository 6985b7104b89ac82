package verdict_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/verdict"
	"mtlslab.example/lab/lab/wiretap"
)

// The captures of real programs, with holes: whatever is missing, doubled or
// out of place in them, they are read as what they are.

// framed is a packet of a pcap file of Ethernet.
type framed struct {
	header []byte // that the file has before each packet
	data   []byte
}

// The flags of a TCP header (RFC 9293 section 3.1).
const (
	fin = 1 << iota
	syn
	rst
	_
	ack
)

// tcp returns the packet's TCP header and what follows it.
func (p framed) tcp() (header, payload []byte) {
	ip := p.data[14:]
	tcp := ip[int(ip[0]&15)*4 : min(int(binary.BigEndian.Uint16(ip[2:])), len(ip))]
	n := int(tcp[12]>>4) * 4
	return tcp[:n], tcp[n:]
}

func (p framed) has(flags byte) bool { header, _ := p.tcp(); return header[13]&flags != 0 }

func (p framed) port() uint16 { header, _ := p.tcp(); return binary.BigEndian.Uint16(header) }

func (p framed) seq() uint32 { header, _ := p.tcp(); return binary.BigEndian.Uint32(header[4:]) }

// changed returns a copy of a packet whose TCP header is changed.
func (p framed) changed(change func(header []byte)) framed {
	p.data = bytes.Clone(p.data)
	header, _ := p.tcp()
	change(header)
	return p
}

// cut returns the packet with at most n bytes of it captured.
func (p framed) cut(n int) framed {
	n = min(n, len(p.data))
	p.header = bytes.Clone(p.header)
	binary.LittleEndian.PutUint32(p.header[8:], uint32(n))
	p.data = p.data[:n]
	return p
}

func packetsOf(t testing.TB, file string) (head []byte, packets []framed) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, b = b[:24], b[24:]
	for len(b) > 0 {
		n := 16 + int(binary.LittleEndian.Uint32(b[8:]))
		packets = append(packets, framed{b[:16], b[16:n]})
		b = b[n:]
	}
	return head, packets
}

// told is what was read of one connection.
type told struct {
	*tlsdecrypt.Connection
	verdict verdict.Verdict
	said    endpoint.Pair[int64] // bytes that the reader of the capture passed on
	notices string
	forged  bool
}

// readPackets reads the first connection of a capture of these packets.
func readPackets(t testing.TB, head []byte, packets []framed, keys []byte) []told {
	t.Helper()
	b := bytes.Clone(head)
	for _, p := range packets {
		b = append(append(b, p.header...), p.data...)
	}
	store := &keylog.Store{}
	for line := range bytes.Lines(keys) {
		if entry, err := keylog.ParseLine(bytes.TrimSpace(line)); err == nil {
			store.Add(entry)
		}
	}
	var all []told
	said := map[int]*endpoint.Pair[int64]{}
	d := tlsdecrypt.New(tlsdecrypt.Options{Secrets: store, Done: func(c *tlsdecrypt.Connection) {
		all = append(all, told{Connection: c, verdict: verdict.Of(c, func() *chain.Trust { return nil }), said: *said[c.Number]})
	}})
	count := counting{d, said}
	notices := ""
	if err := capture.Read(bytes.NewReader(b), capture.ReadOptions{Sink: count, Notice: func(s string) { notices += s + "\n" }}); err != nil {
		t.Fatal(err)
	}
	d.Close()
	for i := range all {
		all[i].notices = notices
	}
	return all
}

// counting counts the bytes of data on their way to a sink.
type counting struct {
	next wiretap.Sink
	said map[int]*endpoint.Pair[int64]
}

func (c counting) Open(e wiretap.Event) wiretap.Handler {
	said := &endpoint.Pair[int64]{}
	c.said[e.Exchange] = said
	handle := c.next.Open(e)
	return func(e wiretap.Event) {
		if e.Kind == wiretap.Data {
			*said.Of(e.From) += int64(len(e.Data))
		}
		handle(e)
	}
}

// unaccounted returns the bytes of a side that are in no message.
func (c told) unaccounted(side endpoint.Side) int64 {
	type span struct{ from, to int64 }
	var spans []span
	for _, m := range c.Messages {
		if m.From == side {
			for _, r := range m.Records {
				spans = append(spans, span{r.Offset, r.Offset + int64(r.Length)})
			}
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return int(a.from - b.from) })
	in, end := int64(0), int64(0)
	for _, s := range spans {
		if s.to > end {
			in += s.to - max(s.from, end)
			end = s.to
		}
	}
	return *c.said.Of(side) - in
}

// someCaptures are the captures to spoil, a few unless all are asked for.
func someCaptures(t *testing.T) []string {
	files, err := filepath.Glob(filepath.Join("testdata", "foreign", "*.pcap"))
	if err != nil || len(files) == 0 {
		t.Fatal(err, len(files))
	}
	if peertest.Full() {
		return files
	}
	var some []string
	for i := 0; i < len(files); i += 23 {
		some = append(some, files[i])
	}
	return some
}

// complain returns what is wrong with the reading of a capture with holes, by
// what was read of the whole one.
func (c told) complain(whole told) (wrong []string) {
	v, w := c.verdict, whole.verdict
	sure := v.Outcome == verdict.Accepted || v.Outcome == verdict.Rejected || v.Outcome == verdict.Broken
	if sure && !c.forged && w.Outcome != verdict.Unknown && (v.Outcome != w.Outcome || v.RejectedBy != w.RejectedBy) {
		wrong = append(wrong, fmt.Sprintf("%s %s by the %v (%s); the whole one: %s by the %v", v.Outcome, v.How, v.RejectedBy, v.Reason, w.Outcome, w.RejectedBy))
	}
	if (v.How == verdict.NotTLS || c.NotTLSFrom != endpoint.Unknown) && w.How != verdict.NotTLS {
		wrong = append(wrong, fmt.Sprintf("the %v does not speak TLS", c.NotTLSFrom))
	}
	for _, m := range c.Messages {
		if m.Err != nil {
			wrong = append(wrong, fmt.Sprintf("%v of the %v: %v", m.Type, m.From, m.Err))
		}
		for _, k := range m.Checks {
			if k.Result == tlsdecrypt.Fails && k.Subject != "chain" && !slices.ContainsFunc(whole.Messages, func(other *tlsdecrypt.Message) bool {
				return slices.ContainsFunc(other.Checks, func(o tlsdecrypt.Check) bool { return o.Result == k.Result && o.Subject == k.Subject })
			}) {
				wrong = append(wrong, k.Text)
			}
		}
	}
	for _, side := range []endpoint.Side{endpoint.Client, endpoint.Server} {
		if n := c.unaccounted(side); n > 0 && !slices.ContainsFunc(c.Problems, func(p tlsdecrypt.Problem) bool { return p.From == side }) {
			wrong = append(wrong, fmt.Sprintf("%d bytes of the %v are in no message, and nothing is said of them", n, side))
		}
	}
	for _, p := range c.Problems {
		if strings.Contains(p.Text, "cannot be separated") || strings.Contains(p.Text, "changed on the way") {
			wrong = append(wrong, p.Text)
		}
	}
	return wrong
}

// unread returns how many bytes of a capture's packets were not passed on, and
// are not said to be passed over.
func unread(packets []framed, all []told) int64 {
	seen := map[[2]uint32]bool{}
	for _, p := range packets {
		header, payload := p.tcp()
		for i := range payload {
			seen[[2]uint32{uint32(binary.BigEndian.Uint16(header)), p.seq() + uint32(i)}] = true
		}
	}
	n := int64(len(seen))
	for _, c := range all {
		n -= c.said.Client + c.said.Server
	}
	if len(all) > 0 {
		_, stray, _ := strings.Cut(all[0].notices, "do not fit its sequence numbers: ")
		var bytes int64
		_, _ = fmt.Sscan(strings.TrimRight(strings.Fields(stray + " 0")[0], ","), &bytes)
		n -= bytes
	}
	return n
}

// holes are the ways to spoil a capture. Each is tried for every packet n.
var holes = map[string]func(packets []framed, n int) []framed{
	"without packet": func(p []framed, n int) []framed { return slices.Delete(slices.Clone(p), n, n+1) },
	"from packet":    func(p []framed, n int) []framed { return p[n:] },
	"a keep-alive, and from packet": func(p []framed, n int) []framed {
		n = max(n, 3)
		return slices.Insert(slices.Clone(p[n:]), 0, p[n].with([]byte{0}, -1))
	},
	"up to packet":      func(p []framed, n int) []framed { return p[:n+1] },
	"without two from":  func(p []framed, n int) []framed { return slices.Delete(slices.Clone(p), n, min(n+2, len(p))) },
	"without four from": func(p []framed, n int) []framed { return slices.Delete(slices.Clone(p), n, min(n+4, len(p))) },
	"swapped": func(p []framed, n int) []framed {
		p = slices.Clone(p)
		if n+1 < len(p) {
			p[n], p[n+1] = p[n+1], p[n]
		}
		return p
	},
	"later by five": func(p []framed, n int) []framed {
		p = slices.Clone(p)
		one := p[n]
		return slices.Insert(slices.Delete(p, n, n+1), min(n+5, len(p)-1), one)
	},
	"without its SYNs and packet": func(p []framed, n int) []framed {
		return slices.DeleteFunc(slices.Delete(slices.Clone(p), n, n+1), func(p framed) bool { return p.has(syn) })
	},
	"twice, all but packet": func(p []framed, n int) (all []framed) {
		for i, one := range p {
			if all = append(all, one); i != n {
				all = append(all, one)
			}
		}
		return all
	},
	"cut behind": func(p []framed, n int) []framed {
		p = slices.Clone(p)
		p[n] = p[n].cut(100)
		return p
	},
	"without the sender of": func(p []framed, n int) []framed {
		return slices.DeleteFunc(slices.Clone(p), func(one framed) bool { return one.port() == p[n].port() })
	},
	"reset after": func(p []framed, n int) []framed {
		reset := p[n].cut(len(p[n].data)).changed(func(h []byte) { h[13] = rst | 16 })
		_, payload := p[n].tcp()
		reset = framed{reset.header, bytes.Clone(reset.data)}
		header, _ := reset.tcp()
		binary.BigEndian.PutUint32(header[4:], p[n].seq()+uint32(len(payload)))
		binary.BigEndian.PutUint16(reset.data[16:], binary.BigEndian.Uint16(reset.data[16:])-uint16(len(payload)))
		return slices.Insert(slices.Clone(p), n+1, reset.cut(len(reset.data)-len(payload)))
	},
	"without FIN, RST and packet": func(p []framed, n int) []framed {
		return slices.DeleteFunc(slices.Delete(slices.Clone(p), n, n+1), func(p framed) bool { return p.has(fin | rst) })
	},
}

// noise is what may happen to packets on their way without any harm.
var noise = map[string]func(packets []framed, n int) []framed{
	"a keep-alive before": func(p []framed, n int) []framed {
		return slices.Insert(slices.Clone(p), max(n, 3), p[max(n, 3)].with([]byte{0}, -1))
	},
	"an empty keep-alive before": func(p []framed, n int) []framed {
		return slices.Insert(slices.Clone(p), max(n, 3), p[max(n, 3)].with(nil, -1))
	},
	"a window probe before": func(p []framed, n int) []framed {
		_, payload := p[n].tcp()
		return slices.Insert(slices.Clone(p), n, p[n].with(payload[:min(1, len(payload))], 0))
	},
	"sent again with other content": func(p []framed, n int) []framed {
		_, payload := p[n].tcp()
		other := bytes.Clone(payload)
		for i := range other {
			other[i] ^= 0x55
		}
		return slices.Insert(slices.Clone(p), n+1, p[n].with(other, 0))
	},
	"overlapping": func(p []framed, n int) []framed {
		_, payload := p[n].tcp()
		half := len(payload) / 2
		return slices.Replace(slices.Clone(p), n, n+1, p[n].with(payload[:min(half+10, len(payload))], 0), p[n].with(payload[half:], half), p[n])
	},
	"another SYN/ACK first": func(p []framed, _ int) []framed {
		i := slices.IndexFunc(p, func(one framed) bool { return one.has(syn) && one.has(ack) })
		return slices.Insert(slices.Clone(p), i, p[i].with(nil, 123456))
	},
	"another SYN/ACK behind": func(p []framed, n int) []framed {
		i := slices.IndexFunc(p, func(one framed) bool { return one.has(syn) && one.has(ack) })
		return slices.Insert(slices.Clone(p), max(i+1, n), p[i].with(nil, -123456))
	},
	"every packet twice": func(p []framed, _ int) (all []framed) {
		for _, one := range p {
			all = append(all, one, one)
		}
		return all
	},
}

// with returns a copy of a packet with another payload, moved by some bytes in
// the sender's stream, and without a FIN or RST.
func (p framed) with(payload []byte, by int) framed {
	header, was := p.tcp()
	data := append(bytes.Clone(p.data[:len(p.data)-len(was)]), payload...)
	binary.BigEndian.PutUint16(data[16:], binary.BigEndian.Uint16(data[16:])+uint16(len(payload)-len(was)))
	changed := framed{bytes.Clone(p.header), data}
	binary.BigEndian.PutUint32(data[len(p.data)-len(was)-len(header)+4:], p.seq()+uint32(by))
	data[len(p.data)-len(was)-len(header)+13] &^= fin | rst
	binary.LittleEndian.PutUint32(changed.header[8:], uint32(len(data)))
	binary.LittleEndian.PutUint32(changed.header[12:], uint32(len(data)))
	return changed
}

func TestNoise(t *testing.T) {
	differ := 0
	for _, file := range someCaptures(t) {
		head, packets := packetsOf(t, file)
		keys, _ := os.ReadFile(strings.TrimSuffix(file, ".pcap") + ".keys")
		whole := readPackets(t, head, packets, keys)[0]
		for name, spoil := range noise {
			for n := range packets {
				all := readPackets(t, head, spoil(packets, n), keys)
				if len(all) == 1 {
					before := len(all[0].Problems)
					all[0].Problems = slices.DeleteFunc(all[0].Problems, func(p tlsdecrypt.Problem) bool { return strings.Contains(p.Text, "came again with other contents") })
					switch said := before > len(all[0].Problems); {
					case said && name == "sent again with other content":
						differ++
					case said:
						t.Errorf("%s, %s %d: says that contents differ", filepath.Base(file), name, n)
					}
				}
				if len(all) != 1 || all[0].verdict.Outcome != whole.verdict.Outcome || all[0].verdict.Code != whole.verdict.Code ||
					len(all[0].Messages) != len(whole.Messages) || len(all[0].Problems) != len(whole.Problems) {
					t.Errorf("%s, %s %d: %d connections, %+v", filepath.Base(file), name, n, len(all), all)
				}
			}
		}
	}
	if differ == 0 {
		t.Error("bytes that were sent again with other contents were never said to be")
	}
}

func TestHoles(t *testing.T) {
	files := someCaptures(t)
	began := time.Now()
	read := 0
	for _, file := range files {
		head, packets := packetsOf(t, file)
		keys, _ := os.ReadFile(strings.TrimSuffix(file, ".pcap") + ".keys")
		for with, keys := range map[string][]byte{"keys": keys, "no keys": nil} {
			whole := readPackets(t, head, packets, keys)
			if len(whole) != 1 {
				t.Fatalf("%s: %d connections", file, len(whole))
			}
			for name, spoil := range holes {
				for n := range packets {
					spoiled := spoil(packets, n)
					all := readPackets(t, head, spoiled, keys)
					if lost := unread(spoiled, all); lost != 0 && name != "cut behind" { // which may be sent again, whole
						t.Errorf("%s, %s, %s %d: %d bytes are lost on the way: %s", filepath.Base(file), with, name, n, lost, notices(all))
					}
					for _, c := range all {
						read++
						c.forged = name == "reset after" // another story
						for _, wrong := range c.complain(whole[0]) {
							t.Errorf("%s, %s, %s %d: %s", filepath.Base(file), with, name, n, wrong)
						}
					}
				}
			}
		}
	}
	t.Logf("%d readings in %v", read, time.Since(began).Round(time.Millisecond))
}

// A server that sends internal_error after the client's Finished has accepted
// nobody, whatever packet is missing: the alert may answer an end that is lost.
func TestErrorWithoutPacket(t *testing.T) {
	file := filepath.Join("testdata", "foreign", "client-key-usage.gnutls-openssl.tls13")
	head, packets := packetsOf(t, file+".pcap")
	keys, err := os.ReadFile(file + ".keys")
	if err != nil {
		t.Fatal(err)
	}
	unknown := 0
	for n := range packets {
		for _, c := range readPackets(t, head, holes["without packet"](packets, n), keys) {
			switch v := c.verdict; {
			case v.Outcome == verdict.Unknown:
				unknown++
			case v.Outcome != verdict.Rejected || v.RejectedBy != endpoint.Server:
				t.Errorf("without packet %d: %s by the %v: %s", n, v.Outcome, v.RejectedBy, v.Reason)
			}
		}
	}
	if unknown == 0 {
		t.Error("without no packet is the outcome unknown")
	}
}

// Some of the keys are missing, as in a key log that another program cut short,
// or that holds the secrets of the handshake alone.
func TestSomeKeys(t *testing.T) {
	for _, file := range someCaptures(t) {
		head, packets := packetsOf(t, file)
		log, _ := os.ReadFile(strings.TrimSuffix(file, ".pcap") + ".keys")
		lines := slices.Collect(bytes.Lines(log))
		whole := readPackets(t, head, packets, log)[0]
		for n := range lines {
			for name, some := range map[string][][]byte{
				"without line": slices.Delete(slices.Clone(lines), n, n+1),
				"up to line":   lines[:n],
				"only line":    lines[n : n+1],
				"from line":    lines[n:],
			} {
				for _, c := range readPackets(t, head, packets, bytes.Join(some, nil)) {
					for _, wrong := range c.complain(whole) {
						t.Errorf("%s, keys %s %d (%.30s): %s", filepath.Base(file), name, n+1, lines[n], wrong)
					}
				}
			}
		}
	}
}

func notices(all []told) string {
	if len(all) == 0 {
		return "no connection"
	}
	return all[0].notices
}
