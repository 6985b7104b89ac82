package scenario

import (
	"cmp"
	"fmt"
	"net/http"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/endpoint"
)

// differences returns, in words, how an exchange is not as expected.
func (e Expectation) differences(x *lab.Exchange) (wrong []string) {
	differ := func(what string, want, got any) {
		if fmt.Sprint(want) != fmt.Sprint(got) {
			wrong = append(wrong, fmt.Sprintf("%s should be %s, and is %s", what, orNone(want), orNone(got)))
		}
	}
	if e.RejectedBy != x.RejectedBy {
		wrong = append(wrong, fmt.Sprintf("should be %s, and was %s", ending(e.RejectedBy), ending(x.RejectedBy)))
	}
	alert := ""
	if x.Alert != nil {
		alert = x.Alert.Name
	}
	differ("alert", e.Alert, alert)
	if e.RejectedBy == endpoint.Unknown {
		e.Status = cmp.Or(e.Status, http.StatusOK)
	}
	status := 0
	if x.HTTP != nil {
		status = x.HTTP.Status
	}
	for _, check := range []struct {
		what      string
		asked     bool
		want, got any
	}{
		{"code", e.Code != "", e.Code, x.Code},
		{"what the server learns", e.ServerLearns != "", e.ServerLearns, x.Server.Learned},
		{"what the client learns", e.ClientLearns != "", e.ClientLearns, x.Client.Learned},
		{"HTTP status", e.Status != 0, e.Status, status},
		{"cipher suite", e.CipherSuite != "", e.CipherSuite, x.TLS.CipherSuite},
		{"group", e.Group != "", e.Group, x.TLS.Group},
		{"ALPN", e.ALPN != "", e.ALPN, x.TLS.ALPN},
		{"server's certificate", e.Server != "", e.Server, x.Server.Certificate},
		{"resumed", e.Resumed, e.Resumed, x.TLS.Resumed},
	} {
		if check.asked {
			differ(check.what, check.want, check.got)
		}
	}
	return wrong
}

// ending returns the outcome of an exchange, in words, by who rejects it.
func ending(by endpoint.Side) string {
	if by == endpoint.Unknown {
		return "accepted"
	}
	return "rejected by the " + by.String()
}

func orNone(v any) string {
	if s := fmt.Sprint(v); s != "" {
		return s
	}
	return "none"
}
