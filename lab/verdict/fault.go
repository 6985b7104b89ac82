package verdict

// FaultError ends an exchange in which this side broke the protocol on purpose
// (package fault). The side knows why the exchange failed, whatever the other
// one reports.
type FaultError struct {
	Did    string // what this side did: "sent plain HTTP"
	Code   string // why the exchange failed, for programs
	Reason string // why, as it follows "the client" or "the server": "did not speak TLS"
	Quit   bool   // this side ended the connection, and so rejected the other
}

func (e *FaultError) Error() string { return e.Did }
