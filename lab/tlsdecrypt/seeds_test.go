package tlsdecrypt_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/wiretap"
)

var seeds = flag.Bool("seeds", false, "write a recorded connection of each case to testdata/flows, which FuzzDissect changes")

// maxSeed is the most bytes of a connection that is kept.
const maxSeed = 6000

// writeSeeds writes the longest connection of each case that is no longer than
// maxSeed.
func (s *studio) writeSeeds(t *testing.T, connections map[int]*tlsdecrypt.Connection, keys string) {
	t.Helper()
	log, err := os.ReadFile(keys)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(s.capture())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	recorded := scripts{}
	if err := capture.Read(file, capture.ReadOptions{Sink: recorded}); err != nil {
		t.Fatal(err)
	}
	longest := map[string][]byte{}
	for number, name := range s.cases {
		port := firstPort + number
		script := append(secretsOf(connections[port].ClientRandom, log), *recorded[port]...)
		if len(script) <= maxSeed && len(script) > len(longest[name]) {
			longest[name] = script
		}
	}
	for name, script := range longest {
		name := filepath.Join("testdata", "flows", strings.ReplaceAll(name, " ", "-"))
		if err := os.WriteFile(name, script, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// secretsOf has an event for each secret of a connection.
func secretsOf(random, log []byte) (script []byte) {
	seen := map[string]bool{}
	for line := range bytes.Lines(log) {
		if bytes.Contains(line, []byte(" "+hex.EncodeToString(random)+" ")) && !seen[string(line)] {
			seen[string(line)] = true
			script = appendEvent(script, wiretap.Event{Kind: wiretap.Secret, Data: line})
		}
	}
	return script
}

// scripts is a sink that keeps events as testdata/flows has them, by the port
// of the client.
type scripts map[int]*[]byte

func (s scripts) Open(e wiretap.Event) wiretap.Handler {
	script := &[]byte{}
	s[int(e.Client.Port())] = script
	return func(e wiretap.Event) { *script = appendEvent(*script, e) }
}

func appendEvent(script []byte, e wiretap.Event) []byte {
	script = append(script, byte(e.Kind)<<1|byte(e.From))
	script = binary.BigEndian.AppendUint16(script, uint16(len(e.Data)))
	return append(script, e.Data...)
}
