package tlsdecrypt

import "slices"

// Peek returns a copy of a connection that is still open, as far as it was
// followed, or nil if none is open under that number.
func (d *Dissector) Peek(number int) *Connection {
	d.mu.Lock()
	var found *flow
	for f := range d.flows {
		if f.conn.Number == number {
			found = f
		}
	}
	d.mu.Unlock()
	if found == nil {
		return nil
	}
	found.mu.Lock()
	defer found.mu.Unlock()
	if found.handedOn { // in the meantime: it is Done's, which may release it
		return nil
	}
	return found.conn.clone()
}

// clone copies what changes while the connection goes on.
func (c *Connection) clone() *Connection {
	copied := make(map[*Message]*Message, len(c.Messages))
	messages := func(list []*Message) []*Message {
		clones := make([]*Message, len(list))
		for i, m := range list {
			if copied[m] == nil {
				one := *m
				one.Records = slices.Clone(m.Records)
				if m.HTTP != nil {
					head := *m.HTTP
					one.HTTP = &head
				}
				copied[m] = &one
			}
			clones[i] = copied[m]
		}
		return clones
	}
	clone := *c
	clone.Messages = messages(c.Messages)
	clone.Comments = append([]string(nil), c.Comments...)
	clone.Problems = append([]Problem(nil), c.Problems...)
	clone.Prologue, clone.talk = c.Prologue.Clone(), nil
	clone.handshakes, clone.arena = nil, nil
	for _, hs := range c.handshakes {
		one := *hs
		one.transcript, one.posts = messages(hs.transcript), nil
		for _, p := range hs.posts {
			post := *p
			post.messages = messages(p.messages)
			one.posts = append(one.posts, &post)
		}
		clone.handshakes = append(clone.handshakes, &one)
	}
	return &clone
}
