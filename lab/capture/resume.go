package capture

import (
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlswire"
)

// crypto/tls logs no secret for a session that TLS 1.2 resumes: it is the master secret of the session's first
// connection. Wireshark remembers that one by its ticket, but loses it where the server renews the ticket, as crypto/tls
// always does. So it is remembered here, and logged for the connection that presents the ticket.

// session is what the unencrypted part of a TLS 1.2 handshake says of a session ticket (RFC 5077).
type session struct {
	random  []byte // of ClientHello
	resumed bool   // the server took presented
	// The ticket in ClientHello and the one in NewSessionTicket, or nil.
	presented, issued []byte
}

// readSession reads the messages that each side has sent before its ChangeCipherSpec. It reports false if they are of
// TLS 1.3, or are not whole.
func readSession(client, server []byte) (session, bool) {
	var s session
	var version tlswire.Version
	full := false // a handshake that resumes nothing
	whole := readMessages(server, func(body tlswire.Body) {
		switch body := body.(type) {
		case *tlswire.ServerHello:
			version = body.Version()
		case *tlswire.ServerHelloDone:
			full = true
		case *tlswire.NewSessionTicketTLS12:
			s.issued = body.Ticket
		}
	})
	if !whole || version == 0 || version >= tlswire.VersionTLS13 {
		return s, false
	}
	whole = readMessages(client, func(body tlswire.Body) {
		if hello, ok := body.(*tlswire.ClientHello); ok {
			s.random = hello.Random[:]
			if t, ok := tlswire.Lookup[*tlswire.SessionTicket](hello.Extensions, tlswire.ExtensionSessionTicket); ok {
				s.presented = t.Ticket
			}
		}
	})
	s.resumed = len(s.presented) > 0 && !full
	return s, whole && s.random != nil
}

// readMessages hands on the handshake messages in b. It reports false if the last one is not whole.
func readMessages(b []byte, each func(tlswire.Body)) bool {
	var messages tlswire.HandshakeReader
	messages.Write(b)
	for {
		raw, err := messages.Next()
		if raw == nil {
			return err == nil && messages.Pending() == 0
		}
		message, _ := tlswire.ParseHandshake(raw, tlswire.Context{}) // what does not parse is nothing to go by
		each(message.Body)
	}
}

// resume looks at the session when the server has changed to encryption: it logs the secret of a session that is
// resumed, and remembers it by the ticket that was issued.
func (f *flow) resume() {
	client, server := &f.records.Client, &f.records.Server
	defer client.forget()
	defer server.forget()
	s, ok := readSession(client.clear.bytes(), server.clear.bytes())
	if !ok {
		return
	}
	if master := f.w.sessions.Recall(s.presented); s.resumed && master != nil {
		line, _ := keylog.Entry{Label: keylog.LabelClientRandom, ClientRandom: s.random, Secret: master}.AppendText(nil)
		f.secret(line)
	}
	f.w.sessions.Remember(s.issued, f.secrets.master())
}
