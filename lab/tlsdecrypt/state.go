package tlsdecrypt

import (
	"bytes"
	"slices"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
)

// clientHello begins a handshake, or repeats its beginning after a
// HelloRetryRequest.
func (c *conversation) clientHello(from endpoint.Side, hello *tlswire.ClientHello) {
	if from == endpoint.Server && bytes.Equal(c.conn.ClientRandom, hello.Random[:]) {
		c.conn.NotTLSFrom, c.conn.Plain.Server.Echo = from, true
		return
	}
	retries := c.conn.Retried && c.hs.hello != nil && c.hs.version == 0
	if !retries {
		next := c.hs.following()
		next.transcript = c.conn.arena.lists.reserve(listBlock, usualMessages)
		c.hs = c.conn.arena.states.add(stateBlock, &next)
		if len(c.conn.handshakes) < maxHandshakes {
			c.conn.handshakes = append(c.conn.handshakes, c.hs)
		}
	}
	c.hs.hello = hello
	c.hs.clientRandom = hello.Random[:]
	c.conn.ClientRandom = hello.Random[:]
	if names, ok := tlswire.Lookup[*tlswire.ServerNameList](hello.Extensions, tlswire.ExtensionServerName); ok && len(names.Names) > 0 {
		c.hs.serverName = names.Names[0].Name
		c.conn.ServerName = c.hs.serverName
	}
	change := helloSent
	if tlswire.Has(hello.Extensions, tlswire.ExtensionEarlyData) {
		change = earlyDataOffered
	}
	c.decrypter.changeKeys(from, change)
}

// following returns the handshake that a ClientHello after hs begins.
func (hs *handshake) following() handshake {
	switch {
	case hs.version != 0 && hs.hello != nil:
		return handshake{generation: hs.generation + 1}
	case hs.version != 0:
		return handshake{}
	case hs.hello != nil:
		return handshake{missed: "there was another ClientHello before this one, and what the server said to it was not seen"}
	}
	return handshake{missed: hs.missed}
}

// update updates the connection's state from one message, which is in the
// transcript already.
func (c *conversation) update(from endpoint.Side, body tlswire.Body) {
	hs := c.hs
	switch body := body.(type) {
	case *tlswire.ServerHello:
		c.serverHello(body)
	case *tlswire.HelloRetryRequest:
		c.retry(body.CipherSuite)
	case *tlswire.Opaque:
		c.conn.ClientAuth = c.conn.ClientAuth || body.Of == tlswire.TypeCertificateRequest
	case *tlswire.EncryptedExtensions:
		if from == endpoint.Server {
			c.extensions(body.Extensions)
			if c.conn.EarlyData = tlswire.Has(body.Extensions, tlswire.ExtensionEarlyData); !c.conn.EarlyData {
				c.http = nil // what was in early data comes again (RFC 9846 section 4.3.10)
			}
		}
	case *tlswire.CertificateRequest, *tlswire.CertificateRequestTLS12:
		c.conn.ClientAuth = true
	case *tlswire.ServerKeyExchange:
		if body.ECDH.Curve != 0 {
			c.conn.Group = body.ECDH.Curve
		}
	case *tlswire.ServerHelloDone:
		hs.done = true
	case *tlswire.NewSessionTicketTLS12:
		c.secrets.remember(body.Ticket, hs) // unless the master secret is that of an earlier session: see resumedTLS12
	case *tlswire.EndOfEarlyData:
		c.decrypter.changeKeys(from, earlyDataEnded)
	case *tlswire.KeyUpdate:
		c.decrypter.changeKeys(from, keyUpdated)
	case *tlswire.Finished:
		c.finished(from)
	}
}

