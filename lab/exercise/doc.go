// Package exercise gives people small broken worlds to repair, and marks the
// repair from the wire.
//
// An [Exercise] is a document. [Course.Start] makes its folder, and
// [Work.Verify] marks it: it copies the folder, starts the programs of the
// world there, makes the exchanges that the document lists, and compares the
// verdict of each with the document: the embedded one, or a trainer's file, and
// never a document in the folder.
package exercise
