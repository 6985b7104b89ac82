// Package scenario has the lessons of the lab, and runs them. A lesson is one
// YAML document: one way that mutual TLS works or fails.
//
// A scenario says which certificates there are besides the default ones, what
// each side does, and which verdict TLS 1.2 and TLS 1.3 must give. README.md
// explains its fields; ALERTS.md has the same faults measured against other
// programs.
package scenario
