package verdict

import (
	"slices"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// Without keys, all that follows ServerHello in TLS 1.3 is records whose sizes
// can be seen (RFC 9846 section 5.2). An alert, an empty Certificate and a
// Finished have sizes of their own. Most programs do not pad their records,
// Java does by 16 bytes.

// The sizes, in bytes of plaintext, and of Java's padding.
const (
	alertSize            = 2
	emptyCertificateSize = 4 + 1 + 3 // type and length, context, list
	javaPadding          = 16
)

// shape is the encrypted records of a TLS 1.3 connection: the lengths of their
// plaintext, padding counted.
type shape struct {
	client, server []int         // of each side's, the server's after the client's first
	finished       int           // the size of Finished
	padding        int           // of the server's records
	leaver         endpoint.Side // whose record of an alert's size was the first after the client's Finished
	exact          bool          // the server's Finished has its size, so that its records are not padded otherwise
}

// encrypted is why an outcome is not known.
const encrypted = "what would show it is encrypted, and its keys are missing"

// hidden is the verdict on a connection whose keys are missing.
func (w *wire) hidden() Verdict {
	unknown := Verdict{Outcome: Unknown, Reason: encrypted}
	ended := w.End != tlsdecrypt.StillOpen && w.End != tlsdecrypt.CutOff && w.EndedBy != endpoint.Unknown
	switch {
	case w.Lacking || w.Omitted > 0 || !ended:
		return unknown
	case w.Version < tlswire.VersionTLS13:
		switch {
		case !*w.finished.Of(w.EndedBy):
			return w.aborted()
		case w.finished.Client && w.finished.Server && !w.data.Client && !w.data.Server:
			v := Verdict{Outcome: Accepted, How: Probably}
			w.addRefusal(&v)
			return v
		}
		return unknown
	case w.Resumption != tlsdecrypt.FullHandshake, w.early:
		return unknown
	}
	s := w.shape()
	switch {
	case s.clientSaysAlert() || len(s.client) == 0 && w.EndedBy == endpoint.Client:
		return w.clientBrokeOff(s)
	case !s.clientFinished():
		return unknown
	case w.isIdle() && (len(s.server) == 0 && w.EndedBy == endpoint.Server || s.serverSaysAlert()):
		unknown.Reason = w.idleReason()
	case len(s.server) == 0 && w.EndedBy == endpoint.Server:
		return w.probablyRefused(s, "the server closed without a record after the client's last flight")
	case s.serverSaysAlert() && s.requested():
		return w.probablyRefused(s, "the server answered the client's last flight with a record of an alert's size, and closed")
	case s.serverSaysAlerts(): // GnuTLS sends two
		unknown.Reason += "; all that the server sent after the client's last flight has the size of alerts, or of as little data"
		unknown.Causes = w.causes(endpoint.Server)
	case s.requested() && s.serverGoesOn():
		return Verdict{Outcome: Accepted, How: Probably, Reason: "after the client's Finished application data went both ways, by the sizes of the records; what is in them is encrypted"}
	case !s.requested() && s.leaver == endpoint.Server && !s.serverSaysAlert():
		unknown.Reason += "; by the sizes of the records the server ended the connection before the client had sent a request"
	case !s.requested() && s.finishedIn() >= 0 && w.EndedBy == endpoint.Client:
		unknown.Reason += "; the client closed after its Finished without a request, as one does that compares the host name afterwards (curl)"
		for _, cause := range w.causes(endpoint.Client) {
			if cause.Code == chain.WrongHost {
				unknown.Causes = append(unknown.Causes, cause)
			}
		}
	case s.serverSaysAlert():
		return w.probablyRefused(s, "the server answered the client's last flight with a record of an alert's size, and closed")
	}
	return unknown
}

// clientBrokeOff is the verdict on a client that sent no Finished.
func (w *wire) clientBrokeOff(s shape) Verdict {
	v := Verdict{Outcome: Rejected, RejectedBy: endpoint.Client}
	why := Reason{Code: RefusedByCertificate, Text: "in place of Finished the client sent a record of an alert's size: it refuses the server's certificate, which is encrypted"}
	v.How = Probably
	if len(s.client) == 0 {
		v.How = Aborted
		why = closedBy(endpoint.Client, w.End == tlsdecrypt.ClientReset)
		why.Text += " and without Finished" + closedAfterCertificate
	}
	why.Causes, why.Fix = w.causes(endpoint.Client), getKeys(endpoint.Client)
	v.because(why)
	return v
}

// getKeys is what to do where keys would show why a side refused.
func getKeys(by endpoint.Side) string {
	return "record it again with the keys of one of the two programs (SSLKEYLOGFILE, or lab exec -- PROGRAM), or look into the log of the " + by.String()
}

// probablyRefused is the verdict on a client that gets no answer, by how the
// server ended the connection.
func (w *wire) probablyRefused(s shape, how string) Verdict {
	v := Verdict{Outcome: Rejected, How: Probably, RejectedBy: endpoint.Server}
	switch size := s.certificate(); {
	case s.finishedIn() < 0 && size != emptyCertificateSize:
		why := Reason{Code: RefusedByCertificate, Text: "the server refuses the client: " + how + "; whether the client sent a certificate is encrypted, and its records are padded or joined"}
		why.Causes = w.causes(endpoint.Server)
		v.because(why)
	case size == 0:
		v.because(Reason{Code: Other, Text: how + "; by the sizes of its records the client was not asked for a certificate"})
	case size == emptyCertificateSize, size == emptyCertificateSize+javaPadding:
		v.because(Reason{Code: NoClientCertificate, Text: "the client sent no certificate: its Certificate has the size of an empty one, and " + how})
	default:
		why := Reason{Code: RefusedByCertificate, Text: "the server refuses the client's certificate: " + how + "; why is encrypted", Fix: getKeys(endpoint.Server)}
		for _, cause := range w.causes(endpoint.Server) {
			if cause.Code != NoClientCertificate {
				why.Causes = append(why.Causes, cause)
			}
		}
		v.because(why)
	}
	return v
}

// shape returns the sizes of the connection's encrypted records.
func (w *wire) shape() shape {
	info := w.CipherSuite.Info()
	s := shape{finished: 4 + 32}
	if info.Hash == "SHA384" {
		s.finished = 4 + 48
	}
	last := 0 // the server's last before the client's first
	for _, m := range w.Messages {
		if !m.Encrypted || m.Type != tlswire.ContentTypeApplicationData {
			continue
		}
		for _, r := range m.Records {
			n := r.Length - tlswire.RecordHeaderLen - info.TagLen - 1 // and the content type
			if s.leaver == endpoint.Unknown && s.finishedIn() >= 0 && isAlertSize(n) {
				s.leaver = m.From
			}
			switch {
			case m.From == endpoint.Client:
				s.client = append(s.client, n)
			case len(s.client) > 0:
				s.server = append(s.server, n)
			default:
				last = n
			}
		}
	}
	if last == s.finished+javaPadding {
		s.padding = javaPadding
	}
	s.exact = last == s.finished+s.padding
	return s
}

// certificate is the size of the client's messages before its Finished; 0:
// there are none, so that it was not asked for a certificate.
func (s shape) certificate() int {
	size := 0
	for _, n := range s.client {
		switch {
		case n == s.finished || n == s.finished+javaPadding:
			return size
		case size == 0 && n == emptyCertificateSize+s.finished:
			return emptyCertificateSize
		}
		size += n
	}
	return size
}

// clientFinished reports whether a record of Finished's size is there, or one
// that may hold it with other messages.
func (s shape) clientFinished() bool {
	return slices.ContainsFunc(s.client, func(n int) bool { return n >= s.finished })
}

// finishedIn is the place of the client's Finished in client, if that is a
// record of its own; else -1.
func (s shape) finishedIn() int {
	return slices.IndexFunc(s.client, func(n int) bool { return n == s.finished || n == s.finished+javaPadding })
}

// clientSaysAlert reports whether all that the client sent has the size of an
// alert.
func (s shape) clientSaysAlert() bool {
	return len(s.client) > 0 && !slices.ContainsFunc(s.client, func(n int) bool { return !isAlertSize(n) })
}

func isAlertSize(n int) bool { return n == alertSize || n == alertSize+javaPadding }

// serverGoesOn reports whether the server sent after the client's Finished what
// is no alert. Records that may be padded must differ: two alerts would not.
func (s shape) serverGoesOn() bool {
	if len(s.server) == 0 || s.exact {
		return len(s.server) > 0 && !s.serverSaysAlert()
	}
	return slices.Min(s.server) != slices.Max(s.server)
}

// requested reports whether the client sent more than an alert after its
// Finished.
func (s shape) requested() bool {
	padding := 0
	i := s.finishedIn()
	if i >= 0 {
		padding = s.client[i] - s.finished
	}
	return slices.ContainsFunc(s.client[max(i, 0)+1:], func(n int) bool { return n != alertSize+padding })
}

// serverSaysAlerts reports whether the server sent several records of an
// alert's size after the client's first encrypted one, and nothing else.
func (s shape) serverSaysAlerts() bool {
	return len(s.server) > 1 && !slices.ContainsFunc(s.server, func(n int) bool { return n != alertSize+s.padding })
}

// serverSaysAlert reports whether the server sent one record after the client's
// first encrypted one, and that has the size of an alert: nothing follows an
// alert that refuses.
func (s shape) serverSaysAlert() bool {
	return len(s.server) == 1 && s.server[0] == alertSize+s.padding
}
