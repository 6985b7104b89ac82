package scenario

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/private"
)

// ExportOptions say how lessons are exported. The zero value makes CAs.
type ExportOptions struct {
	Manifest []byte          // of the certificates that lessons add to
	CA       tls.Certificate // of servers and clients, with Leaf and key; without a key new CAs are made, whose keys nobody gets
	Hosts    []string        // names that servers have besides localhost
}

// Exported is a lesson in the list of an export. Its JSON form is part of the
// command line's contract. Files are relative to the list, with slashes.
type Exported struct {
	Duty
	Host   string        `json:"host"` // that the client calls
	Server ExportedFiles `json:"server"`
	Client ExportedFiles `json:"client"`
	CRL    string        `json:"crl,omitempty"` // for the side that must refuse; missing: there is none
}

// ExportedFiles are those of one side.
type ExportedFiles struct {
	Certificate string `json:"certificate,omitempty"` // with all that is sent along; missing: it shows none
	Key         string `json:"key,omitempty"`
	Trusts      string `json:"trusts"` // the CAs
}

// ExportList is the name of the list.
const ExportList = "cases.json"

// NotExportedError is a lesson whose fault is not in its certificates.
type NotExportedError struct{ Name string }

func (e *NotExportedError) Error() string {
	return fmt.Sprintf("what is wrong in %s is not in its certificates", e.Name)
}

// InTheWayError is a folder that an export would write into, and that has
// something in it.
type InTheWayError struct{ Dir string }

func (e *InTheWayError) Error() string { return e.Dir + " is there already" }

// IsInCertificates reports whether the certificates of a lesson alone make it
// end as it does, so that they can be exported. That is so of the good ones,
// too.
func (s *Scenario) IsInCertificates() bool {
	inFiles := func(h *Half) bool { return h.Chain != "" || h.Flaw != "" || h.Renewed != "" || h.Certificate != "" }
	inDeeds := func(h *Half) bool {
		return h.NotTLS != "" || h.Key != "" || h.Withhold || h.ByUsage || h.RefuseInHTTP || len(h.Allow)+len(h.AlsoShow)+len(h.CipherSuites) > 0
	}
	sides := []string{"works", "works here, not everywhere", "server rejects client", "client rejects server"}
	switch {
	case s.Name == "mtls":
		return true
	case !slices.Contains(sides, s.Side), len(s.Expect) == 0, s.Calls > 1, s.ECH != "", inDeeds(&s.Server), inDeeds(&s.Client):
		return false
	}
	return s.documents() > 1 || len(s.Extensions) > 0 || inFiles(&s.Server) || inFiles(&s.Client)
}

// documents returns how many YAML documents the lesson has.
func (s *Scenario) documents() int { return 1 + bytes.Count(s.Text, []byte("\n---\n")) }

// Export writes the certificates of lessons into the folder dir, each into one
// of its name, and a list of what each must give (ExportList). Keys have the
// mode 0600. A dir with something in it is left alone: *InTheWayError. Other
// errors are *NotExportedError, those of Issue and of the file system; after
// one there is no dir that was not there before.
func Export(ctx context.Context, lessons []*Scenario, dir string, o ExportOptions) (err error) {
	for _, s := range lessons {
		if !s.IsInCertificates() {
			return &NotExportedError{s.Name}
		}
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real // a link to the folder stays
	}
	if err := checkEmpty(dir); err != nil {
		return err
	}
	cas, err := o.authorities(ctx)
	if err != nil {
		return err
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	staging, err := private.MkdirStaging(parent, "export")
	if err != nil {
		return err
	}
	staged := staging.Path
	defer func() { _ = staging.Remove() }()
	var list []Exported
	for _, s := range lessons {
		one, err := s.export(ctx, staged, cas, o)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		list = append(list, *one)
	}
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(staged, ExportList), append(text, '\n'), 0o644); err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) { // an empty one
		return err
	}
	if err := staging.Keep(); err != nil {
		return err
	}
	return os.Rename(staged, dir)
}

