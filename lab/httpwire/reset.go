package httpwire

import (
	"encoding/binary"
	"errors"
	"strings"

	"golang.org/x/net/http2"
)

// Reset is a frame with which a side of HTTP/2 gives up a request, or all that
// are to come, because of an error (RFC 9113 sections 6.4 and 6.8).
type Reset struct {
	StreamID uint32 // of the request; 0: it is a GOAWAY
	Error    string // its name in RFC 9113 section 7, such as HTTP_1_1_REQUIRED
}

// The errors that are about TLS (RFC 9113 section 7).
const (
	HTTP11Required     = "HTTP_1_1_REQUIRED"
	InadequateSecurity = "INADEQUATE_SECURITY"
)

// newReset reads a RST_STREAM or a GOAWAY; ok is false of one without an error.
func newReset(f http2.FrameHeader, payload []byte) (r Reset, ok bool) {
	if f.Type == http2.FrameGoAway && len(payload) >= 4 {
		payload = payload[4:] // the last stream that is still answered
	}
	if len(payload) < 4 {
		return r, false
	}
	code := http2.ErrCode(binary.BigEndian.Uint32(payload))
	r.Error = errorName(code.String())
	if f.Type == http2.FrameRSTStream {
		r.StreamID = f.StreamID
	}
	return r, code != http2.ErrCodeNo
}

// errorName gives all errors that RFC 9113 does not name one name: there are
// four thousand million of them.
func errorName(name string) string {
	if strings.Contains(name, " ") {
		return "unknown error"
	}
	return name
}

// ResetOf returns the reset by its server of which a client of net/http or of
// x/net/http2 complains; ok is false of other errors.
func ResetOf(err error) (r Reset, ok bool) {
	var stream http2.StreamError
	if errors.As(err, &stream) && stream.Cause != nil && stream.Cause.Error() == "received from peer" {
		return Reset{stream.StreamID, errorName(stream.Code.String())}, true
	}
	if err == nil || !strings.HasPrefix(err.Error(), "http2: ") {
		return r, false
	}
	_, said, found := strings.Cut(err.Error(), "GOAWAY") // the two errors about it are not exported
	if _, name, named := strings.Cut(said, "ErrCode"); found && named && name != "" {
		name, _, _ = strings.Cut(name[1:], ",") // ErrCode:NAME, or ErrCode=NAME, and more
		return Reset{Error: errorName(name)}, name != http2.ErrCodeNo.String()
	}
	return r, false
}
