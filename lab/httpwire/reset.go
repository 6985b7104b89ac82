package httpwire

import (
	"encoding/binary"
	"errors"
	"fmt"
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
	return Reset{StreamID: f.StreamID, Error: errorName(code)}, code != http2.ErrCodeNo
}

// errorName is short for codes that have no name, too.
func errorName(code http2.ErrCode) string {
	if name := code.String(); !strings.Contains(name, " ") {
		return name
	}
	return fmt.Sprintf("error %#x", uint32(code))
}

// ResetOf returns the reset by its server of which a client of net/http or of
// x/net/http2 complains; ok is false of other errors.
func ResetOf(err error) (r Reset, ok bool) {
	var stream http2.StreamError
	if errors.As(err, &stream) && stream.Cause != nil && stream.Cause.Error() == "received from peer" {
		return Reset{stream.StreamID, errorName(stream.Code)}, true
	}
	if err == nil {
		return r, false
	}
	_, said, found := strings.Cut(err.Error(), "GOAWAY") // the two errors about it are not exported
	if _, name, named := strings.Cut(said, "ErrCode"); found && named && name != "" {
		name, _, _ = strings.Cut(name[1:], ",") // ErrCode:NAME, or ErrCode=NAME, and more
		return Reset{Error: name}, name != http2.ErrCodeNo.String()
	}
	return r, false
}
