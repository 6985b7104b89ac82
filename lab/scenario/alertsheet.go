package scenario

import (
	"fmt"
	"strings"
	"sync"

	"mtlslab.example/lab/lab/tlswire"
)

// AlertSheet returns the guides to alerts as a document of one page.
func AlertSheet() string {
	var b strings.Builder
	b.WriteString("# Alerts on one page\n\nAn alert says why its sender ended the connection. The reason stands in the sender's log; the other\n" +
		"side has the alert alone. `lab explain 48` shows one of these, `lab scenario run NAME` lets it\nhappen.\n\n" +
		"| alert | meaning | who says it | where to look first | scenarios |\n|---|---|---|---|---|\n")
	for _, g := range Guides {
		fmt.Fprintf(&b, "| %d %s | %s | %s | %s | %s |\n", g.Alert, g.Alert, g.Alert.Note(), g.SentBy, g.Look, quotedNames(append(append([]string{}, g.FromServer...), g.FromClient...)))
	}
	return b.String()
}

func quotedNames(names []string) string {
	for i, name := range names {
		names[i] = "`" + name + "`"
	}
	return strings.Join(names, " ")
}

// AlertNamed returns the alert of a name or number, such as 48 or unknown_ca.
func AlertNamed(word string) (tlswire.AlertDescription, bool) {
	alert, ok := namedAlerts()[strings.ToLower(strings.TrimSpace(word))]
	return alert, ok
}

// namedAlerts are the alerts that are registered, by name and by number.
var namedAlerts = sync.OnceValue(func() map[string]tlswire.AlertDescription {
	named := map[string]tlswire.AlertDescription{}
	for code := range tlswire.AlertDescription(255) {
		if isRegistered(code) {
			named[code.String()], named[fmt.Sprint(uint8(code))] = code, code
		}
	}
	return named
})
