package keylog

// Labels is a set of labels: which secrets of one connection are known. Labels
// other than this package's are not kept.
type Labels uint16

// bits are the labels' places in the set.
var bits = map[string]Labels{
	LabelClientRandom:           1 << 0,
	LabelClientHandshakeTraffic: 1 << 1,
	LabelServerHandshakeTraffic: 1 << 2,
	LabelClientTraffic0:         1 << 3,
	LabelServerTraffic0:         1 << 4,
	LabelClientEarlyTraffic:     1 << 5,
	LabelEarlyExporter:          1 << 6,
	LabelExporter:               1 << 7,
	LabelRSA:                    1 << 8,
}

const (
	masterSecret Labels = 1 << 0
	tls13        Labels = 1<<1 | 1<<2 | 1<<3 | 1<<4
)

// Add adds a label.
func (l *Labels) Add(label string) { *l |= bits[label] }

// IsTLS13 reports whether a handshake or application traffic secret of TLS 1.3
// is among them.
func (l Labels) IsTLS13() bool { return l&tls13 != 0 }

// IsComplete reports whether everything but early data can be decrypted: with
// the master secret of TLS 1.2, or with the handshake and application traffic
// secrets of TLS 1.3, from which those after a KeyUpdate are derived
// (RFC 9846 section 7.2).
func (l Labels) IsComplete() bool { return l&masterSecret != 0 || l&tls13 == tls13 }
