// Package scenario holds the lessons of the lab: one YAML document for each way
// that mutual TLS works or fails, their runner, and the search by symptom.
//
// A scenario says which certificates there are besides the default ones, what
// each side does, and the verdict expected of TLS 1.2 and of TLS 1.3. Its
// fields are explained in README.md; STACKS.md has the same faults measured
// against other programs.
package scenario
