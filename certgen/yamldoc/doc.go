// Package yamldoc reads the YAML documents of a file strictly: every fault has
// its line and column, and a hint at what to write instead.
//
// [Read] parses a file into documents. [Fields], [Document.Entries],
// [Document.Items] and the methods that return a value then read their nodes.
// Aliases (YAML 1.2.2 section 7.1) are followed one step at a time, so that
// one that contains itself does no harm.
package yamldoc
