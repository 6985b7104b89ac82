// Lab is a laboratory for mutual TLS: it makes certificates, lets a client and
// a server authenticate each other, and shows what happens. See README.md.
package main

import (
	"context"
	_ "embed"
	"os"
	"os/signal"
	"runtime/debug"

	"mtlslab.example/lab/lab/command"
)

//go:embed certs.yaml
var manifest []byte

func main() {
	// The heap is small and short-lived: collecting it less often is what makes
	// large manifests fast.
	debug.SetGCPercent(250)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(384 << 20) // more often again, where it is not small
	}
	ctx, stop := signal.NotifyContext(context.Background(), command.Interrupts...)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	program := command.Program{Manifest: manifest, Stdout: os.Stdout, Stderr: os.Stderr, Interrupted: command.Die}
	os.Exit(program.Run(ctx, os.Args))
}
