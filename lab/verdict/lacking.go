package verdict

import (
	"fmt"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// What a capture lacks, and how to record it.

// only returns the side of which alone there is something in the capture;
// Unknown: both, or the other said nothing.
func (w *wire) only() endpoint.Side {
	var spoke endpoint.Pair[bool]
	for _, m := range w.Messages {
		*spoke.Of(m.From) = true
	}
	for side, said := range spoke.All() {
		if *said && !*spoke.Of(side.Other()) && *w.Gaps.Of(side.Other()) {
			return side
		}
	}
	return endpoint.Unknown
}

// oneDirection says before a reason that there is one direction alone.
func (w *wire) oneDirection(reason string) string {
	if only := w.only(); only != endpoint.Unknown {
		return fmt.Sprintf("the capture has the %v's direction alone: %s", only, reason)
	}
	return reason
}

// fixOfCapture is how to record what a capture lacks.
func (w *wire) fixOfCapture() string {
	switch {
	case w.only() != endpoint.Unknown:
		return "record both directions: on one of the two machines, or where both pass"
	case w.Late && w.Lacking:
		return "start the capture before the connection begins"
	case w.Lacking:
		return "record it again without loss: packets are missing (tcpdump: -B for a larger buffer, -s 0 for whole packets)"
	case w.Hidden && w.End != tlsdecrypt.CutOff:
		return withKeys
	}
	return "record it until the connection has ended"
}

// answersRequest reports whether the server answered a request in HTTP, for
// which it must have completed the handshake, whatever of that is missing.
func (w *wire) answersRequest() bool {
	asked := false
	for _, m := range w.Messages {
		switch {
		case m.Encrypted || m.Key == (tlsdecrypt.Key{}) || m.Key.Secret == "client_early_traffic_secret":
		case m.From == endpoint.Client && m.IsRequest():
			asked = true
		case m.From == endpoint.Server && asked && m.IsAnswer():
			return true
		}
	}
	return false
}

// serverWentOn reports whether the server of TLS 1.2 and before, whose client's
// Finished was not seen, sent data after its own Finished. In a full handshake
// it waits for the client's Finished before that (RFC 5246 section 7.3), and
// has checked its certificate.
func (w *wire) serverWentOn() bool {
	return w.sent && !w.finished.Client && w.Lacking && w.Version != 0 && w.Version < tlswire.VersionTLS13 && w.shown.Server.seen
}
