package command

import (
	"runtime"
	"strings"

	"mtlslab.example/lab/lab/text"
)

// inShell returns examples and hints, which are written for a POSIX shell, as
// people type them in the shell of this system.
func inShell(lines string) string {
	if runtime.GOOS == "windows" {
		return powerShell(lines)
	}
	return lines
}

// powerShell returns lines for a POSIX shell as they are in PowerShell.
func powerShell(lines string) string {
	lines = otherLines.Replace(lines)
	lines = localPath().ReplaceAllStringFunc(lines, func(path string) string { return strings.ReplaceAll(path, "/", `\`) })
	return placeholder().ReplaceAllString(lines, "'$0'")
}

var (
	otherLines = strings.NewReplacer(
		" \\\n", " `\n",
		"SSLKEYLOGFILE=~/keys.log lab up", "$env:SSLKEYLOGFILE='k'; lab up",
		`eval "$(lab certs export client --format env)"   $LAB_CERT, $LAB_KEY, $LAB_CA`,
		"lab certs export client --format env | iex        $env:LAB_CERT and so on",
		"$SSLKEYLOGFILE", "$env:SSLKEYLOGFILE",
		"$LAB_", "$env:LAB_",
		"$TMPDIR", "$env:TMP",
		"journalctl -u app |", "Get-Content app.log |",
		"journalctl -u nginx |", "Get-Content n.log |",
		"/etc/nginx/tls", `C:\nginx\tls`,
		"-- sh -c '...'", "-- cmd /c '...'",
		"curl --cacert", "curl.exe --cacert", // curl alone is a command of PowerShell 5
		"curl -v", "curl.exe -v",
	)
	// What begins like a folder of lab's, or in this folder.
	localPath = text.Pattern(`(?m)(?:^|[ ='"(])(?:\./|certs/|exercises/|testdata/)[\w./-]*`)
	// Braces are code in PowerShell.
	placeholder = text.Pattern(`\{(?:ca|cert|key|url|host|port)\}`)
)
