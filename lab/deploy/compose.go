package deploy

import (
	"encoding/json"
	"strings"
	"unicode"
)

// Compose are the values of a compose file.
type Compose struct {
	Image string
	// Certs is the text of certs.yaml. Its server has the name "server".
	Certs string
}

// YAML returns the compose file.
func (c Compose) YAML() ([]byte, error) { return execute("compose.yaml", c) }

// Manifest is Certs as a YAML value. To compose, "$$" is a dollar sign.
func (c Compose) Manifest() (string, error) {
	text := strings.ReplaceAll(strings.TrimPrefix(c.Certs, "\ufeff"), "$", "$$")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsGraphic(r) || r == '\u2028' || r == '\u2029' }) {
		quoted, err := json.Marshal(text) // tabs, for one
		return string(quoted), err
	}
	return "|2\n" + indent(text, 6), nil
}

// indent puts n blanks before each line of a text that is not empty.
func indent(text string, n int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line != "\n" {
			b.WriteString(strings.Repeat(" ", n))
		}
		b.WriteString(line)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
