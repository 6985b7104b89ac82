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
	firstHeap     = 10 << 20 // bytes of heap that come from the system at once
	emptyHeap     = 2 << 20  // bytes that count as in use and are not, so that what is in use at first is not collected often
)

// largeHeap has the runtime take the first of its heap from the system at once,
// and in huge pages where there are any, which is faster than page by page. It
// is no more than is soon in use again: a page that this machine has not used
// for some seconds may be one that its host has to find first, and 40 MB of them
// take a fifth of the time of lab explain. The caller keeps the result for as
// long as the heap is to be large.
func largeHeap() (empty []byte) {
	percent := debug.SetGCPercent(-1) // or else this would count as memory that is in use
	hugePages(make([]byte, firstHeap))
	empty = make([]byte, emptyHeap)
	runtime.GC() // leaves the first to what comes
	debug.SetGCPercent(percent)
	return empty
}

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
