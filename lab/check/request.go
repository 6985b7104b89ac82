package check

import (
	"bytes"
	"crypto/x509"
	"path/filepath"
	"slices"
	"strings"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/chain"
)

// isRequest reports whether a part has a certificate signing request (RFC 2986)
// and nothing that TLS programs load.
func isRequest(part *certfile.Contents) bool {
	return len(part.Certificates)+len(part.Keys)+len(part.CRLs) == 0 && strings.HasPrefix(part.Holds(), "a certificate signing request")
}

// lookAtRequests says what certificate signing requests are for. They are no
// fault, but where a certificate should be.
func (r *Report) lookAtRequests() {
	for _, f := range r.Files {
		for _, part := range f.parts {
			if isRequest(part) {
				f.Findings = append(f.Findings, r.requestFinding(f, part))
			}
		}
	}
}

func (r *Report) requestFinding(f *File, part *certfile.Contents) Finding {
	found := Finding{Level: Note, Rule: "request", File: f.Name}
	ending := strings.ToLower(filepath.Ext(f.Name))
	switch cert, file := r.certificateFor(part); {
	case ending == ".crt" || ending == ".cer":
		found.Level, found.Text = Wrong, f.Name+" is named as a certificate is, and has "+part.Holds()
	case cert != nil:
		found.Certificate = chain.Name(cert)
		found.Text = f.Name + " has a certificate signing request for the key of " + chain.Name(cert) + " in " + file
		return found
	default:
		found.Text = f.Name + " has " + part.Holds()
		if !r.hasMore() {
			found.Level = Wrong
		}
	}
	if found.Level == Wrong {
		found.RefusedBy = "every program that loads a certificate from there"
	}
	found.Fix = "send it to the CA, and use what comes back"
	return found
}

// certificateFor returns a certificate for the key that a request is for, and
// its file.
func (r *Report) certificateFor(request *certfile.Contents) (cert *x509.Certificate, file string) {
	for _, f := range r.Files {
		for _, part := range f.parts {
			for _, cert := range part.Certificates {
				if slices.ContainsFunc(request.Requests, func(q *x509.CertificateRequest) bool {
					return bytes.Equal(q.RawSubjectPublicKeyInfo, cert.RawSubjectPublicKeyInfo)
				}) {
					return cert, f.Name
				}
			}
		}
	}
	return nil, ""
}

// requestFor returns the file of a certificate signing request for a key, "" if
// there is none.
func (r *Report) requestFor(key *holder) string {
	for _, f := range r.Files {
		for _, part := range f.parts {
			for _, q := range part.Requests {
				if certgen.IsKeyOf(&x509.Certificate{PublicKey: q.PublicKey}, key.signer) {
					return f.Name
				}
			}
		}
	}
	return ""
}

// hasMore reports whether there is a certificate or a key among the files, or a
// file that cannot be read.
func (r *Report) hasMore() bool {
	return slices.ContainsFunc(r.Files, func(f *File) bool {
		return f.parts == nil || slices.ContainsFunc(f.parts, func(part *certfile.Contents) bool { return len(part.Certificates)+len(part.Keys) > 0 })
	})
}
