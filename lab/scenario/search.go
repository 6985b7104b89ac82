package scenario

import (
	"cmp"
	"crypto/tls"
	_ "embed"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"mtlslab.example/lab/certgen/spell"
	"mtlslab.example/lab/lab/tlswire"
)

//go:embed ALERTS.md
var measured string

// Search returns the scenarios that have most of the words in them, best first.
// The words may be a message as a program printed it: words that no scenario
// has (names, dates, addresses) do not count, and a number is that of an alert
// or an HTTP status. If no scenario has enough of the words, nearest are those
// that come closest, if any.
func Search(all []*Scenario, words []string) (found, nearest []*Scenario) {
	typed := strings.Join(words, " ")
	if not := excludedSide(typed); not != "" {
		all = slices.DeleteFunc(slices.Clone(all), func(s *Scenario) bool { return s.Side == not })
	}
	message := withoutSurroundings(typed)
	texts := make(map[*Scenario]*contents, len(all))
	for _, s := range all {
		texts[s] = s.contents()
	}
	terms := termsOf(message, texts)
	if alike := likeNamed(all, typed); len(words) == 1 && len(alike) > 0 && len(terms) != 1 {
		return nil, alike // a slip of the finger
	}
	scores, possible := map[*Scenario]float64{}, 0.0
	for _, t := range terms {
		weight := t.weight(texts)
		possible += weight
		for _, s := range all {
			if texts[s].has(t) {
				scores[s] += weight
			}
		}
	}
	said := normal(message)
	for _, s := range all {
		if texts[s].says(said) { // word for word
			scores[s] += possible
		}
	}
	ranked := slices.DeleteFunc(slices.Clone(all), func(s *Scenario) bool {
		return scores[s] == 0 || !texts[s].says(said) && !texts[s].overlaps(terms)
	})
	slices.SortStableFunc(ranked, func(a, b *Scenario) int { return cmp.Compare(scores[b], scores[a]) })
	if len(ranked) == 0 {
		return nil, likeNamed(all, typed)
	}
	const enough = 0.6 // of what is possible, and of the best
	if best := scores[ranked[0]]; best >= enough*possible {
		return slices.DeleteFunc(ranked, func(s *Scenario) bool { return scores[s] < enough*best }), nil
	}
	return nil, ranked[:min(3, len(ranked))]
}

// overlaps reports whether the text has at least half of the terms, and more
// than one of several.
func (t *contents) overlaps(terms []term) bool {
	n := 0
	for _, term := range terms {
		if t.has(term) {
			n++
		}
	}
	return n >= min(2, len(terms)) && 2*n >= len(terms)
}

// likeNamed returns the scenarios with names that look like what was typed.
func likeNamed(all []*Scenario, typed string) (alike []*Scenario) {
	for _, name := range spell.Nearest(strings.ReplaceAll(strings.ToLower(typed), " ", "-"), names()) {
		if i := slices.IndexFunc(all, func(s *Scenario) bool { return s.Name == name }); i >= 0 {
			alike = append(alike, all[i])
		}
	}
	return alike
}

// contents is the text of a scenario that Search looks into, in normal form.
type contents struct {
	all      string
	messages []string
	numbers  []string // of alerts and HTTP statuses
}

func (s *Scenario) contents() *contents {
	t := &contents{all: normal(string(s.Text))}
	for _, messages := range s.Says {
		for _, message := range messages {
			t.messages = append(t.messages, normal(withoutSurroundings(message)))
		}
	}
	for _, code := range s.Alerts() {
		t.numbers = append(t.numbers, strconv.Itoa(int(code)))
		for _, message := range alertMessages(code) {
			t.messages = append(t.messages, normal(message))
		}
		t.all += normal("remote error . SSL alert number . TLS alert") + strings.Join(t.messages, "")
	}
	for _, e := range s.Expect {
		t.numbers = append(t.numbers, strconv.Itoa(e.Status))
	}
	return t
}

// has reports whether the text has a term. A long term may be the beginning of
// a word.
func (t *contents) has(term term) bool {
	switch {
	case term.isNumber():
		return slices.Contains(t.numbers, strings.TrimSpace(string(term)))
	case len(term) >= len(" word "):
		return strings.Contains(t.all, strings.TrimRight(string(term), " "))
	}
	return strings.Contains(t.all, string(term))
}

// says reports whether a message of several words is a part of a message of the
// scenario, or the other way round.
func (t *contents) says(message string) bool {
	return strings.Count(message, " ") > 2 && slices.ContainsFunc(t.messages, func(known string) bool {
		return strings.Contains(known, message) || strings.Count(known, " ") > 3 && strings.Contains(message, known)
	})
}

// term is a word to look for, or several that belong together, such as
// CERTIFICATE_VERIFY_FAILED, in normal form.
type term string

