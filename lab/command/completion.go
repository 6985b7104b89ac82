package command

import (
	"cmp"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/probe"
	"mtlslab.example/lab/lab/probe/mirror"
	"mtlslab.example/lab/lab/scenario"
	"mtlslab.example/lab/lab/selection"
	"mtlslab.example/lab/lab/starttls"
)

const completionExamples = `source <(lab completion bash)                    bash
lab completion zsh > "${fpath[1]}/_lab"           zsh
lab completion fish | source                     fish
lab completion powershell | Out-String | iex     PowerShell`

func (p *Program) completionCommand() *cli.Command {
	return &cli.Command{
		Name:        "completion",
		Category:    takeElsewhere,
		Usage:       "print a script that completes lab's commands in a shell",
		ArgsUsage:   "bash|zsh|fish|powershell",
		Description: completionExamples,
		Action: func(c *cli.Context) error {
			script, ok := completionScripts[c.Args().First()]
			if !ok || c.Args().Len() != 1 {
				return &usageError{command: commandName(c), problem: "lab completion takes one of bash, zsh, fish, powershell"}
			}
			_, err := io.WriteString(p.results, script)
			return err
		},
		BashComplete: func(*cli.Context) { p.complete("bash", "zsh", "fish", "powershell") },
	}
}

// complete offers words to the shell.
func (p *Program) complete(words ...string) {
	for _, word := range words {
		p.stdout().Line(word)
	}
}

// completeNames completes flags and, in place of an argument, the names of the
// certificates.
func (p *Program) completeNames(c *cli.Context) {
	cli.DefaultCompleteWithFlags(c.Command)(c)
	for _, name := range folderOf(c).certificateNames(func(bool) bool { return true }) {
		p.complete(name)
	}
}

// completeValue prints the values of the flag that args end with, or begin to
// give one to after "=", and reports whether that is a flag that takes one. It
// prints none where the value is a file, which shells know better.
func (p *Program) completeValue(app *cli.App, args []string) bool {
	var command *cli.Command
	commands, given := app.Commands, map[string]string{"dir": os.Getenv("LAB_DIR")}
	for i := 0; i < len(args); i++ {
		arg, last := args[i], i == len(args)-1
		if sub := findCommand(commands, arg); sub != nil {
			command, commands = sub, sub.Subcommands
			continue
		}
		if arg == "--" || command != nil && command.Name == "exec" && arg[:min(1, len(arg))] != "-" {
			return false // what follows is not lab's
		}
		if command != nil && command.Name == "probe" { // which is lab probe server
			command, commands = findCommand(commands, "server"), nil
		}
		name, value, joined := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch {
		case len(arg) < 2 || arg[0] != '-' || command == nil || !takesValue(command, name):
		case last:
			prefix := ""
			if joined {
				prefix = strings.TrimSuffix(arg, value)
			}
			for _, v := range flagValues(command.Name, name, folder(cmp.Or(given["dir"], "."))) {
				p.complete(prefix + v)
			}
			return true
		case joined:
			given[name] = value
		default:
			i++
			given[name] = args[i]
		}
	}
	return false
}

// takesValue reports whether the command has such a flag that is followed by a
// value.
func takesValue(command *cli.Command, name string) bool {
	return slices.ContainsFunc(command.Flags, func(f cli.Flag) bool {
		isBool := isSwitch(f)
		return !isBool && slices.Contains(f.Names(), name)
	})
}

