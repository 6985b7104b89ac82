package command

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/browser"
	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/text"
)

// This file has what lab says to people besides results, help and hints: talk
// and errors. Lower case, no full stop; an error says what is wrong, and its
// hint, in hints.go, what to type.

// environmentUse shows how the exported variables are used, with PORT for the
// server's port.
const environmentUse = `# curl --cacert "$LAB_CA" --cert "$LAB_CERT" --key "$LAB_KEY" https://localhost:PORT/
# wget -qO- --ca-certificate="$LAB_CA" --certificate="$LAB_CERT" --private-key="$LAB_KEY" https://localhost:PORT/
# openssl s_client -CAfile "$LAB_CA" -cert "$LAB_CERT" -key "$LAB_KEY" -connect localhost:PORT
`

// browserHint names what to install.
func browserHint(err *browser.NotFoundError) string {
	switch {
	case err.Snap != "":
		return "install a browser that is not a snap, from its maker or as a package of the system"
	case runtime.GOOS == "darwin" || runtime.GOOS == "windows":
		return "install Firefox; other browsers have certificates only from your own key store, which lab leaves alone"
	}
	return "install chromium or firefox"
}

// sayBrowser says what is opened, with which certificate, and where its keys
// go.
func (p *Program) sayBrowser(b *browser.Browser, o browser.Options, certificate string) {
	as := "with the certificate " + certificate
	if o.PKCS12 == nil {
		as = "without a certificate"
	}
	p.say("%s opens %s %s", b.Family, o.URL, as)
	if o.KeyLog != "" {
		p.say("keys in %s", o.KeyLog)
	}
}

// errCaptureOnTerminal refuses to write a capture to a terminal.
var errCaptureOnTerminal = errors.New("--capture - writes the capture to stdout, which is a terminal")

// wiresharkPort needs no -d in Wireshark; others do.
var wiresharkPort = strconv.Itoa(capture.WiresharkPort)

// portOf is the port of a TCP address.
func portOf(addr net.Addr) string { return strconv.Itoa(addr.(*net.TCPAddr).Port) }

// sayMade says what was made, by its names as long as they are few.
func (p *Program) sayMade(plan *certgen.Plan, f folder) {
	if len(plan.Steps) == 0 {
		return
	}
	const few = 8
	var names []string
	certificates := 0
	for i, step := range plan.Steps {
		name := step.Name
		if step.Kind == certgen.KindCertificate {
			certificates++
		} else {
			name = fmt.Sprintf("the %s of %s", step.Kind, step.Name)
		}
		if i < few {
			names = append(names, name)
		}
	}
	if len(plan.Steps) > few {
		names = append(names, "...")
	}
	what := "made"
	if certificates == len(plan.Steps) {
		what = "made " + text.Counted(certificates, "certificate")
	}
	p.say("%s in %s: %s", what, f.certs(), strings.Join(names, ", "))
}

// sayNewRoots says which CAs are no longer those that others trust. With dry
// they would be.
func (p *Program) sayNewRoots(plan *certgen.Plan, f folder, dry bool) {
	if len(plan.NewRoots) == 0 {
		return
	}
	var files []string
	for _, name := range plan.NewRoots {
		files = append(files, f.file(name, ".pem"))
	}
	is := "has a new key"
	if len(files) > 1 {
		is = "have new keys"
	}
	if dry {
		is = strings.Replace("would "+is, "has", "have", 1)
	}
	p.say("%s %s: what trusts the old needs the new %s, and hand-outs have to be made again",
		text.JoinedFew(plan.NewRoots, fewNames, "and"), is, text.JoinedFew(files, fewNames, "and"))
}

// typedURL is the URL of a server to type: one on every address is localhost.
func (a *labRun) typedURL(addr net.Addr) string {
	scheme := "https://"
	if protocol := a.settings.StartTLS; protocol != nil {
		scheme = protocol.Name + "://"
	}
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return scheme + "localhost:" + portOf(addr)
	}
	return scheme + addr.String()
}

