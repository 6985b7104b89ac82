package gokeys

import "mtlslab.example/lab/lab/keylog"

// Options are what a Trace does with what it finds.
type Options struct {
	// Keys gets each secret before the program goes on to use it; but of
	// programs that know $SSLKEYLOGFILE, and may log to the same file by
	// themselves, only what is not there a moment later.
	Keys *keylog.Writer
	// Cannot is called, once for each, with a *ProgramError or *SystemError:
	// whose keys cannot be had, and why. It must not call the Trace.
	Cannot func(error)
}
