package scenario

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"

	"mtlslab.example/lab/lab/endpoint"
)

// stacksPacked is stacks.json, compressed to a twentieth of its size.
//
//go:embed stacks.json.gz
var stacksPacked []byte

// Table is the table of stacks, stacks.json: what other TLS programs say when
// they meet the faults of the catalogue.
type Table struct {
	Stacks []Stack    `json:"stacks"`
	Runs   []StackRun `json:"runs"` // by scenario, in the catalogue's order, then stack, then end, then version
}

// Stack is a TLS library, or a program with one.
type Stack struct {
	Name     string `json:"name"`
	Version  string `json:"version,omitempty"`  // as it gives it itself; empty: its lines are recorded, and each has its source
	Measured string `json:"measured,omitempty"` // the day on which its lines were seen, as 2026-11-29
	Client   string `json:"client,omitempty"`   // how it was run as a client; empty: it was not
	Server   string `json:"server,omitempty"`   // likewise, as a server
}

// StackRun is what one end says of one scenario. The other end is the lab, and
// so Go's crypto/tls; of recorded lines it may be anything.
type StackRun struct {
	Scenario string        `json:"scenario"`
	Stack    string        `json:"stack"`
	As       endpoint.Side `json:"as"`            // the stack's end
	TLS      []string      `json:"tls,omitempty"` // the versions in which it is so: "1.2", "1.3"; empty: not known
	// Outcome is "accepted", "rejected" (in the handshake or right behind it),
	// "refused in HTTP", "closed" (after a handshake that nobody refused) or
	// "no handshake" (it did not begin one).
	Outcome string        `json:"outcome"`
	By      endpoint.Side `json:"by,omitempty"`    // the end that refused
	Alert   string        `json:"alert,omitempty"` // on the wire, by its name; empty: none
	SentBy  endpoint.Side `json:"alert_sent_by,omitempty"`
	Exit    *int          `json:"exit,omitempty"`   // the exit status of a client that is a program
	HTTP    int           `json:"http,omitempty"`   // the HTTP status that a server refuses with, or that a proxy's caller gets
	Says    []string      `json:"says,omitempty"`   // the lines that it prints or logs; empty: nothing
	Lab     string        `json:"lab,omitempty"`    // what the lab says at the other end
	Reason  endpoint.Side `json:"reason,omitempty"` // the end whose log has the reason; empty: neither's, or there is none
	Source  string        `json:"source,omitempty"` // of lines that were not measured, but recorded: the public page where they stand
}

// reasons returns the runs whose lines have the reason in them, by scenario.
// The lines of the other end are about alerts.
func (t *Table) reasons() map[string][]StackRun {
	runs := map[string][]StackRun{}
	for _, r := range t.Runs {
		if r.Reason == r.As {
			runs[r.Scenario] = append(runs[r.Scenario], r)
		}
	}
	return runs
}

// stacks returns the table.
var stacks = sync.OnceValue(func() *Table {
	t := &Table{}
	text, err := gzip.NewReader(bytes.NewReader(stacksPacked))
	if err == nil {
		err = json.NewDecoder(text).Decode(t)
	}
	if err != nil {
		panic(fmt.Sprintf("stacks.json.gz: %v", err)) // a test reads it
	}
	return t
})
