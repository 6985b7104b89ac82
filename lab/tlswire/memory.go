package tlswire

// Memory is what the extensions of messages are stored in. The zero value is
// ready. It is for one goroutine at a time.
type Memory struct{ extensions []Extension }

// The extensions of a handshake with client certificates, which a block of
// Memory has room for, and how many are kept for other messages.
const (
	extensionBlock = 32
	maxExtensions  = 256
)

// Reset lets other messages use the memory of those that were parsed in it,
// which may not be used afterwards.
func (m *Memory) Reset() {
	if cap(m.extensions) > maxExtensions {
		m.extensions = nil
	}
	clear(m.extensions)
	m.extensions = m.extensions[:0]
}

// take returns n extensions, which are empty. A nil Memory makes them.
func (m *Memory) take(n int) []Extension {
	if m == nil || n == 0 {
		return make([]Extension, n)
	}
	start := len(m.extensions)
	if cap(m.extensions)-start < n {
		start, m.extensions = 0, make([]Extension, 0, max(extensionBlock, 2*cap(m.extensions), n)) // messages keep the old block
	}
	m.extensions = m.extensions[:start+n]
	return m.extensions[start : start+n : start+n]
}
