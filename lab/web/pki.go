package web

import (
	"encoding/json"
	"net/http"
)

// pki answers with the certificates of the manifest.
func (s *Server) pki(w http.ResponseWriter, _ *http.Request) {
	listed, err := s.page.options.PKI()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(encode(append([]json.RawMessage{}, listed...)))
}
