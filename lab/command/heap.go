package command

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// The heap of lab explain, while it reads a file that has many connections, and
// of whatever makes many certificates.
const (
	largeFile     = 8 << 20  // bytes from which a capture has many connections
	largeManifest = 32 << 10 // bytes from which a manifest has many certificates: some hundreds
)

// largeHeap returns memory that counts as in use and is not, so that what is in
// use at first is not collected often. The caller keeps it for as long as the
// heap is to be large. To take more at once from the system is no gain: what was
// not used for some seconds may be what the host of this machine has to find
// first, huge pages above all.
func largeHeap() []byte { return make([]byte, 2<<20) }

// smallHeap has the heap of lab server collected earlier than those of other
// commands: a handshake whose memory is in the processor's cache is faster by 1
// per cent.
func smallHeap() { debug.SetGCPercent(100) }

// filling watches the heap of a goroutine that reads what others work on.
type filling struct {
	samples [2]metrics.Sample
	full    bool // so much is in use that the runtime had better decide
}

func newFilling() *filling {
	return &filling{samples: [...]metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/goal:bytes"}}}
}

// collect collects the garbage while its caller waits, if the runtime is soon
// to do so. The runtime itself marks with a quarter of the processors' time
// beside a program that uses all of it: that takes five times as long, in which
// all that is allocated stays and every pointer that is written takes longer.
func (f *filling) collect() {
	if !f.full && f.used() > 7./8 {
		runtime.GC()
		f.full = f.used() > 1./2
	}
}

// used returns how much of what the heap may grow to is in use.
func (f *filling) used() float64 {
	metrics.Read(f.samples[:])
	return float64(f.samples[0].Value.Uint64()) / float64(f.samples[1].Value.Uint64())
}
