package capture

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"

	"golang.org/x/crypto/cryptobyte"
)

// crypto/tls logs no secret for a session that TLS 1.2 resumes: it is the master secret of the session's first
// connection. Wireshark remembers that one by its ticket, but loses it where the server renews the ticket, as crypto/tls
// always does. So it is remembered here, and logged for the connection that presents the ticket.

// Handshake messages and extensions (RFC 5246, section 7.4; RFC 5077; RFC 8446, section 4).
const (
	messageClientHello      = 1
	messageServerHello      = 2
	messageNewSessionTicket = 4
	messageServerHelloDone  = 14
	extSessionTicket        = 35
	extSupportedVersions    = 43
)

// maxTickets bounds the tickets that are remembered, a hundred bytes or two each. The oldest are forgotten first.
const maxTickets = 1024

// tickets remembers master secrets by the ticket that resumes their session.
type tickets struct {
	mu      sync.Mutex
	secrets map[[sha256.Size]byte]string // in hexadecimal
	order   [][sha256.Size]byte          // a ring of the keys
	next    int                          // index in order of the oldest, once it is full
}

func (t *tickets) remember(ticket []byte, secret string) {
	key := sha256.Sum256(ticket)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.secrets == nil {
		t.secrets = make(map[[sha256.Size]byte]string)
	}
	if len(t.order) < maxTickets {
		t.order = append(t.order, key)
	} else {
		delete(t.secrets, t.order[t.next])
		t.order[t.next] = key
		t.next = (t.next + 1) % maxTickets
	}
	t.secrets[key] = secret
}

// recall returns the master secret of the session that ticket resumes, or "".
func (t *tickets) recall(ticket []byte) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.secrets[sha256.Sum256(ticket)]
}

// session is what the unencrypted part of a TLS 1.2 handshake says of a session ticket.
type session struct {
	random  []byte // of ClientHello
	resumed bool   // the server took presented
	// The ticket in ClientHello and the one in NewSessionTicket, or nil.
	presented, issued []byte
}

// readSession reads the messages that each side has sent before its ChangeCipherSpec. It reports false if they are not
// of TLS 1.2, or are not whole.
func readSession(client, server []byte) (session, bool) {
	var s session
	var hello cryptobyte.String
	var kind uint8
	messages := cryptobyte.String(client)
	if !messages.ReadUint8(&kind) || kind != messageClientHello || !messages.ReadUint24LengthPrefixed(&hello) ||
		!hello.Skip(2) || !hello.ReadBytes(&s.random, 32) {
		return s, false
	}
	var id, suites, compressions cryptobyte.String
	if !hello.ReadUint8LengthPrefixed(&id) || !hello.ReadUint16LengthPrefixed(&suites) || !hello.ReadUint8LengthPrefixed(&compressions) {
		return s, false
	}
	s.presented = extension(hello, extSessionTicket)

	s.resumed = len(s.presented) > 0
	for messages = server; !messages.Empty(); {
		var body cryptobyte.String
		if !messages.ReadUint8(&kind) || !messages.ReadUint24LengthPrefixed(&body) {
			return s, false
		}
		switch kind {
		case messageServerHello:
			if !body.Skip(2+32) || !body.ReadUint8LengthPrefixed(&id) || !body.Skip(2+1) || extension(body, extSupportedVersions) != nil {
				return s, false
			}
		case messageServerHelloDone:
			s.resumed = false
		case messageNewSessionTicket:
			var ticket cryptobyte.String
			if !body.Skip(4) || !body.ReadUint16LengthPrefixed(&ticket) {
				return s, false
			}
			s.issued = ticket
		}
	}
	return s, true
}

// extension returns the content of an extension of a hello message whose remaining bytes are its extensions, or nil.
func extension(hello cryptobyte.String, want uint16) []byte {
	var extensions, content cryptobyte.String
	var kind uint16
	hello.ReadUint16LengthPrefixed(&extensions)
	for extensions.ReadUint16(&kind) && extensions.ReadUint16LengthPrefixed(&content) {
		if kind == want {
			return content
		}
	}
	return nil
}

// resume looks at the session when the server has changed to encryption: it logs the secret of a session that is
// resumed, and remembers it by the ticket that was issued.
func (f *flow) resume() {
	client, server := &f.records[0], &f.records[1]
	s, ok := readSession(client.clear, server.clear)
	client.forget()
	server.forget()
	if !ok {
		return
	}
	if secret := f.w.tickets.recall(s.presented); s.resumed && secret != "" {
		f.secret([]byte("CLIENT_RANDOM " + hex.EncodeToString(s.random) + " " + secret))
	}
	if secret := f.secrets.master(); s.issued != nil && secret != "" {
		f.w.tickets.remember(s.issued, secret)
	}
}
