package capture_test

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

func TestReadFormats(t *testing.T) {
	packets, want := dialogues(t, random(), v4[0], v4[1])
	cases := map[string][]byte{
		"pcap":                pcapFile(littleEndian, 0xa1b2c3d4, 101, packets),
		"pcap, big endian":    pcapFile(bigEndian, 0xa1b2c3d4, 101, packets),
		"pcap, nanoseconds":   pcapFile(littleEndian, 0xa1b23c4d, 101, packets),
		"pcap, nanoseconds 2": pcapFile(bigEndian, 0xa1b23c4d, 101, packets),
		"pcap, modified":      pcapFile(littleEndian, 0xa1b2cd34, 101, packets),
		"pcap, DLT_RAW":       pcapFile(littleEndian, 0xa1b2c3d4, 12, packets),
		"pcap, OpenBSD raw":   pcapFile(littleEndian, 0xa1b2c3d4, 14, packets),
		"pcap, IPv4":          pcapFile(littleEndian, 0xa1b2c3d4, 228, packets),
		"pcapng":              pcapngFile(littleEndian, packetBlock, 101, packets),
		"pcapng, big endian":  pcapngFile(bigEndian, packetBlock, 101, packets),
		"pcapng, old packets": pcapngFile(littleEndian, 2, 101, packets),
		"pcapng, old, big":    pcapngFile(bigEndian, 2, 101, packets),
		"pcapng, simple":      pcapngFile(littleEndian, 3, 101, packets),
		"pcapng, two sections": slices.Concat(pcapngFile(littleEndian, packetBlock, 101, packets[:50]),
			pcapngFile(bigEndian, packetBlock, 101, packets[50:])),
	}
	for name, file := range cases {
		t.Run(name, func(t *testing.T) { readTurns(t, file).same(t, want) })
	}
}

// rebuilt takes a packet apart and makes others of its kind, with other
// sequence numbers and payloads.
func rebuilt(t testing.TB, p raw, change func(tcp *layers.TCP, payload []byte, add func(layers.TCP, []byte))) []raw {
	t.Helper()
	var made []raw
	first := layers.LayerTypeIPv4
	if p.data[0]>>4 == 6 {
		first = layers.LayerTypeIPv6
	}
	packet := gopacket.NewPacket(p.data, first, gopacket.Default)
	tcp := packet.TransportLayer().(*layers.TCP)
	change(tcp, tcp.Payload, func(next layers.TCP, payload []byte) {
		b := gopacket.NewSerializeBuffer()
		ip := packet.NetworkLayer().(gopacket.SerializableLayer)
		options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
		next.SetNetworkLayerForChecksum(packet.NetworkLayer())
		if err := gopacket.SerializeLayers(b, options, ip, &next, gopacket.Payload(payload)); err != nil {
			t.Fatal(err)
		}
		made = append(made, raw{p.time, bytes.Clone(b.Bytes())})
	})
	return made
}

// TestReadMangled: whatever happens to the packets on their way, what was said
// is the same, in the same turns.
func TestReadMangled(t *testing.T) {
	each := func(change func(r *rand.Rand, tcp *layers.TCP, payload []byte, add func(layers.TCP, []byte))) func(*rand.Rand, []raw) []raw {
		return func(r *rand.Rand, packets []raw) (made []raw) {
			for _, p := range packets {
				made = append(made, rebuilt(t, p, func(tcp *layers.TCP, payload []byte, add func(layers.TCP, []byte)) {
					change(r, tcp, payload, add)
				})...)
			}
			return made
		}
	}
	shuffled := func(r *rand.Rand, packets []raw) []raw {
		packets = slices.Clone(packets)
		for i := 0; i < len(packets); i += 24 {
			part := packets[i:min(i+24, len(packets))]
			r.Shuffle(len(part), func(i, j int) { part[i], part[j] = part[j], part[i] })
		}
		return packets
	}
	split := each(func(r *rand.Rand, tcp *layers.TCP, payload []byte, add func(layers.TCP, []byte)) {
		fin := tcp.FIN
		for len(payload) > 1 {
			n := 1 + r.IntN(len(payload)-1)
			tcp.FIN = false
			add(*tcp, payload[:n])
			tcp.Seq += uint32(n)
			payload = payload[n:]
		}
		tcp.FIN = fin
		add(*tcp, payload)
	})
	overlapping := each(func(r *rand.Rand, tcp *layers.TCP, payload []byte, add func(layers.TCP, []byte)) {
		if len(payload) < 10 {
			add(*tcp, payload)
			return
		}
		third := len(payload) / 3
		seq := tcp.Seq
		add(*tcp, payload[:2*third])
		tcp.Seq = seq + uint32(third)
		add(*tcp, payload[third:])
		tcp.Seq = seq
		add(*tcp, payload)
		tcp.Seq = seq + uint32(len(payload)) - 1
		add(*tcp, []byte{0}) // a keep-alive with a byte that is not of the stream
	})
	cases := map[string]func(*rand.Rand, []raw) []raw{
		"as they are": func(_ *rand.Rand, p []raw) []raw { return p },
		"shuffled":    shuffled,
		"twice": func(_ *rand.Rand, packets []raw) (made []raw) {
			for i, p := range packets {
				made = append(made, p)
				made = append(made, packets[max(0, i-3)])
			}
			return made
		},
		"split":                 split,
		"overlapping":           overlapping,
		"split and shuffled":    func(r *rand.Rand, p []raw) []raw { return shuffled(r, split(r, p)) },
		"overlapping, shuffled": func(r *rand.Rand, p []raw) []raw { return shuffled(r, overlapping(r, p)) },
		"in fragments":          func(_ *rand.Rand, p []raw) []raw { return fragmented(p) },
		"fragments, shuffled":   func(r *rand.Rand, p []raw) []raw { return shuffled(r, fragmented(p)) },
	}
	for version, addrs := range map[string][2]netip.Addr{"IPv4": v4, "IPv6": v6} {
		for name, mangle := range cases {
			t.Run(version+" "+name, func(t *testing.T) {
				r := random()
				packets, want := dialogues(t, r, addrs[0], addrs[1])
				readTurns(t, pcapFile(littleEndian, 0xa1b2c3d4, 101, mangle(r, packets))).same(t, want)
			})
		}
	}
}

// fragmented cuts packets into fragments of 512 bytes; those of IPv6 have a
// header of destination options besides.
func fragmented(packets []raw) (made []raw) {
	const size = 512
	for i, p := range packets {
		header, payload := p.data[:20], p.data[20:]
		six := p.data[0]>>4 == 6
		if six {
			header = p.data[:40]
			payload = append([]byte{6, 0, 1, 4, 0, 0, 0, 0}, p.data[40:]...)
		}
		for at := 0; at < len(payload); at += size {
			part := payload[at:min(at+size, len(payload))]
			more := at+size < len(payload)
			h := bytes.Clone(header)
			field := uint16(at / 8)
			if !six {
				if more {
					field |= 1 << 13
				}
				bigEndian.PutUint16(h[2:], uint16(20+len(part)))
				bigEndian.PutUint16(h[4:], uint16(i))
				bigEndian.PutUint16(h[6:], field)
			} else {
				field <<= 3
				if more {
					field |= 1
				}
				h[6] = 44
				bigEndian.PutUint16(h[4:], uint16(8+len(part)))
				h = append(h, 60, 0)
				h = bigEndian.AppendUint16(h, field)
				h = bigEndian.AppendUint32(h, uint32(i))
			}
			made = append(made, raw{p.time, append(h, part...)})
		}
	}
	return made
}
