// Package gokeys takes the TLS secrets of programs that are written in Go,
// without a change of theirs, on Linux on amd64 and arm64.
//
// Every Go program with crypto/tls calls (*Config).writeKeyLog with each
// secret, whether or not its configuration has a KeyLogWriter. [Start] traces
// a program with ptrace(2), and with it the threads and programs that it
// starts.
//
// On amd64, a program maps lab's code as it begins, and a jump there takes the
// place of the function's first instruction. The code stores the secret in a
// ring of slots, which lab reads every now and then. Where the ring is full,
// the code has a breakpoint, at which lab empties it.
//
// Elsewhere, and with [Attach], there is a breakpoint on the function itself.
// Only the thread that meets it stops, until its secret is written. The
// breakpoint stays in place. What it covers, the first instruction of a
// function, is one of three that Go's compilers emit there to compare the
// stack pointer with the end of the stack, or one that C's begin with. The
// tracer does what it does ([prologue]), so that no thread runs past a
// breakpoint that is lifted for another.
//
// OpenSSL that is linked into a program has such a function, too. It is found
// if the program has the names of its functions.
//
// When the tracer leaves, lab's code and the jump stay, but store nothing any
// more, and what was stored is overwritten, but for what a thread is storing at
// that moment.
//
// With a [Relay], there are breakpoints on connect and getpeername of package
// syscall as well. The tracer connects the program's own socket, which the
// kernel lets it share (pidfd_getfd(2)), and has the function return.
//
// If the tracer is killed, the kernel kills the programs that have a
// breakpoint (PTRACE_O_EXITKILL): they would die of it in their next handshake.
// All others go on.
package gokeys
