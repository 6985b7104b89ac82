package scenario

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"sync"

	"mtlslab.example/lab/lab/tlswire"
)

// catalogue is the text of all scenarios, to be searched.
type catalogue struct {
	all      []*Scenario
	messages []*known
	by       map[string][]*known  // messages by their words
	weights  map[string]float64   // of words
	texts    map[*Scenario]string // all words of the documents, each between blanks
}

// known is a message that scenarios say.
type known struct {
	words     []string
	scenarios []*Scenario
	weight    float64                   // of its words together
	needed    float64                   // which part of the weight a message must have
	alert     *tlswire.AlertDescription // that it names; nil: none
	counts    float64                   // how much it counts: 1, or less if it is a line of the table of stacks
}

var builtInCatalogue = sync.OnceValue(func() *catalogue { return newCatalogue(builtIn()) })

func newCatalogue(all []*Scenario) *catalogue {
	c := &catalogue{all: all, by: map[string][]*known{}, weights: map[string]float64{}, texts: map[*Scenario]string{}}
	having, inTable := map[string]map[*Scenario]bool{}, map[string]map[*Scenario]bool{}
	messages := map[string]*known{}
	add := func(s *Scenario, message string, counts float64, having map[string]map[*Scenario]bool) {
		w := words(withoutSurroundings(message))
		key := strings.Join(w, " ")
		if messages[key] == nil {
			messages[key] = &known{words: w, counts: counts}
			messages[key].needed = neededOf(w)
			if alert, ok := AlertIn(message); ok {
				messages[key].alert = &alert
			}
			c.messages = append(c.messages, messages[key])
		}
		if !slices.Contains(messages[key].scenarios, s) {
			messages[key].scenarios = append(messages[key].scenarios, s)
		}
		for _, word := range w {
			if having[word] == nil {
				having[word] = map[*Scenario]bool{}
			}
			having[word][s] = true
		}
	}
	reasons := stacks().reasons()
	for _, s := range all {
		c.texts[s] = " " + strings.Join(words(string(s.Text)), " ") + " "
		for _, said := range s.Says {
			for _, message := range said {
				add(s, message, 1, having)
			}
		}
		for _, r := range reasons[s.Name] {
			for _, line := range r.Says {
				add(s, line, ofTable, inTable)
			}
		}
	}
	for word, in := range inTable { // what a stack prints around each of its lines makes no word common
		c.weights[word] = weight(word, len(in), len(all))
	}
	for word, in := range having {
		c.weights[word] = weight(word, len(in), len(all))
	}
	for _, m := range c.messages {
		for word := range setOf(strings.Join(m.words, " ")) {
			m.weight += c.weights[word]
			c.by[word] = append(c.by[word], m)
		}
	}
	return c
}

// ofTable is how much a line of the table of stacks counts. Rare faults have
// lines there that common ones have, too.
const ofTable = 0.75

// most is which part of a message must be known, or of a known message be
// there.
const most = 0.6

// neededOf returns that part for a known message: of a few words all.
func neededOf(words []string) float64 {
	if saying(words) <= 3 {
		return 0.95
	}
	return most
}

// saying returns how many of some words say something.
func saying(words []string) (n int) {
	for word := range setOf(strings.Join(words, " ")) {
		if !fillers[word] {
			n++
		}
	}
	return n
}

// weight returns how much a word counts that n scenarios of all have.
func weight(word string, n, all int) float64 {
	w := math.Log(1 + float64(all)/float64(n))
	switch {
	case fillers[word]:
		return w * 0.2
	case sides[word]:
		return max(w, 2.5)
	}
	return w
}

// sides are words that say which side a message is about.
var sides = setOf("client clients server upstream")

// unknownWeight is what a word counts that no message has: it may be a name.
const unknownWeight = 2.0

// least is the score below which a likeness is chance: about that of one word
// that a quarter of the scenarios have.
const least = 1.5

