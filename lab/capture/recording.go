package capture

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/wiretap"
)

// recording writes one connection to the file: its events become packets. It
// holds them back while a block or a comment that must come before them is not
// known.
type recording struct {
	w *Writer

	mu       sync.Mutex
	batch    *wiretap.Batch // the first events, until they are packed; then nil
	segments *segmenter
	records  endpoint.Pair[tlsRecords]
	secrets  secrets
	comment  string // a verdict that waits for a packet

	awaits bool  // for secrets
	last   int   // index in held of the packet that may be its side's last; -1 if there is none
	held   *hold // nil if nothing is held back
	ended  bool

	unjudged bool // no verdict will come, or none more that matters
}

// maxBatch is how many bytes of a connection's data wait to be packed at most.
const maxBatch = 16 << 10

func newRecording(w *Writer, e wiretap.Event) *recording {
	f := &recording{w: w, batch: wiretap.NewBatch(), awaits: true, last: -1}
	f.batch.Add(&e)
	return f
}

// handle takes an event of the connection.
func (f *recording) handle(e wiretap.Event) {
	if !f.w.out.over.Load() {
		f.add(e)
		f.w.arm()
	}
	if e.Kind == wiretap.Close || e.Kind == wiretap.CutOff {
		f.w.forget(f)
	}
}

// add batches the first events of a connection: packing them one by one,
// between the connection's other work, costs three times as much in cache
// misses.
func (f *recording) add(e wiretap.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.batch == nil:
		f.write(e)
	case f.batch.Size()+len(e.Data) > maxBatch, f.isTLS12(e):
		f.pack()
		f.write(e)
	default:
		f.batch.Add(&e)
	}
}

// isTLS12 reports whether e shows that this is no TLS 1.3, where a server has
// secrets before it has said anything. Then a session ticket is remembered as
// soon as it was issued: another connection may present it.
func (f *recording) isTLS12(e wiretap.Event) bool {
	return e.Kind == wiretap.Data && e.From == endpoint.Server &&
		!slices.ContainsFunc(f.batch.Events, func(e wiretap.Event) bool { return e.Kind == wiretap.Secret })
}

// pack makes the packets of the batch. Those of later events are made as they
// come.
func (f *recording) pack() {
	if f.batch == nil {
		return
	}
	f.lookAhead(f.batch.Events)
	for _, e := range f.batch.Events {
		f.write(e)
	}
	f.batch.Free()
	f.batch = nil
}

// lookAhead finds in events what their packets would otherwise be held back
// for: the secrets of TLS 1.3, and whether a verdict comes.
func (f *recording) lookAhead(events []wiretap.Event) {
	has := func(k wiretap.Kind) bool {
		return slices.ContainsFunc(events, func(e wiretap.Event) bool { return e.Kind == k })
	}
	f.unjudged = events[len(events)-1].Kind == wiretap.Close && !has(wiretap.Verdict)
	for _, e := range events {
		switch {
		case e.Kind == wiretap.Data && e.From == endpoint.Client && f.secrets.visible == nil:
			f.secrets.seeRecord(e.Data)
		case e.Kind == wiretap.Secret && f.secrets.visible != nil:
			f.addLines(e.Data)
		}
	}
}

// write makes the packets of an event.
func (f *recording) write(e wiretap.Event) {
	if f.segments == nil {
		f.open(e)
		return
	}
	if f.ended || e.From > endpoint.Server {
		return
	}
	f.segments.time = max(f.segments.time, e.Time.UnixNano())
	switch e.Kind {
	case wiretap.Data:
		f.data(e.From, e.Data)
	case wiretap.Secret:
		f.addLines(e.Data)
	case wiretap.Verdict:
		f.verdict(string(e.Data))
	case wiretap.HalfClose:
		f.segments.fin(e.From)
	case wiretap.Reset:
		f.segments.rst(e.From)
	case wiretap.Close:
		f.segments.fin(e.From)
		f.releaseAll()
		f.ended = true
	case wiretap.CutOff:
		f.releaseAll()
		f.ended = true
	}
}

func (f *recording) open(e wiretap.Event) {
	isn := endpoint.Pair[uint32]{Client: rand.Uint32(), Server: rand.Uint32()}
	f.segments = newSegmenter(e.Client, e.Server, isn, f.deliver)
	f.segments.time = e.Time.UnixNano()
	f.segments.open(exchangeComment(e.Exchange))
}

