package verdict

import (
	"fmt"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
)

// noteClaims adds to a refusal in HTTP that the request says itself who the
// client is, as only a proxy should.
func (w *wire) noteClaims(v *Verdict) {
	const said = "; the request says itself who the client is "
	if !v.IsDenied() || strings.Contains(v.Reason, said) {
		return
	}
	var refused *tlsdecrypt.Message
	if w.Answer != nil {
		refused, _ = w.RequestOf(w.Answer)
	}
	for _, m := range w.Messages {
		if m.From != endpoint.Client || m.HTTP == nil || refused != nil && m != refused {
			continue
		}
		if headers := m.HTTP.IdentityHeaders(); len(headers) > 0 {
			v.Reason += fmt.Sprintf("%s(%s), which no server may believe unless its proxy wrote it", said, headers[0].Name)
			return
		}
	}
}
