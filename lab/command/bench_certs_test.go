package command_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/peertest"
)

// BenchmarkCerts measures lab certs generate with a manifest of 1000 EC leaves
// under one CA in an empty folder, in turn with the certyaml command. TMPDIR
// says where the folders are: x-certyaml, how many times faster the lab is, is
// another one on a disk than in memory.
//
//	go test -run '^$' -bench Certs -benchtime 15x ./lab/command
//
// All folders stay until the end. Ext4 passes over inodes that were deleted in
// the last minutes, one by one, for each file that it makes: a benchmark that
// deletes between its rounds measures that.
func BenchmarkCerts(b *testing.B) {
	const leaves = 1000
	program, certyaml := benchCopy(b, peertest.Release(b, runtime.GOOS)), benchCopy(b, peertest.Certyaml(b))
	var manifest strings.Builder
	manifest.WriteString("subject: CN=ca\n")
	for i := range leaves {
		fmt.Fprintf(&manifest, "---\nsubject: CN=leaf-%d\nissuer: CN=ca\nsans: [\"DNS:leaf-%d.example.com\"]\next_key_usages: [ServerAuth]\n", i, i)
	}
	turns := []func() time.Duration{
		func() time.Duration {
			dir := benchManifest(b, manifest.String())
			return benchFiles(b, exec.Command(program, "certs", "generate", "--dir", dir), filepath.Join(dir, "certs"), 2*leaves)
		},
		func() time.Duration {
			dir := benchManifest(b, manifest.String())
			return benchFiles(b, exec.Command(certyaml, "-d", dir, filepath.Join(dir, "certs.yaml")), dir, 2*leaves)
		},
	}
	times := make([][]time.Duration, len(turns))
	for round := 0; b.Loop(); round++ {
		for i := range turns {
			turn := (i + round) % len(turns)
			times[turn] = append(times[turn], turns[turn]())
		}
	}
	b.ReportMetric(benchMedianMS(times[0]), "ms")
	b.ReportMetric(benchMedianMS(times[1]), "ms-certyaml")
	b.ReportMetric(benchMedianRatio(times[1], times[0]), "x-certyaml")
}

// benchManifest returns a new folder with a manifest in it.
func benchManifest(b *testing.B, manifest string) (dir string) {
	b.Helper()
	dir = b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "certs.yaml"), []byte(manifest), 0o600); err != nil {
		b.Fatal(err)
	}
	return dir
}

// benchFiles returns how long a command took, which makes so many files or more
// in a folder.
func benchFiles(b *testing.B, c *exec.Cmd, dir string, files int) time.Duration {
	b.Helper()
	start := time.Now()
	out, err := c.CombinedOutput()
	took := time.Since(start)
	if err != nil {
		b.Fatalf("%v: %v\n%.1000s", c, err, out)
	}
	if made, err := os.ReadDir(dir); err != nil || len(made) < files {
		b.Fatalf("%d files in %s, %v", len(made), dir, err)
	}
	return took
}

// BenchmarkSize measures the program as a release has it, for Linux on amd64.
//
//	go test -run '^$' -bench Size -benchtime 1x ./lab/command
func BenchmarkSize(b *testing.B) {
	const most = 18_000_000
	b.Setenv("GOARCH", "amd64")
	for b.Loop() {
		info, err := os.Stat(peertest.Release(b, "linux"))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/1e6, "MB")
		if info.Size() > most {
			b.Errorf("the program has %d bytes, and is to have at most %d", info.Size(), most)
		}
	}
}