// decodeAs returns the option that has Wireshark find TLS on a port, and a blank
// before it, or "" if it does so by itself.
func (a *labRun) decodeAs(port string) string {
	switch protocol := a.settings.StartTLS; {
	case protocol != nil && protocol.Name == "postgres":
		return " -d tcp.port==" + port + ",pgsql"
	case protocol != nil:
		return " -d tcp.port==" + port + "," + protocol.Name
	case port == wiresharkPort:
		return ""
	}
	return " -d tcp.port==" + port + ",tls"
}

// sayUp says where lab up is and how to look inside.
func (a *labRun) sayUp(addr net.Addr, interval fmt.Stringer, count int) {
	how := fmt.Sprintf("a call every %v, until Ctrl-C", interval)
	if count > 0 {
		how = text.Counted(count, "call")
	}
	where := a.typedURL(addr)
	if a.scenario != nil && a.scenario.Server.NotTLS != "" {
		where = addr.String()
	}
	a.say("server and client on %s: %s", where, how)
	a.sayKeys(addr)
	a.sayCapture(portOf(addr))
}

// untilWhen says when a server ends.
func untilWhen(count int) string {
	if count > 0 {
		return "until it has seen " + text.Counted(count, "exchange")
	}
	return "until Ctrl-C"
}

// sayServer says what lab server asks for.
func (a *labRun) sayServer(addr net.Addr, certificate, clientCA string, count int) {
	if a.scenario != nil {
		a.sayScenarioServer(addr, count)
	} else {
		only := ""
		if len(a.settings.Allow) > 0 {
			only = " that are " + text.Joined(a.settings.Allow, "or")
		}
		a.say("server on %s shows %s and lets in clients of %s%s, %s", a.typedURL(addr), certificate, clientCA, only, untilWhen(count))
	}
	a.sayKeys(addr)
	a.sayCapture(portOf(addr))
}

// sayCapture prints the command that opens the capture of those ports.
func (a *labRun) sayCapture(ports ...string) {
	a.sayCaptureOf("with its keys, so that it opens decrypted", ports...)
}

// sayCaptureOf does so, and says which keys the capture has.
func (a *labRun) sayCaptureOf(keys string, ports ...string) {
	if a.capture == nil {
		return
	}
	if a.captured == "-" {
		a.say("capture on stdout, %s", keys)
		return
	}
	line := "wireshark"
	for _, port := range ports {
		line += a.decodeAs(port)
	}
	line += " "
	if info, err := os.Stat(a.captured); err == nil && info.Mode().Type() == fs.ModeNamedPipe {
		line += "-k -i "
	}
	a.say("capture in %s, %s:\n  %s%s", a.captured, keys, line, commandWord(a.captured))
}

// sayKeys prints the command that shows the traffic decrypted.
func (a *labRun) sayKeys(addr net.Addr) {
	if a.keys == nil {
		return
	}
	path, err := filepath.Abs(a.keys.Name())
	if err != nil {
		path = a.keys.Name()
	}
	port := portOf(addr)
	option := `"tls.keylog_file:` + path + `"`
	if commandWord(path) != path {
		option = commandWord("tls.keylog_file:" + path)
	}
	line := fmt.Sprintf(`wireshark -k -i %s -f "tcp port %s" -o %s`, loopback(), port, option) + a.decodeAs(port)
	a.say("keys in %s; to see the traffic decrypted:\n  %s", a.keys.Name(), line)
}

// assignment is a shell line that puts value into a variable of the environment.
func assignment(name, value string) string {
	if runtime.GOOS == "windows" {
		return "$env:" + name + " = '" + strings.ReplaceAll(value, "'", "''") + "'\n"
	}
	return "export " + name + "=" + text.ShellQuoted(value) + "\n"
}

// commandWord is s as one word of a command line to copy: a folder's name must
// not be a command of its own.
func commandWord(s string) string {
	if runtime.GOOS == "windows" { // of cmd and PowerShell alike, in which file names have no double quotes
		if strings.ContainsAny(s, " &|<>^%$`'();,") {
			return `"` + s + `"`
		}
		return s
	}
	return text.ShellWord(s)
}

// loopback is the name of the loopback interface for Wireshark.
func loopback() string {
	switch runtime.GOOS {
	case "windows":
		return `\Device\NPF_Loopback`
	case "linux":
		return "lo"
	}
	return "lo0"
}
