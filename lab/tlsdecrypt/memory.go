package tlsdecrypt

import (
	"unsafe"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
)

// fairShare is how many bytes an open connection may take whatever the others
// take: far more than a handshake and a request do.
const fairShare = 64 << 10

// parsedFactor is how many times the length of a handshake message its fields
// take.
const parsedFactor = 4

// maxGRPC is what the end of a call of gRPC takes at most, in bytes.
const maxGRPC = 600

// Size estimates the memory that a connection takes, in bytes.
func (c *Connection) Size() int {
	size := int(unsafe.Sizeof(*c))
	for _, m := range c.Messages {
		size += m.size()
	}
	for _, p := range c.Problems {
		size += int(unsafe.Sizeof(p)) + len(p.Text)
	}
	size += len(c.Kept.Client) + len(c.Kept.Server) + len(c.KeyLog)
	if c.Prologue != nil {
		size += c.Prologue.Size()
	}
	return size + len(c.handshakes)*int(unsafe.Sizeof(handshake{}))
}

func (m *Message) size() int {
	size := int(unsafe.Sizeof(*m)) + len(m.Records)*int(unsafe.Sizeof(Span{})) + len(m.Data) + len(m.Resets)*int(unsafe.Sizeof(httpwire.Reset{}))
	if m.Handshake != nil {
		size += int(unsafe.Sizeof(*m.Handshake)) + parsedFactor*len(m.Handshake.Raw)
	}
	if m.Inner != nil {
		size += int(unsafe.Sizeof(*m.Inner)) + parsedFactor*len(m.Inner.Raw)
	}
	if m.IsAnswer() {
		size += maxGRPC // which a trailer may bring later
	}
	if m.HTTP != nil {
		for _, h := range m.HTTP.Headers {
			size += int(unsafe.Sizeof(h)) + len(h.Name) + len(h.Value)
		}
	}
	return size
}

// account counts what f takes, and ends the reading of a connection that takes
// more than its share when all take too much.
func (f *flow) account() {
	if f.d.options.Memory == 0 || f.ended {
		return
	}
	size := f.conversation.kept + f.decrypter.queued
	for side, r := range f.readers.All() {
		size += len(r.buf) + f.conversation.sides.Of(side).pending.Pending()
	}
	all := f.d.taken.Add(int64(size - f.counted))
	f.counted = size
	if all > f.d.options.Memory && size > fairShare {
		f.abandon()
	}
}

// abandon stops the reading of a connection.
func (f *flow) abandon() {
	if f.readers.Client.stopped && f.readers.Server.stopped {
		return
	}
	for side, r := range f.readers.All() {
		r.stop(notRead)
		f.conversation.sides.Of(side).forget()
	}
	f.decrypter.drop()
	f.conn.problem(endpoint.Unknown, -1, "not read any further: the connections that are open at this time take too much memory")
}
