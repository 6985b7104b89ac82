// Package javakeys logs the TLS secrets of Java programs, without a change to
// them: it is a small debugger. Each JVM connects to it when it starts, by the
// Java Debug Wire Protocol (JDWP), and stops a thread for a moment wherever
// Java's own TLS (JSSE) begins to use a secret: see [Listener].
//
// It sets breakpoints only. Other events, such as the exit of a method, make a
// JVM run all its code in the interpreter, a thousand times slower.
package javakeys
