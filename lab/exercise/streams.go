package exercise

import (
	"sync"

	"mtlslab.example/lab/lab/wiretap"
)

// streams numbers the connections of a capture as Wireshark does: from 0, in
// the order in which they were opened.
type streams struct {
	wiretap.Sink

	mu     sync.Mutex
	opened int
	by     map[string]int // by the client's address
}

// Open implements wiretap.Sink.
func (s *streams) Open(opened wiretap.Event) wiretap.Handler {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.by[opened.Client.String()] = s.opened
	s.opened++
	return s.Sink.Open(opened)
}

// of returns the number of the last connection of a client; -1: there was none.
func (s *streams) of(client string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number, ok := s.by[client]; ok {
		return number
	}
	return -1
}
