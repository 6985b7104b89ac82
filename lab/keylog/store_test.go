package keylog

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// randomOf is a client random that is unlike that of other numbers.
func randomOf(n int) []byte { return binary.BigEndian.AppendUint64(make([]byte, 24, 32), uint64(n)) }

func TestStore(t *testing.T) {
	var s Store
	for i, label := range storedLabels {
		s.Add(Entry{Label: label, ClientRandom: randomOf(1), Secret: bytes.Repeat([]byte{byte(i)}, 32+i)})
	}
	s.Add(Entry{Label: LabelExporter, ClientRandom: randomOf(2), Secret: []byte("exporter")})
	s.Add(Entry{Label: LabelClientRandom, ClientRandom: randomOf(1), Secret: []byte("another")})
	for i, label := range storedLabels {
		if got := s.Secret(label, randomOf(1)); !bytes.Equal(got, bytes.Repeat([]byte{byte(i)}, 32+i)) {
			t.Errorf("%s is %x", label, got)
		}
	}
	if s.Has(randomOf(2)) || !s.Has(randomOf(1)) {
		t.Error("an exporter's secret, which opens nothing, was stored, or others were not")
	}
	if s.Secret(LabelClientRandom, randomOf(3)) != nil || s.Secret("NO_SUCH_LABEL", randomOf(1)) != nil {
		t.Error("a secret that was never added")
	}
}

func TestStoreForgetsWhatPasses(t *testing.T) {
	var s Store
	const connections = 5 * maxEnded
	s.Add(Entry{Label: LabelClientRandom, ClientRandom: randomOf(0), Secret: []byte("for good")})
	for i := range connections {
		line, _ := Entry{Label: LabelClientRandom, ClientRandom: randomOf(i), Secret: []byte("passing")}.AppendText([]byte("# a comment\n"))
		s.AddPassing(line)
		s.Forget(randomOf(i))
	}
	n := 0
	for i := range s.shards {
		n += len(s.shards[i].secrets)
	}
	if n > maxEnded+1 {
		t.Errorf("%d secrets are left of %d connections that have ended", n, connections)
	}
	if !s.Has(randomOf(connections-1)) || !s.Has(randomOf(0)) || s.Has(randomOf(1)) {
		t.Error("the secret of the last connection, or one to keep, is gone; or an old one is still there")
	}
}
