package tlsdecrypt

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/wiretap"
)

// handshakes are recorded connections whose handshakes differ: versions, key
// exchanges, a retry, a resumption.
func handshakes(t testing.TB) map[string]*recording {
	p := testPKI()
	all := map[string]*recording{}
	for name, change := range map[string]func(server, client *tls.Config){
		"TLS 1.0": func(s, c *tls.Config) { c.MaxVersion = tls.VersionTLS10 },
		"TLS 1.1 RSA": func(s, c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS11, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}
		},
		"TLS 1.2": func(s, c *tls.Config) { c.MaxVersion = tls.VersionTLS12 },
		"TLS 1.2 RSA": func(s, c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}
		},
		"TLS 1.3":           func(s, c *tls.Config) {},
		"HelloRetryRequest": func(s, c *tls.Config) { s.CurvePreferences = []tls.CurveID{tls.CurveP521} },
		"not mutual":        func(s, c *tls.Config) { s.ClientAuth = tls.NoClientCert },
	} {
		server, client := serverConfig(), clientConfig()
		server.Certificates = append(server.Certificates, p.server["rsa"])
		server.MinVersion, client.MinVersion = tls.VersionTLS10, tls.VersionTLS10
		server.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
			tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_128_CBC_SHA}
		change(server, client)
		all[name] = record(t, server, client)
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		server, client := serverConfig(), clientConfig()
		server.MaxVersion = version
		server.SetSessionTicketKeys([][32]byte{{1}})
		client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		first := record(t, server, client)
		all[tls.VersionName(version)+" resumed"] = record(t, server, client).after(t, first.dissect(t, Options{}))
	}
	for name, flow := range recordedFlows(t) { // of other programs: renegotiation, authentication after the handshake, early data
		if name == "openssl-rejections" {
			continue // its certificate has expired, whatever is missing
		}
		r := &recording{events: append([]wiretap.Event{{}}, flow...)}
		all["recorded "+name] = r.change(func(e wiretap.Event) []wiretap.Event {
			e.Time = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC) // when their certificates were valid
			return []wiretap.Event{e}
		})
	}
	return all
}

// after gives the recording the secret of the connection whose session it
// resumes, which crypto/tls does not log again.
func (r *recording) after(t testing.TB, first *Connection) *recording {
	if first.Version != tlswire.VersionTLS12 {
		return r
	}
	line := fmt.Appendf(nil, "CLIENT_RANDOM %x %x\n", r.dissect(t, Options{}).ClientRandom, first.handshakes[0].master)
	return &recording{events: slices.Insert(slices.Clone(r.events), 2, wiretap.Event{Kind: wiretap.Secret, Data: line})}
}

// packets is the recording with the data in packets of one record each, or of a
// few bytes.
func (r *recording) packets(size int) *recording {
	return r.change(func(e wiretap.Event) (all []wiretap.Event) {
		if e.Kind != wiretap.Data {
			return []wiretap.Event{e}
		}
		for data := e.Data; len(data) > 0; {
			n := size
			if rec, _, err := tlswire.ReadRecord(data, 0); size == 0 && err == nil {
				n = tlswire.RecordHeaderLen + len(rec.Fragment)
			}
			n = min(n, len(data))
			if size == 0 && n == 0 {
				n = len(data)
			}
			piece := e
			piece.Data, data = data[:n], data[n:]
			all = append(all, piece)
		}
		return all
	})
}

// without is the recording without some of its events. What is missing is
// reported before the next data of the same side, as a reader of captures does,
// and right away if early is set.
func (r *recording) without(lost map[int]bool, early bool) *recording {
	changed := &recording{}
	missing := map[endpoint.Side]int64{}
	lose := func(from endpoint.Side) {
		if missing[from] > 0 {
			changed.events = append(changed.events, wiretap.Event{Kind: wiretap.Gap, From: from, Missing: missing[from]})
			missing[from] = 0
		}
	}
	for i, e := range r.events {
		if lost[i] {
			missing[e.From] += int64(len(e.Data))
			if early {
				lose(e.From)
			}
			continue
		}
		if e.Kind == wiretap.Data {
			lose(e.From)
		}
		changed.events = append(changed.events, e)
	}
	return changed
}

