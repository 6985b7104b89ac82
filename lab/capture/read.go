package capture

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"mtlslab.example/lab/lab/wiretap"
)

// ReadOptions are where the content of a file goes. Only Sink is needed;
// without it nothing but Secrets is called, and of a pcap, which has none, no
// packet is read.
type ReadOptions struct {
	// Sink takes the connections, from Read's goroutine. An event's Exchange is
	// the number of the TCP stream: from 0, in the order of first packets,
	// which is tshark's tcp.stream. Its From, if it is a Verdict, is the sender
	// of the packet that it was the comment of. A connection whose end is not
	// in the file ends in CutOff, and so does the one that is idle longest when
	// more than 8,192 are open.
	Sink wiretap.Sink

	// Live says that somebody waits for what r still gets: a connection that is
	// reset ends at once. Otherwise it ends with what was under way to the side
	// that has reset it, at most a second later.
	Live bool

	// Secrets takes the content of each Decryption Secrets Block with TLS keys,
	// before any packet behind it: lines of a key log (RFC 9850). It is
	// borrowed until Secrets returns. If Secrets is nil, they are passed over.
	Secrets func(lines []byte)

	// Progress is called from time to time with the number of bytes read,
	// compressed if the file is.
	Progress func(bytes int64)

	// Notice is called at the end with a text that names the connections that
	// were not delivered, or not to their end.
	Notice func(text string)

	// Attempt takes each connection that was begun by a SYN and never opened.
	Attempt func(Attempt)

	// Period takes at the end the times of the first and the last packet of the
	// file, of whatever kind; both are zero if there is none.
	Period func(first, last time.Time)

	// Unread takes at the end, one after the other, what kinds of packets Read
	// has found no TCP in: first those that TLS may be in, then those that
	// there are most of.
	Unread func(Unread)
}

// Read reads a pcap or pcapng file, or one that gzip has packed, and hands the
// TCP connections in it to o.Sink. It returns a *FormatError if r is no such
// file and a *DamagedError if it is damaged or cut short, after all that could
// be read before. Connections' events are passed on as their packets are read,
// so r may be a file that still grows.
func Read(r io.Reader, o ReadOptions) error {
	s, err := newSource(r, o.Progress)
	if err != nil {
		return err
	}
	if o.Sink == nil {
		return readSecrets(s, o.Secrets)
	}
	return o.assemble(func(take func(*frame)) error { return readPackets(s, take, o.Secrets) })
}

// assemble passes on the connections in the packets that read takes from a
// file, until that returns an error: io.EOF at the file's end.
func (o *ReadOptions) assemble(read func(take func(*frame)) error) error {
	t := newTable(o.Sink, o.Live)
	t.attempt = o.Attempt
	f := newFrames(t.segment)
	var p period
	take := func(packet *frame) { p.take(packet.time); f.frame(packet) }
	if o.Period != nil {
		defer func() { o.Period(p.first, p.last) }()
	} else {
		take = f.frame
	}
	return finish(read(take), t, f, *o)
}

// readPackets hands the packets of a file to deliver, and its secrets to
// secrets unless that is nil, until the file's end, io.EOF.
func readPackets(s *source, deliver func(*frame), secrets func([]byte)) error {
	switch magic, err := s.r.Peek(4); {
	case err == io.EOF:
		return &FormatError{bytes.Clone(magic)}
	case err != nil:
		return damaged(0, err)
	case binary.BigEndian.Uint32(magic) == blockTypeSection:
		return readPcapng(s, deliver, secrets)
	case isPcap(magic):
		return readPcap(s, deliver)
	default:
		return &FormatError{bytes.Clone(magic)}
	}
}

// readSecrets reads a file for the secrets in it.
func readSecrets(s *source, secrets func([]byte)) error {
	switch magic, err := s.r.Peek(4); {
	case err != nil && err != io.EOF:
		return damaged(0, err)
	case len(magic) == 4 && binary.BigEndian.Uint32(magic) == blockTypeSection:
		if err := readPcapng(s, func(*frame) {}, secrets); err != io.EOF {
			return err
		}
		return nil
	case len(magic) == 4 && isPcap(magic):
		return nil
	default:
		return &FormatError{bytes.Clone(magic)}
	}
}

