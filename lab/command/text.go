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
	"mtlslab.example/lab/certgen/yamldoc"
	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/browser"
	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/private"
	"mtlslab.example/lab/lab/scenario"
	"mtlslab.example/lab/lab/text"
)

// This file has what lab says to people besides results and help: talk, errors
// and hints. Lower case, no full stop; an error says what is wrong, and the
// hint what to type.

// hint says what to type after an error, or nothing.
func hint(err error) string {
	var (
		usage    *usageError
		manifest *yamldoc.Error
		way      *certgen.InTheWayError
		foreign  *certgen.ForeignError
		survey   *certgen.SurveyError
		file     *certfile.FileError
		pair     *certfile.MismatchError
		unnamed  *unnamedError
		byName   *defaultNameError
		missing  *certgen.MissingError
		damaged  *certgen.DamagedError
		mismatch *certgen.KeyMismatchError
		unknown  *certgen.UnknownNameError
		issue    *certgen.IssueError
		unlike   *certgen.UnfaithfulError
		fault    *certgen.FaultError
		noAnchor *certgen.NoAnchorError
		dial     *lab.DialError
		nobody   *browser.NotFoundError
		noTool   *browser.ToolError
		noStore  *browser.KeyStoreError
		noPage   *browser.NoPageError
		notLog   *keylog.NotKeyLogError
		network  *net.OpError
		format   *capture.FormatError
		nothing  *nothingError
		rsaKey   *rsaKeyError
		lesson   *scenario.UnknownError
		lessons  *noScenarioError
		start    *startError
		taps     *tapError
		unsafe   *private.UnsafeError
		record   *capture.WriteError
	)
	switch {
	case errors.As(err, &usage):
		if usage.hint != "" {
			return usage.hint
		}
		if len(usage.nearest) > 0 {
			return fmt.Sprintf("did you mean %s? %s --help shows all", strings.Join(usage.nearest, " or "), usage.command)
		}
		return usage.command + " --help"
	case errors.As(err, &manifest):
		return manifest.Hint
	case errors.As(err, &way):
		return fmt.Sprintf("lab overwrites only what it wrote itself: move %s away, or add --force (lab up, lab certs), which keeps it in certs/replaced", way.File)
	case errors.As(err, &foreign) && foreign.Manifest != "":
		return "work in another folder with --dir DIR, or write a " + foreign.Manifest + " for what is there; --force replaces it and keeps it in certs/replaced"
	case errors.As(err, &foreign):
		return "move it away, or add --force (lab up, lab certs), which keeps it in certs/replaced"
	case errors.As(err, &file):
		return strings.ReplaceAll(file.Next, "$FILE", commandWord(file.File))
	case errors.As(err, &byName):
		return fmt.Sprintf("lab certs list shows what there is; --%s NAME names another certificate of certs.yaml, or a file", byName.flag)
	case errors.As(err, &unnamed):
		return unnamed.hint()
	case errors.As(err, &survey):
		return "get the right file from where it came from; lab certs list shows what there is"
	case errors.As(err, &missing) && len(nearestOf(missing)) > 0:
		return "did you mean " + strings.Join(nearestOf(missing), " or ") + "? lab certs list shows what there is"
	case errors.As(err, &pair) && pair.Position > 0:
		return "programs want their own certificate first, then the CAs above it: put it at the beginning of " + pair.CertificateFile
	case errors.As(err, &pair), errors.As(err, &mismatch):
		return "a key belongs to a certificate when these two print the same:"
	case errors.As(err, &missing), errors.As(err, &damaged):
		return "lab certs list shows what there is; lab certs generate makes what certs.yaml asks for"
	case errors.As(err, &unknown):
		if len(unknown.Nearest) > 0 {
			return "did you mean " + strings.Join(unknown.Nearest, " or ") + "? lab certs list shows all"
		}
		return "lab certs list shows all"
	case errors.As(err, &lesson) && len(lesson.Nearest) > 0:
		return "did you mean " + strings.Join(lesson.Nearest, " or ") + "? lab scenario list shows all"
	case errors.As(err, &lessons):
		return lessons.hint()
	case errors.As(err, &lesson):
		return "lab scenario list shows all; a file of your own is written ./mine.yaml"
	case errors.As(err, &issue), errors.As(err, &unlike):
		return "change it in certs.yaml, then lab certs generate"
	case errors.As(err, &fault):
		return "lab certs generate makes it right, unless it is not the lab's: then it says so"
	case errors.As(err, &noAnchor):
		return "lab certs list shows who issued whom"
	case errors.As(err, &dial):
		return dialHint(dial)
	case errors.As(err, &nobody):
		return browserHint(nobody)
	case errors.As(err, &noTool):
		return "install libnss3-tools (Debian, Ubuntu), nss-tools (Fedora), mozilla-nss-tools (openSUSE) or nss (Arch, brew, MSYS2)"
	case errors.As(err, &noStore):
		return "lab browser --firefox, or lab certs export client --format p12-legacy and import it yourself"
	case errors.As(err, &noPage):
		return "the server's log may know why; without --screenshot the browser's window says it too"
	case errors.As(err, &notLog):
		return "name another file with --keylog (or $SSLKEYLOGFILE), or --keylog off"
	case errors.As(err, &unsafe) && unsafe.Folder:
		return "others could get at the keys there: set $TMPDIR to a folder that only you can write to"
	case errors.As(err, &unsafe) && errors.As(err, &record):
		return "keys go only where nobody else can read them: name another file with --capture, or remove " + unsafe.Path
	case errors.As(err, &unsafe):
		return "keys go only where nobody else can read them: name another file with --keylog (or $SSLKEYLOGFILE), or remove " + unsafe.Path
	case errors.As(err, &start):
		return start.hint()
	case errors.As(err, &format):
		return "lab explain reads what lab, Wireshark, dumpcap and tcpdump -w have recorded"
	case errors.As(err, &nothing) && nothing.stream >= 0:
		return "lab explain --list FILE shows all that there is"
	case errors.As(err, &nothing) && len(nothing.unread) > 0:
		return "lab explain reads TLS over TCP, in a tunnel or not; what is named here it does not look into"
	case errors.As(err, &rsaKey):
		return rsaKey.hint()
	case errors.Is(err, errCaptureOnTerminal):
		return "lab up --capture - | wireshark -k -i -, or | lab explain -"
	case errors.As(err, &taps):
		return "--tap LISTEN=TARGET: LISTEN is an address of this machine, where neither the program itself nor another one listens"
	case errors.Is(err, errAddrInUse):
		return "another program listens there: end it, or choose another port with --addr 127.0.0.1:9443"
	case errors.As(err, &network) && network.Op == "listen":
		return "choose an address of this machine and a port over 1023, such as --addr 127.0.0.1:9443"
	case errors.Is(err, fs.ErrPermission):
		return "it belongs to somebody else, or is closed to you: change that, or work in another folder with --dir DIR"
	}
	return ""
}

