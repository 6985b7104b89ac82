package verdict

import (
	"fmt"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
)

// noteClaims adds to a refusal in HTTP that the request says itself who the
// client is, as only a proxy should.
func (v *Verdict) noteClaims(c *tlsdecrypt.Connection) {
	const said = "; the request says itself who the client is "
	if !v.IsDenied() || strings.Contains(v.Reason, said) {
		return
	}
	var refused *tlsdecrypt.Message
	if answer := c.Progress().Answer; answer != nil {
		refused, _ = c.RequestOf(answer)
	}
	for _, m := range c.Messages {
		if m.From != endpoint.Client || m.HTTP == nil || refused != nil && m != refused {
			continue
		}
		if headers := m.HTTP.IdentityHeaders(); len(headers) > 0 {
			v.Reason += fmt.Sprintf("%s(%s), which no server may believe unless its proxy wrote it", said, headers[0].Name)
			return
		}
	}
}
