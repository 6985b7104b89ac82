package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/text"
)

// manual returns the manual page lab(1) in roff, made from the definitions of
// the commands.
func manual(commands []*cli.Command) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "%% \"LAB\" \"1\" \"\" %q \"\"\n\n", "lab "+version())
	b.WriteString("# NAME\n\nlab - see and understand mutual TLS\n\n" +
		"# SYNOPSIS\n\n**lab** *COMMAND* [*options*] [*arguments*]\n\n" +
		"# DESCRIPTION\n\n" + markdown(welcome) + "\n\n# COMMANDS\n\n")
	b.WriteString(manualOf("lab", commands) + manualEnd)
	return md2man.Render([]byte(b.String()))
}

// manualOf describes the commands below path, and those below them.
func manualOf(path string, commands []*cli.Command) string {
	var b strings.Builder
	for _, c := range commands {
		if c.Hidden {
			continue
		}
		name := path + " " + c.Name
		if len(c.Subcommands) > 0 {
			b.WriteString(manualOf(name, c.Subcommands))
			continue
		}
		fmt.Fprintf(&b, "## %s %s\n\n%s.\n\n", name, markdown(c.ArgsUsage), markdown(c.Usage))
		for _, flag := range append(slices.Clone(c.Flags), cli.HelpFlag) {
			_, use, _ := strings.Cut(flag.String(), "\t")
			use = strings.Replace(use, " (default: false)", "", 1)
			fmt.Fprintf(&b, "**%s**\n: %s\n\n", markdown(flagNames(flag)), markdown(use))
		}
		if c.Description != "" {
			fmt.Fprintf(&b, "Examples:\n\n```\n%s\n```\n\n", c.Description)
		}
	}
	return b.String()
}

// markdown returns text with what Markdown would take for its own escaped.
func markdown(text string) string { return markup().ReplaceAllString(text, `\$0`) }

var markup = text.Pattern("[\\\\`*_{}\\[\\]<>#|~]")

const manualEnd = `# EXIT STATUS

**0**
: done; of lab up and lab client: every exchange was accepted

**1**
: failed

**2**
: wrong usage

**3**
: of lab probe: there is no judgement

lab exec ends with the status of its program.

# FILES

certs.yaml
: which certificates there are: who trusts whom

certs/
: the certificates, their private keys and revocation lists

keys.log
: the secrets of the TLS connections, for Wireshark (SSLKEYLOGFILE)

lab.pcapng
: the capture, with its keys, so that it opens decrypted

# SEE ALSO

**openssl**(1), **curl**(1), **wireshark**(1), **tshark**(1)
`
