package scenario

import (
	"crypto/tls"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlswire"
)

// AlertIn returns the alert that a message is about: by its number, or by its
// name where the message speaks of an alert or consists of the name.
func AlertIn(message string) (tlswire.AlertDescription, bool) {
	numbers := alertNumbers
	if !strings.ContainsAny(message, "0123456789") {
		numbers = nil
	}
	for _, written := range numbers {
		if m := written().FindStringSubmatch(message); m != nil {
			number, _ := strconv.Atoi(m[len(m)-1])
			switch {
			case number > alertReasons:
				number -= alertReasons
			case number >= 512: // curl -v writes level and description as one
				number -= 512
			}
			if alert := tlswire.AlertDescription(number); number < 256 && isRegistered(alert) && number > 0 && (len(m) == 2 || strings.EqualFold(m[1], alert.String())) {
				return alert, true
			}
		}
	}
	said := " " + strings.Join(words(message), " ") + " "
	alone := strings.TrimSpace(said)
	for _, before := range []string{"remote error ", "local error ", "tls "} { // as Go writes it
		alone = strings.TrimPrefix(alone, before)
	}
	aboutAlerts := speaksOfAlerts().MatchString(message)
	best, found, longest := tlswire.AlertDescription(0), false, 0
	for _, g := range Guides {
		for _, name := range alertNames()[g.Alert] {
			counts := len(name)
			switch {
			case strings.Contains(said, " alert"+name), alone == strings.TrimSpace(name):
				counts += len(said)
			case !aboutAlerts || !strings.Contains(said, name):
				continue
			}
			if counts > longest {
				best, found, longest = g.Alert, true, counts
			}
		}
	}
	return best, found
}

// alertNumbers match the number of an alert, as programs write it.
var alertNumbers = []func() *regexp.Regexp{
	text.Pattern(`(?i)\balert (?:number|code|description|message|type)?\s*(?:is |=|:)?\s*[\[(]?(\d{1,3})\b`),
	text.Pattern(`(?i)\bfatal alert (?:message )?\(msg (\d{1,3})\)`),          // mbedTLS
	text.Pattern(`(?i)\bfatal (?:alert|error) code is (\d{1,3})\b`),           // Schannel's, of an alert that it received, and sent
	text.Pattern(`(?i)\bfatal alert was (?:generated|received): (\d{1,3})\b`), // as its older versions say it
	text.Pattern(`(?i)alert,? [a-z ]+\((\d{3})\)`),                            // curl -v
	text.Pattern(`(?i)\b([a-z]+_[a-z_]+) ?\((\d{1,3})\)`),                     // handshake_failure(40), but not key_share (51)
	text.Pattern(`(?i)\breason\((1\d{3})\)`),                                  // OpenSSL without its texts
	text.Pattern(`^\s*(\d{1,3})\s*$`),
}

// speaksOfAlerts matches messages that name an alert somewhere.
var speaksOfAlerts = text.Pattern(`(?i)alert|remote error: tls: |(sslv3|tlsv1|tlsv13)[ _]`)

func isRegistered(alert tlswire.AlertDescription) bool {
	return !strings.HasPrefix(alert.String(), "alert(")
}

// alertNames are the names of alerts as words, also those of Go, GnuTLS and
// NSS.
var alertNames = sync.OnceValue(func() map[tlswire.AlertDescription][]string {
	names := map[tlswire.AlertDescription][]string{}
	for _, g := range Guides {
		if g.Alert == tlswire.AlertCloseNotify {
			continue
		}
		for _, name := range append([]string{g.Alert.String(), strings.TrimPrefix(tls.AlertError(g.Alert).Error(), "tls: ")}, otherNames[g.Alert]...) {
			names[g.Alert] = append(names[g.Alert], " "+strings.Join(words(name), " ")+" ")
		}
	}
	return names
})

// otherNames are how GnuTLS, NSS and others call alerts.
var otherNames = map[tlswire.AlertDescription][]string{
	tlswire.AlertHandshakeFailure:       {"Handshake failed", "HandshakeFailure alert"},
	tlswire.AlertBadCertificate:         {"Certificate is bad", "bad cert"},
	tlswire.AlertCertificateRevoked:     {"Certificate was revoked", "revoked cert"},
	tlswire.AlertCertificateExpired:     {"Certificate is expired", "Certificate has expired", "expired cert"},
	tlswire.AlertUnknownCA:              {"CA is unknown"},
	tlswire.AlertCertificateRequired:    {"Certificate is required"},
	tlswire.AlertUnsupportedCertificate: {"Certificate is not supported"},
	tlswire.AlertProtocolVersion:        {"Error in protocol version"},
	tlswire.AlertInsufficientSecurity:   {"Insufficient security"},
	tlswire.AlertUnrecognizedName:       {"The server name sent was not recognized", "unrecognised name"},
	tlswire.AlertNoApplicationProtocol:  {"No supported application protocol could be negotiated"},
}

// Alerts returns the alerts that end the scenario, sent by the lab or, as
// measured, by other stacks.
func (s *Scenario) Alerts() []tlswire.AlertDescription {
	codes := map[tlswire.AlertDescription]bool{}
	add := func(name string) {
		if alert, ok := AlertNamed(name); ok {
			codes[alert] = true
		}
	}
	for _, e := range s.Expect {
		add(e.Alert)
	}
	for _, r := range stacks().Runs {
		if r.Scenario == s.Name {
			add(r.Alert)
		}
	}
	return slices.Sorted(maps.Keys(codes))
}
