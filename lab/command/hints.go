package command

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/certgen/spell"
	"mtlslab.example/lab/certgen/yamldoc"
	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/browser"
	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/check"
	"mtlslab.example/lab/lab/deploy"
	"mtlslab.example/lab/lab/fault"
	"mtlslab.example/lab/lab/handout"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/private"
	"mtlslab.example/lab/lab/probe"
	"mtlslab.example/lab/lab/scenario"
	"mtlslab.example/lab/lab/snippet"
)

// What to do about errors of the system, whichever it is.
const (
	makeRoom       = "make room there, or write to another disk"
	writeElsewhere = "write to another folder: --dir DIR, or a flag that names the file; where certificates are, lab up, server and client run with --keylog off --capture off"
	shorterName    = "choose a shorter name, or a folder with a shorter path"
)

// hint returns what to type after an error, or "".
func hint(err error) string {
	var (
		keyType  *fault.KeyTypeError
		usage    *usageError
		behaves  *scenario.NotExportedError
		written  *scenario.InTheWayError
		manifest *yamldoc.Error
		way      *certgen.InTheWayError
		foreign  *certgen.ForeignError
		survey   *certgen.SurveyError
		file     *certfile.FileError
		pair     *certfile.MismatchError
		side     *check.SideError
		tooMuch  *check.TooMuchError
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
		live     *webError
		format   *capture.FormatError
		other    *notCaptureError
		nothing  *nothingError
		rsaKey   *rsaKeyError
		lesson   *scenario.UnknownError
		lessons  *noScenarioError
		start    *startError
		attach   *attachError
		taps     *tapError
		unsafe   *private.UnsafeError
		record   *capture.WriteError
		probed   *probeError
		accept   *probe.AcceptError
		handed   *handedOutError
		own      *ownFolderError
		otherCA  *otherCAError
		locked   *lockedError
		differ   *certgen.DifferentError
		notOne   *handout.Error
		edit     *certgen.EditError
		badName  *certgen.NameError
		caName   *caNameError
		nowhere  *noAddressError
		program  *snippet.UnknownError
		odd      *snippet.PathError
		noPKI    *noPKIError
		noSelf   *noIdentityError
		unwanted *unselectedError
		shown    secretsOnTerminalError
		object   *deploy.NameError
		number   syscall.Errno
	)
	switch {
	case errors.As(err, &number) && systemHints[number] != "":
		return systemHints[number]
	case errors.As(err, &noPKI):
		return "lab certs generate makes some, for the server to have; or name your own with --ca, --cert and --key, or another folder with --dir"
	case errors.As(err, &noSelf):
		return "join the hand-out that the trainer gave you, in the folder that exercises is in: lab join FILE"
	case errors.As(err, &shown):
		return shown.hint()
	case errors.As(err, &object):
		return "give it another name in certs.yaml (filename)"
	case errors.As(err, &behaves):
		return "lab scenario export --all --pki DIR writes all that can be written"
	case errors.As(err, &written):
		return "name another folder, or empty it: nothing in it is replaced"
	case errors.As(err, &handed):
		return handed.hint()
	case errors.As(err, &program) && len(program.Nearest) > 0:
		return "did you mean " + strings.Join(program.Nearest, " or ") + "? lab snippet --help has all names"
	case errors.As(err, &program):
		return "lab snippet --help has all names"
	case errors.As(err, &odd):
		return "work in a folder whose path has letters, digits, blanks and ._-+:@~,() alone"
	case errors.As(err, &locked):
		return locked.hint()
	case errors.As(err, &own), errors.As(err, &otherCA):
		return "join in an empty folder: lab join FILE --dir NEW"
	case errors.As(err, &differ):
		return "it is of another hand-out, or not of one: join in another folder with --dir NEW; --force keeps what is there in certs/replaced"
	case errors.As(err, &notOne):
		return "lab certs handout makes hand-outs; nothing was written"
	case errors.As(err, &edit) && edit.Write != "":
		return "write it into the document of " + edit.Name + ": " + edit.Write
	case errors.As(err, &badName):
		return nameHint(badName)
	case errors.As(err, &caName):
		return caName.hint()
	case errors.As(err, &nowhere):
		return nowhere.hint()
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
	case errors.As(err, &side):
		return strings.ReplaceAll(side.Next, "$FILE", commandWord(side.File))
	case errors.As(err, &tooMuch):
		return "name the files that are meant"
	case errors.As(err, &byName):
		return fmt.Sprintf("lab certs list shows what there is; --%s NAME names another certificate of certs.yaml, or a file", byName.flag)
	case errors.As(err, &unnamed):
		return unnamed.hint()
	case errors.As(err, &survey) && slices.ContainsFunc(survey.Reasons, func(r certgen.Reason) bool { return r.Kind == certgen.ReasonRevoked }):
		return "have its CA issue a new one; lab certs list shows what there is"
	case errors.As(err, &survey):
		return "get the right file from where it came from; lab certs list shows what there is"
	case errors.As(err, &missing) && len(nearestOf(missing)) > 0:
		return "did you mean " + strings.Join(nearestOf(missing), " or ") + "? lab certs list shows what there is"
	case errors.As(err, &pair) && pair.Position > 0:
		return "programs want their own certificate first, then the CAs above it: put it at the beginning of " + pair.CertificateFile
	case errors.As(err, &mismatch) && mismatch.IsUnfinished:
		return "lab certs generate completes what was begun"
	case errors.As(err, &pair), errors.As(err, &mismatch):
		return "a key belongs to a certificate when these two print the same:"
	case errors.Is(err, certgen.ErrEncrypted):
		return "lab join FILE decrypts the key of a hand-out; or name files, and --password-file FILE: --cert " + commandWord(strings.TrimSuffix(damagedFile(err), "-key.pem")+".pem")
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
	case errors.As(err, &keyType):
		return "take a lab that was built with Go 1.27 or newer; lab scenario show NAME tells what the lesson is about"
	case errors.As(err, &issue), errors.As(err, &unlike):
		return "change it in certs.yaml, then lab certs generate"
	case errors.As(err, &fault) && fault.Reasons[0].Kind == certgen.ReasonRevoked:
		return "certs.yaml (revoked: true) and the CRLs must say the same: change certs.yaml, or take away the CRL that is wrong; lab check shows what is in one"
	case errors.As(err, &fault):
		return "lab certs generate repairs what lab has made, and says so if it is not lab's"
	case errors.As(err, &noAnchor):
		return "lab certs list shows the issuer of each certificate"
	case errors.As(err, &dial):
		return dialHint(dial)
	case errors.As(err, &probed):
		return probed.hint()
	case errors.As(err, &accept):
		return "an accept file has a case a line, such as: no-client-cert 1.2 # until May; --cases lists their names"
	case errors.As(err, &nobody):
		return browserHint(nobody)
	case errors.As(err, &noTool):
		return "install libnss3-tools (Debian, Ubuntu), nss-tools (Fedora), mozilla-nss-tools (openSUSE) or nss (Arch, brew, MSYS2)"
	case errors.As(err, &noStore):
		return "lab browser --firefox, or lab certs export client --format p12-legacy and import it yourself"
	case errors.As(err, &noPage):
		return "the server's log may show why; without --screenshot the browser's window shows it too"
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
	case errors.As(err, &attach):
		return attach.hint()
	case errors.As(err, &other):
		return other.hint()
	case errors.As(err, &format):
		return "lab explain reads what lab, Wireshark, dumpcap and tcpdump -w have recorded, and logs that are text"
	case errors.As(err, &unwanted):
		return unwanted.hint()
	case errors.As(err, &nothing) && nothing.empty:
		return "what recorded it listened on another interface (tcpdump: -i any), let nothing through its filter, or was ended before it had written (tcpdump: -U --immediate-mode, and SIGINT to end it)"
	case errors.As(err, &nothing) && nothing.stream >= 0:
		return "lab explain --list FILE shows all that there is"
	case errors.As(err, &nothing) && nothing.failed:
		return "a server that refuses (RST) does not listen on that port; one that never answers is not there, or a firewall drops what is sent to it; a client that gives up after the answer is a health check, or scans ports"
	case errors.As(err, &nothing) && len(nothing.unread) > 0:
		return "lab explain reads TLS over TCP, in a tunnel or not; it does not read what is named here"
	case errors.As(err, &rsaKey):
		return rsaKey.hint()
	case errors.Is(err, errCaptureOnTerminal):
		return "lab up --capture - | wireshark -k -i -, or | lab explain -"
	case errors.As(err, &taps):
		return "--tap LISTEN=TARGET: LISTEN is an address of this machine, where neither the program itself nor another one listens"
	case errors.As(err, &live):
		return "choose an address of this machine and a port over 1023, such as --web " + webAddr
	case errors.Is(err, errAddrInUse):
		return "another program listens there: end it, or choose another port with --addr 127.0.0.1:9443"
	case errors.As(err, &network) && network.Op == "listen":
		return "choose an address of this machine and a port over 1023, such as --addr 127.0.0.1:9443"
	case errors.Is(err, fs.ErrPermission):
		return "it belongs to somebody else, or is closed to you: change that, or work in another folder with --dir DIR"
	}
	return cmp.Or(exerciseHint(err), missingFileHint(err))
}

