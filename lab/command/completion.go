package command

import (
	"io"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/certgen"
)

func (p *Program) completionCommand() *cli.Command {
	return &cli.Command{
		Name:        "completion",
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
	m, err := certgen.Read(folderOf(c).manifest())
	if err != nil {
		return
	}
	for _, certificate := range m.Certificates {
		p.complete(certificate.Name)
	}
}

// Each script asks lab itself, with its hidden flag --generate-bash-completion.
var completionScripts = map[string]string{
	"bash": `_lab() {
  local words=("${COMP_WORDS[@]:1:COMP_CWORD-1}")
  [[ ${COMP_WORDS[COMP_CWORD]} == -* ]] && words+=("${COMP_WORDS[COMP_CWORD]}")
  COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" "${words[@]}" --generate-bash-completion 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _lab lab
`,
	"zsh": `#compdef lab
_lab() {
  local -a given found
  given=("${(@)words[2,CURRENT-1]}")
  [[ ${words[CURRENT]} == -* ]] && given+=("${words[CURRENT]}")
  found=("${(@f)$(${words[1]} "${given[@]}" --generate-bash-completion 2>/dev/null)}")
  compadd -a found
}
compdef _lab lab
`,
	"fish": `function __lab_complete
    set -l given (commandline -opc)
    set -l current (commandline -ct)
    string match -q -- '-*' $current; and set -a given $current
    $given --generate-bash-completion 2>/dev/null
end
complete -c lab -f -a '(__lab_complete)'
`,
	"powershell": `Register-ArgumentCompleter -Native -CommandName lab -ScriptBlock {
    param($word, $ast, $position)
    $given = @($ast.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
    if ($word -and -not $word.StartsWith('-')) { $given = @($given | Select-Object -SkipLast 1) }
    & lab @given --generate-bash-completion 2>$null |
        Where-Object { $_ -like "$word*" } |
        ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
}
`,
}
