package tlsdecrypt

import (
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
)

// handshakeMessage takes one whole handshake message.
func (f *flow) handshakeMessage(d *direction, raw []byte, m Message) {
	h, err := tlswire.ParseHandshake(raw, tlswire.Context{
		Version: f.hs.version, CipherSuite: f.hs.suite, CertificateType: d.certificateType, Sender: d.side,
	})
	m.Handshake, m.Err = &h, err
	if packed, ok := h.Body.(*tlswire.CompressedCertificate); ok {
		m.Inner, m.Err = unpack(packed, h.Context)
	}
	f.parsed(d, m)
}

// parsed takes a handshake message that was read.
func (f *flow) parsed(d *direction, m Message) {
	h := m.Handshake
	added := f.add(m)
	if body, ok := h.Body.(*tlswire.ClientHello); ok {
		f.clientHello(d, body)
	}
	if added != nil {
		f.hs.join(added)
	} else {
		f.hs.miss("the handshake has more messages before this one than are kept")
	}
	f.learn(d, h.Body)
}

// learn follows what a message changes. Each has been joined to the transcript.
func (f *flow) learn(d *direction, body tlswire.Body) {
	hs := f.hs
	switch body := body.(type) {
	case *tlswire.ServerHello:
		f.serverHello(body)
	case *tlswire.EncryptedExtensions:
		if d.side == endpoint.Server {
			f.extensions(body.Extensions)
			if f.c.EarlyData = tlswire.Has(body.Extensions, tlswire.ExtensionEarlyData); !f.c.EarlyData {
				f.http = nil // what was in early data comes again (RFC 8446 4.2.10)
			}
		}
	case *tlswire.CertificateRequest, *tlswire.CertificateRequestTLS12:
		f.c.ClientAuth = true
	case *tlswire.ServerKeyExchange:
		if body.ECDH.Curve != 0 {
			f.c.Group = body.ECDH.Curve
		}
	case *tlswire.ServerHelloDone:
		hs.done = true
	case *tlswire.NewSessionTicketTLS12:
		if hs.done && f.findMaster(hs) {
			f.d.sessions.Remember(body.Ticket, hs.master)
		}
	case *tlswire.EndOfEarlyData:
		d.phase = handshaking
	case *tlswire.KeyUpdate:
		f.updateKey(d)
	case *tlswire.Finished:
		f.finished(d)
	}
}

// clientHello begins a handshake, or repeats its beginning after a HelloRetryRequest.
func (f *flow) clientHello(d *direction, hello *tlswire.ClientHello) {
	again := f.c.Retried && f.hs.hello != nil && f.hs.version == 0
	if !again {
		generation := 0
		if f.hs.hello != nil && f.hs.version != 0 {
			generation = f.hs.generation + 1
		}
		missed := ""
		if f.hs.version == 0 {
			missed = f.hs.missed
			if f.hs.hello != nil {
				missed = "there was another ClientHello before this one, and what the server said to it was not seen"
			}
		}
		f.hs = &handshake{generation: generation, missed: missed}
		if len(f.c.handshakes) < maxHandshakes {
			f.c.handshakes = append(f.c.handshakes, f.hs)
		}
	}
	f.hs.hello = hello
	f.hs.clientRandom = hello.Random[:]
	f.c.ClientRandom = hello.Random[:]
	if names, ok := tlswire.Lookup[*tlswire.ServerNameList](hello.Extensions, tlswire.ExtensionServerName); ok && len(names.Names) > 0 {
		f.hs.serverName = names.Names[0].Name
		f.c.ServerName = f.hs.serverName
	}
	d.phase = plain
	if tlswire.Has(hello.Extensions, tlswire.ExtensionEarlyData) {
		d.phase = early
	}
}

// serverHello takes the server's choice.
func (f *flow) serverHello(hello *tlswire.ServerHello) {
	hs, client, server := f.hs, &f.sides.Client, &f.sides.Server
	if hello.IsHelloRetryRequest() {
		f.c.Retried, f.c.CipherSuite = true, hello.CipherSuite
		f.http = nil // early data is rejected (RFC 8446 4.2.10)
		return
	}
	if hs.version != 0 {
		return // a second one changes nothing: no client would take it
	}
	hs.headless = f.cut() && hs.generation == 0
	hs.version, hs.suite, hs.serverRandom = hello.Version(), hello.CipherSuite, hello.Random[:]
	if hs.hello == nil { // what does not depend on it can be checked all the same
		f.c.handshakes = append(f.c.handshakes, hs)
	}
	f.c.Version, f.c.CipherSuite = hs.version, hs.suite
	f.c.Resumption = FullHandshake
	f.extensions(hello.Extensions)
	if !hs.tls13() {
		hs.encryptThenMAC = tlswire.Has(hello.Extensions, tlswire.ExtensionEncryptThenMAC)
		hs.extendedMaster = tlswire.Has(hello.Extensions, tlswire.ExtensionExtendedMasterSecret)
		hs.sessionID = hello.LegacySessionIDEcho
		hs.compression = hello.LegacyCompressionMethod
		return
	}
	if share, ok := tlswire.Lookup[*tlswire.KeyShareServerHello](hello.Extensions, tlswire.ExtensionKeyShare); ok {
		f.c.Group = share.Share.Group
	}
	if tlswire.Has(hello.Extensions, tlswire.ExtensionPreSharedKey) {
		f.c.Resumption = ByPSK
	}
	server.phase = handshaking
	if client.phase != early {
		client.phase = handshaking
	}
}

// extensions takes the server's answers, which are in ServerHello or in EncryptedExtensions.
func (f *flow) extensions(all []tlswire.Extension) {
	if names, ok := tlswire.Lookup[*tlswire.ProtocolNameList](all, tlswire.ExtensionALPN); ok && len(names.Protocols) > 0 {
		f.c.ALPN = names.Protocols[0]
	}
	if t, ok := tlswire.Lookup[*tlswire.SelectedCertificateType](all, tlswire.ExtensionServerCertificateType); ok {
		f.sides.Server.certificateType = t.Type
	}
	if t, ok := tlswire.Lookup[*tlswire.SelectedCertificateType](all, tlswire.ExtensionClientCertificateType); ok {
		f.sides.Client.certificateType = t.Type
	}
}

// finished takes the end of a side's handshake.
func (f *flow) finished(d *direction) {
	hs := f.hs
	if hs.tls13() {
		if d.phase == handshaking {
			d.phase = application
		} else if n := len(hs.posts); n > 0 && d.keys[application] != nil {
			for _, p := range hs.posts {
				if p.secret == nil && p.ended() {
					p.secret = d.keys[application].secret
				}
			}
		}
		return
	}
	if d.side == endpoint.Server && hs.done && hs.master != nil {
		f.d.sessions.Remember(hs.sessionID, hs.master)
	}
}

// resumedTLS12 is called when the server changes to encryption without a
// ServerHelloDone: it resumed a session (RFC 5246 7.3, RFC 5077 3.4).
func (f *flow) resumedTLS12(hs *handshake) {
	hs.resumed = true
	f.c.Resumption = BySessionID
	if hs.hello != nil {
		if t, ok := tlswire.Lookup[*tlswire.SessionTicket](hs.hello.Extensions, tlswire.ExtensionSessionTicket); ok && len(t.Ticket) > 0 {
			f.c.Resumption = ByTicket
		}
	}
	if issued, ok := find[*tlswire.NewSessionTicketTLS12](hs); ok && f.findMaster(hs) {
		f.d.sessions.Remember(issued.Ticket, hs.master)
	}
}
