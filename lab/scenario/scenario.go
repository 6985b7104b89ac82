package scenario

import (
	"crypto/tls"
	"crypto/x509/pkix"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/certgen/spell"
	"mtlslab.example/lab/certgen/yamldoc"
	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/fault"
	"mtlslab.example/lab/lab/packed"
	"mtlslab.example/lab/lab/verdict"
)

//go:embed scenarios.txtar.gz
var archive []byte

var embedded = packed.Files(archive)

// Scenario is one lesson. Texts are in words, without line breaks.
type Scenario struct {
	Name     string
	Title    string // one line
	Side     string // one of Sides
	Topic    string // one word
	Teaches  string
	Reason   string              // why it ends as it does
	Fix      string              // what to change; empty where nothing is wrong
	Fixes    map[string]string   // by what programs say: what to change where they say it, in place of Fix
	Evidence string              // what shows that it is this and not another: a command, as a rule
	RFC      string              // the sections that it is about
	OpenSSL  string              // what OpenSSL does differently; empty for nothing
	MayPass  string              // why the peer that should refuse may let it pass; empty: it must refuse
	Says     map[string][]string // messages, by the program that prints them; Go's are the lab's own

	Age        time.Duration               // how long ago the certificates and CRLs were made
	Extensions map[string][]pkix.Extension // of certificates, by their names
	KeyType    fault.KeyType               // of all certificates; empty: the manifest's
	ECH        string                      // public name of the server's Encrypted ClientHello; empty: none
	Server     Half
	Client     Half
	Calls      int   // exchanges; the last is judged
	Then       *Then // what happens before the last call

	Expect map[uint16]Expectation // by version; one that is missing does not apply

	// Of what Expect has nothing of.
	Files map[string]Derived // by their names
	Loads []Load             // files that are loaded, of BeforeTheHandshake
	Seen  []string           // lines of a terminal: what was seen of a lesson that is not run

	File string // where it was read
	Text []byte // as read

	references []reference // to certificates
}

// Half is what one side does. Fields that are zero are those of the default
// server and client.
type Half struct {
	Certificate string // "none" for none
	AlsoShow    []string
	Chain       fault.Chain
	Key         string
	Signatures  []tls.SignatureScheme
	Trust       []string

	CRL          lab.CRLPolicy
	MinRSABits   int
	KeyUsage     bool
	Version      string // "": the one that is run; "older": the one before it
	CipherSuites []uint16
	Groups       []tls.CurveID
	ALPN         []string
	HTTP2        bool
	Timeout      time.Duration
	NotTLS       fault.NotTLS
	Flaw         fault.Flaw

	Allow         []string // server alone
	RefuseInHTTP  bool
	Unasking      bool // asks for no certificate
	TrustSessions bool // takes the client of a resumed session as it was when it began
	StrictNames   bool
	StrictHost    bool
	NamedCAs      int    // that it names besides those that it trusts
	Renewed       string // root that is made anew with the same key, and sent along

	URL        string // from here on, client alone; host without port
	ServerName string
	Offer      []uint16
	Withhold   bool
	ByUsage    bool // it withholds a certificate that is not for clients
	Resume     bool
	KeyUpdate  bool
	Header     map[string]string
}

// Then is what changes before the last call.
type Then struct {
	Revoke []string // certificates, by name
	Renew  []string
	Client string // certificate that the client shows from then on
}

// Expectation is the verdict that a version should end with. What is empty may
// be anything, but for RejectedBy and Alert.
type Expectation struct {
	RejectedBy   endpoint.Side // "": accepted
	Alert        string        // its name; "": none
	Code         verdict.Code
	ServerLearns verdict.Learned
	ClientLearns verdict.Learned
	Status       int // of HTTP; 0 of an exchange that is accepted: 200
	CipherSuite  string
	Group        string
	ALPN         string
	Server       string // subject of its certificate
	Resumed      bool
}

// The sides that scenarios are sorted by, as lab scenario list does.
var Sides = []string{"works", "works here, not everywhere", "server rejects client", "client rejects server", "no common ground", "not even TLS", "in, but not allowed", BeforeTheHandshake, LaterAsked}

// LaterAsked is the side of scenarios with a certificate that is asked for
// after the handshake, for which the lab's own server has no means.
const LaterAsked = "asked for later"

// Versions are those that a scenario may be run with.
var Versions = []uint16{tls.VersionTLS12, tls.VersionTLS13}

// UnknownError is a name that no scenario has.
type UnknownError struct {
	Name    string
	Nearest []string // names that look alike, best first; may be empty
}

func (e *UnknownError) Error() string { return fmt.Sprintf("no scenario is called %q", e.Name) }

// All returns the built-in scenarios that this program can run, by side, then
// in the order of the catalogue's files.
func All() ([]*Scenario, error) {
	var all []*Scenario
	for _, name := range names() {
		s, err := Find(name)
		if err != nil {
			return nil, err
		}
		if s.KeyType == "" || fault.HasMLDSA {
			all = append(all, s)
		}
	}
	slices.SortStableFunc(all, func(a, b *Scenario) int {
		if by := slices.Index(Sides, a.Side) - slices.Index(Sides, b.Side); by != 0 {
			return by
		}
		return strings.Compare(a.Topic, b.Topic)
	})
	return all, nil
}

// Unavailable returns the names of the built-in scenarios that this program
// cannot run, since the Go that it was built with is too old.
func Unavailable() []string {
	all, _ := All()
	return slices.DeleteFunc(names(), func(name string) bool {
		return slices.ContainsFunc(all, func(s *Scenario) bool { return s.Name == name })
	})
}

// Find returns the built-in scenario of that name, or reads a file if name has
// a dot or a slash in it. Errors are *UnknownError, *yamldoc.Error or
// *fs.PathError.
func Find(name string) (*Scenario, error) {
	if strings.ContainsAny(name, `./\`) {
		text, err := readDocument(name)
		if err != nil {
			return nil, err
		}
		return Parse(name, text)
	}
	text, err := fs.ReadFile(embedded(), "scenarios/"+name+".yaml")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &UnknownError{Name: name, Nearest: spell.Nearest(name, names())}
	}
	if err != nil {
		return nil, err
	}
	return Parse(name+".yaml", text)
}

// readDocument reads a file. Of one that is too large it reads enough for Parse
// to refuse it.
func readDocument(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, yamldoc.MaxSize+1))
}

// names returns the names of the built-in scenarios.
func names() []string {
	files, _ := fs.Glob(embedded(), "scenarios/*.yaml") // the pattern is good
	for i, file := range files {
		files[i] = strings.TrimSuffix(path.Base(file), ".yaml")
	}
	return files
}

// Versions returns the versions that the scenario has an expectation for.
func (s *Scenario) Versions() []uint16 {
	return slices.DeleteFunc(slices.Clone(Versions), func(v uint16) bool { _, ok := s.Expect[v]; return !ok })
}
