package capture_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"mtlslab.example/lab/lab/endpoint"
)

// memory is a file in memory.
type memory struct{ bytes.Buffer }

func (m *memory) Close() error { return nil }

// Types of blocks.
const (
	sectionHeader     = 0x0a0d0d0a
	interfaceBlock    = 1
	packetBlock       = 6
	decryptionSecrets = 10
)

// block is a block of a pcapng file without its type and lengths.
type block struct {
	kind uint32
	body []byte
}

// blocks splits a file, which must be whole.
func blocks(t *testing.T, file []byte) []block {
	t.Helper()
	var list []block
	for len(file) > 0 {
		if len(file) < 12 {
			t.Fatalf("%d bytes are left of a block", len(file))
		}
		length := int(binary.LittleEndian.Uint32(file[4:]))
		if length > len(file) || length%4 != 0 || int(binary.LittleEndian.Uint32(file[length-4:])) != length {
			t.Fatalf("a block of type %#x has length %d, %d bytes are left", binary.LittleEndian.Uint32(file), length, len(file))
		}
		list = append(list, block{binary.LittleEndian.Uint32(file), file[8 : length-4]})
		file = file[length:]
	}
	return list
}

// outline returns the order of a file's blocks: D for secrets, P for a packet.
func outline(t *testing.T, file []byte) string {
	t.Helper()
	var letters []byte
	for _, b := range blocks(t, file) {
		switch b.kind {
		case decryptionSecrets:
			letters = append(letters, 'D')
		case packetBlock:
			letters = append(letters, 'P')
		}
	}
	return string(slices.CompactFunc(letters, func(a, b byte) bool { return a == 'P' && b == 'P' }))
}

// stream is one direction of a connection as its packets show it.
type stream struct {
	data     []byte
	fin, rst bool
	next     uint32
	begun    bool
}

// conversation reads the packets of the one connection in a file with pcapgo,
// checks each, and returns both directions.
func conversation(file []byte) (streams endpoint.Pair[stream], err error) {
	r, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		return streams, err
	}
	var last int64
	for {
		frame, info, err := r.ReadPacketData()
		if err == io.EOF {
			return streams, nil
		}
		if err != nil {
			return streams, err
		}
		if info.Timestamp.UnixNano() < last {
			return streams, fmt.Errorf("time runs backwards to %v", info.Timestamp)
		}
		last = info.Timestamp.UnixNano()
		if err := addFrame(&streams, frame, info); err != nil {
			return streams, err
		}
	}
}

// addFrame checks a frame and adds its payload to its direction in streams.
func addFrame(streams *endpoint.Pair[stream], frame []byte, info gopacket.CaptureInfo) error {
	p := gopacket.NewPacket(frame, layers.LinkTypeRaw, gopacket.NoCopy)
	tcp, ok := p.TransportLayer().(*layers.TCP)
	if !ok || p.ErrorLayer() != nil {
		return fmt.Errorf("no TCP in %x: %v", frame, p.ErrorLayer())
	}
	if info.Length > 65535 || info.CaptureLength != info.Length {
		return fmt.Errorf("%d bytes are captured of %d", info.CaptureLength, info.Length)
	}
	if err := tcp.SetNetworkLayerForChecksum(p.NetworkLayer()); err != nil {
		return err
	}
	if failed, mismatches := p.VerifyChecksums(); failed != nil || len(mismatches) > 0 {
		return fmt.Errorf("checksums: %v %v", failed, mismatches)
	}
	from := endpoint.Client
	if tcp.SrcPort == layers.TCPPort(serverAddr.Port()) {
		from = endpoint.Server
	}
	s, peer := streams.Of(from), streams.Of(from.Other())
	if tcp.SYN {
		s.begun, s.next = true, tcp.Seq
	}
	if tcp.Seq != s.next || s.fin && len(tcp.Payload) > 0 {
		return fmt.Errorf("%v sends %d, next is %d", from, tcp.Seq, s.next)
	}
	if tcp.ACK != peer.begun || tcp.ACK && tcp.Ack != peer.next {
		return fmt.Errorf("%v acknowledges %d, next is %d", from, tcp.Ack, peer.next)
	}
	s.next += uint32(len(tcp.Payload))
	if tcp.SYN || tcp.FIN {
		s.next++
	}
	s.data = append(s.data, tcp.Payload...)
	s.fin, s.rst = s.fin || tcp.FIN, s.rst || tcp.RST
	return nil
}