// serverHello stores the server's choices.
func (c *conversation) serverHello(hello *tlswire.ServerHello) {
	hs, conn := c.hs, c.conn
	if hello.IsHelloRetryRequest() {
		c.retry(hello.CipherSuite)
		return
	}
	if hs.version != 0 {
		return // a second one changes nothing: no client would take it
	}
	hs.headless = c.headless && hs.generation == 0
	hs.version, hs.suite, hs.serverRandom = hello.Version(), hello.CipherSuite, hello.Random[:]
	if hs.hello == nil { // what does not depend on it can be checked all the same
		conn.handshakes = append(conn.handshakes, hs)
	}
	conn.Version, conn.CipherSuite = hs.version, hs.suite
	hs.before, conn.Resumption = conn.Resumption, FullHandshake
	c.extensions(hello.Extensions)
	if !hs.tls13() {
		hs.encryptThenMAC = tlswire.Has(hello.Extensions, tlswire.ExtensionEncryptThenMAC)
		hs.extendedMaster = tlswire.Has(hello.Extensions, tlswire.ExtensionExtendedMasterSecret)
		hs.sessionID = hello.LegacySessionIDEcho
		hs.compression = hello.LegacyCompressionMethod
		conn.Compression = hs.compression
		return
	}
	if share, ok := tlswire.KeyShare[*tlswire.KeyShareServerHello](hello.Extensions); ok {
		conn.Group = share.Share.Group
	}
	if tlswire.Has(hello.Extensions, tlswire.ExtensionPreSharedKey) {
		conn.Resumption = ByPSK
	}
	c.decrypter.changeKeys(endpoint.Server, serverHelloSent)
}

// retry notes a HelloRetryRequest.
func (c *conversation) retry(suite tlswire.CipherSuite) {
	c.conn.Retried, c.conn.CipherSuite = true, suite
	c.http = nil // early data is rejected (RFC 9846 section 4.3.10)
}

// extensions stores the server's answers, which are in ServerHello or in
// EncryptedExtensions.
func (c *conversation) extensions(all []tlswire.Extension) {
	if names, ok := tlswire.Lookup[*tlswire.ProtocolNameList](all, tlswire.ExtensionALPN); ok && len(names.Protocols) > 0 {
		c.conn.ALPN = names.Protocols[0]
	}
	if t, ok := tlswire.Lookup[*tlswire.SelectedCertificateType](all, tlswire.ExtensionServerCertificateType); ok {
		c.sides.Server.certificateType = t.Type
	}
	if t, ok := tlswire.Lookup[*tlswire.SelectedCertificateType](all, tlswire.ExtensionClientCertificateType); ok {
		c.sides.Client.certificateType = t.Type
	}
}

// finished notes the end of a side's handshake.
func (c *conversation) finished(from endpoint.Side) {
	if hs := c.hs; hs.tls13() {
		c.decrypter.changeKeys(from, handshakeFinished)
	} else if from == endpoint.Server && hs.master != nil {
		if hs.done {
			c.secrets.remember(hs.sessionID, hs)
		}
		c.rememberTicket() // its secret may have come after it
	}
}

// rememberTicket keeps the secret of the session that a new ticket stands for.
func (c *conversation) rememberTicket() {
	if issued, ok := find[*tlswire.NewSessionTicketTLS12](c.hs); ok {
		c.secrets.remember(issued.Ticket, c.hs)
	}
}

// changeCipherSpec begins a side's encryption in TLS 1.2
// (RFC 5246 section 7.1). In TLS 1.3 it means nothing (RFC 9846 appendix E.4).
func (c *conversation) changeCipherSpec(from endpoint.Side) {
	hs := c.hs
	if hs.tls13() {
		return
	}
	if hs.version != 0 && from == endpoint.Server && !hs.done && hs.missed == "" {
		c.resumedTLS12()
	}
	c.decrypter.changeKeys(from, cipherSpecChanged)
}

// resumedTLS12 is called if the server begins to encrypt without a
// ServerHelloDone: it resumed a session (RFC 5246 section 7.3,
// RFC 5077 section 3.4).
func (c *conversation) resumedTLS12() {
	hs := c.hs
	hs.resumed = true
	c.conn.Resumption = BySessionID
	var ticket []byte
	if hs.hello != nil {
		if t, ok := tlswire.Lookup[*tlswire.SessionTicket](hs.hello.Extensions, tlswire.ExtensionSessionTicket); ok && len(t.Ticket) > 0 {
			c.conn.Resumption, ticket = ByTicket, t.Ticket
		}
	}
	if slices.ContainsFunc(c.conn.handshakes, func(earlier *handshake) bool { return earlier != hs && earlier.began(hs.sessionID, ticket) }) {
		c.conn.Resumption = hs.before // that session began on this connection
	}
	c.rememberTicket()
}

// began reports whether a handshake began, or took up, the session of that
// ticket, or of that session id if there is none.
func (hs *handshake) began(sessionID, ticket []byte) bool {
	if issued, ok := find[*tlswire.NewSessionTicketTLS12](hs); ok && len(ticket) > 0 {
		return bytes.Equal(issued.Ticket, ticket)
	}
	return len(ticket) == 0 && len(sessionID) > 0 && bytes.Equal(hs.sessionID, sessionID)
}
