package verdict

import (
	"strings"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
)

// Alert is a TLS alert that ended a connection (RFC 9846 section 6).
type Alert struct {
	Code    uint8         `json:"code"`
	Name    string        `json:"name"`
	SentBy  endpoint.Side `json:"sent_by"`
	Arrived *bool         `json:"arrived,omitempty"` // at the other side; nil when that side is another program's
}

func newAlert(d tlswire.AlertDescription, sentBy endpoint.Side) *Alert {
	return &Alert{Code: uint8(d), Name: d.String(), SentBy: sentBy}
}

// meaning is what an alert alone shows, whichever side sent it. none
// says that the other side was asked for a certificate, and sent none.
func meaning(d tlswire.AlertDescription, by endpoint.Side, none bool) Reason {
	name := d.String()
	if none && d.WantsCertificate() {
		d = tlswire.AlertCertificateRequired
	}
	why, ok := meanings[d]
	if !ok {
		why = Reason{Code: Other, Text: noted(d)}
	}
	why.Text = "the " + by.String() + " sent " + name + ": " + strings.ReplaceAll(why.Text, "{other}", by.Other().String())
	return why
}

// noted is an alert's definition, as a clause.
func noted(d tlswire.AlertDescription) string {
	note, _, _ := strings.Cut(d.Note(), " (RFC")
	note = strings.TrimSuffix(note, ".")
	return strings.ToLower(note[:1]) + note[1:]
}

// meanings are what alerts show by themselves: {other} is the side that
// received it.
var meanings = map[tlswire.AlertDescription]Reason{
	tlswire.AlertBadCertificate:         {Code: RefusedByCertificate, Text: "it refuses the {other}'s certificate, and only its own log knows why"},
	tlswire.AlertUnsupportedCertificate: {Code: RefusedByCertificate, Text: "the {other}'s certificate is of a kind, or for a purpose, that it does not take"},
	tlswire.AlertCertificateUnknown:     {Code: RefusedByCertificate, Text: "it refuses the {other}'s certificate, and only its own log knows why"},
	tlswire.AlertCertificateRevoked:     {Code: chain.Revoked, Text: "to it the {other}'s certificate has been revoked"},
	tlswire.AlertCertificateExpired:     {Code: chain.Expired, Text: "to it the {other}'s certificate has expired, or is not valid yet"},
	tlswire.AlertUnknownCA:              {Code: chain.UnknownCA, Text: "it does not trust the CA of the {other}'s certificate"},
	tlswire.AlertAccessDenied:           {Code: RefusedByCertificate, Text: "it does not let in who the {other}'s certificate names, or refuses the certificate (GnuTLS), and only its own log knows which"},
	tlswire.AlertDecryptError:           {Code: BadSignature, Text: "a signature or checksum of the {other}'s is wrong"},
	tlswire.AlertProtocolVersion:        {Code: NoCommonVersion, Text: "it does not speak the {other}'s version of TLS"},
	tlswire.AlertInsufficientSecurity:   {Code: NoCommonCipherSuite, Text: "what the {other} offers is too weak for it"},
	tlswire.AlertCertificateRequired:    {Code: NoClientCertificate, Text: "it wants a certificate, and got none"},
	tlswire.AlertNoApplicationProtocol:  {Code: NoCommonALPN, Text: "it speaks no protocol that the {other} offers"},
	tlswire.AlertUnrecognizedName:       {Code: UnrecognizedName, Text: "it has no host of the name that the {other} asked for"},
	tlswire.AlertHandshakeFailure:       {Code: Other, Text: "it found nothing that both can do, or wants a certificate and got none"},
}
