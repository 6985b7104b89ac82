package tlsdecrypt

import (
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/wiretap"
)

// Bytes that come again with other contents are a problem at their place.
func TestAltered(t *testing.T) {
	var c *Connection
	d := New(Options{Done: func(read *Connection) { c = read }})
	handle := d.Open(wiretap.Event{Kind: wiretap.Open, Time: time.Unix(1, 0)})
	alert := []byte{21, 3, 3, 0, 2, 1, 0}
	for _, e := range []wiretap.Event{
		{Kind: wiretap.Data, From: endpoint.Client, Data: alert},
		{Kind: wiretap.Data, From: endpoint.Client, Data: alert[:5]},
		{Kind: wiretap.Altered, From: endpoint.Client, Missing: 5, Back: 5},
		{Kind: wiretap.Altered, From: endpoint.Client, Missing: 5, Back: 5},
		{Kind: wiretap.Close, From: endpoint.Client},
	} {
		e.Time = time.Unix(2, 0)
		handle(e)
	}
	d.Close()
	var found []Problem
	for _, p := range c.Problems {
		if strings.HasPrefix(p.Text, "5 bytes of the client's came again with other contents") {
			found = append(found, p)
		}
	}
	if len(found) != 1 || found[0].From != endpoint.Client || found[0].Offset != int64(len(alert)) {
		t.Errorf("%+v", c.Problems)
	}
}
