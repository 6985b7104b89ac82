package verdict

import (
	"fmt"
	"slices"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// Without keys, all that follows ServerHello in TLS 1.3 is records whose sizes
// can be seen (RFC 9846 section 5.2). Most programs do not pad them: an alert,
// an empty Certificate and a Finished have sizes of their own.

// The sizes, in bytes of plaintext.
const (
	alertSize            = 2
	emptyCertificateSize = 4 + 1 + 3 // type and length, context, list
)

// shape is the encrypted records of a TLS 1.3 connection: the lengths of their
// plaintext, padding counted.
type shape struct {
	client, server []int // of each side's, the server's after the client's first
	finished       int   // the size of Finished
}

// hidden is the verdict on a connection whose keys are missing.
func (w *wire) hidden() Verdict {
	unknown := Verdict{Outcome: Unknown, Reason: "what would tell is encrypted, and its keys are missing"}
	if w.Version < tlswire.VersionTLS13 || w.Lacking || w.Omitted > 0 || w.Resumption != tlsdecrypt.FullHandshake {
		return unknown
	}
	s := w.shape()
	ended := w.End != tlsdecrypt.StillOpen && w.End != tlsdecrypt.CutOff
	switch {
	case len(s.client) == 0 && ended && w.EndedBy == endpoint.Client:
		v := Verdict{Outcome: Rejected, How: Aborted, RejectedBy: endpoint.Client}
		why := closedBy(endpoint.Client, w.End == tlsdecrypt.ClientReset)
		why.Text += " and without Finished" + closedAfterCertificate
		why.Causes = w.causes(endpoint.Client)
		v.because(why)
		return v
	case len(s.client) == 1 && s.client[0] == alertSize && ended:
		v := Verdict{Outcome: Rejected, How: Probably, RejectedBy: endpoint.Client}
		v.because(Reason{Code: RefusedByCertificate, Text: "in place of Finished the client sent a record of an alert's size: very probably it refuses the server's certificate",
			Causes: w.causes(endpoint.Client)})
		return v
	case len(s.client) == 0 || !s.clientFinished():
		return unknown
	}
	requested := s.requested()
	silent := len(s.server) > 0 && !slices.ContainsFunc(s.server, func(n int) bool { return n != alertSize })
	switch {
	case silent && ended && requested:
		return w.probablyRefused(s)
	case requested && !silent && len(s.server) > 0:
		return Verdict{Outcome: Accepted, How: Probably, Reason: "after the client's Finished application data went both ways, by the sizes of the records"}
	}
	return unknown
}

// probablyRefused is the verdict on a client whose request the server answers
// with a record of an alert's size alone.
func (w *wire) probablyRefused(s shape) Verdict {
	v := Verdict{Outcome: Rejected, How: Probably, RejectedBy: endpoint.Server}
	why := Reason{Code: Other, Text: "the server answered the client's request with a record of an alert's size, and closed"}
	switch s.certificate() {
	case 0:
		why.Text += fmt.Sprintf("; by the sizes of its records the client showed no certificate, and was not asked for one")
	case emptyCertificateSize:
		why.Code, why.Text = NoClientCertificate, "very probably the client sent no certificate: its Certificate has the size of an empty one, and the server answered with a record of an alert's size"
	default:
		why.Code, why.Text = RefusedByCertificate, "very probably the server refuses the client's certificate: it answered the request with a record of an alert's size"
		why.Causes = w.causes(endpoint.Server)
	}
	v.because(why)
	return v
}

// shape returns the sizes of the connection's encrypted records.
func (w *wire) shape() shape {
	info := w.CipherSuite.Info()
	s := shape{finished: 4 + 32}
	if info.Hash == "SHA384" {
		s.finished = 4 + 48
	}
	for _, m := range w.Messages {
		if !m.Encrypted || m.Type != tlswire.ContentTypeApplicationData {
			continue
		}
		for _, r := range m.Records {
			n := r.Length - tlswire.RecordHeaderLen - info.TagLen - 1 // and the content type
			switch {
			case m.From == endpoint.Client:
				s.client = append(s.client, n)
			case len(s.client) > 0:
				s.server = append(s.server, n)
			}
		}
	}
	return s
}

// certificate is the size of the client's Certificate with what follows it up
// to Finished; 0: there is none.
func (s shape) certificate() int {
	size := 0
	for _, n := range s.client {
		size += n
		if n == s.finished {
			return size - n
		}
		if size == emptyCertificateSize+s.finished {
			return emptyCertificateSize
		}
	}
	return size
}

// clientFinished reports whether a record of Finished's size is there, or one
// that may hold it with other messages.
func (s shape) clientFinished() bool {
	for _, n := range s.client {
		if n >= s.finished {
			return true
		}
	}
	return false
}

// requested reports whether the client sent more than an alert after its
// Finished.
func (s shape) requested() bool {
	after := s.client[1:]
	if i := slices.Index(s.client, s.finished); i >= 0 {
		after = s.client[i+1:]
	}
	return slices.ContainsFunc(after, func(n int) bool { return n != alertSize })
}
