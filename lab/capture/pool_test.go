package capture_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/wiretap"
)

// What waits for the secrets of all connections takes a bounded amount of
// memory, and a connection that takes little goes on waiting.
func TestHeldOfAll(t *testing.T) {
	r := record(t, capture.Options{})
	const connections, each = 80, 800 << 10
	var open []*script
	for range connections {
		s := play(r.Writer)
		for range each / (1 << 14) {
			s.client(tlsRecord(handshake, 1<<14-5))
		}
		open = append(open, s)
	}
	const small = 32 << 20 / (45 << 10)
	for range small { // each within its share, and all together more than may be held back
		s := play(r.Writer)
		s.client(strings.Repeat(tlsRecord(handshake, 15<<10), 3))
		open = append(open, s)
	}
	began := time.Now()
	patient := play(r.Writer)
	patient.client(tlsRecord(handshake, 100) + strings.Repeat(tlsRecord(handshake, 15<<10), 4))
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(r.name)
	if err != nil {
		t.Fatal(err)
	}
	const all = connections*each + small*45<<10
	if held := all - len(file); held > 70<<20 {
		t.Errorf("%d KiB are held back, of %d KiB", held>>10, all>>10)
	}
	patient.secret("SERVER_HANDSHAKE_TRAFFIC_SECRET")
	patient.secret("CLIENT_HANDSHAKE_TRAFFIC_SECRET")
	patient.secret("SERVER_TRAFFIC_SECRET_0")
	patient.secret("CLIENT_TRAFFIC_SECRET_0")
	inTime := time.Since(began) < 5*time.Second // nothing is held back longer
	patient.close()
	for _, s := range open {
		s.close()
	}
	next := play(r.Writer)
	marked := tlsRecord(handshake, 1<<14-6)
	next.client(strings.Repeat(marked, 8))
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	if file, err = os.ReadFile(r.name); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(file, []byte(marked[:5])) {
		t.Error("when all have ended, a connection is not held back any more")
	}
	next.close()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if file, err = os.ReadFile(r.name); err != nil {
		t.Fatal(err)
	}
	if len(file) < connections*each {
		t.Errorf("%d bytes are recorded, less than were sent", len(file))
	}
	secrets, hello := bytes.Index(file, []byte("TRAFFIC_SECRET")), bytes.Index(file, []byte(tlsRecord(handshake, 100)))
	if secrets < 0 || inTime && hello < secrets {
		t.Error("the small connection's packets stand before its secrets")
	}
}

// When there is a verdict, the handshake has failed: there are no more secrets
// to wait for.
func TestNothingIsHeldAfterAVerdict(t *testing.T) {
	r := record(t, capture.Options{})
	s := play(r.Writer)
	s.client(tlsRecord(handshake, 100))
	s.server(tlsRecord(alert, 2))
	s.event(wiretap.Verdict, endpoint.Server, "rejected by the server: no")
	s.event(wiretap.HalfClose, endpoint.Server, "")
	s.client(strings.Repeat("late", 100))
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(r.name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(file, []byte("rejected by the server: no")) || !bytes.Contains(file, []byte("latelate")) {
		t.Errorf("not all is in the file: %d bytes", len(file))
	}
}
