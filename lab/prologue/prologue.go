package prologue

import (
	"slices"
	"strings"
	"time"
	"unsafe"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
)

// Prologue is what two sides said before TLS, or in place of it.
type Prologue struct {
	// Layers are the protocols, the outermost first: what was said through a proxy
	// is a layer after that of the proxy.
	Layers []*Layer
	// Bytes are how many bytes of each side's stream are not TLS, those that are
	// missing in the capture included: TLS begins behind them.
	Bytes endpoint.Pair[int64]
	// Starts are the first bytes of each side, startLen at most.
	Starts endpoint.Pair[[]byte]
}

// startLen is how many first bytes crypto/tls knows of what is not TLS.
const startLen = 5

// Layer is one protocol of a prologue.
type Layer struct {
	Protocol string // its name; "": not known
	Kind     Kind
	Target   string // of a proxy: the host and port that the client asked for
	// Source and Destination are the addresses in a PROXY line, as host and port;
	// "" where it has none.
	Source, Destination string

	Asked   string  // the command by which the client asked for TLS, or for the way through a proxy; "": it did not
	Agreed  bool    // the server has agreed to that
	Refused string  // the server's words when it refused that, or said unasked that it has no TLS; "": it did not
	Refusal Refusal // why a proxy refused
	// Offered reports that the server offered TLS after that refusal.
	Offered bool
	// WentOn reports that the client went on without TLS, after a refusal or
	// without having asked.
	WentOn bool
	// Demanded are the server's words when it demanded TLS of a client that had
	// not asked for it; "": it did not.
	Demanded string

	Steps    []Step             // what was said, in few lines
	Messages endpoint.Pair[int] // lines or packets of each side; segments where neither is known
}

// Refusal is why a proxy refused, as far as its answer has a code for that.
type Refusal uint8

// The refusals.
const (
	NotSaid      Refusal = iota
	NotLoggedIn          // the client gave no user name and password, or wrong ones
	NotReachable         // the proxy cannot reach the target
)

// Kind is what a layer is for.
type Kind uint8

// The kinds.
const (
	Other    Kind = iota
	StartTLS      // a protocol that can begin TLS
	Proxy         // the request to a proxy: HTTP CONNECT, SOCKS
	Header        // the header of the PROXY protocol
)

// Step is a line that one side said, or what a packet of it means.
type Step struct {
	From endpoint.Side
	Time time.Time
	Text string // one line, harmless to a terminal; what may be a secret is left out
}

// Bounds on what is kept.
const (
	maxLayers = 8
	maxSteps  = 8    // of a layer
	maxText   = 70   // characters of a step
	maxLine   = 4096 // bytes of a message that is not complete
)

// Name returns the names of the protocols: "PROXY v1, then SMTP". It is "" if
// none is known.
func (p *Prologue) Name() string {
	if p == nil {
		return ""
	}
	var names []string
	for _, l := range p.Layers {
		if l.Protocol != "" {
			names = append(names, l.Protocol)
		}
	}
	return strings.Join(names, ", then ")
}

// Last returns the innermost layer; nil: there is none.
func (p *Prologue) Last() *Layer {
	if p == nil || len(p.Layers) == 0 {
		return nil
	}
	return p.Layers[len(p.Layers)-1]
}

// ThroughProxy reports whether a proxy has made the way to the server.
func (p *Prologue) ThroughProxy() bool {
	return p != nil && slices.ContainsFunc(p.Layers, func(l *Layer) bool { return l.Kind == Proxy && l.Agreed })
}

// Asked reports whether the client asked for TLS, or for a way through a proxy.
func (p *Prologue) Asked() bool {
	return p != nil && slices.ContainsFunc(p.Layers, func(l *Layer) bool { return l.Asked != "" })
}

// Header returns the layer of the PROXY protocol; nil: there is none.
func (p *Prologue) Header() *Layer {
	if p == nil {
		return nil
	}
	for _, l := range p.Layers {
		if l.Kind == Header {
			return l
		}
	}
	return nil
}

// Size estimates the memory that the prologue takes, in bytes.
func (p *Prologue) Size() int {
	size := int(unsafe.Sizeof(*p))
	for _, l := range p.Layers {
		size += int(unsafe.Sizeof(*l))
		for _, s := range []string{l.Target, l.Source, l.Destination, l.Asked, l.Refused, l.Demanded} {
			size += len(s)
		}
		for _, s := range l.Steps {
			size += int(unsafe.Sizeof(s)) + len(s.Text)
		}
	}
	return size
}

// Clone copies what changes while the connection goes on.
func (p *Prologue) Clone() *Prologue {
	if p == nil {
		return nil
	}
	clone := &Prologue{Bytes: p.Bytes, Starts: p.Starts}
	for _, l := range p.Layers {
		one := *l
		one.Steps = append([]Step(nil), l.Steps...)
		clone.Layers = append(clone.Layers, &one)
	}
	return clone
}

func clean(line string) string {
	line = strings.TrimSpace(line)
	return text.Unicode.Cut(text.Clean(line), maxText)
}
