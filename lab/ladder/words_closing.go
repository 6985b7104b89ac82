package ladder

import (
	"fmt"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
)

// How the TCP connection ended.

// closing says how the TCP connection ended, and what came after that. What the
// other side sent before it had an alert needs no word: it is drawn.
func (s *story) closing() string {
	said := s.closed()
	alert := s.verdict.Alert
	if c := s.c; c.After > 0 && s.ended && (alert == nil || alert.SentBy != c.EndedBy) {
		said += fmt.Sprintf(" %s of the %s came after the %s had ended it.", text.Counted(int(c.After), "more byte"), c.EndedBy.Other(), c.EndedBy)
	}
	return said
}

func (s *story) closed() string {
	c := s.c
	after := ""
	if d := c.Duration(); d > 0 {
		after = " after " + Elapsed(d)
		if c.NoSYN {
			after = " " + Elapsed(d) + " after its first packet here"
		}
	}
	switch c.End {
	case tlsdecrypt.Closed:
		if s.isBrokenOff() && c.EndedBy != endpoint.Unknown {
			return fmt.Sprintf("Both sides closed the TCP connection (FIN)%s. The %s closed first.", after, c.EndedBy)
		}
		return fmt.Sprintf("Both sides closed the TCP connection in good order (FIN)%s.", after)
	case tlsdecrypt.ClientClosed:
		return hungUp(endpoint.Client, endpoint.Server, after)
	case tlsdecrypt.ServerClosed:
		return hungUp(endpoint.Server, endpoint.Client, after)
	case tlsdecrypt.ClientReset:
		return s.torn(endpoint.Client, endpoint.Server, after)
	case tlsdecrypt.ServerReset:
		return s.torn(endpoint.Server, endpoint.Client, after)
	case tlsdecrypt.EndedBetween:
		return fmt.Sprintf("Something between the two ended the TCP connection at both ends%s.", after)
	case tlsdecrypt.CutOff:
		return "What came after this was not recorded."
	}
	return "The TCP connection is still open."
}

// hungUp says that a side has closed the connection, and that no more is known.
func hungUp(by, other endpoint.Side, after string) string {
	return fmt.Sprintf("The %s closed the TCP connection (FIN)%s; how the %s ended it was not seen.", by, after, other)
}

// torn says that a side ended the connection without the other.
func (s *story) torn(by, other endpoint.Side, after string) string {
	said := fmt.Sprintf("The %s tore the TCP connection down (RST)%s: ", by, after)
	if s.goodbyes.Client && s.goodbyes.Server {
		return said + "harmless here, as both had said goodbye (close_notify)."
	}
	return said + fmt.Sprintf("what the %s had not read by then may be lost.", other)
}
