package command

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/text"
)

// The examples that --help ends with.
const (
	appExamples = `In an empty folder, lab up makes certificates from certs.yaml, starts a
server, and calls it with a client, so that the two authenticate each other.

lab up                     until Ctrl-C
lab up --count 3           three exchanges
lab certs list             the certificates
lab client --cert none     be refused
lab explain lab.pcapng     what was said, message by message
lab scenario list          every way to be refused
lab help COMMAND           more of a command`

	upExamples = `lab up                            a call every 5 seconds, until Ctrl-C
lab up --count 3 --json           three exchanges, for a program to read
lab up --tls 1.2 --http 2         only TLS 1.2, and HTTP/2
lab up --brief                    one line an exchange
lab up --addr 127.0.0.1:9443      on another port
SSLKEYLOGFILE=~/keys.log lab up   secrets into another file`

	serverExamples = `lab server                        on 127.0.0.1:8443, for clients of client-ca
lab server --client-ca server-ca  for clients of another CA
lab server --cert api.pem --key api.key --client-ca ca.pem
                                  with your own certificates
lab server --addr 0.0.0.0:8443    for other machines too
lab server --scenario NAME --blind
                                  a riddle: nothing tells what is wrong
curl --cacert certs/server-ca.pem --cert certs/client.pem \
  --key certs/client-key.pem https://localhost:8443/`

	clientExamples = `lab client                              one call to https://localhost:8443/
lab client --cert none                  without a certificate
lab client --cert server                with one that is not for clients
lab client --cert me.pem --key me.key --ca ca.pem --url https://api.test/
                                        with your own certificates
lab client --url https://127.0.0.1:8443/tls --server-name localhost
lab client --url https://example.org/ --addr 127.0.0.1:8443
                                        there, by the name of example.org
lab client --count 0 --interval 1s      again and again, until Ctrl-C`

	explainExamples = `lab explain lab.pcapng                 every kind of connection as a ladder
lab explain lab.pcapng --list          one line a connection
lab explain lab.pcapng --stream 2 --verbose
                                       one, with all fields and bytes
lab explain dump.pcap --keylog k.log   of tcpdump, with keys from elsewhere
lab up --capture - | lab explain -     while it happens`

	execExamples = `lab exec -- curl https://example.com/       keys of curl in keys.log
lab exec --keylog app.log -- ./app.py       in another file
lab exec --capture x.pcapng -- curl --cacert certs/server-ca.pem \
  --cert certs/client.pem --key certs/client-key.pem https://localhost:8443/
lab exec --capture x.pcapng --tap 127.0.0.1:9443=127.0.0.1:8443 -- \
  openssl s_server -accept 8443 -cert certs/server.pem \
  -key certs/server-key.pem`

	generateExamples = `lab certs generate              make what certs.yaml asks for
lab certs generate --dry-run    what would be made, and why`

	regenerateExamples = `lab certs regenerate             all
lab certs regenerate client      one
lab certs regenerate server-ca   a CA, and so all that it issued`

	listExamples = `lab certs list
lab certs list --json   for a program to read`

	showExamples = `lab certs show server`

	verifyExamples = `lab certs verify   exit status 1, and why, at the first fault`

	exportExamples = `lab certs export client --format p12           for browsers and Java
lab certs export client --format p12-legacy    for the keychain of macOS and
                                               iOS, and for old programs
lab certs export server-ca --format java-truststore
lab certs export client --format pem-bundle      in one PEM file
eval "$(lab certs export client --format env)"   $LAB_CERT, $LAB_KEY, $LAB_CA

p12 has AES and a MAC with SHA-256: for Firefox, Chromium on Linux, Java
from 12, OpenSSL from 1.1.1, Windows from 10 (1809) and Server 2019. macOS
and iOS refuse it ("wrong password"), as do older Java and Windows. All of
them take p12-legacy, which has 3DES and a MAC with SHA-1, and protects less.`

	browserExamples = `lab browser                                  the lab's own page, as client
lab browser --firefox                        with Firefox
lab browser --cert none                      be refused
lab browser --headless --screenshot lab.png  a picture, without a window
lab browser https://localhost:9443/tls       another URL`

	scenarioListExamples = `lab scenario list
lab scenario list "SSL certificate problem: certificate has expired"
lab scenario list unknown_ca   those that end with an alert, also alert 48
lab scenario list --json       for a program to read`

	scenarioShowExamples = `lab scenario show expired-client                    read it
lab scenario show expired-client >mine.yaml         change it, its name first
lab scenario run ./mine.yaml                        and run it`

	scenarioRunExamples = `lab scenario run expired-client           both sides, in TLS 1.2 and 1.3
lab scenario run no-client-cert --tls 1.3
lab scenario run no-client-cert --brief   without drawing the exchanges
lab scenario run --all                    a line for each
lab scenario run ./mine.yaml              your own
lab server --scenario expired-server      keep one running, for any client`

	completionExamples = `source <(lab completion bash)                    bash
lab completion zsh > "${fpath[1]}/_lab"           zsh
lab completion fish | source                     fish
lab completion powershell | Out-String | iex     PowerShell`
)

