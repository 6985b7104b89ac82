package tlsdecrypt

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/keylog"
)

// Nothing that other people have captured fails a check, but for certificates
// that were out of date.
func TestPublicCaptures(t *testing.T) {
	data := os.Getenv("LAB_TESTDATA")
	if data == "" {
		t.Skip("LAB_TESTDATA names no folder of captures")
	}
	files, err := filepath.Glob(filepath.Join(data, "captures", "*.pcap*"))
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	for _, name := range files {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		store := &keylog.Store{}
		lines, err := os.ReadFile(strings.TrimSuffix(name, filepath.Ext(name)) + ".keys")
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		for line := range bytes.Lines(lines) {
			if entry, err := keylog.ParseLine(bytes.TrimSpace(line)); err == nil {
				store.Add(entry)
			}
		}
		d := New(Options{Secrets: store, Done: func(c *Connection) {
			c.Check(trust())
			for _, m := range c.Messages {
				for _, k := range m.Checks {
					if k.Result == Fails && (k.Fault == nil || k.Fault.Code != chain.Expired) {
						t.Errorf("%s, stream %d: %s: %s", filepath.Base(name), c.Number, describe(m), k.Text)
					}
				}
			}
		}})
		if err := capture.Read(bytes.NewReader(file), capture.ReadOptions{Sink: d}); err != nil {
			t.Logf("%s: %v", filepath.Base(name), err)
		}
		d.Close()
	}
}
