package httpwire

// Message is the head of a request or of a response.
type Message struct {
	Request  bool
	StreamID uint32 // HTTP/2; 0 for HTTP/1
	// Line is the first line, as in "GET / HTTP/1.1" and "HTTP/1.1 200 OK". For
	// HTTP/2, which has none, it is what HTTP/1 would say: "GET / HTTP/2",
	// "HTTP/2 200".
	Line    string
	Method  string // of a request
	Target  string // of a request: its path and query
	Status  int    // of a response
	Headers []Header
	// Body is how many bytes of body have followed so far.
	Body int64
	// Begins are the first bytes of the body of a response with a status that
	// [MayRefuse] names, at most mostBegins; nil of others.
	Begins []byte
	// GRPC is how the call ended that a response answers; nil: it is none of
	// gRPC, or has not ended.
	GRPC *GRPC
}

// mostBegins bounds what is kept of a body.
const mostBegins = 512

// room is how many more bytes of the body are kept.
func (m *Message) room() int {
	if m.Request || !MayRefuse(m.Status) {
		return 0
	}
	return mostBegins - len(m.Begins)
}

// take counts n bytes of the body, which begin with b.
func (m *Message) take(n int64, b []byte) {
	m.Body += n
	if kept := min(m.room(), len(b)); kept > 0 {
		m.Begins = append(m.Begins, b[:kept]...)
	}
}

// Header is a field line. HTTP/2's pseudo-headers are among them.
type Header struct{ Name, Value string }
