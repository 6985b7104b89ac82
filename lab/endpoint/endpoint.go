package endpoint

import (
	"fmt"
	"iter"
)

// Side is one end of a connection. Its text form is "client", "server" or, of
// the zero value, "".
type Side uint8

// The two ends. The client is the one that opened the connection
// (RFC 9293 section 3.5: the active open). The zero value is for when it is not
// known.
const (
	Unknown Side = iota
	Client
	Server
)

// Other returns the opposite end; that of Unknown is Unknown.
func (s Side) Other() Side {
	switch s {
	case Client:
		return Server
	case Server:
		return Client
	}
	return Unknown
}

func (s Side) String() string {
	switch s {
	case Unknown:
		return "unknown"
	case Client:
		return "client"
	case Server:
		return "server"
	}
	return fmt.Sprintf("side(%d)", uint8(s))
}

// MarshalText returns the side's text form.
func (s Side) MarshalText() ([]byte, error) {
	if s == Unknown {
		return nil, nil
	}
	return []byte(s.String()), nil
}

// UnmarshalText reads the text form.
func (s *Side) UnmarshalText(text []byte) error {
	for _, known := range []Side{Client, Server} {
		if string(text) == known.String() {
			*s = known
			return nil
		}
	}
	if len(text) > 0 {
		return fmt.Errorf("%q is no side: it is client or server", text)
	}
	*s = Unknown
	return nil
}

// Pair holds one value for each side.
type Pair[T any] struct {
	Client T `json:"client"`
	Server T `json:"server"`
}

// Of returns the value of a side, which is Client or Server: that of the client
// for any other.
func (p *Pair[T]) Of(s Side) *T {
	if s == Server {
		return &p.Server
	}
	return &p.Client
}

// All yields both sides with their values, the client's first.
func (p *Pair[T]) All() iter.Seq2[Side, *T] {
	return func(yield func(Side, *T) bool) {
		_ = yield(Client, &p.Client) && yield(Server, &p.Server)
	}
}