// isNumber reports whether a term is a number of up to three digits, as that of
// an alert or an HTTP status; an RFC's is longer.
func (t term) isNumber() bool {
	return len(t) <= len(" 999 ") && !strings.ContainsFunc(strings.TrimSpace(string(t)), notDigit)
}

func notDigit(r rune) bool { return r < '0' || r > '9' }

// weight returns how much a term counts: more if fewer texts have it.
func (t term) weight(texts map[*Scenario]*contents) float64 {
	n := 0
	for _, text := range texts {
		if text.has(t) {
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return math.Pow(math.Log(float64(len(texts)+1)/float64(n)), 2)
}

// fillers are words of every sentence, or of every Java stack trace.
var fillers = strings.Fields("javax net exception a an and are as at be but by for from has i in is it its my not of on or so that the this to was we when why with you")

// termsOf returns the terms of what was typed. It takes a term of several words
// apart if no text has it.
func termsOf(message string, texts map[*Scenario]*contents) (terms []term) {
	known := func(t term) bool { return t.weight(texts) > 0 }
	add := func(word string) {
		t := term(normal(word))
		if len(t) > 2 && !slices.Contains(fillers, strings.TrimSpace(string(t))) && !slices.Contains(terms, t) {
			terms = append(terms, t)
		}
	}
	for _, word := range strings.Fields(message) {
		if known(term(normal(word))) {
			add(word)
			continue
		}
		for _, part := range strings.Fields(normal(word)) {
			add(part)
		}
	}
	return terms
}

// normal returns s in lower case, with a single blank between its words and at
// both ends.
func normal(s string) string {
	words := strings.FieldsFunc(strings.ToLower(strings.ReplaceAll(s, "'", "")), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return " " + strings.Join(words, " ") + " "
}

// Alerts returns the alerts that end the scenario, sent by the lab or, as
// measured in ALERTS.md, by other programs. Java sends certificate_unknown if
// it finds no path to a CA.
func (s *Scenario) Alerts() []tlswire.AlertDescription {
	codes := map[tlswire.AlertDescription]bool{}
	for code := range tlswire.AlertDescription(255) {
		for _, e := range s.Expect {
			if e.Alert == code.String() {
				codes[code] = true
			}
		}
	}
	for line := range strings.Lines(measured) {
		if !strings.HasPrefix(line, "| "+s.Name+" |") {
			continue
		}
		for _, number := range regexp.MustCompile(`\((\d+)\)`).FindAllStringSubmatch(line, -1) {
			if code, err := strconv.ParseUint(number[1], 10, 8); err == nil {
				codes[tlswire.AlertDescription(code)] = true
			}
		}
	}
	if strings.Contains(strings.Join(s.Says["Java"], " "), "PKIX path building failed") {
		codes[tlswire.AlertCertificateUnknown] = true
	}
	return slices.Sorted(maps.Keys(codes))
}

// alertMessages returns how Go, OpenSSL, Java, GnuTLS and Firefox report an
// alert.
func alertMessages(code tlswire.AlertDescription) []string {
	name := code.String()
	library := "tlsv1 "
	switch {
	case code >= tlswire.AlertCertificateRequired && code != tlswire.AlertNoApplicationProtocol:
		library = "tlsv13 "
	case code < tlswire.AlertUnknownCA:
		library = "sslv3 "
	}
	return append([]string{tls.AlertError(code).Error(), library + "alert " + name, "ssl tls alert " + name, "received fatal alert " + name}, others[code]...)
}

// others are how GnuTLS and Firefox (NSS) report alerts.
var others = map[tlswire.AlertDescription][]string{
	tlswire.AlertHandshakeFailure:       {"Handshake failed", "SSL_ERROR_HANDSHAKE_FAILURE_ALERT"},
	tlswire.AlertBadCertificate:         {"Certificate is bad", "SSL_ERROR_BAD_CERT_ALERT"},
	tlswire.AlertCertificateRevoked:     {"Certificate was revoked", "SSL_ERROR_REVOKED_CERT_ALERT"},
	tlswire.AlertCertificateExpired:     {"Certificate is expired", "SSL_ERROR_EXPIRED_CERT_ALERT"},
	tlswire.AlertCertificateUnknown:     {"SSL_ERROR_CERTIFICATE_UNKNOWN_ALERT"},
	tlswire.AlertUnknownCA:              {"CA is unknown", "SSL_ERROR_UNKNOWN_CA_ALERT"},
	tlswire.AlertProtocolVersion:        {"SSL_ERROR_PROTOCOL_VERSION_ALERT"},
	tlswire.AlertCertificateRequired:    {"Certificate is required", "SSL_ERROR_RX_CERTIFICATE_REQUIRED_ALERT", "ERR_BAD_SSL_CLIENT_AUTH_CERT"},
	tlswire.AlertUnsupportedCertificate: {"SSL_ERROR_UNSUPPORTED_CERTIFICATE_TYPE"},
}