// noneFails wants that no check fails, and counts those that hold.
func noneFails(t *testing.T, what string, r *recording) (held int) {
	t.Helper()
	c := r.dissect(t, Options{})
	c.Check(trust())
	for _, m := range c.Messages {
		for _, k := range m.Checks {
			switch k.Result {
			case Fails:
				t.Errorf("%s: %s: %s", what, describe(m), k.Text)
			case Holds:
				held++
			}
		}
	}
	return held
}

// What is missing from a capture turns no ✓ into ✗, whatever it is and however
// late that is noticed.
func TestNothingFailsForWhatIsMissing(t *testing.T) {
	shared := trust()
	for name, whole := range handshakes(t) {
		intact := whole.dissect(t, Options{})
		intact.Check(shared)
		for _, s := range results(intact) {
			ours := !strings.HasPrefix(name, "recorded ") // whose CA is known
			if strings.HasSuffix(s, "fails") || ours && strings.HasSuffix(s, "unknown") && !strings.Contains(s, "binder") {
				t.Errorf("%s: %s", name, s)
			}
		}
		for _, size := range []int{0, 40, 300} {
			r := whole.packets(size)
			var data []int
			for i, e := range r.events {
				if e.Kind == wiretap.Data {
					data = append(data, i)
				}
			}
			for n, i := range data {
				for _, early := range []bool{false, true} {
					one := fmt.Sprintf("%s in pieces of %d without %d", name, size, n)
					noneFails(t, one, r.without(map[int]bool{i: true}, early))
					for range 2 {
						more := map[int]bool{i: true, data[rand.IntN(len(data))]: true, data[rand.IntN(len(data))]: true}
						noneFails(t, fmt.Sprintf("%s and %v", one, more), r.without(more, early))
					}
				}
				// It is there, and in the wrong place.
				moved := &recording{events: slices.Clone(r.events)}
				e := moved.events[i]
				other := slices.IndexFunc(moved.events[i:], func(o wiretap.Event) bool { return o.Kind == wiretap.Data && o.From != e.From })
				if other > 0 && !slices.ContainsFunc(moved.events[i+1:i+other], func(o wiretap.Event) bool { return o.Kind == wiretap.Data }) {
					moved.events = slices.Insert(slices.Delete(moved.events, i, i+1), i+other, e)
					noneFails(t, fmt.Sprintf("%s in pieces of %d with %d later", name, size, n), moved)
				}
			}
			for first := range data { // the capture begins in the middle
				lost := map[int]bool{}
				for _, i := range data[:first] {
					lost[i] = true
				}
				cut := r.without(lost, true).change(func(e wiretap.Event) []wiretap.Event {
					if e.Kind == wiretap.Gap {
						return nil
					}
					return []wiretap.Event{e}
				})
				cut.events = slices.Insert(cut.events, 1, wiretap.Event{Kind: wiretap.Gap, From: endpoint.Client, Missing: -1},
					wiretap.Event{Kind: wiretap.Gap, From: endpoint.Server, Missing: -1})
				noneFails(t, fmt.Sprintf("%s in pieces of %d from %d on", name, size, first), cut)
			}
		}
	}
}

// What verifies is proven by that alone, even if bytes are missing that have no
// part in it.
func TestWhatVerifiesHolds(t *testing.T) {
	for name, r := range handshakes(t) {
		cut := r.change(func(e wiretap.Event) []wiretap.Event {
			if e.Kind == wiretap.Open { // its SYN is not in the capture
				return []wiretap.Event{e, {Kind: wiretap.Gap, From: endpoint.Client, Missing: -1}, {Kind: wiretap.Gap, From: endpoint.Server, Missing: -1}}
			}
			return []wiretap.Event{e}
		})
		if got, want := noneFails(t, name, cut), noneFails(t, name, r); got != want || want == 0 && !strings.HasPrefix(name, "recorded ") {
			t.Errorf("%s: %d checks hold, want %d", name, got, want)
		}
	}
}

