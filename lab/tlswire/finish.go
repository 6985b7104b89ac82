package tlswire

// Finished proves that both sides saw the same handshake
// (RFC 9846 section 4.5.3, RFC 5246 section 7.4.9).
type Finished struct {
	VerifyData []byte
}

// Type is finished.
func (*Finished) Type() HandshakeType { return TypeFinished }

func (m *Finished) wire(c *codec) {
	c.rest("verify_data", &m.VerifyData, "A checksum (MAC) with a key over all handshake messages before this one (RFC 9846 section 4.5.3, RFC 5246 section 7.4.9).")
}

// KeyUpdate changes the sender's keys (RFC 9846 section 4.7.3).
type KeyUpdate struct {
	RequestUpdate KeyUpdateRequest
}

// Type is key_update.
func (*KeyUpdate) Type() HandshakeType { return TypeKeyUpdate }

func (m *KeyUpdate) wire(c *codec) {
	number(c, 1, "request_update", &m.RequestUpdate, "Whether the receiver is to change its own sending keys in turn (RFC 9846 section 4.7.3).")
}

// MessageHash stands in for the first ClientHello in a transcript
// (RFC 9846 section 4.1).
type MessageHash struct {
	Hash []byte
}

// Type is message_hash.
func (*MessageHash) Type() HandshakeType { return TypeMessageHash }

func (m *MessageHash) wire(c *codec) {
	c.rest("hash", &m.Hash, "The hash of the first ClientHello (RFC 9846 section 4.1).")
}

// NewSessionTicket is a ticket of TLS 1.3 (RFC 9846 section 4.7.1).
type NewSessionTicket struct {
	Lifetime   Seconds
	AgeAdd     uint32
	Nonce      []byte
	Ticket     []byte
	Extensions []Extension
}

// Type is new_session_ticket.
func (*NewSessionTicket) Type() HandshakeType { return TypeNewSessionTicket }

func (m *NewSessionTicket) wire(c *codec) {
	number(c, 4, "ticket_lifetime", &m.Lifetime, "How long the ticket may be used, at most seven days (RFC 9846 section 4.7.1).")
	number(c, 4, "ticket_age_add", &m.AgeAdd, "A random number the client adds to the ticket's age, so that onlookers cannot link connections (RFC 9846 section 4.7.1).")
	opaque(c, 1, "ticket_nonce", &m.Nonce, "Makes the key of each ticket of a connection a different one (RFC 9846 section 4.7.1).")
	opaque(c, 2, "ticket", &m.Ticket, "What the client will present as its pre-shared key's identity; only the server can read it (RFC 9846 section 4.7.1).")
	extensions(c, &m.Extensions, TypeNewSessionTicket, "How much early data the ticket allows, if any (RFC 9846 section 4.7.1).")
}

// NewSessionTicketTLS12 is a ticket of TLS 1.2 (RFC 5077 section 3.3).
type NewSessionTicketTLS12 struct {
	LifetimeHint Seconds
	Ticket       []byte
}

// Type is new_session_ticket.
func (*NewSessionTicketTLS12) Type() HandshakeType { return TypeNewSessionTicket }

func (m *NewSessionTicketTLS12) wire(c *codec) {
	number(c, 4, "ticket_lifetime_hint", &m.LifetimeHint, "How long the server means to honour the ticket; 0 leaves it open (RFC 5077 section 3.3).")
	opaque(c, 2, "ticket", &m.Ticket, "The session's state under a key only the server has; the client sends it back to take the session up again (RFC 5077 section 3.3).")
}

// NextProtocol is the client's choice of application protocol
// (draft-agl-tls-nextprotoneg-04, before ALPN).
type NextProtocol struct {
	SelectedProtocol string
	Padding          []byte
}

// Type is next_protocol.
func (*NextProtocol) Type() HandshakeType { return TypeNextProtocol }

func (m *NextProtocol) wire(c *codec) {
	opaque(c, 1, "selected_protocol", &m.SelectedProtocol, "The protocol the client picked (draft-agl-tls-nextprotoneg-04).")
	opaque(c, 1, "padding", &m.Padding, "Hides the length of the protocol's name (draft-agl-tls-nextprotoneg-04).")
}

// SupplementalData is what applications exchange in a handshake (RFC 4680).
type SupplementalData struct {
	Entries []SupplementalDataEntry
}

// SupplementalDataEntry is one piece of it.
type SupplementalDataEntry struct {
	Type uint16
	Data []byte
}

// Type is supplemental_data.
func (*SupplementalData) Type() HandshakeType { return TypeSupplementalData }

func (m *SupplementalData) wire(c *codec) {
	list(c, 3, "supp_data", &m.Entries, "Data of applications (RFC 4680 section 2).", func(e *SupplementalDataEntry) {
		c.group("SupplementalDataEntry", "", func() {
			number(c, 2, "supp_data_type", &e.Type, "What kind of data this is (RFC 4680 section 2).")
			opaque(c, 2, "supp_data", &e.Data, "The data (RFC 4680 section 2).")
		})
	})
}
