package command

import (
	"runtime"
	"runtime/debug"
)

// The heap of lab explain, while it reads a file that has many connections, and
// of whatever makes many certificates.
const (
	largeFile     = 8 << 20  // bytes from which a capture has many connections
	largeManifest = 32 << 10 // bytes from which a manifest has many certificates: some hundreds
	firstHeap     = 44 << 20 // bytes of heap that come from the system at once
	emptyHeap     = 9 << 20  // bytes that count as in use and are not, so that what is in use at first is not collected often
)

// largeHeap has the runtime take the first of its heap from the system at once,
// and in huge pages where there are any: page by page that takes a tenth of the
// time of lab explain, and a fifteenth of that of many certificates. The caller
// keeps the result for as long as the heap is to be large.
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
func smallHeap() { debug.SetGCPercent(200) }