// data records bytes in runs that are captured whole or may be shortened.
func (f *recording) data(from endpoint.Side, p []byte) {
	if f.last >= 0 && f.held.packets[f.last].from == from {
		f.last = -1 // it was not the last
		f.release()
	}
	r := f.records.Of(from)
	for len(p) > 0 {
		n, short := r.run(p, f.w.options.Snaplen > 0)
		keep := -1
		if short {
			keep = f.w.options.Snaplen
		}
		f.segments.data(from, p[:n], keep, n == len(p) && r.endInAlert())
		p = p[n:]
	}
	if from == endpoint.Client {
		f.secrets.see(r.clear.bytes())
	}
	if r.hidden > 0 {
		f.records.Of(from.Other()).answered()
	}
	if r.changed && !r.blind && from == endpoint.Server {
		f.resume()
	}
	if r.foreign && f.awaits {
		f.writeSecrets()
		f.release()
	}
}

// addLines records lines of the key log.
func (f *recording) addLines(lines []byte) {
	for line := range bytes.Lines(lines) {
		f.secret(line)
	}
}

// secret records a line of the key log.
func (f *recording) secret(line []byte) {
	if visible := f.secrets.underVisibleRandom(line); visible != nil {
		f.addSecret(visible)
	}
	f.addSecret(line)
}

func (f *recording) addSecret(line []byte) {
	line = f.secrets.add(line)
	if line == nil {
		return
	}
	if f.secrets.known.IsTLS13() { // there is no session to resume by a secret
		f.records.Client.forget()
		f.records.Server.forget()
	}
	if !f.awaits {
		f.w.out.writeSecrets(line)
		return
	}
	if f.secrets.known.IsComplete() {
		f.writeSecrets()
		f.release()
	}
}

// writeSecrets writes the secrets there are. Later ones are written when they
// come.
func (f *recording) writeSecrets() {
	f.awaits = false
	if lines := f.secrets.lines.bytes(); len(lines) > 0 {
		f.w.out.writeSecrets(lines)
	}
}

// verdict comments on the packet that may be its side's last, or else on the
// next one. After a failed handshake no more secrets come.
func (f *recording) verdict(text string) {
	if f.last < 0 {
		f.comment = joinComments(f.comment, text)
	} else {
		f.held.packets[f.last].comment = joinComments(f.held.packets[f.last].comment, text)
		f.last = -1
	}
	f.unjudged = true
	f.records.Client.forget()
	f.records.Server.forget()
	if f.awaits {
		f.writeSecrets()
	}
	f.release()
}

func joinComments(a, b string) string {
	return comment(strings.TrimPrefix(a+"; "+b, "; "))
}

// deliver takes a packet from the segmenter and writes it or, with a copy of
// its payload, holds it back.
func (f *recording) deliver(p *packet) {
	if f.comment != "" {
		p.comment, f.comment = joinComments(p.comment, f.comment), ""
	}
	if p.mayEnd && f.last < 0 && !f.unjudged {
		f.last = f.countHeld()
	}
	if !f.holds() {
		f.w.out.writePacket(p)
		return
	}
	if f.held == nil {
		f.held = holds.Get().(*hold)
	}
	f.held.add(p)
	all := f.w.held.Add(int64(packetBlockLength(p)))
	if f.held.full() || all > maxHeldByAll && f.held.size > fairShare {
		f.releaseAll()
	}
}

func (f *recording) countHeld() int {
	if f.held == nil {
		return 0
	}
	return len(f.held.packets)
}

// holds reports whether packets are held back.
func (f *recording) holds() bool { return f.awaits || f.last >= 0 }

// release writes what was held back, unless there still is a reason to hold it.
func (f *recording) release() {
	if f.holds() || f.held == nil {
		return
	}
	for i := range f.held.packets {
		f.w.out.writePacket(&f.held.packets[i])
	}
	f.w.held.Add(int64(-f.held.size))
	f.held.free()
	f.held = nil
}

// releaseAll writes what was held back, whatever the reason was.
func (f *recording) releaseAll() {
	if f.awaits {
		f.writeSecrets()
	}
	f.last = -1
	f.release()
}

// expire packs what there is, and releases what was held too long by now. It
// reports whether anything is still held back.
func (f *recording) expire(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pack()
	if f.held != nil && now.Sub(f.held.since) > maxHeldTime {
		f.releaseAll()
	}
	return f.held != nil
}

// finish packs all there is and ends the recording of the connection, which may
// still be open.
func (f *recording) finish() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pack()
	f.releaseAll()
	f.ended = true
	f.secrets.lines.free()
	f.secrets.lines = nil
	f.records.Client.forget()
	f.records.Server.forget()
}
