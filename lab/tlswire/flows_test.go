package tlswire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
)

// flowMessage is a message of a recorded flow with what its layout depends on.
type flowMessage struct {
	flow  string
	alert bool
	raw   []byte
	ctx   Context
}

// flowMessages replays the recorded flows: the context of each message follows
// from the hellos before it.
func flowMessages(t testing.TB) []flowMessage {
	t.Helper()
	files, err := filepath.Glob("testdata/*.flow")
	if err != nil || len(files) == 0 {
		t.Fatalf("no flows in testdata: %v", err)
	}
	var all []flowMessage
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var ctx Context
		for line := range strings.Lines(string(text)) {
			words := strings.Fields(line)
			if len(words) != 3 {
				continue
			}
			raw, err := hex.DecodeString(words[2])
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			ctx.Sender = map[string]endpoint.Side{"client": endpoint.Client, "server": endpoint.Server}[words[0]]
			if words[1] == "stream" {
				continue
			}
			m := flowMessage{flow: filepath.Base(file), alert: words[1] == "alert", raw: raw, ctx: ctx}
			if !m.alert {
				m.ctx, ctx = follow(t, raw, ctx)
			}
			all = append(all, m)
		}
	}
	return all
}

// follow gives the context of a message and that of the next.
func follow(t testing.TB, raw []byte, ctx Context) (own, next Context) {
	t.Helper()
	switch HandshakeType(raw[0]) {
	case TypeClientHello:
		own = Context{Sender: ctx.Sender}
		return own, own
	case TypeServerHello:
		h, err := ParseHandshake(raw, ctx)
		if err != nil {
			t.Fatal(err)
		}
		sh := h.Body.(*ServerHello)
		ctx.Version, ctx.CipherSuite = sh.Version(), sh.CipherSuite
		if s, ok := Lookup[*SelectedCertificateType](sh.Extensions, ExtensionServerCertificateType); ok {
			ctx.CertificateType = s.Type
		}
	}
	return ctx, ctx
}

// handshakes are the handshake messages of all flows, those of the byte streams
// included.
func handshakes(t testing.TB) []flowMessage {
	all := streamMessages(t)
	for _, m := range flowMessages(t) {
		if !m.alert {
			all = append(all, m)
		}
	}
	return all
}

// streams are the recorded byte streams, in the order of the files, client's
// first.
func streams(t testing.TB) (all [][]byte) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.flow")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if words := strings.Fields(line); len(words) == 3 && words[1] == "stream" {
				raw, err := hex.DecodeString(words[2])
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, raw)
			}
		}
	}
	return all
}

// streamMessages reads the streams, record by record, as far as they are not
// encrypted.
func streamMessages(t testing.TB) (all []flowMessage) {
	t.Helper()
	var version Version
	var suite CipherSuite
	for _, stream := range streams(t) {
		var reader HandshakeReader
		for rest := stream; len(rest) > 0; {
			rec, after, err := ReadRecord(rest, int64(len(stream)-len(rest)))
			if err != nil {
				t.Fatal(err)
			}
			rest = after
			if rec.Type != ContentTypeHandshake {
				if err := ParseChangeCipherSpec(rec.Fragment); err != nil {
					t.Fatal(err)
				}
				break
			}
			reader.Write(rec.Fragment)
			for {
				raw, err := reader.Next()
				if err != nil {
					t.Fatal(err)
				}
				if raw == nil {
					break
				}
				all = append(all, flowMessage{flow: "stream", raw: bytes.Clone(raw), ctx: Context{CertificateType: CertificateTypeRawPublicKey}})
				if h, _ := ParseHandshake(raw, Context{}); h.Type == TypeServerHello {
					version, suite = h.Body.(*ServerHello).Version(), h.Body.(*ServerHello).CipherSuite
				}
			}
		}
	}
	for i := range all {
		all[i].ctx.Version, all[i].ctx.CipherSuite = version, suite
	}
	return all
}

func (m flowMessage) String() string {
	return fmt.Sprintf("%s: %v", m.flow, HandshakeType(m.raw[0]))
}

func TestRecordedMessagesParseAndRoundTrip(t *testing.T) {
	seen := map[string]int{}
	for _, m := range handshakes(t) {
		h, err := ParseHandshake(m.raw, m.ctx)
		if err != nil {
			t.Errorf("%v: %v", m, err)
			continue
		}
		if _, opaque := h.Body.(*Opaque); opaque {
			t.Errorf("%v: has no layout", m)
		}
		if got := h.Marshal(); !bytes.Equal(got, m.raw) {
			t.Errorf("%v: round trip\n got %x\nwant %x", m, got, m.raw)
		}
		for _, e := range extensionsOf(h) {
			if _, err := e.Parse(); err != nil {
				t.Errorf("%v: %v: %v", m, e.Type, err)
			}
			seen[e.Type.String()]++
		}
		if h.Purpose() == "" || !strings.Contains(h.Purpose(), "RFC ") && !strings.Contains(h.Purpose(), "draft-") {
			t.Errorf("%v: purpose %q names no section", m, h.Purpose())
		}
		checkFields(t, m.String(), h.Fields(), 0, len(m.raw))
		seen[h.Name()]++
	}
	for _, want := range []string{"ClientHello", "ServerHello", "HelloRetryRequest", "EncryptedExtensions", "CertificateRequest", "Certificate",
		"CertificateVerify", "Finished", "NewSessionTicket", "KeyUpdate", "EndOfEarlyData", "ServerKeyExchange", "ClientKeyExchange",
		"ServerHelloDone", "HelloRequest", "CertificateStatus", "NextProtocol",
		"server_name", "status_request", "supported_groups", "ec_point_formats", "signature_algorithms", "signature_algorithms_cert",
		"application_layer_protocol_negotiation", "signed_certificate_timestamp", "padding", "encrypt_then_mac", "extended_master_secret",
		"record_size_limit", "delegated_credential", "session_ticket", "pre_shared_key", "early_data", "supported_versions", "cookie",
		"psk_key_exchange_modes", "certificate_authorities", "post_handshake_auth", "key_share", "renegotiation_info",
		"next_protocol_negotiation", "encrypted_client_hello", "client_certificate_type", "server_certificate_type", "max_fragment_length"} {
		if seen[want] == 0 {
			t.Errorf("the flows have no %s", want)
		}
	}
}