// The same with packets that are missing from a file, or out of place in it, as
// a reader of files reports them.
func TestNothingFailsForPacketsThatAreMissing(t *testing.T) {
	for name, whole := range handshakes(t) {
		file := filepath.Join(t.TempDir(), "lab.pcapng")
		w := must(capture.Create(file, capture.Options{}))
		whole.packets(0).replay(w)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		blocks, packets := blocksOf(must(os.ReadFile(file)))
		if held := noneFailsIn(t, name, blocks); held == 0 && !strings.HasPrefix(name, "recorded ") || len(packets) < 10 {
			t.Fatalf("%s: %d checks hold in %d packets", name, held, len(packets))
		}
		for n, i := range packets {
			noneFailsIn(t, fmt.Sprintf("%s from packet %d on", name, n), slices.Delete(slices.Clone(blocks), packets[0], i))
			noneFailsIn(t, fmt.Sprintf("%s without packet %d", name, n), slices.Delete(slices.Clone(blocks), i, i+1))
			for _, further := range []int{1, 2, 5} {
				if n+further >= len(packets) {
					continue
				}
				j := packets[n+further]
				lacking := slices.Delete(slices.Delete(slices.Clone(blocks), j, j+1), i, i+1)
				noneFailsIn(t, fmt.Sprintf("%s without packets %d and %d", name, n, n+further), lacking)
				moved := slices.Insert(slices.Delete(slices.Clone(blocks), i, i+1), j, blocks[i])
				noneFailsIn(t, fmt.Sprintf("%s with packet %d behind packet %d", name, n, n+further), moved)
				noneFailsIn(t, fmt.Sprintf("%s without packets %d to %d", name, n, n+further), slices.Delete(slices.Clone(blocks), i, j+1))
			}
		}
	}
}

// blocksOf are the blocks of a pcapng file, and which of them are packets
// (pcapng 4.3).
func blocksOf(file []byte) (blocks [][]byte, packets []int) {
	for len(file) >= 12 {
		n := int(binary.LittleEndian.Uint32(file[4:]))
		if binary.LittleEndian.Uint32(file) == 6 {
			packets = append(packets, len(blocks))
		}
		blocks, file = append(blocks, file[:n]), file[n:]
	}
	return blocks, packets
}

func noneFailsIn(t *testing.T, what string, blocks [][]byte) (held int) {
	t.Helper()
	store := &keylog.Store{}
	d := New(Options{Secrets: store, Done: func(c *Connection) {
		c.Check(trust())
		for _, m := range c.Messages {
			for _, k := range m.Checks {
				switch k.Result {
				case Fails:
					t.Errorf("%s: %s: %s", what, describe(m), k.Text)
				case Holds:
					held++
				}
			}
		}
	}})
	err := capture.Read(bytes.NewReader(bytes.Join(blocks, nil)), capture.ReadOptions{Sink: d, Secrets: func(lines []byte) {
		for line := range bytes.Lines(lines) {
			if entry, err := keylog.ParseLine(bytes.TrimSpace(line)); err == nil {
				store.Add(entry)
			}
		}
	}})
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
	d.Close()
	return held
}

// A message that spans records is read whole where only the SYN is missing: what
// continues it is not taken for encrypted.
func TestLongMessageWithoutSYN(t *testing.T) {
	server, client := serverConfig(), clientConfig()
	client.MaxVersion = tls.VersionTLS12
	long := client.Certificates[0]
	for len(long.Certificate)*len(long.Certificate[0]) < 2*tlswire.MaxPlaintext {
		long.Certificate = append(slices.Clone(long.Certificate), long.Certificate[0])
	}
	client.Certificates = []tls.Certificate{long}
	r := record(t, server, client).change(func(e wiretap.Event) []wiretap.Event {
		if e.Kind == wiretap.Open {
			return []wiretap.Event{e, {Kind: wiretap.Gap, From: endpoint.Client, Missing: -1}, {Kind: wiretap.Gap, From: endpoint.Server, Missing: -1}}
		}
		return []wiretap.Event{e}
	})
	c := r.dissect(t, Options{})
	if sealed := slices.ContainsFunc(c.Messages, func(m *Message) bool { return m.Encrypted }); sealed || !c.ClientAuth {
		t.Errorf("encrypted messages: %v; client certificate: %v; %v", sealed, c.ClientAuth, c.Problems)
	}
}
