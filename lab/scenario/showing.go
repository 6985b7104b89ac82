package scenario

import (
	"slices"
	"sync"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// Showing returns the name of a built-in scenario with the fault that a verdict
// on c has found. It is empty where nothing is wrong, or where the reason is
// not known.
func Showing(v *verdict.Verdict, c *tlsdecrypt.Connection) string {
	if v.Code == "" || v.IsVague() || v.Outcome == verdict.Broken {
		return ""
	}
	by := v.RejectedBy
	switch {
	case v.How == verdict.InHTTP && v.Code == verdict.NoClientCertificate:
		return "refused-in-http"
	case v.How == verdict.InHTTP:
		by = endpoint.Server
	case v.Code == verdict.NoCommonVersion && !slices.Contains(c.Offers().Versions, tlswire.VersionTLS13.String()):
		return "client-too-old"
	case v.Code == verdict.SpokeNoTLS && by == endpoint.Server && !c.Plain.Client.HTTP:
		return "garbage"
	case v.Outcome == verdict.Accepted && v.Code == chain.WrongHost:
		by = endpoint.Client
	}
	if name, ok := plainest[lesson{v.Code, by}]; ok {
		return name
	}
	for _, s := range builtIn() {
		for _, e := range s.Expect {
			if e.Code == v.Code && e.RejectedBy == by {
				return s.Name
			}
		}
	}
	return ""
}

// lesson is what is wrong, and who refuses it.
type lesson struct {
	code verdict.Code
	by   endpoint.Side
}

// plainest are the scenarios that show a fault by itself, where there are
// several with it.
var plainest = map[lesson]string{
	{chain.UnknownCA, endpoint.Server}:             "untrusted-client-forced",
	{chain.UnknownCA, endpoint.Client}:             "untrusted-server",
	{chain.WrongHost, endpoint.Client}:             "wrong-host",
	{chain.NoSAN, endpoint.Client}:                 "cn-only",
	{chain.Revoked, endpoint.Server}:               "revoked-client",
	{verdict.NoClientCertificate, endpoint.Server}: "no-client-cert",
	{verdict.NoCommonVersion, endpoint.Server}:     "server-too-old",
	{verdict.NoCommonCipherSuite, endpoint.Server}: "no-common-cipher",
	{verdict.NotAsked, endpoint.Unknown}:           "server-does-not-ask",
	{verdict.NotAsked, endpoint.Server}:            "server-does-not-ask",
	{chain.WrongUsage, endpoint.Server}:            "client-wrong-eku",
	{verdict.SpokeNoTLS, endpoint.Server}:          "plain-http-to-tls",
	{verdict.NotAuthorised, endpoint.Unknown}:      "authenticated-but-not-authorised",
}

// builtIn are the scenarios of the program.
var builtIn = sync.OnceValue(func() []*Scenario {
	all, _ := All()
	return all
})
