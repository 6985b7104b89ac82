package vantage_test

import (
	"slices"
	"testing"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/vantage"
	"mtlslab.example/lab/lab/wiretap"
)

// closedBy ends a connection by a side, some time after what was said on it.
func closedBy(side endpoint.Side, after time.Duration) edit {
	return func(events []wiretap.Event) []wiretap.Event {
		last := slices.IndexFunc(events, func(e wiretap.Event) bool { return e.Kind == wiretap.HalfClose || e.Kind == wiretap.Close })
		for events[last-1].Kind != wiretap.Data {
			last--
		}
		end := events[last-1]
		end.Kind, end.Data, end.From, end.Time = wiretap.HalfClose, nil, side, end.Time.Add(after)
		closed := end
		closed.Kind, closed.From, closed.Time = wiretap.Close, side.Other(), closed.Time.Add(time.Millisecond)
		return append(slices.Clone(events[:last]), end, closed)
	}
}

// Something in between that ends a connection at both ends is not taken for one
// of the two programs.
func TestEndedBetween(t *testing.T) {
	tape, keys := recorded()
	client, server := endpoint.Client, endpoint.Server
	for name, test := range map[string]struct {
		near, far endpoint.Side
		own       bool
		after     time.Duration
		want      string
		words     []string
	}{
		"idle":                 {server, client, false, 2 * time.Second, "ended_between", []string{"after 2.0 s in which nobody said anything", "client.pcapng the FIN of the server came first", "server.pcapng the FIN of the client came first"}},
		"at once":              {server, client, false, time.Millisecond, "ended_between", []string{"at both ends: in"}},
		"by both programs":     {client, server, false, time.Second, "", nil},
		"by the client":        {client, client, false, time.Second, "", nil},
		"by the server":        {server, server, false, time.Second, "", nil},
		"as the programs read": {server, client, true, time.Second, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			near, far := view("client.pcapng", tape, keys, closedBy(test.near, test.after)), view("server.pcapng", tape, keys, closedBy(test.far, test.after))
			near.Own, far.Own = test.own, test.own
			r := vantage.Join(near, far)
			expect(t, r, test.want, test.words...)
			if c := r.Pairs[0].Joined; (c.End == tlsdecrypt.EndedBetween) != (test.want != "") || test.want != "" && c.EndedBy != endpoint.Unknown {
				t.Errorf("%s by %v", c.End, c.EndedBy)
			}
		})
	}
}
