package tlsdecrypt

import (
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/prologue"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlswire"
)

// Description is what is known of a connection, save its secrets, for JSON:
// what was negotiated, and each message with its fields and checks.
type Description struct {
	Number       int                `json:"connection"`
	Client       string             `json:"client_addr"`
	Server       string             `json:"server_addr"`
	Opened       string             `json:"time"`
	Ended        string             `json:"ended,omitempty"`
	End          End                `json:"end,omitempty"`
	HTTPRefused  int                `json:"http_refused,omitempty"` // the status
	ClientRandom string             `json:"client_random,omitempty"`
	Prologue     *prologue.Prologue `json:"prologue,omitempty"`
	TLS          *jsonNegotiated    `json:"tls,omitempty"`
	Messages     []*Message         `json:"messages"`
	Omitted      int                `json:"omitted,omitempty"`
	Comments     []string           `json:"comments,omitempty"`
	Problems     []jsonProblem      `json:"problems,omitempty"`
}

// Describe returns the connection's description.
func (c *Connection) Describe() Description {
	v := Description{
		Number: c.Number, Client: jsonAddr(c.Client), Server: jsonAddr(c.Server), Opened: jsonTime(c.Opened), Ended: jsonTime(c.Ended),
		End: c.End, ClientRandom: hex.EncodeToString(c.ClientRandom), Messages: c.Messages, Omitted: c.Omitted, Comments: c.Comments,
		Prologue: c.Prologue,
	}
	if m := c.Progress().Refusal; m != nil {
		v.HTTPRefused = m.HTTP.Status
	}
	if v.Messages == nil {
		v.Messages = []*Message{}
	}
	if hello := c.offered(); c.Version != 0 || hello != nil {
		v.TLS = &jsonNegotiated{ALPN: c.ALPN, ServerName: c.ServerName, Resumption: c.Resumption, Retried: c.Retried}
		if hello != nil {
			offer := tlswire.OfferOf(hello)
			v.TLS.Offered = &offer
		}
	}
	if c.Version != 0 {
		resumed := c.Resumption != FullHandshake && !c.ByGivenKey()
		v.TLS.Version, v.TLS.CipherSuite, v.TLS.Resumed = c.Version.String(), c.CipherSuite.String(), &resumed
		if c.ClientAuth || c.flightsSeen() {
			v.TLS.ClientAuth = &c.ClientAuth
		}
		if c.EarlyData || c.flightsSeen() {
			v.TLS.EarlyData = &c.EarlyData
		}
		if c.Group != 0 {
			v.TLS.Group = c.Group.String()
		}
	}
	for _, p := range c.Problems {
		j := jsonProblem{Text: p.Text}
		if p.From != endpoint.Unknown {
			j.From = p.From.String()
		}
		if p.Offset >= 0 {
			j.Offset = &p.Offset
		}
		v.Problems = append(v.Problems, j)
	}
	return v
}

// MarshalJSON writes the connection's description.
func (c *Connection) MarshalJSON() ([]byte, error) { return json.Marshal(c.Describe()) }

type jsonNegotiated struct {
	Version     string         `json:"version,omitempty"` // this and the next are left out without a ServerHello
	CipherSuite string         `json:"cipher_suite,omitempty"`
	Group       string         `json:"group,omitempty"`
	ALPN        string         `json:"alpn,omitempty"`
	ServerName  string         `json:"server_name,omitempty"`
	Resumed     *bool          `json:"resumed,omitempty"` // nil without a ServerHello
	Resumption  Resumption     `json:"resumption,omitempty"`
	EarlyData   *bool          `json:"early_data,omitempty"` // nil when that cannot be known
	Retried     bool           `json:"hello_retry_request"`
	ClientAuth  *bool          `json:"client_auth,omitempty"` // the same
	Offered     *tlswire.Offer `json:"offered,omitempty"`     // nil when ClientHello was not seen
}

type jsonProblem struct {
	From   string `json:"from,omitempty"`
	Offset *int64 `json:"offset,omitempty"`
	Text   string `json:"text"`
}

