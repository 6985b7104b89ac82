package keylog

import "testing"

func TestLabels(t *testing.T) {
	traffic := []string{LabelClientHandshakeTraffic, LabelServerHandshakeTraffic, LabelClientTraffic0, LabelServerTraffic0}
	for _, test := range []struct {
		labels          []string
		complete, tls13 bool
	}{
		{},
		{labels: []string{LabelClientRandom}, complete: true},
		{labels: traffic, complete: true, tls13: true},
		{labels: append([]string{LabelExporter, "SOMETHING_NEW"}, traffic...), complete: true, tls13: true},
		{labels: []string{LabelClientEarlyTraffic, LabelEarlyExporter, LabelExporter, LabelRSA, "SOMETHING_NEW"}},
		{labels: traffic[:1], tls13: true},
		{labels: traffic[:3], tls13: true},
		{labels: traffic[1:], tls13: true},
		{labels: []string{traffic[0], traffic[0], traffic[0], traffic[0]}, tls13: true},
	} {
		var l Labels
		for _, label := range test.labels {
			l.Add(label)
		}
		if l.IsComplete() != test.complete || l.IsTLS13() != test.tls13 {
			t.Errorf("%v: complete %v, TLS 1.3 %v", test.labels, l.IsComplete(), l.IsTLS13())
		}
	}
}
