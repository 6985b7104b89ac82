package keylog

import "testing"

// TestSessions: the newest are remembered, each once.
func TestSessions(t *testing.T) {
	var s Sessions
	ticket := func(i int) []byte { return []byte{byte(i >> 8), byte(i)} }
	for i := range 3 * maxSessions {
		s.Remember(ticket(i), []byte("secret"))
		s.Remember(ticket(i), []byte("newer"))
	}
	if len(s.masters) != maxSessions {
		t.Errorf("%d sessions are remembered", len(s.masters))
	}
	first, last := 2*maxSessions, 3*maxSessions-1
	if s.Recall(ticket(first-1)) != nil || string(s.Recall(ticket(first))) != "newer" || string(s.Recall(ticket(last))) != "newer" {
		t.Error("not the newest are remembered")
	}
	s.Remember(nil, []byte("secret"))
	s.Remember(ticket(first-1), nil)
	if s.Recall(nil) != nil || s.Recall(ticket(first-1)) != nil || s.Recall(ticket(first)) == nil {
		t.Error("what has no name or no secret is remembered")
	}
}
