package lab

import (
	"crypto/tls"
	"fmt"
	"sync/atomic"
)

const (
	// maxCrowd bounds what is read of all open connections whose peers are not
	// authenticated, in bytes: crypto/tls keeps it, and it is recorded and
	// dissected.
	maxCrowd = 8 << 20
	// crowdShare is what one of them may send whatever the others do, in bytes:
	// several times what a handshake takes.
	crowdShare = 16 << 10
)

// errCrowded ends the reading of a peer that has sent more than its share.
var errCrowded = fmt.Errorf("the server has read too much of clients that are not authenticated, and more than %d KiB of this one", crowdShare>>10)

// crowd counts what is read of peers that are not authenticated.
type crowd struct{ read atomic.Int64 }

// member is one connection in a crowd.
type member struct {
	crowd *crowd
	read  atomic.Int64
	left  atomic.Bool
}

// admit counts n bytes, and reports whether they are not too many.
func (m *member) admit(n int) bool {
	if m.left.Load() {
		return true
	}
	mine, all := m.read.Add(int64(n)), m.crowd.read.Add(int64(n))
	return all <= maxCrowd || mine <= crowdShare
}

// leave ends the counting: the peer is authenticated, or gone.
func (m *member) leave() {
	if !m.left.Swap(true) {
		m.crowd.read.Add(-m.read.Swap(0))
	}
}

// rejoin begins to count again: the peer is not authenticated after all.
func (m *member) rejoin() { m.left.Store(false) }

// watch has config, which is for the connection of m alone, end the counting
// once the peer's certificate is found good.
func (m *member) watch(config *tls.Config) {
	verify := config.VerifyConnection
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if verify != nil {
			if err := verify(state); err != nil {
				return err
			}
		}
		m.leave()
		return nil
	}
}
