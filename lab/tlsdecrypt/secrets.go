package tlsdecrypt

import (
	"bytes"
	"slices"

	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlswire"
)

// secrets finds the secrets of one connection: those that came with its events,
// and what the Dissector has for all connections, which are a key log, RSA keys
// and the sessions so far.
type secrets struct {
	shared *Dissector
	own    []keylog.Entry // at most maxSecrets
	latest keylog.Entry   // that find found in the key log: it is asked for twice
}

// add takes a secret that came with the events.
func (s *secrets) add(e keylog.Entry) {
	if s.own == nil {
		s.own = make([]keylog.Entry, 0, 5) // as TLS 1.3 has them
	}
	if len(s.own) < maxSecrets {
		s.own = append(s.own, e)
	}
}

// find returns a secret, and nil if there is none.
func (s *secrets) find(label string, clientRandom []byte) []byte {
	if clientRandom == nil {
		return nil
	}
	for _, e := range s.own {
		if e.Label == label && bytes.Equal(e.ClientRandom, clientRandom) {
			return e.Secret
		}
	}
	if latest := &s.latest; latest.Label == label && bytes.Equal(latest.ClientRandom, clientRandom) {
		return latest.Secret
	}
	store := s.shared.options.Secrets
	if store == nil {
		return nil
	}
	secret := store.Secret(label, clientRandom)
	if secret != nil {
		s.latest = keylog.Entry{Label: label, ClientRandom: clientRandom, Secret: secret}
	}
	return secret
}

// loggedLabels are the secrets that open records (RFC 9850 section 2.2).
// That of early data is the first.
var loggedLabels = []string{keylog.LabelClientEarlyTraffic, keylog.LabelClientHandshakeTraffic, keylog.LabelServerHandshakeTraffic,
	keylog.LabelClientTraffic0, keylog.LabelServerTraffic0}

// keyLog returns what is known of handshakes, as lines of a key log.
func (s *secrets) keyLog(handshakes []*handshake) (lines []byte) {
	add := func(label string, random, secret []byte) {
		if len(random) > 0 && secret != nil {
			lines, _ = keylog.Entry{Label: label, ClientRandom: random, Secret: secret}.AppendText(lines) // never fails
		}
	}
	for _, hs := range handshakes {
		add(keylog.LabelClientRandom, hs.clientRandom, hs.master)
		for _, label := range loggedLabels {
			add(label, hs.clientRandom, s.find(label, hs.clientRandom))
		}
	}
	return lines
}

// any reports whether any secret of a handshake is known.
func (s *secrets) any(hs *handshake) bool {
	random := hs.clientRandom
	if random == nil {
		return false
	}
	for _, e := range s.own {
		if bytes.Equal(e.ClientRandom, random) {
			return true
		}
	}
	store := s.shared.options.Secrets
	return store != nil && store.Has(random)
}

// all reports whether all of these secrets are known.
func (s *secrets) all(labels []string, clientRandom []byte) bool {
	return !slices.ContainsFunc(labels, func(label string) bool { return s.find(label, clientRandom) == nil })
}

// empty reports whether there are no secrets at all, not even of other
// connections.
func (s *secrets) empty() bool {
	store := s.shared.options.Secrets
	return len(s.own) == 0 && (store == nil || store.Empty())
}

// findMaster searches all sources for the master secret of a handshake of TLS
// 1.2, and reports whether it is known.
func (s *secrets) findMaster(hs *handshake) bool {
	if hs.master != nil {
		return true
	}
	if found := s.find(keylog.LabelClientRandom, hs.clientRandom); len(found) == masterLen {
		hs.master = found
	} else if found := s.premaster(hs); found != nil {
		hs.derived = true
		hs.master = hs.masterFromPremaster(found)
	} else if hs.resumed {
		hs.master = s.resumedMaster(hs)
	}
	return hs.master != nil
}

// masterFromPremaster returns the master secret (RFC 5246 section 8.1,
// RFC 7627 section 4), and nil if the hash of the suite is not known.
func (hs *handshake) masterFromPremaster(premaster []byte) []byte {
	info := hs.suite.Info()
	p := prfOf(hs.version, info)
	if p == nil {
		return nil
	}
	master := make([]byte, masterLen)
	if hs.extendedMaster {
		p(master, premaster, "extended master secret", handshakeHash(hs.version, info, hs.bytesUpTo(tlswire.TypeClientKeyExchange)))
	} else {
		p(master, premaster, "master secret", append(bytes.Clone(hs.clientRandom), hs.serverRandom...))
	}
	return master
}

// resumedMaster returns the master secret of the session that a handshake
// resumed, by its ticket or else by its session id, or nil.
func (s *secrets) resumedMaster(hs *handshake) []byte {
	if hs.hello == nil {
		return nil
	}
	if t, ok := tlswire.Lookup[*tlswire.SessionTicket](hs.hello.Extensions, tlswire.ExtensionSessionTicket); ok {
		if master := s.shared.sessions.Recall(t.Ticket); master != nil {
			return master
		}
	}
	return s.shared.sessions.Recall(hs.sessionID)
}

// remember keeps the master secret of a session of TLS 1.2 under its ticket or
// session id, for the connections that resume it.
func (s *secrets) remember(id []byte, hs *handshake) {
	if s.findMaster(hs) {
		s.shared.sessions.Remember(id, hs.master)
		s.shared.settle(id)
	}
}
