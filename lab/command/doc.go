// Package command is the command line of lab.
//
// Each command has a file of its name, with its definition, its help and its
// action: up.go, server.go, client.go, scenario.go, explain.go, exec.go,
// browser.go, certs.go, export.go, completion.go. Four files serve them all:
// text.go has messages and errors, hints.go what to type after an error,
// flags.go the flags that several commands share, and output.go the two
// streams, results and talk. labrun.go is a run of the lab's own server or
// client, live.go and explain_print.go print its exchanges and the connections
// of a capture, and folder.go knows the files in a folder.
//
// Nothing here exits the process: [Program.Run] returns the exit status.
package command
