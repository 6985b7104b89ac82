package tlsdecrypt

import (
	"errors"
	"slices"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
)

// maxFrames bounds what a message has of the names of frames.
const maxFrames = 16

// applicationData takes the content of a record, of which HTTP is read.
// Without the head of an HTTP message in it, it goes on with the last message.
func (c *conversation) applicationData(content []byte, m *Message) {
	heads, err := c.httpHeads(content, m.From)
	if c.http != nil {
		m.Frames, m.Resets = c.http.Frames(), c.http.Resets()
	}
	last := c.last(m)
	if last != nil && (last.Encrypted || len(m.Resets) > 0 || len(last.Resets) > 0) { // a reset has a time of its own
		last = nil
	}
	for i, head := range heads {
		if i == 0 && last != nil && last.HTTP == nil && httpwire.IsStartHTTP1(last.Data) {
			last.HTTP, last.Data = head, nil // its beginning came in a record of its own
			last.prolong(content, m)
			continue
		}
		own := *m
		own.HTTP, own.Frames = head, nil
		if i < len(heads)-1 {
			own.Resets = nil // they are kept with the last
		}
		if i > 0 {
			own.Length = 0 // the record's bytes are counted with the first
			own.Records = slices.Clone(m.Records)
		}
		c.add(&own)
	}
	switch {
	case len(heads) > 0:
	case last != nil:
		last.prolong(content, m)
		last.Err = errors.Join(last.Err, err)
	case len(content) > 0:
		m.Data, m.Err = clip(content), err
		c.add(m)
	}
}

// prolong adds a record of application data to a message.
func (last *Message) prolong(content []byte, m *Message) {
	last.Time = m.Time
	last.Length += m.Length
	last.Records = extend(last.Records, m.Records[0])
	if last.HTTP != nil {
		return
	}
	for _, frame := range m.Frames {
		if len(last.Frames) < maxFrames && !slices.Contains(last.Frames, frame) {
			last.Frames = append(last.Frames, frame)
		}
	}
	if len(last.Data) < maxData {
		last.Data = append(last.Data, content[:min(len(content), maxData-len(last.Data))]...)
	}
}

// httpHeads reads application data as HTTP if that was agreed on, or the first
// bytes look like it.
func (c *conversation) httpHeads(content []byte, from endpoint.Side) ([]*httpwire.Message, error) {
	if c.http == nil {
		if c.broken && !httpwire.IsStart(content) {
			return nil, nil
		}
		switch c.conn.ALPN {
		case "h2", "http/1.1", "http/1.0":
			c.http = httpwire.New(c.conn.ALPN)
		default:
			if !httpwire.IsStart(content) {
				return nil, nil
			}
			c.http = httpwire.New("")
		}
	}
	heads, err := c.http.Write(from == endpoint.Server, content)
	if c.conn.ALPN == "" || c.broken {
		err = nil // HTTP was not negotiated, or bytes of it are missing
	}
	return heads, err
}