// environmentUse is how the exported variables are used, with PORT for the
// server's.
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

// sayBrowser says what is opened, with which certificate, and where its keys go.
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

// errCaptureOnTerminal is a capture on a stdout that a person reads.
var errCaptureOnTerminal = errors.New("--capture - writes the capture to stdout, which is a terminal")

// wiresharkPort is a port that Wireshark takes for TLS by itself, as it does 443.
// Others need -d.
const wiresharkPort = "8443"

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

// sayReachable warns of an address that other machines can reach.
func (p *Program) sayReachable(addr net.Addr, clientCA string) {
	if tcp, ok := addr.(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		p.say("warning: %s can be reached from other machines; they need a certificate of %s to get in", addr, clientCA)
	}
}

// typedURL is the URL of a server to type: one on every address is localhost.
func typedURL(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return "https://localhost:" + portOf(addr)
	}
	return "https://" + addr.String()
}

// sayUp says where lab up is and how to look inside.
func (a *session) sayUp(addr net.Addr, interval fmt.Stringer, count int) {
	how := fmt.Sprintf("a call every %v, until Ctrl-C", interval)
	if count > 0 {
		how = text.Counted(count, "call")
	}
	where := typedURL(addr)
	if a.scenario != nil && a.scenario.Server.Instead != "" {
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
func (a *session) sayServer(addr net.Addr, certificate, clientCA string, count int) {
	if a.scenario != nil {
		a.sayScenarioServer(addr, count)
	} else {
		a.say("server on %s shows %s and lets in clients of %s, %s", typedURL(addr), certificate, clientCA, untilWhen(count))
	}
	a.sayKeys(addr)
	a.sayCapture(portOf(addr))
}

// sayCapture prints the command that opens the capture of those ports.
func (a *session) sayCapture(ports ...string) {
	a.sayCaptureOf("with its keys, so that it opens decrypted", ports...)
}

// sayCaptureOf does so, and says what the capture has of keys.
func (a *session) sayCaptureOf(keys string, ports ...string) {
	if a.capture == nil {
		return
	}
	if a.captured == "-" {
		a.say("capture on stdout, %s", keys)
		return
	}
	line := "wireshark "
	for _, port := range ports {
		if port != wiresharkPort {
			line += "-d tcp.port==" + port + ",tls "
		}
	}
	if info, err := os.Stat(a.captured); err == nil && info.Mode().Type() == fs.ModeNamedPipe {
		line += "-k -i "
	}
	a.say("capture in %s, %s:\n  %s%s", a.captured, keys, line, commandWord(a.captured))
}

// sayKeys prints the command that shows the traffic decrypted.
func (a *session) sayKeys(addr net.Addr) {
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
	line := fmt.Sprintf(`wireshark -k -i %s -f "tcp port %s" -o %s`, loopback(), port, option)
	if port != wiresharkPort {
		line += " -d tcp.port==" + port + ",tls"
	}
	a.say("keys in %s; to see the traffic decrypted:\n  %s", a.keys.Name(), line)
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
	return shellWord(s)
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
