package capture

import (
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlswire"
)

// crypto/tls logs no secret for a session that TLS 1.2 resumes: the master
// secret is that of the session's first connection. Wireshark finds that one by
// the ticket, but not if the server has renewed the ticket, as crypto/tls
// always does. So the recording remembers the master secret of each ticket, and
// logs it for the connection that presents it.

// session is what the unencrypted part of a TLS 1.2 handshake shows of session
// tickets (RFC 5077).
type session struct {
	random  []byte // of ClientHello
	resumed bool   // the server accepted presented
	// The ticket in ClientHello and the one in NewSessionTicket, or nil.
	presented, issued []byte
}

// readSession reads the messages that each side has sent before its
// ChangeCipherSpec. It reports whether they are whole, and of TLS 1.2 or
// before.
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

// readMessages calls each with the handshake messages in b. It reports whether
// the last one is whole.
func readMessages(b []byte, each func(tlswire.Body)) bool {
	var messages tlswire.HandshakeReader
	messages.Write(b)
	for {
		raw, err := messages.Next()
		if raw == nil {
			return err == nil && messages.Pending() == 0
		}
		message, _ := tlswire.ParseHandshake(raw, tlswire.Context{}) // one that does not parse has no tickets
		each(message.Body)
	}
}

// resume is called when the server begins to encrypt. It logs the master secret
// of a session that was resumed, and remembers the connection's master secret
// under the ticket that the server has issued.
func (f *recording) resume() {
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
