package command_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"mtlslab.example/lab/lab/command"
)

// pcapHeaderLen is the length of the header of a pcap file.
const pcapHeaderLen = 24

// TestBothSameVerdict: of a connection lab explain says the same whether it
// reads a capture alone or with another one. What a server has taken on one
// connection counts for the next in both.
func TestBothSameVerdict(t *testing.T) {
	var all []byte
	for _, f := range foreignCaptures(t) {
		data, err := os.ReadFile(filepath.Join(foreignDir, f.Capture+".pcap"))
		check(t, err)
		switch {
		case all == nil:
			all = data
		case bytes.Equal(all[:pcapHeaderLen], data[:pcapHeaderLen]):
			all = append(all, data[pcapHeaderLen:]...)
		}
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "all.pcap")
	check(t, os.WriteFile(file, all, 0o600))

	alone, offers := make(map[float64]map[string]any), 0
	for _, c := range explainJSON(t, "--dir", dir, file) {
		alone[c["connection"].(float64)] = c
		if o, ok := c["offers"].(map[string]any); ok && o["from"] != nil {
			offers++
		}
	}
	if len(alone) < 100 || offers == 0 {
		t.Fatalf("%d connections, %d with what the server has taken on another one", len(alone), offers)
	}
	for _, pair := range explainJSON(t, "--dir", dir, file, file)[1:] {
		for _, end := range []string{"client_end", "server_end"} {
			c, ok := pair[end].(map[string]any)
			if !ok {
				continue
			}
			for _, field := range []string{"outcome", "how", "rejected_by", "reason", "code", "fix", "confirm", "doubt", "causes", "offers", "mutual", "scenario"} {
				if one := alone[c["connection"].(float64)]; !reflect.DeepEqual(one[field], c[field]) {
					t.Errorf("stream %v: %s is %v, and %v of two captures", c["connection"], field, one[field], c[field])
				}
			}
		}
	}
}

// TestBothSaysOnce: what was found of one pair, and of the next with other
// numbers alone, is said once.
func TestBothSaysOnce(t *testing.T) {
	var near []byte
	for _, name := range []string{"none.gnutls-gnutls.tls12", "none.nginx-curl.tls12", "none.node-python.tls12"} {
		data, err := os.ReadFile(filepath.Join(foreignDir, name+".pcap"))
		check(t, err)
		if near == nil {
			near = data
		} else {
			near = append(near, data[pcapHeaderLen:]...)
		}
	}
	far := bytes.ReplaceAll(near, []byte("\x7f\x00\x00\x01\x7f\x00\x00\x01"), []byte("\x7f\x00\x00\x02\x7f\x00\x00\x02"))
	if bytes.Equal(near, far) {
		t.Fatal("the captures are of another address")
	}
	dir := t.TempDir()
	files := []string{filepath.Join(dir, "near.pcap"), filepath.Join(dir, "far.pcap")}
	check(t, os.WriteFile(files[0], near, 0o600))
	check(t, os.WriteFile(files[1], far, 0o600))
	for _, test := range []struct {
		flags       []string
		full, again int
	}{{nil, 1, 2}, {[]string{"--verbose"}, 3, 0}, {[]string{"--stream", "1"}, 1, 0}} {
		var out, errs bytes.Buffer
		p := command.Program{Stdout: &out, Stderr: &errs, Columns: 120}
		args := append([]string{"lab", "explain", "--dir", dir, "--keylog", "off", "--brief"}, test.flags...)
		if status := p.Run(t.Context(), append(args, files...)); status != 0 {
			t.Fatalf("exit status %d: %s", status, &errs)
		}
		full, again := bytes.Count(out.Bytes(), []byte("The same TLS connection has other addresses")), bytes.Count(out.Bytes(), []byte("As above, here too: addresses_translated."))
		if full != test.full || again != test.again {
			t.Errorf("%v: said %d times in full, and %d times again:\n%s", test.flags, full, again, &out)
		}
	}
}

// TestBothClocksApart: captures of two ends are two ends, although their names
// differ in numbers alone and the clock of one is an hour ahead.
func TestBothClocksApart(t *testing.T) {
	host1, err := os.ReadFile(filepath.Join(foreignDir, "none.gnutls-gnutls.tls12.pcap"))
	check(t, err)
	host2 := bytes.Clone(host1)
	for at := pcapHeaderLen; at < len(host2); {
		packet := host2[at:]
		binary.LittleEndian.PutUint32(packet, binary.LittleEndian.Uint32(packet)+3600)
		at += 16 + int(binary.LittleEndian.Uint32(packet[8:]))
	}
	dir := t.TempDir()
	files := []string{filepath.Join(dir, "host1.pcap"), filepath.Join(dir, "host2.pcap")}
	check(t, os.WriteFile(files[0], host1, 0o600))
	check(t, os.WriteFile(files[1], host2, 0o600))
	lines := explainJSON(t, "--dir", dir, files[0], files[1])
	if _, ok := lines[len(lines)-1]["server_end"]; !ok {
		t.Errorf("they are read as one: %v", lines)
	}
}

// explainJSON returns the lines of lab explain --json.
func explainJSON(t *testing.T, args ...string) (lines []map[string]any) {
	t.Helper()
	var out, errs bytes.Buffer
	p := command.Program{Stdout: &out, Stderr: &errs}
	if status := p.Run(t.Context(), append([]string{"lab", "explain", "--json", "--keylog", "off"}, args...)); status != 0 {
		t.Fatalf("%v: exit status %d: %s", args, status, &errs)
	}
	for line := range bytes.Lines(out.Bytes()) {
		var v map[string]any
		check(t, json.Unmarshal(line, &v))
		lines = append(lines, v)
	}
	return lines
}