// finish passes on what still waits at the end of the file, and what is to be
// said of the rest.
func finish(err error, t *table, f *frames, o ReadOptions) error {
	t.finish()
	if o.Notice != nil {
		t.notice(o.Notice)
	}
	if o.Unread != nil {
		for _, kind := range f.unread.report(f.fragments.count()) {
			o.Unread(kind)
		}
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// FormatError says that something is not a capture.
type FormatError struct {
	Begins []byte // its first bytes, 4 or as many as there are
}

func (e *FormatError) Error() string {
	if len(e.Begins) == 0 {
		return "not a capture: it is empty"
	}
	return fmt.Sprintf("not a capture: it begins with % x, as neither pcapng nor pcap does", e.Begins)
}

// DamagedError says that a capture could be read only up to Offset.
type DamagedError struct {
	Offset int64 // in bytes, of the block or packet that cannot be read; in the unpacked file if it is packed
	Err    error // io.ErrUnexpectedEOF: the file ends in the middle of it
}

func (e *DamagedError) Error() string {
	if errors.Is(e.Err, io.ErrUnexpectedEOF) {
		return fmt.Sprintf("cut short: it ends within the block or packet that begins at byte %d", e.Offset)
	}
	return fmt.Sprintf("damaged at byte %d: %v", e.Offset, e.Err)
}

func (e *DamagedError) Unwrap() error { return e.Err }

// frame is a packet of a capture file. Its slices are borrowed.
type frame struct {
	time     time.Time
	link     uint32 // LINKTYPE_ number
	data     []byte // as much of it as was captured
	comments []string
}

const (
	bufferSize = 64 << 10
	maxBlock   = 16 << 20 // bytes of a block or packet that has to be in memory; no Ethernet or IP packet comes near
)

// source reads a file front to back and knows where it is.
type source struct {
	r      *bufio.Reader
	offset int64  // of the next byte
	large  []byte // memory of what does not fit r's buffer
	held   int    // bytes of r's buffer that take has given out
}

// newSource uncompresses r if it is compressed.
func newSource(r io.Reader, progress func(int64)) (*source, error) {
	if progress != nil {
		r = &counter{r: r, progress: progress}
	}
	s := &source{r: bufio.NewReaderSize(r, bufferSize)}
	if magic, _ := s.r.Peek(2); string(magic) == "\x1f\x8b" {
		unpacked, err := gzip.NewReader(s.r)
		if err != nil {
			return nil, damaged(0, unexpected(err))
		}
		s.r = bufio.NewReaderSize(unpacked, bufferSize)
	}
	return s, nil
}

// take returns the next n bytes, valid until the next call. It returns io.EOF
// if there are none, and io.ErrUnexpectedEOF if there are fewer.
func (s *source) take(n int) ([]byte, error) {
	s.r.Discard(s.held)
	s.held = 0
	if n > bufferSize {
		return s.takeLarge(n)
	}
	b, err := s.r.Peek(n)
	if err != nil {
		if err == io.EOF && len(b) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	s.held = n
	s.offset += int64(n)
	return b, nil
}

// takeLarge does not believe n: memory grows with what is there.
func (s *source) takeLarge(n int) ([]byte, error) {
	s.large = s.large[:0]
	for len(s.large) < n {
		start := len(s.large)
		s.large = append(s.large, make([]byte, min(bufferSize, n-start))...)
		if _, err := io.ReadFull(s.r, s.large[start:]); err != nil {
			return nil, unexpected(err)
		}
	}
	s.offset += int64(n)
	if cap(s.large) <= 4*bufferSize {
		return s.large, nil
	}
	large := s.large
	s.large = nil // such a size does not come again
	return large, nil
}

// skip passes over n bytes.
func (s *source) skip(n int64) error {
	if _, err := s.take(0); err != nil {
		return err
	}
	skipped, err := io.CopyN(io.Discard, s.r, n)
	s.offset += skipped
	return unexpected(err)
}

// unexpected makes io.EOF io.ErrUnexpectedEOF.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// damaged is the error of what begins at offset and could not be read. Other
// errors than an early end, or those of a packed file, are no damage of the
// file.
func damaged(offset int64, err error) error {
	var corrupt flate.CorruptInputError
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) || errors.As(err, &corrupt) {
		return &DamagedError{offset, err}
	}
	return err
}

// damagedf is the error of a block at offset whose content is wrong.
func damagedf(offset int64, format string, args ...any) error {
	return &DamagedError{offset, fmt.Errorf(format, args...)}
}

// counter reports how much was read.
type counter struct {
	r        io.Reader
	read     int64
	progress func(int64)
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.read += int64(n)
	c.progress(c.read)
	return n, err
}
