package command

import (
	"errors"
	"sync"

	"mtlslab.example/lab/lab/gokeys"
	"mtlslab.example/lab/lab/keyshim"
)

// relayGo has the connections of Go programs go through a relay. It is said
// once which --tap records one that does not.
func (p *Program) relayGo(o *gokeys.Options, relay *keyshim.Relay) {
	var once sync.Once
	o.Relay = relay
	keyless := o.Cannot
	o.Cannot = func(err error) {
		var unrelayed *gokeys.ConnectionError
		if !errors.As(err, &unrelayed) {
			keyless(err)
			return
		}
		once.Do(func() {
			p.say("%v; record it with --tap 127.0.0.1:9443=%v, and have the program connect to 127.0.0.1:9443", err, unrelayed.Server)
		})
	}
	o.Secret = func(random []byte) {
		if relay.Carries(random) {
			return
		}
		once.Do(func() {
			p.say("a Go program has a connection that is not recorded: it is a server's, or was not made by Go's package net; record it with --tap 127.0.0.1:9443=HOST:PORT, where HOST:PORT is the server's address, and have the client connect to 127.0.0.1:9443")
		})
	}
}