// missingFileHint returns which file may be meant by the path of one that is
// not there, or where it was looked for; "": err is about something else.
func missingFileHint(err error) string {
	var missing *fs.PathError
	if !errors.As(err, &missing) || !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	dir, name := filepath.Split(missing.Path)
	entries, err := os.ReadDir(cmp.Or(dir, "."))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no folder " + dir + ": make it, or write another path"
	case err != nil:
		return ""
	}
	var names []string
	for _, entry := range entries {
		if entry.Name() != name { // a link to nothing
			names = append(names, entry.Name())
		}
	}
	if nearest := spell.Nearest(name, names); len(nearest) > 0 {
		return "did you mean " + filepath.Join(dir, nearest[0]) + "?"
	}
	at, _ := filepath.Abs(dir)
	return "write the path of the file: it is not in " + at
}

// isFull reports whether err is of a disk that takes no more.
func isFull(err error) bool {
	var number syscall.Errno
	return errors.As(err, &number) && strings.HasPrefix(systemHints[number], makeRoom)
}

// nameHint is what to write in place of what is no name.
func nameHint(err *certgen.NameError) string {
	hint := cmp.Or(err.Hint, "write a host or an address: laptop.example, *.example.org, 10.0.0.5 or fd00::5")
	switch {
	case err.Meant != "" && err.Hint != "":
		return "did you mean " + err.Meant + "? " + hint
	case err.Meant != "":
		return "did you mean " + err.Meant + "?"
	}
	return hint
}

