package scenario

import (
	"regexp"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/text"
)

// concept is what a message is about when no scenario says anything like it: a
// program's own words for what others say too.
type concept struct {
	pattern    func() *regexp.Regexp // of the words, in lower case with single blanks
	fromServer string                // the scenario if the server refuses
	fromClient string                // the scenario if the client does; both alike where it does not matter
}

// aboutTLS matches the words of a message that can be about one of the
// concepts.
var aboutTLS = text.Pattern(`\b(certificate|ssl|tls|x509|handshake|mtls|truststore|ca|issuer)\b`)

// concepts are in the order in which they are looked for: what is plain first.
var concepts = []concept{
	{text.Pattern(`\bcrl\b.*\b(expired|outdated|stale|out of date)\b`), "stale-crl", "stale-crl"},
	{text.Pattern(`\b(no|missing|get|find|fetch|load)\b.*\bcrl\b|\brevocation\b.*\b(unknown|unavailable|offline|undetermined)\b`), "missing-crl", "missing-crl"},
	{text.Pattern(`\brevoked\b`), "revoked-client", "revoked-server"},
	{text.Pattern(`\bnot yet valid\b|\bin the future\b|\bnotbefore\b|\bnot before\b`), "not-yet-valid-client", "not-yet-valid-server"},
	{text.Pattern(`\bexpired\b|\bexpiration\b|\bnot after\b|\bno longer valid\b|\boutdated\b`), "expired-client", "expired-server"},
	{text.Pattern(`\bself signed\b|\bselfsigned\b`), "self-signed-client", "self-signed-server"},
	{text.Pattern(`\bip address\b.*\b(match|mismatch|san|alternative)\b|\bip san\b`), "ip-address-not-in-san", "ip-address-not-in-san"},
	{text.Pattern(`\b(host ?name|host|domain|server name|common ?name|cn|subject|dns name|alternative ?name|san|name)\b.*\b(mismatch|(not|doesnt|didnt|never) (a )?match|no match|not valid|differs?)\b|\bmismatch\b.*\b(host ?name|name)\b`), "wrong-host", "wrong-host"},
	{text.Pattern(`\bprivate key\b.*\b(mismatch|(not|doesnt) match|belong)\b|\b(bad|invalid|wrong) signature\b`), "client-key-mismatch", "client-key-mismatch"},
	{text.Pattern(`\b(key usage|purpose|eku|extended key)\b`), "client-wrong-eku", "server-wrong-eku"},
	{text.Pattern(`\b(key|rsa)\b.*\b(too (small|short|weak)|weak)\b|\bweak key\b`), "weak-client-key", "weak-client-key"},
	{text.Pattern(`\b(no|not|without|missing|didnt|doesnt|never|empty|requires?|required|needs?|must|absent)\b.*\bclient certificate\b|\bclient certificate\b.*\b(required|missing|not|needed|absent|none)\b|\b(client|peer)\b.*\b(no|not|without|didnt|must|should)\b.*\bcertificate\b|\bcertificate required\b`), "no-client-cert", "no-client-cert"},
	{text.Pattern(`\bintermediate\b|\bincomplete chain\b|\bpartial chain\b|\bchain\b.*\bincomplete\b`), "client-missing-intermediate", "server-missing-intermediate"},
	{text.Pattern(`\b(not trusted|nottrusted|untrusted|unknown (ca|issuer|authority|certificate authority|root)|trust anchor|no trusted|trust store|truststore|issuer)\b`), "untrusted-client-forced", "untrusted-server"},
	{text.Pattern(`\b(no|not|none|without|cant|cannot|doesnt|unsupported|incompatible|mismatch|common|shared|match)\b.*\bcipher\b|\bcipher\b.*\b(no|not|none|unsupported|incompatible|mismatch|common|shared|match)\b`), "no-common-cipher", "no-common-cipher"},
	{text.Pattern(`\b(alpn|application protocol)\b`), "no-common-alpn", "no-common-alpn"},
	{text.Pattern(`\b(unsupported|unknown|incompatible|wrong|invalid|obsolete|disabled|old)\b.*\b(protocol|tls|ssl) version\b|\b(protocol|tls|ssl) version\b.*\b(unsupported|not|mismatch|too)\b`), "client-too-old", "server-too-old"},
	{text.Pattern(`\b(plain ?text|plain http|unencrypted|cleartext|http request)\b.*\b(ssl|tls|https|port|encrypted)\b`), "plain-http-to-tls", "plain-http-to-tls"},
	{text.Pattern(`\b(timeout|timed out)\b`), "slow-client", "slow-server"},
	{text.Pattern(`\b(eof|reset|hung up|hang up|closed|disconnected|terminated|aborted)\b`), "closed-mid-handshake", "closed-mid-handshake"},
	{text.Pattern(`\b(denied|forbidden|unauthorized|not authorized|not permitted|not allowed)\b`), "authenticated-but-not-authorised", "authenticated-but-not-authorised"},
	{text.Pattern(`\bssl handshake failure$`), "no-client-cert", "untrusted-server"}, // HAProxy's, whatever it was
	{text.Pattern(`\bcertificate\b.*\b(verif\w*|validat\w*)\b|\b(verif\w*|validat\w*)\b.*\bcertificate\b`), "untrusted-client-forced", "untrusted-server"},
}

// longest is how many words a message has at most that is in a program's own
// words; what is longer is a list or a text.
const longest = 60

// conceptsIn returns the scenarios of the plainest concept in a message: those
// of the side that it does not rule out.
func (c *catalogue) conceptsIn(message []string, excluded string) (scenarios []*Scenario) {
	said := strings.Join(message, " ")
	if !aboutTLS().MatchString(said) || len(message) > longest {
		return nil
	}
	for _, concept := range concepts {
		if !concept.pattern().MatchString(said) {
			continue
		}
		names := []string{concept.fromClient, concept.fromServer}
		switch excluded {
		case "server rejects client":
			names = names[:1]
		case "client rejects server":
			names = names[1:]
		}
		for _, s := range c.all {
			if slices.Contains(names, s.Name) {
				scenarios = append(scenarios, s)
			}
		}
		return scenarios
	}
	return nil
}
