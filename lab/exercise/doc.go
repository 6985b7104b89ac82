// Package exercise gives people small broken worlds to repair, and marks the
// repair from the wire.
//
// An [Exercise] is a document. [Exercise.Start] makes its folder, and
// [Exercise.Verify] marks it: it copies the folder, starts the programs of the
// world there, makes the exchanges that the document lists, and compares the
// verdict of each with the document. What is marked is the embedded document,
// and never anything in the folder.
package exercise
