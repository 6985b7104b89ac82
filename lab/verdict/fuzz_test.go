package verdict_test

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// FuzzJudge judges connections of any messages in any order, with any views of
// the two sides: none makes a panic, and no answer contradicts itself. Each
// pair of bytes in said makes a message. To run it:
//
//	go test -run '^$' -fuzz FuzzJudge -fuzztime 1m ./lab/verdict
func FuzzJudge(f *testing.F) {
	f.Add([]byte{0, 0, 2, 0, 4, 3, 6, 0, 7, 0, 10, 0, 11, 200}, byte(1), byte(1), uint16(10), uint16(0))
	f.Add([]byte{0, 0, 2, 0, 4, 0, 6, 0, 5, 0, 7, 0, 8, 42}, byte(2), byte(2), uint16(2000), uint16(0x1234))
	f.Add([]byte{0, 0, 2, 0, 12, 36, 13, 36, 12, 19}, byte(3), byte(2), uint16(10), uint16(0))
	f.Fuzz(func(t *testing.T, said []byte, version, end byte, step, views uint16) {
		c := made(said, version, end, time.Duration(step)*time.Millisecond)
		server, client := viewOf(endpoint.Server, byte(views)), viewOf(endpoint.Client, byte(views>>8))
		for _, v := range []verdict.Verdict{
			verdict.Of(c, func() *chain.Trust { return &chain.Trust{} }),
			verdict.Judge(nil, nil, 0, c),
			verdict.Judge(server, client, int(step%600), c),
			verdict.Judge(server, nil, int(step%600), c),
			verdict.Judge(nil, client, int(step%600), c),
			verdict.Judge(server, client, int(step%600), nil),
		} {
			check(t, v)
		}
	})
}

func check(t *testing.T, v verdict.Verdict) {
	t.Helper()
	outcomes := []verdict.Outcome{verdict.Accepted, verdict.Rejected, verdict.Broken, verdict.Open, verdict.Unknown}
	switch {
	case !slices.Contains(outcomes, v.Outcome):
		t.Fatalf("outcome %q", v.Outcome)
	case (v.Outcome == verdict.Rejected) != (v.RejectedBy != endpoint.Unknown):
		t.Fatalf("%s, by %v", v.Outcome, v.RejectedBy)
	case v.Code != "" && (v.Reason == "" || v.Fix == ""), v.Outcome == verdict.Rejected && v.Code == "":
		t.Fatalf("%s, code %q, reason %q, fix %q", v.Outcome, v.Code, v.Reason, v.Fix)
	case v.Outcome == verdict.Rejected && v.Alert != nil && v.Alert.SentBy != v.RejectedBy:
		t.Fatalf("rejected by %v, with an alert of %v", v.RejectedBy, v.Alert.SentBy)
	case v.How == verdict.InHTTP && v.Outcome != verdict.Accepted:
		t.Fatalf("%s in HTTP", v.Outcome)
	}
	if _, err := json.Marshal(&v); err != nil {
		t.Fatal(err)
	}
}

// made makes a connection: of each pair of bytes, the first says what is said
// and by whom, and the second is a number for it.
func made(said []byte, version, end byte, step time.Duration) *tlsdecrypt.Connection {
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	c := &tlsdecrypt.Connection{Opened: at, ClientRandom: make([]byte, 32)}
	c.Version = []tlswire.Version{0, tlswire.VersionTLS12, tlswire.VersionTLS13}[version%3]
	c.CipherSuite = []tlswire.CipherSuite{0, tlswire.TLS_AES_128_GCM_SHA256, tlswire.TLS_AES_256_GCM_SHA384}[version/3%3]
	c.ClientAuth = version&0x80 != 0
	for ; len(said) >= 2; said = said[2:] {
		at = at.Add(step)
		m := &tlsdecrypt.Message{From: endpoint.Client + endpoint.Side(said[0]&1), Time: at, Type: tlswire.ContentTypeHandshake}
		content(m, said[0]>>1, said[1])
		c.Messages = append(c.Messages, m)
	}
	ends := []tlsdecrypt.End{tlsdecrypt.StillOpen, tlsdecrypt.Closed, tlsdecrypt.ClientClosed, tlsdecrypt.ServerClosed, tlsdecrypt.ClientReset, tlsdecrypt.ServerReset, tlsdecrypt.CutOff}
	c.End = ends[int(end)%len(ends)]
	if c.End != tlsdecrypt.StillOpen && c.End != tlsdecrypt.CutOff {
		c.EndedBy, c.EndedAt, c.Ended = endpoint.Client+endpoint.Side(end>>6&1), at.Add(step), at.Add(2*step)
	}
	return c
}

func content(m *tlsdecrypt.Message, kind, n byte) {
	bodies := []tlswire.Body{&tlswire.ClientHello{}, &tlswire.ServerHello{}, &tlswire.Certificate{}, &tlswire.Certificate{Entries: []tlswire.CertificateEntry{{Data: []byte{n}}}},
		&tlswire.CertificateTLS12{}, &tlswire.CertificateRequest{}, &tlswire.CertificateVerify{}, &tlswire.Finished{}, &tlswire.NewSessionTicket{}}
	switch {
	case int(kind) < len(bodies):
		m.Handshake = &tlswire.Handshake{Type: bodies[kind].Type(), Body: bodies[kind]}
		codes := []chain.Code{chain.UnknownCA, chain.Expired, chain.LookAlikeCA, chain.WrongHost}
		if kind == 3 && n > 0 {
			result := []tlsdecrypt.Result{tlsdecrypt.Holds, tlsdecrypt.Fails, tlsdecrypt.Unknown}[n%3]
			m.Checks = []tlsdecrypt.Check{{Subject: "chain", Result: result, Fault: &chain.Fault{Code: codes[n/3%4], Text: "is odd", Reported: n > 100}}}
		}
	case kind%4 == 1:
		m.Type, m.Alert = tlswire.ContentTypeAlert, &tlswire.Alert{Level: 1 + tlswire.AlertLevel(kind>>6), Description: tlswire.AlertDescription(n)}
	case kind%4 == 2:
		m.Type, m.Encrypted = tlswire.ContentTypeApplicationData, true
		m.Records = []tlsdecrypt.Span{{Length: int(n) + 22}}
	case kind%4 == 3:
		m.Type, m.HTTP = tlswire.ContentTypeApplicationData, &httpwire.Message{Request: m.From == endpoint.Client, Status: int(n) * 3}
	default:
		m.Encrypted = kind&0x40 != 0
		if m.Type = tlswire.ContentTypeApplicationData; m.Encrypted {
			m.Type = tlswire.ContentTypeHandshake
		}
	}
}

// viewOf makes a side's view of what a number says; nil: there is none.
func viewOf(side endpoint.Side, n byte) *verdict.View {
	if n == 0 {
		return nil
	}
	v := &verdict.View{}
	if n&2 != 0 {
		v.Err = []error{io.EOF, errors.New("tls: client didn't provide a certificate"), errors.New("tls: odd")}[(n>>2)%3]
		v.Refused = n&0x10 != 0
	}
	if v.Err != nil && n&0x20 != 0 {
		sentBy := side.Other()
		if v.Refused {
			sentBy = side
		}
		v.Alert = &verdict.Alert{Code: 42, Name: "bad_certificate", SentBy: sentBy}
	}
	if v.Err == nil && side == endpoint.Server && n&0x40 != 0 {
		v.InHTTP = verdict.RefuseInHTTP(400, verdict.Reason{Text: "it does not like it"})
	}
	return v
}
