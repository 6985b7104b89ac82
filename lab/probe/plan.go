package probe

import "mtlslab.example/lab/lab/dn"

// most returns how many connections there will be at most.
func (p *prober) most() int {
	n := len(p.Versions)
	most := 2 + 3*n + 4 // the controls, and when the good certificate is tried again
	if p.isChosen(offersCase) {
		most += mostOffers(n)
	}
	for _, c := range cases() {
		if p.isChosen(c.Name) && p.lacks(c) == "" {
			most += 1 + p.mostOf(c)
		}
	}
	return most
}

// mostOf returns how many connections a case makes at most, without those of
// the good certificate after it.
func (p *prober) mostOf(c *Case) int {
	switch {
	case c.all != nil:
		return 2*len(p.Versions) + 3
	case c.Name == "host-bypass":
		return 4 * (len(p.Hosts) + mostHosts + 2)
	case c.Name == "session-of-another-host":
		return 2 * len(p.Versions) * (len(p.Hosts) + mostHosts + 1)
	case c.needs&needHeader != 0:
		return 2
	case c.Name == "other-host":
		return len(p.Hosts) + mostHosts + 1
	case c.once:
		return max(1, len(p.Hosts))
	}
	return len(p.Versions)
}

// lacks returns what a case needs and the probe does not have, in a sentence;
// "": nothing.
func (p *prober) lacks(c *Case) string {
	switch {
	case c.needs&needRevoked != 0 && p.Revoked == nil:
		return "needs --revoked CERT,KEY: a pair that the server's CRL has"
	case c.needs&needHeader != 0 && p.IdentityHeader == "":
		return "needs --identity-header NAME, and a page that shows who the client is"
	case c.needs&needHosts != 0 && len(p.Hosts) == 0:
		return "needs --host NAME: another host of the server"
	case c.needs&needRefusal != 0 && p.letsNone:
		return "this host needs no certificate itself"
	case c.needs&needBetween != 0 && len(p.good.Certificate) < 2:
		return "needs a good certificate that is sent with a CA between it and its root"
	case c.needs&needHTTP != 0 && p.Target.Ask != nil:
		return "is about HTTP"
	case c.needs&needCAKey != 0 && p.clientCA.PrivateKey == nil && p.ClientCA != nil:
		return "needs --client-ca-key: the key of " + dn.Subject(p.clientCA.Leaf)
	case c.needs&needCAKey != 0 && p.clientCA.PrivateKey == nil:
		return "needs --client-ca and --client-ca-key: a CA whose clients the server lets in"
	case c.needs&needServerCAKey != 0 && p.serverCA == nil:
		return "needs the key of the CA for servers, which only the lab's own PKI has"
	case c.needs&needServerCAKey != 0 && p.ClientCA != nil && p.serverCA.Leaf.Equal(p.ClientCA.Leaf):
		return "servers and clients have the same CA"
	case c.needs&needCAKey != 0 && p.unminted != "":
		return p.unminted
	}
	return ""
}

// left is a case that is not tried.
func (p *prober) left(name, title, why string) *Finding {
	return &Finding{Case: name, Title: title, Result: NotTried, Judgement: Left, Reason: why}
}
