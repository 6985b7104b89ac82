package capture_test

import (
	"bytes"
	"slices"
	"testing"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/wiretap"
)

// TestManyOpenConnections: of more connections than are followed at the same
// time, those that are idle longest end for the sink, with what was seen of
// them. A packet that comes later is of the same stream still.
func TestManyOpenConnections(t *testing.T) {
	const connections, most = 40_000, 1 << 13
	syn := seg{endpoint.Client, "S", 0, 0, "early", 0}.packet(t, 0)
	again := seg{endpoint.Client, "A", 6, 1, "later", 0}.packet(t, 0)
	packets := make([]raw, connections, connections+1)
	for i := range packets {
		packets[i] = raw{syn.time, bytes.Clone(syn.data)}
		bigEndian.PutUint32(packets[i].data[12:], uint32(i)) // the source address
	}
	bigEndian.PutUint32(again.data[12:], connections-most-1)
	packets = append(packets, again)
	o := open{t: t}
	var notices []string
	err := capture.Read(bytes.NewReader(pcapFile(littleEndian, 0xa1b2c3d4, 101, packets)), capture.ReadOptions{
		Sink: &o, Notice: func(text string) { notices = append(notices, text) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if o.all != connections || o.bytes != connections*len("early") {
		t.Errorf("%d connections with %d bytes, want %d with %d", o.all, o.bytes, connections, connections*len("early"))
	}
	if o.now != 0 || o.most > most {
		t.Errorf("%d connections are open at the end, and %d were at the same time; want at most %d", o.now, o.most, most)
	}
	if want := []string{"connections let go before their end, as too many were open at the same time: 32768"}; !slices.Equal(notices, want) {
		t.Errorf("notices are %q, want %q", notices, want)
	}
}

// TestUnfinishedMemory: the memory that unfinished connections take in a reader
// and in a spread sink has a bound.
func TestUnfinishedMemory(t *testing.T) {
	inUse := func(connections int) int64 {
		one := seg{endpoint.Client, "S", 0, 0, "early", 0}.packet(t, 0)
		packets := make([]raw, connections)
		for i := range packets {
			packets[i] = raw{one.time, bytes.Clone(one.data)}
			bigEndian.PutUint32(packets[i].data[12:], uint32(i))
		}
		file := pcapFile(littleEndian, 0xa1b2c3d4, 101, packets)
		spread := wiretap.NewParallel(keeper{}, 1)
		defer spread.Close()
		return heapAtEnd(t, file, spread)
	}
	small, large := inUse(40_000), inUse(120_000)
	// About 36 MB are usual, and twice that under the race detector.
	if most := int64(90 << 20); small > most || large > small+small/5 {
		t.Errorf("after 40,000 connections %d bytes are in use, after 120,000 connections %d", small, large)
	}
}

// keeper is a sink that needs 2 kB for each open connection.
type keeper struct{}

func (keeper) Open(wiretap.Event) wiretap.Handler {
	kept := make([]byte, 2<<10)
	return func(wiretap.Event) { kept[0]++ }
}

// open is a sink that counts the connections that are open at the same time.
type open struct {
	t                     *testing.T
	all, bytes, now, most int
}

func (o *open) Open(wiretap.Event) wiretap.Handler {
	o.all++
	o.now++
	o.most = max(o.most, o.now)
	ended := false
	return func(e wiretap.Event) {
		o.bytes += len(e.Data)
		if ended {
			o.t.Errorf("%v after the end", e.Kind)
		}
		if e.Kind == wiretap.Close || e.Kind == wiretap.CutOff {
			ended = true
			o.now--
		}
	}
}

// TestOneFIN: connections with one FIN, as a host records them that closes
// before its peer does, do not stay open until the file ends; nor do they if
// one before them goes on.
func TestOneFIN(t *testing.T) {
	t.Run("all end", func(t *testing.T) { oneFIN(t, false) })
	t.Run("one goes on", func(t *testing.T) { oneFIN(t, true) })
}

// oneFIN reads connections with one FIN. If goesOn, the first of them continues
// to send while the others come and go.
func oneFIN(t *testing.T, goesOn bool) {
	const connections = 1 << 14
	first := []raw{
		seg{endpoint.Client, "S", 0, 0, "", 0}.packet(t, 0),
		seg{endpoint.Server, "SA", 0, 1, "", 0}.packet(t, 0),
		seg{endpoint.Client, "A", 1, 1, "request", 0}.packet(t, 0),
		seg{endpoint.Server, "FA", 1, 8, "response", 0}.packet(t, 0),
		seg{endpoint.Client, "A", 8, 10, "", 0}.packet(t, 0),
	}
	var packets []raw
	add := func(i int, p raw) {
		p.data = bytes.Clone(p.data)
		address := 12 // the source's
		if p.data[15] != first[0].data[15] {
			address = 16
		}
		bigEndian.PutUint32(p.data[address:], uint32(i))
		packets = append(packets, p)
	}
	for i := range connections {
		for _, p := range first {
			add(i, p)
		}
		if goesOn {
			add(0, seg{endpoint.Client, "A", 8 + i, 10, "x", 0}.packet(t, 0))
		}
	}
	o := open{t: t}
	if err := capture.Read(bytes.NewReader(pcapFile(littleEndian, 0xa1b2c3d4, 101, packets)), capture.ReadOptions{Sink: &o}); err != nil {
		t.Fatal(err)
	}
	if o.now != 0 || o.most > connections/8 {
		t.Errorf("%d connections are open at the end, and %d were at the same time", o.now, o.most)
	}
}
