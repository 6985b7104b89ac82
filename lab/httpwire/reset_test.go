package httpwire

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

func TestResetOf(t *testing.T) {
	for _, test := range []struct {
		err  error
		want Reset
		ok   bool
	}{
		{nil, Reset{}, false},
		{errors.New("EOF"), Reset{}, false},
		{fmt.Errorf("get: %w", http2.StreamError{StreamID: 3, Code: http2.ErrCodeHTTP11Required, Cause: errors.New("received from peer")}), Reset{3, "HTTP_1_1_REQUIRED"}, true},
		{http2.StreamError{StreamID: 3, Code: http2.ErrCodeProtocol}, Reset{}, false}, // the client's own
		{errors.New(`http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=INADEQUATE_SECURITY, debug="a, b"`), Reset{Error: "INADEQUATE_SECURITY"}, true},
		{errors.New(`http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR, debug=""`), Reset{Error: "NO_ERROR"}, false},
		{errors.New("http2: Transport received GOAWAY from server ErrCode:ENHANCE_YOUR_CALM"), Reset{Error: "ENHANCE_YOUR_CALM"}, true},
		{errors.New(`malformed HTTP response "GOAWAY ErrCode=INTERNAL_ERROR"`), Reset{}, false}, // a server's words
	} {
		if got, ok := ResetOf(test.err); ok != test.ok || ok && got != test.want {
			t.Errorf("%v: %v, %v, want %v, %v", test.err, got, ok, test.want, test.ok)
		}
	}
}

// A peer that resets streams with all sorts of errors takes no memory by it.
func TestManyResets(t *testing.T) {
	c := New("h2")
	for i := range 1000 {
		if _, err := c.Write(true, frames(func(f *http2.Framer) {
			if i == 0 {
				f.WriteSettings()
			}
			f.WriteRSTStream(uint32(2*i+1), http2.ErrCode(100+i))
		})); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := c.Frames(), []string{"SETTINGS", "RST_STREAM (unknown error)"}; !slices.Equal(got, want) {
		t.Errorf("frames %q, want %q", got, want)
	}
	if got := c.Resets(); len(got) != few || got[0] != (Reset{1, "unknown error"}) {
		t.Errorf("%d resets, the first %v", len(got), got[0])
	}
}

// How a call of gRPC ended stands in trailers, or in the headers of one that
// failed at once, and in no request.
func TestGRPC(t *testing.T) {
	long := strings.Repeat("é", 400)
	request := fields(":method", "POST", ":scheme", "https", ":authority", "localhost", ":path", "/a.B/C", "grpc-status", "16")
	for _, test := range []struct {
		name    string
		headers []string
		trailer []string
		want    *GRPC
	}{
		{"trailers", nil, []string{"grpc-status", "7", "grpc-message", "no%20way"}, &GRPC{7, "no way"}},
		{"headers", []string{"grpc-status", "16"}, nil, &GRPC{16, ""}},
		{"neither", nil, []string{"digest", "x"}, nil},
		{"no number", nil, []string{"grpc-status", "+7"}, nil},
		{"long", nil, []string{"grpc-status", "2", "grpc-message", long}, &GRPC{2, long[:mostBegins]}},
		{"odd", nil, []string{"grpc-status", "2", "grpc-message", "a%zz"}, &GRPC{2, "a%zz"}},
	} {
		c := New("h2")
		asked, err := c.Write(false, append([]byte(http2.ClientPreface), frames(func(f *http2.Framer) {
			f.WriteSettings()
			f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: request, EndHeaders: true, EndStream: true})
		})...))
		if err != nil || len(asked) != 1 || asked[0].GRPC != nil {
			t.Fatal(asked, err)
		}
		answers, err := c.Write(true, frames(func(f *http2.Framer) {
			f.WriteSettings()
			f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields(append([]string{":status", "200"}, test.headers...)...), EndHeaders: true, EndStream: test.trailer == nil})
			if test.trailer != nil {
				f.WriteData(1, false, []byte("message"))
				f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields(test.trailer...), EndHeaders: true, EndStream: true})
			}
		}))
		if err != nil || len(answers) != 1 {
			t.Fatal(answers, err)
		}
		got := answers[0].GRPC
		if (got == nil) != (test.want == nil) || got != nil && *got != *test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}
