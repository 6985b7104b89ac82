package prologue

import (
	"bytes"
	"encoding/binary"

	"mtlslab.example/lab/lab/endpoint"
)

// The codes of requests with which a client of PostgreSQL begins (PostgreSQL's
// manual, "Message Formats").
const (
	sslRequest    = 80877103
	gssEncRequest = 80877104
	startup       = 3 << 16
)

func startsPostgreSQL(from endpoint.Side, b []byte) (dialect, match) {
	if from != endpoint.Client || b[0] != 0 {
		return nil, no
	}
	if len(b) < 8 {
		return nil, maybe
	}
	size := binary.BigEndian.Uint32(b)
	switch code := binary.BigEndian.Uint32(b[4:]); {
	case size == 8 && (code == sslRequest || code == gssEncRequest), size > 8 && size < 10000 && code&^0xffff == startup:
		return &postgreSQL{}, yes
	}
	return nil, no
}

type postgreSQL struct{ asked uint32 }

func (p *postgreSQL) next(l *layer, from endpoint.Side, b []byte) int {
	l.Protocol, l.Kind = "PostgreSQL", StartTLS
	if from == endpoint.Server {
		return p.answer(l, b)
	}
	if len(b) < 8 {
		return 0
	}
	names := map[uint32]string{sslRequest: "SSLRequest", gssEncRequest: "GSSENCRequest"}
	code := binary.BigEndian.Uint32(b[4:])
	if names[code] == "" {
		l.WentOn = l.WentOn || code&^0xffff == startup
		return -1
	}
	p.asked = code
	l.ask(names[code], names[code])
	return 8
}

// answer reads the server's answer to a request, which is one byte.
func (p *postgreSQL) answer(l *layer, b []byte) int {
	asked := p.asked
	p.asked = 0
	switch {
	case asked == sslRequest && b[0] == 'S':
		l.agree("S")
		return 1
	case asked == gssEncRequest && b[0] == 'G': // what follows is encrypted, and no TLS
		l.agree("G")
		l.body = endpoint.Pair[bool]{Client: true, Server: true}
	case asked != 0 && b[0] == 'N':
		l.refuse("N")
		return 1
	case asked != 0 && b[0] == 'E':
		l.refuse("an error")
	case asked == 0 && b[0] == 'E' && bytes.Contains(b, []byte("no encryption")): // "no pg_hba.conf entry for host ..., no encryption"
		l.demand("no entry in pg_hba.conf for a client without encryption")
	}
	return -1
}
