package lab

import (
	"bytes"
	"testing"

	"mtlslab.example/lab/lab/tlswire"
)

// The alerts that cross a connection in plain text, alone or at the end of what
// is written in one go.
func TestPlainAlerts(t *testing.T) {
	alert := func(d tlswire.AlertDescription) []byte { return []byte{21, 3, 3, 0, 2, 2, byte(d)} }
	hello := []byte{22, 3, 1, 0, 4, 1, 0, 0, 0}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for name, test := range map[string]struct {
		written [][]byte
		want    string // "": none
		spoke   bool
	}{
		"nothing":              {[][]byte{{}}, "", false},
		"an alert":             {[][]byte{alert(tlswire.AlertBadCertificate)}, "bad_certificate", false},
		"after a message":      {[][]byte{hello, alert(tlswire.AlertUnknownCA)}, "unknown_ca", true},
		"in one go with it":    {[][]byte{join(hello, alert(tlswire.AlertUnknownCA))}, "unknown_ca", true},
		"before it":            {[][]byte{join(alert(tlswire.AlertUnknownCA), hello)}, "", false},
		"the last of two":      {[][]byte{alert(tlswire.AlertUnknownCA), alert(tlswire.AlertDecodeError)}, "decode_error", false},
		"close_notify":         {[][]byte{alert(tlswire.AlertCloseNotify)}, "", false},
		"one before that":      {[][]byte{join(alert(tlswire.AlertUnknownCA), alert(tlswire.AlertCloseNotify))}, "unknown_ca", false},
		"and in two writes":    {[][]byte{alert(tlswire.AlertUnknownCA), alert(tlswire.AlertCloseNotify)}, "unknown_ca", false},
		"an encrypted one":     {[][]byte{{21, 3, 3, 0, 26, 1, 2}, bytes.Repeat([]byte{9}, 24)}, "", false},
		"of another version":   {[][]byte{{21, 2, 0, 0, 2, 2, 42}}, "", false},
		"half of one":          {[][]byte{alert(tlswire.AlertUnknownCA)[:6]}, "", false},
		"a message without it": {[][]byte{hello}, "", true},
	} {
		var a plainAlerts
		for _, b := range test.written {
			a.sending(b)
			a.receiving(b)
		}
		for _, d := range []*tlswire.AlertDescription{a.seen().Sent, a.seen().Received} {
			got := ""
			if d != nil {
				got = d.String()
			}
			if got != test.want {
				t.Errorf("%s: %q, want %q", name, got, test.want)
			}
		}
		if a.spoke.Load() != test.spoke {
			t.Errorf("%s: a message of the handshake was sent: %v", name, !test.spoke)
		}
	}
}