// flagValues are the values that a flag of the command has in the folder f, as
// far as they can be listed. What does not begin like one of them, shells take
// for a file.
func flagValues(command, flag string, f folder) []string {
	switch flag {
	case "format":
		return formatNames()
	case "tls":
		return []string{"1.2", "1.3"}
	case "http":
		return []string{"1.1", "2"}
	case "crl":
		return []string{string(lab.CRLRequire), string(lab.CRLSoft), string(lab.CRLOff)}
	case "scenario":
		return scenarioNames()
	case "proxy-protocol":
		return []string{"1", "2"}
	case "starttls":
		return starttls.Names(command == "server")
	case "where":
		return whereValues()
	case "only", "skip":
		if command == "client" {
			return faultNames(mirror.Faults())
		}
		return probe.CaseNames()
	case "server", "client":
		return f.certificateNames(func(bool) bool { return true })
	case "ca", "client-ca", "server-ca", "ca-key", "client-ca-key":
		return f.certificateNames(func(isCA bool) bool { return isCA })
	case "cert", "client-cert", "key", "client-key", "revoked":
		names := f.certificateNames(func(bool) bool { return true })
		if isClients := command == "client" || command == "browser"; flag == "client-cert" || flag == "cert" && isClients {
			names = append(names, "none")
		}
		return names
	}
	return nil
}

// whereValues are the conditions of --where that can be listed.
func whereValues() (values []string) {
	for _, key := range selection.Keys() {
		values = append(values, key+"=")
		for _, value := range selection.Values(key) {
			values = append(values, key+"="+value)
		}
	}
	return values
}

func scenarioNames() (names []string) {
	all, _ := scenario.All()
	for _, s := range all {
		names = append(names, s.Name)
	}
	return names
}

// certificateNames are the names of the certificates that are wanted: of the
// manifest or, where there is none, of the files.
func (f folder) certificateNames(wanted func(isCA bool) bool) (names []string) {
	if m, err := certgen.Read(f.manifest()); err == nil {
		for _, c := range m.Certificates {
			if wanted(c.CA) {
				names = append(names, c.Name)
			}
		}
		return names
	}
	files, _ := certgen.Names(f.certs())
	for _, name := range files {
		if c, err := certgen.LoadCertificates(f.certs(), name); err == nil && wanted(c[0].IsCA) {
			names = append(names, name)
		}
	}
	return names
}

// completionFlag is the library's hidden flag that asks for completion.
const completionFlag = "--generate-bash-completion"

// Each script asks lab itself. None lets the shell expand what lab answers, in
// which there are names that may be somebody else's.
var completionScripts = map[string]string{
	"bash": `_lab() {
  local cur=${COMP_WORDS[COMP_CWORD]} word words=()
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word == = ]] || words+=("$word")
  done
  [[ $cur == = ]] && cur=
  [[ $cur == -* ]] && words+=("$cur")
  COMPREPLY=()
  while IFS= read -r word; do
    [[ $word == "$cur"* ]] || continue
    printf -v word %q "$word"
    COMPREPLY+=("$word")
  done < <("${COMP_WORDS[0]}" "${words[@]}" --generate-bash-completion 2>/dev/null)
}
complete -o default -F _lab lab
`,
	"zsh": `#compdef lab
_lab() {
  local -a given found
  given=("${(@Q)words[2,CURRENT-1]}")
  [[ ${words[CURRENT]} == -* ]] && given+=("${words[CURRENT]}")
  found=(${(f)"$(${words[1]} "${given[@]}" --generate-bash-completion 2>/dev/null)"})
  if (( $#found )); then compadd -a found; else _files; fi
}
compdef _lab lab
`,
	"fish": `function __lab_complete
    set -l given (commandline -opc)
    set -l current (commandline -ct)
    string match -q -- '-*' $current; and set -a given $current
    set -l found ($given --generate-bash-completion 2>/dev/null)
    if set -q found[1]
        printf '%s\n' $found
    else
        __fish_complete_path $current
    end
end
complete -c lab -f -a '(__lab_complete)'
`,
	"powershell": `Register-ArgumentCompleter -Native -CommandName lab -ScriptBlock {
    param($word, $ast, $position)
    $given = @($ast.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
    if ($word -and -not $word.StartsWith('-')) { $given = @($given | Select-Object -SkipLast 1) }
    & lab @given --generate-bash-completion 2>$null |
        Where-Object { $_.StartsWith($word) } |
        ForEach-Object {
            $text = if ($_ -match '^[\w./:=+-]+$') { $_ } else { "'" + $_.Replace("'", "''") + "'" }
            [System.Management.Automation.CompletionResult]::new($text, $_, 'ParameterValue', $_)
        }
}
`,
}
