package verdict

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlsdecrypt"
)

// sealedCapture is a TLS 1.3 connection of testdata/sealed, made by
// testdata/foreign/record: what it was made for, its two programs, and what is
// read of it with its keys and without.
type sealedCapture struct {
	stack, what, server, client string
	with, without               *tlsdecrypt.Connection
}

func (s *sealedCapture) String() string {
	return fmt.Sprintf("%s: %s of %s and %s, port %v", s.stack, s.what, s.server, s.client, s.with.Server.Port())
}

// sealedOnce keeps what sealedConnections has read.
var sealedOnce []*sealedCapture

// sealedConnections reads all connections of testdata/sealed, in which a
// server's port says what the connection was made for.
func sealedConnections(t *testing.T) (all []*sealedCapture) {
	t.Helper()
	if sealedOnce != nil {
		return sealedOnce
	}
	files, err := filepath.Glob(filepath.Join("testdata", "sealed", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	for _, file := range files {
		base := strings.TrimSuffix(file, ".txt")
		keys := &keylog.Store{}
		for line := range bytes.Lines(unpack(t, base+".keys.gz")) {
			entry, err := keylog.ParseLine(bytes.TrimSpace(line))
			if err != nil {
				t.Fatal(err)
			}
			keys.Add(entry)
		}
		with, without := readSealed(t, base+".pcapng.gz", keys), readSealed(t, base+".pcapng.gz", &keylog.Store{})
		index, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(index)) {
			f := strings.Fields(line)
			port, err := strconv.Atoi(f[0])
			if err != nil {
				t.Fatal(err)
			}
			for i, c := range with[port] {
				all = append(all, &sealedCapture{filepath.Base(base), f[1], f[2], f[3], c, without[port][i]})
			}
		}
	}
	sealedOnce = all
	return all
}

// readSealed returns the connections of a capture by the server's port, in
// order.
func readSealed(t *testing.T, file string, secrets *keylog.Store) map[int][]*tlsdecrypt.Connection {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	all := map[int][]*tlsdecrypt.Connection{}
	d := tlsdecrypt.New(tlsdecrypt.Options{Secrets: secrets, Done: func(c *tlsdecrypt.Connection) {
		if c.ClientRandom != nil {
			port := int(c.Server.Port())
			all[port] = append(all[port], c)
		}
	}})
	if err := capture.Read(bytes.NewReader(data), capture.ReadOptions{Sink: d}); err != nil {
		t.Fatal(err)
	}
	d.Close()
	for _, connections := range all {
		slices.SortFunc(connections, func(a, b *tlsdecrypt.Connection) int { return a.Opened.Compare(b.Opened) })
	}
	return all
}

func unpack(t *testing.T, file string) []byte {
	t.Helper()
	packed, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	z, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// lookAlikes are connections that were made to have the sizes of others: a
// server that takes the client's certificate, sends no tickets and closes
// without an answer cannot be told from one that refuses.
var lookAlikes = map[string]string{
	"app-close":   "rejected (very probably) by server: certificate_refused",
	"app-hang-up": "rejected (very probably) by server: certificate_refused",
}

// Of each connection the verdict without keys is that with keys, or it is
// unknown.
func TestSealed(t *testing.T) {
	type count struct{ all, told, unknown, wrong int }
	counts := map[string]*count{}
	total := &count{}
	for _, s := range sealedConnections(t) {
		var w wire
		w.read(s.with)
		right, got := w.judge(), judgeWire(s.without)
		if right.How == Probably && !w.isDropped() {
			t.Errorf("%v: its keys are missing", s)
		}
		of := counts[s.stack]
		if of == nil {
			of = &count{}
			counts[s.stack] = of
		}
		for _, n := range []*count{of, total} {
			n.all++
			switch {
			case got.Outcome == Unknown:
				n.unknown++
			case got.agrees(right):
				n.told++
			case lookAlikes[s.what] == brief(got):
				n.unknown++
			default:
				n.wrong++
			}
		}
		if got.Outcome != Unknown && !got.agrees(right) && lookAlikes[s.what] != brief(got) {
			t.Errorf("%v: %s, with its keys %s\n%s", s, brief(got), brief(right), got.Reason)
		}
		if got.Reason == "" && got.Outcome != Accepted || got.Outcome != Accepted && got.Fix == "" {
			t.Errorf("%v: %s without a reason or a fix", s, brief(got))
		}
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "stack\tconnections\ttold\tunknown\twrong\t")
	names := make([]string, 0, len(counts))
	for name := range counts {
		names = append(names, name)
	}
	slices.Sort(names)
	counts["all"] = total
	for _, name := range append(names, "all") {
		n := counts[name]
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t\n", name, n.all, n.told, n.unknown, n.wrong)
	}
	_ = w.Flush()
	t.Logf("\n%s", &table)
	if total.all < 500 || total.told*10 < total.all*9 {
		t.Errorf("%d of %d told", total.told, total.all)
	}
}

// agrees reports whether a verdict by sizes is that of the messages: the
// outcome, who refused, and a code that is the same or says less.
func (v *Verdict) agrees(right Verdict) bool {
	return v.Outcome == right.Outcome && v.RejectedBy == right.RejectedBy && (v.Code == right.Code || isVague(v.Code))
}

// With the keys, who refuses is the side that the connection was made for: the
// keys are a referee only if they are read rightly.
func TestSealedReferee(t *testing.T) {
	for _, s := range sealedConnections(t) {
		v := judgeWire(s.with)
		var want []string
		switch kind, _, _ := strings.Cut(s.what, "-"); {
		case s.what == "app-hang-up": // by its own close, and no ticket before
			want = []string{"accepted", "rejected by server"}
		case strings.HasSuffix(s.what, "quiet") || strings.HasPrefix(s.what, "good-quiet"): // the client may close too early
			want = []string{"accepted", "rejected by server", "rejected by client", "unknown"}
		case kind == "server": // not all programs look at all that is wrong
			want = []string{"accepted", "rejected by client"}
		case kind == "client":
			want = []string{"accepted", "rejected by server"}
		default:
			want = []string{"accepted"}
		}
		got := string(v.Outcome)
		if v.RejectedBy != endpoint.Unknown {
			got += " by " + v.RejectedBy.String()
		}
		if !slices.Contains(want, got) {
			t.Errorf("%v: %s: %s", s, brief(v), v.Reason)
		}
	}
}
