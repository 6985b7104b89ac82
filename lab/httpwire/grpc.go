package httpwire

import (
	"net/url"
	"strconv"
	"strings"
)

// GRPC is how a call of gRPC ended: HTTP says 200 whatever that is.
type GRPC struct {
	Status  int
	Message string // the server's words, at most 512 bytes; may be empty
}

// The statuses of gRPC by which a server refuses a client.
const (
	PermissionDenied = 7
	Unauthenticated  = 16
)

// grpcNames are the names of gRPC's statuses.
var grpcNames = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
	"FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

// Name returns the name of the status.
func (g *GRPC) Name() string {
	if g.Status < len(grpcNames) {
		return grpcNames[g.Status]
	}
	return "unknown status"
}

// Refuses reports whether the server refuses who the client is, or what that
// client may do.
func (g *GRPC) Refuses() bool {
	return g != nil && (g.Status == PermissionDenied || g.Status == Unauthenticated)
}

// grpcOf reads grpc-status and grpc-message among the trailers of a response,
// or, of a call that has failed at once, among its headers; nil: they are not
// there.
func grpcOf(fields []Header) *GRPC {
	var g *GRPC
	message := ""
	for _, f := range fields {
		switch f.Name {
		case "grpc-status":
			if status, err := strconv.ParseUint(f.Value, 10, 31); err == nil {
				g = &GRPC{Status: int(status)}
			}
		case "grpc-message":
			message = f.Value
			if plain, err := url.PathUnescape(message); err == nil {
				message = plain
			}
		}
	}
	if g != nil {
		g.Message = strings.Clone(strings.ToValidUTF8(message[:min(len(message), mostBegins)], ""))
	}
	return g
}
