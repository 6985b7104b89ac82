package command

import (
	"runtime"
	"runtime/debug"
)

// The heap of lab explain, while it reads a file that has many connections.
const (
	largeFile = 8 << 20  // bytes from which a file has many
	firstHeap = 40 << 20 // bytes of heap that come from the system at once
)

// largeHeap has the runtime take the first of its heap from the system at once,
// and in huge pages where there are any: page by page that takes a tenth of the
// time of lab explain.
func largeHeap() {
	debug.SetGCPercent(-1) // or else this would count as memory that is in use
	hugePages(make([]byte, firstHeap))
	runtime.GC()            // leaves it to what comes
	debug.SetGCPercent(500) // which seldom fills it: see main for the limit
}
