package wiretap

import (
	"fmt"
	"net/netip"
	"time"

	"mtlslab.example/lab/lab/endpoint"
)

// Kind is the kind of an event.
type Kind uint8

// The events of a connection. The first is Open, the last is Close or CutOff,
// and each of them happens once at most. A capture that began after the
// connection did is read as an Open, then a Gap for each side whose first bytes
// are not there.
const (
	Open      Kind = iota // the three-way handshake has completed
	Data                  // From sent Data
	Secret                // Data is lines of the key log (RFC 9850), newlines included
	Verdict               // Data is a text with the outcome of the exchange
	HalfClose             // From sends no more: its FIN
	Reset                 // From aborted the connection: its RST
	Close                 // From, the tapped side, closed its socket; its FIN too, unless it has sent FIN or RST before
	Gap                   // Missing bytes that From sent were not seen; said by readers of capture files and by Async
	Altered               // Missing bytes that From sent were seen again with other contents; said by readers of capture files
	CutOff                // the rest, and the end, were not seen; said by readers of capture files
)

func (k Kind) String() string {
	names := [...]string{"open", "data", "secret", "verdict", "half-close", "reset", "close", "gap", "altered", "cut off"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Event is one thing that happened on a connection.
type Event struct {
	Kind     Kind
	From     endpoint.Side  // who did it; for Secret and Verdict the tapped side; of CutOff endpoint.Unknown
	Exchange int            // number of the connection, from 1
	Time     time.Time      // never before that of the connection's previous event
	Data     []byte         // of Data, Secret and Verdict; borrowed: valid until the handler returns
	Client   netip.AddrPort // of Open: IPv4-mapped addresses are unmapped; invalid if the connection is not TCP
	Server   netip.AddrPort // of Open, likewise
	Host     string         // of Open: the host that the client asked a proxy for; "": not known
	Missing  int64          // of Gap: how many bytes of From's stream are missing here; -1 when that is not known; of Open: -1 if bytes may be missing before the first
	Back     int64          // of Altered: how many bytes before the end of what From has sent they begin
}

// Handler takes the events of one connection that follow its Open, one at a
// time and in order. It runs in the goroutine that reads or writes the
// connection and may block: that holds the connection back, nothing is dropped.
// It must not call methods of the connection.
type Handler func(Event)

// Sink takes connections.
type Sink interface {
	// Open takes the Open event of a connection and returns the handler of all
	// its later events. It is called from several goroutines at once.
	Open(Event) Handler
}

// Fan returns a sink that hands every event to each of sinks, in their order.
func Fan(sinks ...Sink) Sink { return fan(sinks) }

type fan []Sink

func (f fan) Open(e Event) Handler {
	handlers := make([]Handler, len(f))
	for i, s := range f {
		handlers[i] = s.Open(e)
	}
	if len(handlers) == 1 {
		return handlers[0]
	}
	return func(e Event) {
		for _, handle := range handlers {
			handle(e)
		}
	}
}