// MarshalJSON writes the message with its fields.
func (m *Message) MarshalJSON() ([]byte, error) {
	v := struct {
		From      string         `json:"from"`
		Time      string         `json:"time"`
		Type      string         `json:"content_type"`
		Key       *jsonKey       `json:"key,omitempty"`
		Records   []jsonSpan     `json:"records"`
		Length    int64          `json:"length"`
		Encrypted bool           `json:"encrypted,omitempty"`
		Handshake *jsonHandshake `json:"handshake,omitempty"`
		Inner     *jsonHandshake `json:"decompressed,omitempty"`
		Alert     *jsonAlert     `json:"alert,omitempty"`
		HTTP      *jsonHTTP      `json:"http,omitempty"`
		Frames    []string       `json:"http2_frames,omitempty"`
		Resets    []jsonReset    `json:"http2_resets,omitempty"`
		Data      string         `json:"data_hex,omitempty"`
		Err       string         `json:"error,omitempty"`
		Checks    []jsonCheck    `json:"checks,omitempty"`
	}{
		From: m.From.String(), Time: jsonTime(m.Time), Type: m.Type.String(), Records: []jsonSpan{}, Length: m.Length, Encrypted: m.Encrypted,
		Handshake: newJSONHandshake(m.Handshake), Inner: newJSONHandshake(m.Inner), HTTP: newJSONHTTP(m.HTTP), Frames: m.Frames, Data: hex.EncodeToString(m.Data),
	}
	if m.Key.Secret != "" {
		v.Key = &jsonKey{m.Key.Secret, m.Key.Generation}
	}
	for _, s := range m.Records {
		v.Records = append(v.Records, jsonSpan(s))
	}
	if m.Alert != nil {
		v.Alert = &jsonAlert{m.Alert.Level.String(), int(m.Alert.Description), m.Alert.Description.String(), m.Alert.Description.Note()}
	}
	if m.Err != nil {
		v.Err = m.Err.Error()
	}
	for _, r := range m.Resets {
		v.Resets = append(v.Resets, jsonReset(r))
	}
	for _, c := range m.Checks {
		v.Checks = append(v.Checks, newJSONCheck(c))
	}
	return json.Marshal(v)
}

type jsonKey struct {
	Secret     string `json:"secret"` // its name, never the secret
	Generation int    `json:"generation"`
}

type jsonReset struct {
	StreamID uint32 `json:"stream_id,omitempty"`
	Error    string `json:"error"`
}

type jsonSpan struct {
	Offset int64 `json:"offset"`
	Length int   `json:"length"`
}

type jsonAlert struct {
	Level string `json:"level"`
	Code  int    `json:"code"`
	Name  string `json:"name"`
	Note  string `json:"note"`
}

type jsonCheck struct {
	Subject string     `json:"subject"`
	Result  Result     `json:"result"`
	Text    string     `json:"text"`
	Code    chain.Code `json:"code,omitempty"` // of a chain that fails
}

func newJSONCheck(c Check) jsonCheck {
	v := jsonCheck{Subject: c.Subject, Result: c.Result, Text: c.Text}
	if c.Fault != nil {
		v.Code = c.Fault.Code
	}
	return v
}

type jsonHandshake struct {
	Type    int         `json:"type"`
	Name    string      `json:"name"`
	Purpose string      `json:"purpose"`
	Fields  []jsonField `json:"fields"`
}

func newJSONHandshake(h *tlswire.Handshake) *jsonHandshake {
	if h == nil {
		return nil
	}
	return &jsonHandshake{Type: int(h.Type), Name: h.Name(), Purpose: h.Purpose(), Fields: jsonFields(h.Fields())}
}

type jsonField struct {
	Name   string      `json:"name"`
	Offset int         `json:"offset"`
	Length int         `json:"length"`
	Value  string      `json:"value,omitempty"`
	Note   string      `json:"note,omitempty"`
	Fields []jsonField `json:"fields,omitempty"`
}

func jsonFields(fields []tlswire.Field) []jsonField {
	all := make([]jsonField, len(fields))
	for i, f := range fields {
		all[i] = jsonField{f.Name, f.Offset, f.Length, f.Value, f.Note, nil}
		if len(f.Fields) > 0 {
			all[i].Fields = jsonFields(f.Fields)
		}
	}
	return all
}

type jsonHTTP struct {
	Line     string       `json:"line"`
	StreamID uint32       `json:"stream_id,omitempty"`
	Method   string       `json:"method,omitempty"`
	Target   string       `json:"target,omitempty"`
	Status   int          `json:"status,omitempty"`
	Headers  []jsonHeader `json:"headers"`
	Body     int64        `json:"body_length"`
	GRPC     *jsonGRPC    `json:"grpc,omitempty"`
}

type jsonGRPC struct {
	Status  int    `json:"status"`
	Name    string `json:"name"`
	Message string `json:"message,omitempty"`
}

type jsonHeader struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func newJSONHTTP(m *httpwire.Message) *jsonHTTP {
	if m == nil {
		return nil
	}
	v := &jsonHTTP{Line: m.Line, StreamID: m.StreamID, Method: m.Method, Target: m.Target, Status: m.Status, Body: m.Body, Headers: []jsonHeader{}}
	if g := m.GRPC; g != nil {
		v.GRPC = &jsonGRPC{g.Status, g.Name(), g.Message}
	}
	for _, h := range m.Headers {
		v.Headers = append(v.Headers, jsonHeader{h.Name, h.Value})
	}
	return v
}

func jsonAddr(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func jsonTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(text.TimeLayout)
}
