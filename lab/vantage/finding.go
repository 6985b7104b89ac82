package vantage

import (
	"fmt"
	"sort"
	"strings"

	"mtlslab.example/lab/lab/text"
)

// Code says what was found between two captures, for programs.
type Code string

// The codes, in the order in which a summary has them.
const (
	Swapped             Code = "files_swapped"        // the first file was recorded nearer to the server
	NeverReached        Code = "never_reached"        // a connection of the client's is not in the server's capture, which was recording
	AnswerLost          Code = "answer_lost"          // the server's capture has the SYN, the client had no answer
	RefusedBetween      Code = "refused_between"      // the client got a RST, and the server's capture has no SYN of it
	RefusedByServer     Code = "refused_by_server"    // the server's own RST
	Unanswered          Code = "not_answered"         // a SYN reached the server, which did not answer it
	TLSEnded            Code = "tls_ended"            // something in between ends TLS
	PlainBehind         Code = "plain_behind"         // and speaks without TLS behind, or in front
	CertificateReplaced Code = "certificate_replaced" // the client was shown another server certificate than the server sent
	ClientCertificate   Code = "client_certificate"   // the client's certificate does not get to the server
	KeyShared           Code = "private_key_shared"   // what ends TLS has the private key of the server, or of the client
	NoTLS               Code = "no_tls"               // neither end speaks TLS
	ProxyLine           Code = "proxy_line"           // a PROXY line was put before TLS
	Prefixed            Code = "bytes_before_tls"     // bytes were put before TLS, or taken away
	Translated          Code = "addresses_translated" // the same TLS with other addresses
	HelloChanged        Code = "hello_changed"        // a ClientHello or ServerHello was changed on the way
	MessageChanged      Code = "message_changed"      // another message was
	NotArrived          Code = "not_arrived"          // what one side sent is not at the other end
	Injected            Code = "injected"             // what one end got, the other never sent
	ResetForged         Code = "reset_forged"         // a RST that the other end never sent
	ResetLost           Code = "reset_not_arrived"    // a RST that did not arrive
	EndedBetween        Code = "ended_between"        // something in between ended the connection at both ends
	NotCaptured         Code = "not_captured"         // a capture lacks bytes, so that the ends cannot be compared
	ClocksDiffer        Code = "clocks_differ"        // the clocks of the captures do
	ClockDecides        Code = "clock_decides"        // over the dates of a certificate
	OneEnd              Code = "one_end"              // a connection is in one capture only
	SeenAgain           Code = "seen_again"           // it is in one capture twice
	KeysShared          Code = "keys_from_other_file" // the keys in one file open what is in the other
	Unseen              Code = "cannot_be_seen"       // something could not be compared, and why
)

// How is how certain a finding is: the empty value if the captures show it.
type How string

// The refinements.
const (
	Probably How = "very probably"
	Unknown  How = "unknown"
)

// Finding is one thing that lies between the two captures.
type Finding struct {
	Code Code   `json:"code"`
	How  How    `json:"how,omitempty"`
	Text string `json:"text"`           // a sentence without a full stop
	Fix  string `json:"fix,omitempty"`  // what to do, likewise
	More int    `json:"more,omitempty"` // in a summary: how many others of the kind there are
}

// codes are all codes in their order. between is set for what sits between the
// two ends, or happened there, and not set for what is about the captures.
var codes = []struct {
	code    Code
	between bool
}{
	{Swapped, false}, {NeverReached, true}, {AnswerLost, true}, {RefusedBetween, true}, {RefusedByServer, false}, {Unanswered, false},
	{TLSEnded, true}, {PlainBehind, true}, {CertificateReplaced, true}, {ClientCertificate, true}, {KeyShared, true}, {NoTLS, true},
	{ProxyLine, true}, {Prefixed, true}, {Translated, true}, {HelloChanged, true}, {MessageChanged, true},
	{NotArrived, true}, {Injected, true}, {ResetForged, true}, {ResetLost, true}, {EndedBetween, true},
	{NotCaptured, false}, {ClocksDiffer, false}, {ClockDecides, false}, {OneEnd, false}, {SeenAgain, false}, {KeysShared, false}, {Unseen, false},
}

// Codes returns all codes in their order.
func Codes() (all []Code) {
	for _, c := range codes {
		all = append(all, c.code)
	}
	return all
}

// IsBetween reports whether a finding is of something that sits between the two
// ends, or happened there, and not of the captures themselves.
func (f Finding) IsBetween() bool { return codes[f.Code.rank()].between }

// rank is the place of a code in the order.
func (c Code) rank() int {
	for i, known := range codes {
		if known.code == c {
			return i
		}
	}
	panic("vantage: unknown code " + c)
}

// newFinding puts a finding into words. In them are names that others chose,
// such as those in certificates.
func newFinding(code Code, how How, fix, format string, args ...any) Finding {
	return Finding{Code: code, How: how, Text: clean(fmt.Sprintf(format, args...)), Fix: clean(fix)}
}

func clean(s string) string { return strings.Join(text.Unicode.Lines(s), " ") }

func (p *Pair) found(code Code, how How, fix, format string, args ...any) {
	p.Findings = append(p.Findings, newFinding(code, how, fix, format, args...))
}

func (r *Report) found(code Code, how How, fix, format string, args ...any) {
	r.Findings = append(r.Findings, newFinding(code, how, fix, format, args...))
}

// summarise adds what was found in pairs to what was found of all, each kind
// once, and counts the others of it.
func (r *Report) summarise() {
	r.attempts()
	r.clocks()
	type kind struct {
		code Code
		how  How
	}
	at := make(map[kind]int)
	for _, p := range r.Pairs {
		for _, f := range p.Findings {
			k := kind{f.Code, f.How}
			if i, known := at[k]; known {
				r.Findings[i].More++
			} else if f.Code != OneEnd { // which are counted in one sentence
				at[k] = len(r.Findings)
				r.Findings = append(r.Findings, f)
			}
		}
	}
	sort.SliceStable(r.Findings, func(i, j int) bool { return r.Findings[i].Code.rank() < r.Findings[j].Code.rank() })
}