// damagedFile is the file that an error is about.
func damagedFile(err error) string {
	var damaged *certgen.DamagedError
	if errors.As(err, &damaged) {
		return damaged.File
	}
	return ""
}

// nearestOf are the names of certificates in the folder that look like that of
// a certificate that is missing.
func nearestOf(missing *certgen.MissingError) []string {
	names, _ := certgen.Names(filepath.Dir(missing.File)) // without them there is no such hint
	name := strings.TrimSuffix(missing.Name, ".pem")
	names = slices.DeleteFunc(names, func(n string) bool { return n == missing.Name })
	return spell.Nearest(name, names)
}

// dialHint returns what to do about a server that cannot be reached.
func dialHint(err *lab.DialError) string {
	var dns *net.DNSError
	host, _, _ := net.SplitHostPort(err.Addr)
	switch ip := net.ParseIP(host); {
	case errors.As(err, &dns):
		return "is the host spelt right? this machine finds no address for " + host
	case host == "localhost", ip.IsLoopback():
		return fmt.Sprintf("does a server run there? lab server --addr HOST:PORT starts one; %s is where lab looked", err.Addr)
	}
	return "does a server run there, and may this machine reach it? curl -v https://" + err.Addr + "/ asks the same"
}

// hintCommands are what to type, a line each, below a hint that ends with a
// colon.
func hintCommands(err error) []string {
	var pair *certfile.MismatchError
	var mismatch *certgen.KeyMismatchError
	var nowhere *noAddressError
	certificate, key := "", ""
	switch {
	case errors.As(err, &pair) && pair.Position == 0:
		certificate, key = pair.CertificateFile, pair.KeyFile
	case errors.As(err, &mismatch) && !mismatch.IsUnfinished:
		certificate, key = mismatch.CertificateFile, mismatch.KeyFile
	case errors.As(err, &nowhere):
		return []string{nowhere.next}
	default:
		return nil
	}
	return []string{"openssl x509 -noout -pubkey -in " + commandWord(certificate), "openssl pkey -pubout -in " + commandWord(key)}
}