// checkEmpty refuses a folder that has something in it, and what is no folder.
func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || len(entries) > 0 {
		return &InTheWayError{dir}
	}
	return nil
}

// authorities returns the CAs that all lessons are under.
func (o *ExportOptions) authorities(ctx context.Context) (map[string]tls.Certificate, error) {
	if o.CA.PrivateKey != nil {
		return map[string]tls.Certificate{"server-ca": o.CA, "client-ca": o.CA}, nil
	}
	right, err := Find("mtls")
	if err != nil {
		return nil, err
	}
	made, err := right.Issue(ctx, o.Manifest, IssueOptions{})
	if err != nil {
		return nil, err
	}
	return map[string]tls.Certificate{"server-ca": made.Pairs["server-ca"], "client-ca": made.Pairs["client-ca"]}, nil
}

// export writes the files of one lesson.
func (s *Scenario) export(ctx context.Context, dir string, cas map[string]tls.Certificate, o ExportOptions) (*Exported, error) {
	made, err := s.Issue(ctx, o.Manifest, IssueOptions{CAs: cas, Change: func(m *certgen.Manifest) error {
		return AddHosts(m, o.Hosts...)
	}})
	if err != nil {
		return nil, err
	}
	w := exporter{dir: dir, name: s.Name, given: o.CA}
	if err := os.Mkdir(filepath.Join(dir, s.Name), 0o700); err != nil {
		return nil, err
	}
	e := &Exported{Duty: s.Duty(), Host: "localhost"}
	if s.Client.URL != "" {
		e.Host = s.Client.URL
	}
	server, err := made.ServerSettings(0)
	if err != nil {
		return nil, err
	}
	client, err := made.ClientSettings(0)
	if err != nil {
		return nil, err
	}
	e.Server = w.side("server", "client-ca.pem", server.Loaded)
	e.Client = w.side("client", "server-ca.pem", client.Loaded)
	if len(server.Loaded.CRLs) > 0 {
		var lists []byte
		for _, crl := range server.Loaded.CRLs {
			lists = append(lists, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: crl.Raw})...)
		}
		e.CRL = w.write("crl.pem", lists, 0o644)
	}
	return e, w.err
}

// AddHosts adds host names to every certificate that is for localhost.
func AddHosts(m *certgen.Manifest, hosts ...string) error {
	for _, c := range m.Certificates {
		if slices.Contains(c.SANs, "DNS:localhost") {
			if err := m.AddNames(c.Name, &x509.Certificate{DNSNames: hosts}); err != nil {
				return err
			}
		}
	}
	return nil
}

// exporter writes the files of a lesson, up to the first error.
type exporter struct {
	dir, name string
	given     tls.Certificate // a CA of the user's, which may be below another
	err       error
}

// side writes the files of one side.
func (w *exporter) side(side, trusts string, l *lab.Loaded) (files ExportedFiles) {
	var authorities []byte
	for _, ca := range l.CAs {
		authorities = append(authorities, certificatePEM(ca.Raw)...)
		if ca == w.given.Leaf {
			for _, above := range w.given.Certificate[1:] {
				authorities = append(authorities, certificatePEM(above)...)
			}
		}
	}
	files.Trusts = w.write(trusts, authorities, 0o644)
	if len(l.Certificates) == 0 {
		return files
	}
	shown := l.Certificates[0]
	var text []byte
	for _, der := range shown.Certificate {
		text = append(text, certificatePEM(der)...)
	}
	files.Certificate = w.write(side+".pem", text, 0o644)
	der, err := x509.MarshalPKCS8PrivateKey(shown.PrivateKey)
	if err != nil {
		w.err = errors.Join(w.err, err)
		return files
	}
	files.Key = w.write(side+"-key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
	return files
}

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// write writes a file and returns its name in the list.
func (w *exporter) write(file string, data []byte, mode fs.FileMode) string {
	if w.err == nil {
		w.err = os.WriteFile(filepath.Join(w.dir, w.name, file), data, mode)
	}
	return w.name + "/" + file
}
