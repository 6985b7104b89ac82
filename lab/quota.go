package lab

import (
	"crypto/tls"
	"fmt"
	"sync/atomic"
)

const (
	// maxUnauthenticated bounds what is read from all open connections whose
	// peers are not authenticated, in bytes: crypto/tls keeps it, and it is
	// recorded and dissected.
	maxUnauthenticated = 8 << 20
	// quotaShare is what each of them may send whatever the others do, in bytes:
	// several times what a handshake takes.
	quotaShare = 16 << 10
)

// errQuota ends the reading from a peer that has sent more than its share.
var errQuota = fmt.Errorf("the server has read too much of clients that are not authenticated, and more than %d KiB of this one", quotaShare>>10)

// quotas counts the bytes read from all peers that are not authenticated.
type quotas struct{ read atomic.Int64 }

// quota counts the bytes read from one of them.
type quota struct {
	all   *quotas
	read  atomic.Int64
	ended atomic.Bool
}

// take counts n bytes, and reports whether the peer may send them.
func (q *quota) take(n int) bool {
	if q.ended.Load() {
		return true
	}
	mine, all := q.read.Add(int64(n)), q.all.read.Add(int64(n))
	return all <= maxUnauthenticated || mine <= quotaShare
}

// end stops the counting: the peer is authenticated, or gone.
func (q *quota) end() {
	if !q.ended.Swap(true) {
		q.all.read.Add(-q.read.Swap(0))
	}
}

// resume counts again: the peer is not authenticated after all.
func (q *quota) resume() { q.ended.Store(false) }

// endWhenVerified changes config, which is for this connection alone, so that
// the counting ends when the peer's certificate is verified.
func (q *quota) endWhenVerified(config *tls.Config) {
	verify := config.VerifyConnection
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if verify != nil {
			if err := verify(state); err != nil {
				return err
			}
		}
		q.end()
		return nil
	}
}
