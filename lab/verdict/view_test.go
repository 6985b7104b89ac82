package verdict

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
)

// What a side saw is sorted out of the error that ended its exchange, and the
// alerts that crossed in plain text.
func TestNewView(t *testing.T) {
	sent, received := tlswire.AlertBadCertificate, tlswire.AlertUnknownCA
	both := Seen{&sent, &received}
	timeout := &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}
	for name, test := range map[string]struct {
		err     error
		seen    Seen
		refused bool
		alert   string
	}{
		"content":                        {nil, both, false, ""},
		"refuses":                        {errNone, Seen{}, true, ""},
		"refuses, with an alert":         {errNone, both, true, "server's bad_certificate"},
		"is refused":                     {remote(tlswire.AlertAccessDenied), both, false, "client's access_denied"},
		"is refused, wrapped":            {fmt.Errorf("handshake: %w", remote(tlswire.AlertAccessDenied)), Seen{}, false, "client's access_denied"},
		"a record that is in plain text": {errBadRecord, both, false, "client's unknown_ca"},
		"a record that is wrong":         {errBadRecord, Seen{Sent: &sent}, true, "server's bad_certificate"},
		"end of the stream":              {io.EOF, Seen{}, false, ""},
		"in the middle":                  {io.ErrUnexpectedEOF, Seen{}, false, ""},
		"reset":                          {errReset, Seen{Sent: &sent}, false, "server's bad_certificate"},
		"cannot write":                   {&net.OpError{Op: "write", Err: errors.New("broken pipe")}, Seen{}, false, ""},
		"waits no longer":                {timeout, Seen{}, true, ""},
		"the handshake takes too long":   {context.DeadlineExceeded, Seen{}, true, ""},
		"no TLS":                         {errHTTP, Seen{}, true, ""},
		"misbehaves":                     {misbehaves{code: SpokeNoTLS}, both, false, "client's unknown_ca"},
		"misbehaves, and hangs up":       {fmt.Errorf("write: %w", misbehaves{Closed, true}), Seen{Sent: &sent}, true, ""},
	} {
		v := NewView(endpoint.Server, test.err, test.seen)
		got := ""
		if v.Alert != nil {
			got = v.Alert.SentBy.String() + "'s " + v.Alert.Name
		}
		if v.Refused != test.refused || got != test.alert || v.Err != test.err || v.State != StateConnected {
			t.Errorf("%s: refused %v, %q: %+v", name, v.Refused, got, v)
		}
	}
}

func TestReceivedAlert(t *testing.T) {
	if d, ok := ReceivedAlert(remote(tlswire.AlertUnknownCA)); !ok || d != tlswire.AlertUnknownCA {
		t.Error(d, ok)
	}
	for _, err := range []error{nil, io.EOF, errBadRecord, &net.OpError{Op: "remote error", Err: errors.New("text")}} {
		if d, ok := ReceivedAlert(err); ok {
			t.Errorf("%v: %v", err, d)
		}
	}
}

func TestStateOf(t *testing.T) {
	agreed := tls.ConnectionState{Version: tls.VersionTLS13}
	done := tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true}
	for _, test := range []struct {
		state    tls.ConnectionState
		answered bool
		want     State
	}{{tls.ConnectionState{}, false, StateConnected}, {agreed, false, StateHandshake}, {done, false, StateComplete}, {done, true, StateAnswered}} {
		if got := StateOf(test.state, test.answered); got != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
	}
}

// A TLS 1.3 client learns that it was refused after its handshake.
func TestLearned(t *testing.T) {
	for state, want := range map[State]Learned{
		StateConnected: LearnedInHandshake, StateHandshake: LearnedInHandshake,
		StateComplete: LearnedAtFirstRead, StateRequestSent: LearnedAtFirstRead, StateAnswered: LearnedInHandshake,
	} {
		if got := (&View{Err: io.EOF, State: state}).Learned(); got != want {
			t.Errorf("%s: %q, want %q", state, got, want)
		}
		if got := (&View{State: state}).Learned(); got != "" {
			t.Errorf("%s, content: %q", state, got)
		}
	}
}
