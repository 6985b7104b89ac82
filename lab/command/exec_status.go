package command

import (
	"path/filepath"
	"slices"
	"sync"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// refusals are the exit statuses of programs that verify the server's
// certificate when the handshake is over, and then tell nobody but their user.
// With such a status they have refused it, or were refused before they had sent
// Finished (wget(1), curl(1)).
var refusals = map[string][]int{
	"wget": {5},
	"curl": {51, 60},
}

// silence counts the connections of a program on which the client may have
// refused the server without a word.
type silence struct {
	mu           sync.Mutex
	silent       int // that the client ended after the handshake without a request
	explained    int // those of them of which the verdict has the cause
	otherFailure bool
}

// add counts a connection that has ended, with its verdict.
func (s *silence) add(c *tlsdecrypt.Connection, v *verdict.Verdict) {
	if len(c.Messages) == 0 {
		return
	}
	var finished endpoint.Pair[bool]
	said := false // by the client, after the handshake or instead of it
	for _, m := range c.Messages {
		if m.Handshake != nil {
			if _, ok := m.Handshake.Body.(*tlswire.Finished); ok {
				*finished.Of(m.From) = true
			}
			continue
		}
		if m.From == endpoint.Client && (m.Encrypted || m.Type == tlswire.ContentTypeApplicationData) {
			said = true
		}
	}
	alert := c.Progress().Alert
	handshake := finished.Client && finished.Server
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !handshake, alert != nil && alert.From == endpoint.Client:
		s.otherFailure = true
	case !said && c.EndedBy != endpoint.Unknown:
		s.silent++
		if v.Doubt != nil && v.Doubt.By == endpoint.Client {
			s.explained++
		}
	}
}

// refused reports whether a program that has ended with a status has refused
// the server on a connection where it did not say so, and none shows why. If a
// handshake has failed as well, that may be what the status is for.
func (s *silence) refused(program string, status int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.silent > 0 && s.explained == 0 && !s.otherFailure && slices.Contains(refusals[filepath.Base(program)], status)
}
