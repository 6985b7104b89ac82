package prologue

import (
	"bytes"
	"slices"
	"time"

	"mtlslab.example/lab/lab/endpoint"
)

// Talk follows a connection until TLS begins. The zero Talk is ready. It holds
// at most a few kilobytes.
type Talk struct {
	Prologue
	last  *layer // of Layers; nil: there is none
	sides endpoint.Pair[half]
	lacks endpoint.Pair[bool] // bytes of the side are missing
}

// half is one side of a Talk.
type half struct {
	tls     bool   // it has begun TLS
	held    []byte // may be the start of TLS
	pending []byte // of a message that is not complete
	skip    int    // bytes of a message that were not there when it was read
}

// dialect is the state of one protocol.
type dialect interface {
	// next reads the message that a side's bytes begin with, which are never
	// none, and returns its size. It may be larger than what is there. 0: more
	// bytes are needed to know; -1: where the side's messages end is not known
	// from here on.
	next(l *layer, from endpoint.Side, b []byte) int
}

// Begun notes that a side speaks TLS, which was found without the Talk.
func (t *Talk) Begun(from endpoint.Side) { t.sides.Of(from).tls = true }

// Begin notes where in a side's stream the first bytes are that Take gets,
// whether some before them are missing, and whether they may be in the middle
// of something.
func (t *Talk) Begin(from endpoint.Side, offset int64, lacks, within bool) {
	*t.Bytes.Of(from) = offset
	*t.lacks.Of(from) = lacks
	if within {
		*t.layer().unframed.Of(from) = true
	}
}

// Skip notes that bytes of a side are missing.
func (t *Talk) Skip(from endpoint.Side, missing int64) {
	h := t.sides.Of(from)
	t.flush(from)
	*t.lacks.Of(from) = true
	if t.last != nil {
		*t.last.unframed.Of(from) = true
	}
	h.skip = 0
	*t.Bytes.Of(from) += max(missing, 0)
}

// Take takes the next bytes of a side, as they came in one segment. If TLS
// begins in them, it returns the bytes from there on, and begins is true; it is
// not to be called for that side again. It keeps no reference to segment.
func (t *Talk) Take(from endpoint.Side, segment []byte, at time.Time) (tls []byte, begins bool) {
	h, start := t.sides.Of(from), t.Starts.Of(from)
	*start = append(*start, segment[:min(len(segment), startLen-len(*start))]...)
	b := segment
	if len(h.held) > 0 {
		b = append(h.held, segment...)
		h.held = nil
	}
	for len(b) > 0 {
		begins := no
		if t.mayBegin(from) {
			begins = startsTLS(from, b, t.sides.Of(from.Other()).tls)
		}
		switch begins {
		case yes:
			t.flush(from)
			h.tls = true
			return b, true
		case maybe:
			h.held = bytes.Clone(b)
			return nil, false
		}
		n := t.message(from, b, at)
		*t.Bytes.Of(from) += int64(n)
		b = b[n:]
	}
	return nil, false
}

// mayBegin reports whether a side may begin TLS here: not within a message or
// the body of one. The server answers a ClientHello; where that was not seen,
// bytes of the client are missing, or TLS was agreed on.
func (t *Talk) mayBegin(from endpoint.Side) bool {
	if t.sides.Of(from).skip > 0 || t.last != nil && !t.last.over && *t.last.body.Of(from) {
		return false
	}
	return from == endpoint.Client || t.sides.Client.tls || t.lacks.Client || len(t.Starts.Client) == 0 ||
		slices.ContainsFunc(t.Layers, func(l *Layer) bool { return l.Agreed || l.Kind == Header })
}

// End notes that no more comes.
func (t *Talk) End() {
	t.flush(endpoint.Client)
	t.flush(endpoint.Server)
}

// flush counts what waits for more: it is all of a message that there is, and
// no TLS.
func (t *Talk) flush(from endpoint.Side) {
	h := t.sides.Of(from)
	*t.Bytes.Of(from) += int64(len(h.held))
	if len(h.held)+len(h.pending) > 0 {
		*t.layer().Messages.Of(from)++
	}
	h.held, h.pending = nil, nil
}

// layer returns the layer that is spoken.
func (t *Talk) layer() *layer {
	if t.last == nil || t.last.over && len(t.Layers) < maxLayers {
		t.last = &layer{Layer: &Layer{}}
		t.Layers = append(t.Layers, t.last.Layer)
	}
	return t.last
}

// message takes a message, or what there is of one, and returns how much of b
// belongs to it.
func (t *Talk) message(from endpoint.Side, b []byte, at time.Time) int {
	h := t.sides.Of(from)
	if n := min(h.skip, len(b)); n > 0 {
		h.skip -= n
		return n
	}
	l := t.layer()
	l.now = at
	if *l.unframed.Of(from) {
		*l.Messages.Of(from)++
		return len(b)
	}
	whole := b
	if len(h.pending) > 0 {
		whole = append(h.pending, b...)
	}
	size := l.next(from, whole)
	if size == 0 && len(whole) <= maxLine {
		if len(h.pending) == 0 {
			whole = bytes.Clone(b) // which is not ours to keep
		}
		h.pending = whole
		return len(b)
	}
	*l.Messages.Of(from)++
	before := len(whole) - len(b)
	h.pending = nil
	if size <= 0 {
		*l.unframed.Of(from) = true
		return len(b)
	}
	h.skip = max(size-len(whole), 0)
	return max(min(size, len(whole))-before, 0)
}

// next asks the layer's dialect for the size of a message.
func (l *layer) next(from endpoint.Side, b []byte) int {
	if l.dialect == nil {
		d, known := recognise(from, b)
		switch {
		case known == maybe:
			return 0
		case known == no:
			return -1
		}
		l.dialect = d
	}
	return l.dialect.next(l, from, b)
}

// recognise returns a dialect by the first bytes of a side.
func recognise(from endpoint.Side, b []byte) (dialect, match) {
	for _, known := range slices.Concat(packetDialects, lineDialects) {
		if d, got := known(from, b); got != no {
			return d, got
		}
	}
	return nil, no
}

// The protocols, each with how it is recognised. Text takes what no other does.
var (
	packetDialects = []recogniser{startsHeader, startsSOCKS, startsPostgreSQL, startsMySQL, startsLDAP, startsRDP}
	lineDialects   = []recogniser{startsHTTP, startsText}
)

// recogniser returns the state of a protocol if a side's bytes begin it.
type recogniser func(from endpoint.Side, b []byte) (dialect, match)