func extensionsOf(h Handshake) []Extension {
	switch m := h.Body.(type) {
	case *ClientHello:
		return m.Extensions
	case *ServerHello:
		return m.Extensions
	case *EncryptedExtensions:
		return m.Extensions
	case *CertificateRequest:
		return m.Extensions
	case *NewSessionTicket:
		return m.Extensions
	case *Certificate:
		var all []Extension
		for _, e := range m.Entries {
			all = append(all, e.Extensions...)
		}
		return all
	}
	return nil
}

func TestStrictPrefixesFail(t *testing.T) {
	for _, m := range handshakes(t) {
		for n := range len(m.raw) {
			if h, err := ParseHandshake(m.raw[:n], m.ctx); err == nil {
				t.Fatalf("%v: parses when cut to %d of %d bytes: %+v", m, n, len(m.raw), h)
			}
		}
		if _, err := ParseHandshake(append(bytes.Clone(m.raw), 0), m.ctx); err == nil {
			t.Errorf("%v: parses with a byte too many", m)
		}
	}
}

// Where the header agrees with a body that was cut, the body's own lengths must
// tell.
func TestStrictPrefixesOfBodiesFail(t *testing.T) {
	for _, m := range handshakes(t) {
		h, err := ParseHandshake(m.raw, m.ctx)
		if err != nil {
			t.Fatalf("%v: %v", m, err)
		}
		switch h.Type {
		case TypeFinished: // takes what there is (RFC 9846 section 4.5.3)
			continue
		}
		for n := HandshakeHeaderLen; n < len(m.raw); n++ {
			cut := bytes.Clone(m.raw[:n])
			putBigEndian(cut[1:HandshakeHeaderLen], n-HandshakeHeaderLen)
			h, err := ParseHandshake(cut, m.ctx)
			if err == nil && extensionsOf(h) == nil && (h.Type == TypeClientHello || h.Type == TypeServerHello) {
				continue // the extensions may be absent (RFC 5246 section 7.4.1.2)
			}
			if err == nil {
				t.Fatalf("%v: parses when its body is cut to %d of %d bytes", m, n, len(m.raw))
			}
			var at *Error
			if !errors.As(err, &at) || at.Offset < HandshakeHeaderLen || at.Offset > n {
				t.Fatalf("%v cut to %d bytes: error %v at a strange place", m, n, err)
			}
		}
	}
}

// checkFields checks that fields stand in order, do not overlap and lie within
// [from, to).
func checkFields(t testing.TB, what string, fields []Field, from, to int) {
	t.Helper()
	for _, f := range fields {
		if f.Name == "" {
			t.Errorf("%s: a field at byte %d has no name", what, f.Offset)
		}
		if f.Length < 0 || f.Prefix > f.Length || f.Offset < from || f.Offset+f.Length > to {
			t.Errorf("%s: %s is at [%d, %d), not within [%d, %d)", what, f.Name, f.Offset, f.Offset+f.Length, from, to)
		}
		if len(f.Fields) == 0 && f.Value == "" && f.Length > 0 {
			t.Errorf("%s: %s at byte %d has no value", what, f.Name, f.Offset)
		}
		checkFields(t, what+": "+f.Name, f.Fields, f.Offset+f.Prefix, f.Offset+f.Length)
		from = f.Offset + f.Length
	}
}

func TestRecordedAlerts(t *testing.T) {
	seen := map[AlertDescription]bool{}
	for _, m := range flowMessages(t) {
		if !m.alert {
			continue
		}
		a, err := ParseAlert(m.raw)
		if err != nil {
			t.Fatalf("%s: %v", m.flow, err)
		}
		if !bytes.Equal(a.Marshal(), m.raw) {
			t.Errorf("%s: %v does not round-trip", m.flow, a)
		}
		checkFields(t, m.flow, a.Fields(), 0, 2)
		seen[a.Description] = true
		for n := range m.raw {
			if _, err := ParseAlert(m.raw[:n]); err == nil {
				t.Errorf("%d bytes parse as an alert", n)
			}
		}
	}
	if !seen[AlertCertificateRequired] || !seen[AlertCloseNotify] {
		t.Errorf("the flows' alerts are only %v", seen)
	}
}
