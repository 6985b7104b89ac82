package ladder

import (
	"fmt"
	"slices"

	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// keyUpdate says what a KeyUpdate is for, and whether the other side does what
// it asks for (RFC 9846 section 4.7.3).
func (s *story) keyUpdate(m *tlsdecrypt.Message, body *tlswire.KeyUpdate) string {
	const requested tlswire.KeyUpdateRequest = 1
	said := fmt.Sprintf("From here on the %s encrypts with a new key, made from the old one", m.From)
	at := max(slices.Index(s.c.Messages, m), 0)
	if body.RequestUpdate != requested {
		for _, before := range slices.Backward(s.c.Messages[:at]) {
			update, ok := keyUpdateIn(before)
			if ok && before.From != m.From && update.RequestUpdate == requested {
				return said + fmt.Sprintf(", as the %s has asked.", m.From.Other())
			}
			if ok && before.From == m.From {
				break // which has answered that
			}
		}
		return said + "."
	}
	said += fmt.Sprintf(", and asks the %s to do the same before it sends more data", m.From.Other())
	for _, after := range s.c.Messages[at:] {
		if _, ok := keyUpdateIn(after); ok && after.From != m.From {
			return said + "."
		}
	}
	return said + fmt.Sprintf(". No KeyUpdate of the %s follows in the capture.", m.From.Other())
}

func keyUpdateIn(m *tlsdecrypt.Message) (*tlswire.KeyUpdate, bool) {
	if m.Handshake == nil {
		return nil, false
	}
	update, ok := m.Handshake.Body.(*tlswire.KeyUpdate)
	return update, ok
}