// said returns the scores of the scenarios that say something like a message.
// It must be most of what they say, or most of the message, and about no other
// alert than the one that the message names, if any. A line among others must
// say more than words that are in some message.
func (c *catalogue) said(message []string, alert *tlswire.AlertDescription, isAmongOthers bool) map[*Scenario]float64 {
	set := setOf(strings.Join(message, " "))
	total := 0.0
	candidates, needed := map[*known]float64{}, neededOf(message)
	for word := range set {
		w, ok := c.weights[word]
		if !ok && !fillers[word] {
			w = unknownWeight
		}
		total += w
		if fillers[word] {
			continue
		}
		for _, m := range c.by[word] {
			candidates[m] = 0
		}
	}
	scores := map[*Scenario]float64{}
	for m := range candidates {
		if alert != nil && m.alert != nil && *alert != *m.alert {
			continue
		}
		matched, onlyRoles := 0.0, true
		for word := range setOf(strings.Join(m.words, " ")) {
			if set[word] {
				matched += c.weights[word]
				onlyRoles = onlyRoles && (fillers[word] || word == "client" || word == "server" || !isCode(word))
			}
		}
		if onlyRoles && len(message) > 2 {
			continue // both stand in any log
		}
		ofKnown, ofMessage := matched/m.weight, matched/total
		if len(m.words) == 1 && isStatus(m.words[0]) && ofMessage < needed {
			continue // a number may be anything
		}
		if ofKnown < m.needed && ofMessage < needed || isAmongOthers && m.isByChance(message, ofKnown) {
			continue
		}
		cover := max(ofKnown, ofMessage)
		score := matched * m.counts * cover * cover * (0.7 + 0.3*inOrder(m.words, message))
		if score < least {
			continue
		}
		for _, s := range m.scenarios {
			scores[s] = max(scores[s], score)
		}
	}
	return scores
}

// isByChance reports whether a line of a text has too little of a known message
// to be it: of few words it must be all, and of one word the line must be about
// TLS.
func (m *known) isByChance(line []string, ofKnown float64) bool {
	switch {
	case len(line) > longest: // a list, in which most words are somewhere
		return saying(m.words) < 3 || inOrder(m.words, line) < 0.5
	case saying(m.words) < 2:
		return !aboutTLS().MatchString(strings.Join(line, " "))
	case saying(line) < 4:
		return ofKnown < m.needed
	}
	return false
}

// isAbout reports whether a line may be worth a closer look: it says something
// that a scenario says, or has to do with TLS.
func (c *catalogue) isAbout(line string) bool {
	said := words(line)
	return aboutTLS().MatchString(strings.Join(said, " ")) || len(c.said(said, nil, true)) > 0
}

// inOrder returns which part of the pairs of neighbours in a known message are
// neighbours in the other, too.
func inOrder(known, message []string) float64 {
	if len(known) < 2 {
		return 1
	}
	pairs := map[[2]string]bool{}
	for i := 1; i < len(message); i++ {
		pairs[[2]string{message[i-1], message[i]}] = true
	}
	n := 0
	for i := 1; i < len(known); i++ {
		if pairs[[2]string{known[i-1], known[i]}] {
			n++
		}
	}
	return min(1, float64(n)/float64(min(len(known), max(2, len(message)))-1))
}

// ofAlert scores the scenarios in which an alert is sent.
func (c *catalogue) ofAlert(alert tlswire.AlertDescription, isJavas bool, excluded string, add func(*Scenario, float64)) {
	g, _ := GuideTo(alert)
	if isJavas {
		g.FromServer = slices.Concat([]string{"no-client-cert", "untrusted-client-withheld"}, g.FromServer)
	}
	full := 0.0
	for _, word := range words("alert " + alert.String()) {
		full += cmp.Or(c.weights[word], 3)
	}
	for i, names := range [][]string{g.FromServer, g.FromClient} {
		place := 0
		if i == 1 && (isJavas || alert != tlswire.AlertBadCertificate) && alert != tlswire.AlertCertificateUnknown { // which clients send most
			place++
		}
		for _, name := range names {
			i := slices.IndexFunc(c.all, func(s *Scenario) bool { return s.Name == name })
			if i < 0 || c.all[i].Side == excluded {
				continue
			}
			add(c.all[i], full*(1-ofAlert*float64(place))/(1+common*commonness(name)))
			place++
		}
	}
}

// mentioned returns the scores of the scenarios whose documents have these
// words in them, one after the other. The last may be the beginning of a long
// one.
func (c *catalogue) mentioned(message []string) map[*Scenario]float64 {
	scores := map[*Scenario]float64{}
	phrase := " " + strings.Join(message, " ")
	if !slices.ContainsFunc(message, func(word string) bool { return !fillers[word] }) {
		return scores
	}
	if len(message[len(message)-1]) < 4 {
		phrase += " "
	}
	for _, s := range c.all {
		if strings.Contains(c.texts[s], phrase) {
			scores[s] = 1
		}
	}
	return scores
}

// knows reports whether all words are in documents.
func (c *catalogue) knows(message []string) bool { return len(c.mentioned(message)) > 0 }
