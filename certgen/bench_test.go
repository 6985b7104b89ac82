package certgen

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/peertest"
)

// leaves returns a manifest of one CA and n EC P-256 leaves.
func leaves(n int) string {
	var b strings.Builder
	b.WriteString("subject: CN=ca\n")
	for i := range n {
		fmt.Fprintf(&b, "---\nsubject: CN=leaf-%d\nissuer: CN=ca\nsans: [\"DNS:leaf-%d.example.com\"]\next_key_usages: [ServerAuth]\n", i, i)
	}
	return b.String()
}

// contest is this package and the certyaml command at the same work, each in a
// process of its own.
type contest struct {
	manifest          string
	certyaml, certgen func(dir string) *exec.Cmd
}

func newContest(b *testing.B, n int) *contest {
	b.Helper()
	program := peertest.Certyaml(b)
	manifest := filepath.Join(b.TempDir(), "certs.yaml")
	if err := os.WriteFile(manifest, []byte(leaves(n)), 0o644); err != nil {
		b.Fatal(err)
	}
	return &contest{
		manifest: manifest,
		certyaml: func(dir string) *exec.Cmd { return exec.Command(program, "-d", dir, manifest) },
		certgen:  func(dir string) *exec.Cmd { return generateProcess(b, manifest, dir) },
	}
}

// timed runs a command and returns how long it took.
func timed(b *testing.B, command *exec.Cmd) time.Duration {
	b.Helper()
	start := time.Now()
	if out, err := command.CombinedOutput(); err != nil {
		b.Fatalf("%v: %v\n%s", command, err, out)
	}
	return time.Since(start)
}

// report gives the medians and how many times faster the second is.
func report(b *testing.B, certyaml, certgen []time.Duration) {
	b.Helper()
	slices.Sort(certyaml)
	slices.Sort(certgen)
	theirs, ours := certyaml[len(certyaml)/2], certgen[len(certgen)/2]
	b.ReportMetric(float64(theirs.Milliseconds()), "ms-certyaml")
	b.ReportMetric(float64(ours.Milliseconds()), "ms-certgen")
	b.ReportMetric(float64(theirs)/float64(ours), "x-certyaml")
}

// BenchmarkGenerate1000 makes 1000 leaves under one CA, in turn with the
// certyaml command.
func BenchmarkGenerate1000(b *testing.B) {
	c := newContest(b, 1000)
	var theirs, ours []time.Duration
	for b.Loop() {
		theirs = append(theirs, timed(b, c.certyaml(b.TempDir())))
		ours = append(ours, timed(b, c.certgen(b.TempDir())))
	}
	report(b, theirs, ours)
}

// BenchmarkUnchanged1000 runs again over the same 1000 leaves, of which nothing
// is to be made, in turn with the certyaml command.
func BenchmarkUnchanged1000(b *testing.B) {
	c := newContest(b, 1000)
	theirDir, ourDir := b.TempDir(), b.TempDir()
	timed(b, c.certyaml(theirDir))
	timed(b, c.certgen(ourDir))
	var theirs, ours []time.Duration
	for b.Loop() {
		theirs = append(theirs, timed(b, c.certyaml(theirDir)))
		ours = append(ours, timed(b, c.certgen(ourDir)))
	}
	report(b, theirs, ours)
}

// BenchmarkGenerateLinear makes 1000 and 5000 leaves in turn and reports the
// cost of one certificate among 5000 in terms of one among 1000.
func BenchmarkGenerateLinear(b *testing.B) {
	small, large := parse(b, leaves(1000)), parse(b, leaves(5000))
	var each1000, each5000 []time.Duration
	cost := func(m *Manifest) time.Duration {
		start := time.Now()
		if _, err := Generate(context.Background(), m, b.TempDir(), Options{}); err != nil {
			b.Fatal(err)
		}
		return time.Since(start) / time.Duration(len(m.Certificates))
	}
	for b.Loop() {
		each1000 = append(each1000, cost(small))
		each5000 = append(each5000, cost(large))
	}
	slices.Sort(each1000)
	slices.Sort(each5000)
	one, five := each1000[len(each1000)/2], each5000[len(each5000)/2]
	b.ReportMetric(float64(one.Microseconds()), "µs/cert-of-1000")
	b.ReportMetric(float64(five.Microseconds()), "µs/cert-of-5000")
	b.ReportMetric(float64(five)/float64(one), "x-1000")
}

// BenchmarkCompare5000 reads 5000 leaves and finds nothing to do.
func BenchmarkCompare5000(b *testing.B) {
	m, dir := parse(b, leaves(5000)), b.TempDir()
	generate(b, m, dir, Options{})
	for b.Loop() {
		plan, err := Compare(m, dir, Options{})
		if err != nil || len(plan.Steps) != 0 {
			b.Fatal(plan, err)
		}
	}
}

// BenchmarkParse5000 parses 5000 documents.
func BenchmarkParse5000(b *testing.B) {
	data := []byte(leaves(5000))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := Parse("certs.yaml", data); err != nil {
			b.Fatal(err)
		}
	}
}
