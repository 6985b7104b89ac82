package verdict

import (
	"encoding/json"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/tlsdecrypt"
)

// Account is a connection with its verdict.
type Account struct {
	*tlsdecrypt.Connection
	Verdict  *Verdict
	Scenario string // that shows the same fault; "": none
}

// MarshalJSON writes the connection's description and the verdict as one
// object.
func (a Account) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		tlsdecrypt.Description
		*Verdict
		Scenario string `json:"scenario,omitempty"`
	}{a.Describe(), a.Verdict, a.Scenario})
}

// Of returns the verdict that the messages of a connection allow. If there is
// anything to explain, the connection is checked under the CAs that trust
// returns, which is not called otherwise.
func Of(c *tlsdecrypt.Connection, trust func() *chain.Trust) Verdict {
	v := judgeWire(c)
	if v.Reason != "" && !(v.settled && v.Code == "") {
		c.Check(trust())
		v = judgeWire(c)
	}
	return v
}
