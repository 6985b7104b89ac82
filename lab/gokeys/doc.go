// Package gokeys takes the TLS secrets of programs that are written in Go,
// without a change of theirs, on Linux on amd64 and arm64.
//
// Every Go program with crypto/tls calls (*Config).writeKeyLog with each
// secret, whether or not its configuration has a KeyLogWriter. [Start] traces
// a program with ptrace(2) and sets a breakpoint there. Only the thread that
// meets the breakpoint stops, until its secret is written; all others go on.
// Threads, and programs that the program starts, are followed.
//
// OpenSSL that is linked into a program has such a function, too. It is found
// if the program has the names of its functions.
//
// The breakpoint stays in place. What it covers, the first instruction of a
// function, is one of three that Go's compilers emit there to compare the
// stack pointer with the end of the stack, or one that C's begin with. The
// tracer does what it does ([prologue]), so that no thread runs past a
// breakpoint that is lifted for another.
//
// On amd64, the first stop has the program map a page of code, to which a jump
// in place of the breakpoint leads: it stores one of two secrets that come
// together, so that the tracer gets both in one stop, and still before the
// program uses them. When the tracer leaves, the code and the jump stay, but
// store nothing any more, and what was stored is overwritten.
//
// With a [Relay], there are breakpoints on connect and getpeername of package
// syscall as well. The tracer connects the program's own socket, which the
// kernel lets it share (pidfd_getfd(2)), and has the function return.
//
// If the tracer is killed, the kernel kills the programs that have a
// breakpoint (PTRACE_O_EXITKILL): they would die of it in their next handshake.
// All others go on.
package gokeys
