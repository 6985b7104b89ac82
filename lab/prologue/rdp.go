package prologue

import (
	"fmt"

	"mtlslab.example/lab/lab/endpoint"
)

// Remote desktops (RDP) begin with a packet each in which client and server
// agree on TLS (MS-RDPBCGR sections 2.2.1.1 and 2.2.1.2):
//
//	+-----------+----------+--------+---------------------+-----+-------------+
//	| version 3 | reserved | length | X.224: length, type | ... | negotiation |
//	|     1     |    1     |   2    |          7          |     |      8      |
//	+-----------+----------+--------+---------------------+-----+-------------+
//
// The negotiation has a type, flags, a length (2 bytes) and protocols (4).
const (
	tpktVersion       = 3
	connectionRequest = 0xe0
	connectionConfirm = 0xd0
)

func startsRDP(from endpoint.Side, b []byte) (dialect, match) {
	kind := byte(connectionRequest)
	if from == endpoint.Server {
		kind = connectionConfirm
	}
	got := matches(b, is(tpktVersion), is(0), upTo(3), anything, anything, is(kind))
	return rdp{}, got
}

type rdp struct{}

func (rdp) next(l *layer, from endpoint.Side, b []byte) int {
	const header, negotiation = 11, 8
	const response, failure = 2, 3
	if len(b) < header {
		return 0
	}
	size := int(b[2])<<8 + int(b[3])
	if b[0] != tpktVersion || size < header {
		return -1
	}
	if len(b) < size {
		return 0
	}
	l.Protocol, l.Kind = "RDP", StartTLS
	var part []byte
	if size >= header+negotiation {
		part = b[size-negotiation : size]
	}
	switch kind := b[5]; {
	case kind == connectionRequest && part != nil && part[0] == 1 && part[4] != 0:
		l.ask("an RDP Negotiation Request", "RDP Negotiation Request")
	case kind == connectionConfirm && part != nil && part[0] == response && part[4] != 0:
		l.agree("RDP Negotiation Response")
	case kind == connectionConfirm && part != nil && part[0] == failure:
		l.refuse(fmt.Sprintf("RDP Negotiation Failure, code %d", part[4]))
	case kind == connectionConfirm && l.Asked != "":
		l.refuse("the server chose the security of RDP itself")
	default:
		return -1
	}
	return size
}
