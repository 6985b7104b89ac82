package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// manual returns the manual page lab(1) in roff (man(7)), made from the
// definitions of the commands.
func manual(commands []*cli.Command) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, ".nh\n.TH LAB 1 \"\" \"lab %s\"\n", roff(version()))
	b.WriteString(".SH NAME\nlab \\- see and understand mutual TLS\n" +
		".SH SYNOPSIS\n\\fBlab\\fP \\fICOMMAND\\fP [\\fIoptions\\fP] [\\fIarguments\\fP]\n" +
		".SH DESCRIPTION\n" + roff(welcome) + "\n.SH COMMANDS\n")
	b.WriteString(manualOf("lab", commands) + manualEnd)
	return []byte(b.String())
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
		fmt.Fprintf(&b, ".SH %s\n%s.\n", roff(strings.TrimSpace(name+" "+c.ArgsUsage)), roff(c.Usage))
		for _, flag := range append(slices.Clone(c.Flags), cli.HelpFlag) {
			_, use, _ := strings.Cut(flag.String(), "\t")
			use = strings.Replace(use, " (default: false)", "", 1)
			fmt.Fprintf(&b, ".TP\n\\fB%s\\fP\n%s\n", roff(flagNames(flag)), roff(strings.TrimSpace(use)))
		}
		if c.Description != "" {
			fmt.Fprintf(&b, ".PP\nExamples:\n.PP\n.EX\n%s\n.EE\n", roff(c.Description))
		}
	}
	return b.String()
}

// roff returns text that roff sets as it is: - is the character of options, and
// no line is a request.
func roff(text string) string {
	lines := strings.Split(strings.NewReplacer(`\`, `\e`, `-`, `\-`).Replace(text), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

const manualEnd = `.SH EXIT STATUS
.TP
\fB0\fP
done; of lab up and lab client: every exchange was accepted
.TP
\fB1\fP
failed
.TP
\fB2\fP
wrong usage
.TP
\fB3\fP
of lab probe: there is no judgement
.PP
lab exec ends with the status of its program.
.SH FILES
.TP
\fBcerts.yaml\fP
which certificates there are: who trusts whom
.TP
\fBcerts/\fP
the certificates, their private keys and revocation lists
.TP
\fBkeys.log\fP
the secrets of the TLS connections, for Wireshark (SSLKEYLOGFILE)
.TP
\fBlab.pcapng\fP
the capture, with its keys, so that it opens decrypted
.SH SEE ALSO
\fBopenssl\fP(1), \fBcurl\fP(1), \fBwireshark\fP(1), \fBtshark\fP(1)
`