// helpTemplate is the library's template for the help of a command, with its
// flags set within a width and its description as examples.
func helpTemplate(c *cli.Command, width int) string {
	return strings.Replace(commandHelp, "FLAGS", flagsHelp(append(slices.Clone(c.Flags), cli.HelpFlag), width), 1)
}

// helpWriter breaks the lines of the library's help that are too wide.
type helpWriter struct {
	text.Printer
	begun []byte // a line that has no end yet
}

func (w *helpWriter) Write(data []byte) (int, error) {
	w.begun = append(w.begun, data...)
	whole := string(w.begun[:bytes.LastIndexByte(w.begun, '\n')+1])
	w.begun = w.begun[len(whole):]
	var help strings.Builder
	for line := range strings.Lines(whole) {
		left := strings.TrimLeft(line, " ")
		for indent := len(line) - len(left); len(line) > w.Width()+1; { // with its line feed
			at := strings.LastIndex(line[:w.Width()+1], " ")
			if at <= indent+2 {
				break
			}
			help.WriteString(line[:at] + "\n")
			line = strings.Repeat(" ", indent+2) + line[at+1:]
		}
		help.WriteString(line)
	}
	_, err := io.WriteString(w.W, help.String())
	return len(data), err
}

// fitExamples breaks the lines of examples that are too wide: a comment stands
// below its command, and a command goes on behind a backslash.
func fitExamples(examples string, width int) string {
	var lines []string
	for line := range strings.SplitSeq(examples, "\n") {
		command, comment, _ := strings.Cut(line, "   ")
		switch {
		case len(line) <= width:
			lines = append(lines, line)
			continue
		case strings.TrimSpace(command) == "":
			command, comment = "", line
		case strings.HasPrefix(command, "lab "):
			lines = append(lines, strings.Join(text.FoldWhole(command, width-2), " \\\n  "))
		default:
			lines = append(lines, text.FoldWhole(command, width)...)
		}
		for _, part := range text.FoldWhole(comment, width-4) {
			lines = append(lines, "    "+part)
		}
	}
	return strings.Join(lines, "\n")
}

// flagsHelp sets flags in two columns, a name and what it is for; where there
// is no room for two, one below the other.
func flagsHelp(flags []cli.Flag, width int) string {
	names, uses := make([]string, len(flags)), make([]string, len(flags))
	widest := 0
	for i, flag := range flags {
		names[i], uses[i], _ = strings.Cut(flag.String(), "\t")
		names[i], _, _ = strings.Cut(names[i], " [ ") // how often is in the use
		uses[i] = strings.Replace(uses[i], " (default: false)", "", 1)
		widest = max(widest, len(names[i]))
	}
	var b strings.Builder
	for i, name := range names {
		column := fmt.Sprintf("   %-*s", widest+3, name)
		if width < text.Usual {
			b.WriteString("   " + name + "\n")
			column = strings.Repeat(" ", 8)
		}
		b.WriteString(column + strings.Join(text.FoldWhole(uses[i], width-len(column)), "\n"+strings.Repeat(" ", len(column))) + "\n")
	}
	return b.String()
}

const commandHelp = `NAME:
   {{template "helpNameTemplate" .}}

USAGE:
   {{.HelpName}}{{if .VisibleFlags}} [options]{{end}}{{if .ArgsUsage}} {{.ArgsUsage}}{{end}}

OPTIONS:
FLAGS{{if .Description}}
EXAMPLES:
   {{template "descriptionTemplate" .}}
{{end}}`
