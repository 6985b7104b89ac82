package javakeys

import "mtlslab.example/lab/lab/keylog"

// BouncyCastle's TLS makes a cipher from a context when the secrets for it are
// there: in TLS 1.3 first those of the handshake, then those of the application
// data. Its classes are so in version 1.72.
const (
	classBouncy        = "org.bouncycastle.tls.TlsUtils"
	bouncyMethod       = "initCipher"
	bouncyArguments    = "(Lorg/bouncycastle/tls/TlsContext;)Lorg/bouncycastle/tls/crypto/TlsCipher;"
	classBouncyContext = "Lorg/bouncycastle/tls/AbstractTlsContext;"
	classBouncyState   = "Lorg/bouncycastle/tls/SecurityParameters;"
	classBouncySecret  = "Lorg/bouncycastle/tls/crypto/impl/AbstractTlsSecret;"
	signatureOfSecret  = "Lorg/bouncycastle/tls/crypto/TlsSecret;"
)

// loadedBouncy sets a breakpoint where ciphers are made.
func (d *debuggee) loadedBouncy(e event) error {
	methods, err := d.members(typeMethods, e.class)
	if err != nil {
		return err
	}
	for _, m := range methods {
		if m.name == bouncyMethod && m.signature == bouncyArguments && m.static {
			d.mu.Lock()
			d.bouncy[e.class] = true
			d.mu.Unlock()
			return d.setBreakpoint(e.class, m.id)
		}
	}
	return errUnknownBouncy
}

// readBouncy reads the secrets that BouncyCastle is about to use.
func (d *debuggee) readBouncy(e event) error {
	arguments, err := d.arguments(e.thread, 0)
	if err != nil {
		return err
	}
	state, err := d.get(arguments[0], classBouncyContext, "securityParametersHandshake", classBouncyState)
	if err != nil {
		return err
	}
	secret := func(name string) ([]byte, error) {
		object, err := d.get(id(state), classBouncyState, name, signatureOfSecret)
		if err != nil || object == 0 {
			return nil, err
		}
		return d.bytesOf(id(object), classBouncySecret, "data")
	}
	random, err := d.bytesOf(id(state), classBouncyState, "clientRandom")
	if err != nil {
		return err
	}
	if len(random) != randomSize {
		return errUnknownBouncy
	}
	client, err := secret("trafficSecretClient")
	if err != nil {
		return err
	}
	if client == nil {
		master, err := secret("masterSecret")
		if err != nil || master == nil {
			return err
		}
		d.write(keylog.Entry{Label: keylog.LabelClientRandom, ClientRandom: random, Secret: master})
		d.began(0, random)
		return nil
	}
	server, err := secret("trafficSecretServer")
	if err != nil {
		return err
	}
	// The base keys are set behind the first cipher.
	base, err := d.get(id(state), classBouncyState, "baseKeyClient", signatureOfSecret)
	if err != nil {
		return err
	}
	labels := [2]string{keylog.LabelClientHandshakeTraffic, keylog.LabelServerHandshakeTraffic}
	switch {
	case server == nil:
		labels[0] = keylog.LabelClientEarlyTraffic
	case base != 0:
		labels = [2]string{keylog.LabelClientTraffic0, keylog.LabelServerTraffic0}
	}
	d.write(keylog.Entry{Label: labels[0], ClientRandom: random, Secret: client})
	if server != nil {
		d.write(keylog.Entry{Label: labels[1], ClientRandom: random, Secret: server})
	}
	if base == 0 {
		d.began(0, random)
	}
	return nil
}
