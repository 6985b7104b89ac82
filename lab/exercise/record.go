package exercise

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/private"
	"mtlslab.example/lab/lab/scenario"
	"mtlslab.example/lab/lab/wiretap"
)

// recordTo begins the capture of a marking, in place of that of an earlier one.
func recordTo(file string) (*capture.Writer, error) {
	if capture.IsOwn(file) {
		if err := os.Remove(file); err != nil {
			return nil, err
		}
	}
	return capture.Create(file, capture.Options{})
}

// record writes a capture of exchanges in a world that is at its start, with
// what was issued for it.
func (e *Exercise) record(ctx context.Context, dir, file string, v values, issued *certgen.Issued, what *Record) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, Limit, ErrLate)
	defer cancel()
	w, err := capture.Create(file, capture.Options{})
	if err != nil {
		return err
	}
	sink := &plainSink{Sink: scenario.OnWiresharkPort{Sink: w}, sealed: what.Sealed || what.Keys != ""}
	err = errors.Join(e.makeSteps(ctx, dir, v, issued, sink, what), w.Close())
	if err == nil && what.Keys != "" {
		err = private.WriteFile(filepath.Join(dir, filepath.FromSlash(what.Keys)), sink.keys)
	}
	return err
}

// makeSteps makes exchanges that are not judged.
func (e *Exercise) makeSteps(ctx context.Context, dir string, v values, issued *certgen.Issued, sink wiretap.Sink, what *Record) error {
	r, err := e.start(ctx, dir, v, issued, sink)
	if err != nil {
		return err
	}
	defer r.close()
	steps := slices.Clone(what.Steps)
	if what.Shuffle {
		rand.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
	}
	for i := range steps {
		s := &steps[i]
		if v.stream(s.Label, i); s.Version != 0 {
			s.speaks = s.Version
		}
		if _, err := r.make(ctx, s); err != nil {
			return err
		}
	}
	v.serials(r)
	return nil
}

// plainSink passes on what crosses the wire, without the verdict, which is to
// be found out, and, if it is sealed, without the secrets.
type plainSink struct {
	wiretap.Sink
	sealed bool

	mu   sync.Mutex
	keys []byte // secrets that were left out, as lines of a key log
}

// Open implements wiretap.Sink.
func (s *plainSink) Open(opened wiretap.Event) wiretap.Handler {
	handle := s.Sink.Open(opened)
	return func(e wiretap.Event) {
		switch {
		case e.Kind == wiretap.Verdict:
			return
		case e.Kind == wiretap.Secret && s.sealed:
			s.mu.Lock()
			defer s.mu.Unlock()
			s.keys = append(s.keys, e.Data...)
			return
		}
		handle(e)
	}
}
