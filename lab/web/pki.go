package web

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"

	"mtlslab.example/lab/lab/text"
)

// pkiEvery is how often the certificates of the manifest are looked at while a
// page is open.
const pkiEvery = time.Second

// pkiState are the certificates of the manifest, or why they cannot be listed.
type pkiState struct {
	Listed []json.RawMessage `json:"listed"`
	Error  string            `json:"error,omitempty"` // certs.yaml may be in the middle of a change
}

// pki returns them as JSON.
func (p *Page) pki() []byte {
	listed, err := p.options.PKI()
	state := pkiState{Listed: append([]json.RawMessage{}, listed...)}
	if err != nil {
		state = pkiState{Listed: []json.RawMessage{}, Error: text.Clean(err.Error())}
	}
	return encode(state)
}

// watchPKI returns a channel with the certificates of the manifest, and then
// with what they have become whenever they have changed, until the request
// ends; nil: the page does not show them.
func (s *Server) watchPKI(r *http.Request) <-chan []byte {
	if s.page.options.PKI == nil {
		return nil
	}
	changed := make(chan []byte)
	go func() {
		tick := time.NewTicker(pkiEvery)
		defer tick.Stop()
		var last []byte
		for {
			if now := s.page.pki(); !bytes.Equal(now, last) {
				last = now
				select {
				case changed <- now:
				case <-r.Context().Done():
					return
				}
			}
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	}()
	return changed
}
