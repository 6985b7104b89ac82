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
}

// Header is a field line. HTTP/2's pseudo-headers are among them.
type Header struct{ Name, Value string }
