package lab

import (
	"fmt"
	"net"

	"mtlslab.example/lab/lab/verdict"
	"mtlslab.example/lab/lab/wiretap"
)

// annotate records why a connection was rejected, refused inside TLS, or is not
// mutual, if it has a tap.
func annotate(c net.Conn, judge func() verdict.Verdict) {
	tapped, ok := wiretap.Of(c)
	if !ok {
		return
	}
	switch v := judge(); {
	case v.Outcome == verdict.Rejected:
		tapped.Annotate("rejected by the " + v.RejectedBy.String() + ": " + v.Reason)
	case v.IsDenied(), v.Code == verdict.NotAsked, v.NeverAsked():
		tapped.Annotate(v.Reason)
	}
}

// noteUnread records that drain has read n bytes and left what came then, if
// the connection has a tap.
func noteUnread(c net.Conn, n int64) {
	if tapped, ok := wiretap.Of(c); ok {
		tapped.Annotate(fmt.Sprintf("not all is recorded: after its end was closed here, %d bytes more were read, and what came then was not", n))
	}
}
