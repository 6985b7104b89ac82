// Package atomicfile writes files whole or not at all: the content goes into
// a temporary file beside the file, which then takes its name.
//
// It does not wait for the disk (fsync): after a power cut a file may be
// empty.
package atomicfile
