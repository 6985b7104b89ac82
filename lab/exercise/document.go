package exercise

import (
	"time"

	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/certgen/yamldoc"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/scenario"
	"mtlslab.example/lab/lab/verdict"
)

// Exercise is a broken world with what counts as its repair. Texts are in
// words, without line breaks.
type Exercise struct {
	Name    string
	Title   string // one line
	Topic   string // one word
	Minutes int    // that it takes, about
	Instead string // exercise that teaches the same without other programs; "": none
	Story   string
	Reach   []string // what to reach, a line each
	World   World
	Marker  Marker
	Solved  []Step
	Ask     []Question

	Solution Repair
	Also     []Repair // other right ways
	Wrong    []Repair // that do not count

	Hints       []string // each says more than the one before
	Notes       string   // for the trainer: what to say and to ask
	Explanation Explanation
	See         []string // scenarios that show it, and sections of RFCs

	File string // where it was read
	Text []byte // as read

	Keep int // how many bytes of each side Exchange.Wire.Kept has; 0: none

	fromFile bool // it is not built in

	lesson scenario.Scenario // has the certificates, and the names of them that were written
}

// World is what the participant gets.
type World struct {
	Age      time.Duration // how long ago the certificates were made
	Server   *Side         // the lab's own, in settings.yaml; nil: there is none
	Client   *Side
	Programs []*Program // others', in place of the lab's own
	Files    []NamedFile

	replaced []*Program // for which the lab's own stands: see Exercise.variant
}

// Side is how the lab's own server or client is set: as in a scenario, with a
// few more words.
type Side struct {
	scenario.Half
	TLS      uint16 // the only version; 0: both
	KeyFile  string // of a certificate that is a file
	Password string // of a PKCS#12 file
	Unsure   bool   // verify: off

	source *yaml.Node // as written
}

// NamedFile is a file in the folder of the exercise.
type NamedFile struct {
	Name string // relative, with slashes
	File
}

// File is what a file is made of: one of these.
type File struct {
	Text     *string           // itself
	Join     []string          // other files of the folder, one behind the other
	Derived  *scenario.Derived // made of a certificate
	Record   *Record           // a capture
	Replaced []Replacement     // in a repair: parts of the file that is there
	Remove   bool              // in a repair
}

// Replacement is a change in a text.
type Replacement struct{ Replace, With string }

// Record is a capture of exchanges in the world, as it is at the start.
type Record struct {
	Steps   []Step
	Shuffle bool   // they are made in any order
	Sealed  bool   // it has no keys
	Keys    string // file of a key log; "": none
}

// Marker has what the participant does not: what the marking calls with. The
// folder has neither.
type Marker struct {
	Certificates []string // that the folder lacks
	Server       Side     // the settings of its own server, and
	Client       Side     // of its client
}

// Step is an exchange that is made, and how it must end. Empty conditions may
// be anything.
type Step struct {
	Call    string // who calls: see callerOf
	To      string // whom: see serverOf
	With    *Side  // what is otherwise in the settings of the client; nil: nothing
	Serving *Side  // and of the marker's own server
	Says    string // what it is about, in the words of the participant's world

	AtStart bool   // the certificate is that of the start, whatever became of it
	Times   int    // that the call is made; the last is judged
	Label   string // of a recorded one, for its number
	Then    *scenario.Then
	Probe   []string // cases of lab probe that the server must pass, in place of a call

	Outcome       Outcome
	RejectedBy    endpoint.Side
	Codes         []verdict.Code // one of them
	Alert         string
	Status        int
	Version       uint16
	CipherSuite   string
	Group         string
	ALPN          string
	Resumed       *bool
	ForwardSecret *bool
	Client        []string // subjects of the certificates that the client sends, in order
	Server        []string
	Current       bool   // the server shows the certificate that is in its file now
	Body          string // a part of what the server answers

	speaks uint16 // the only version of the client; 0: both
	at     place
}

// Outcome is how an exchange must end.
type Outcome string

// The outcomes.
const (
	Accepted Outcome = "accepted" // the handshake succeeded, and what was asked for was given
	Rejected Outcome = "rejected" // in the handshake, or right after it
	Refused  Outcome = "refused"  // by the handshake, or in HTTP
)

// Question is one that is marked.
type Question struct {
	Name    string // in answers.yaml
	Ask     string
	Choices []string // that there are; none: free
	Answers []string // that are right
}

// Repair is a change of the folder.
type Repair struct {
	Server       *yaml.Node            // fields of settings.yaml; null takes one away
	Client       *yaml.Node            // likewise
	Certificates map[string]*yaml.Node // fields of certs.yaml, by name
	Renew        []string              // certificates that are made anew
	Files        []NamedFile
	Answers      map[string]string
	Right        bool   // all answers are the right ones
	Unverified   bool   // it has another program verify nothing
	Why          string // why it does not count

	at place
}

// Explanation is what is said afterwards.
type Explanation struct {
	Wrong string // what was wrong
	Shows string // how it shows
	Work  string // what to take to work
	Draw  string // the call that is drawn, before and after; "": the first that is otherwise
}

// place is where something stands in the document.
type place struct {
	document yamldoc.Document
	node     *yaml.Node
}
