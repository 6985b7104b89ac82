package handout

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
)

// Handout is what one side gets.
type Handout struct {
	Name      string        // of its certificate
	Side      endpoint.Side // that it is for: Client or Server
	Authority string        // the name of the CA that the other side must have
	URL       string        // of the server
	Encrypted bool          // a password protects its key

	names []string          // that the server's certificate is for, for the README
	certs map[string][]byte // base names and contents of the files of certs
}

// description is handout.json.
type description struct {
	Name      string        `json:"name"`
	Side      endpoint.Side `json:"side"`
	Authority string        `json:"authority"`
	URL       string        `json:"url"`
}

// Options say how hand-outs are made.
type Options struct {
	URL      string // of the server
	Password string // of the key; "": it is not encrypted
	PKCS12   bool   // also a PKCS#12 file, with Password or certgen's
	CRLs     []string
	Names    []string // subject alternative names of the server's certificate
}

// DefaultPassword is that of PKCS#12 files where none is given. It protects
// nothing.
const DefaultPassword = "changeit"

// New reads in dir, the folder of a PKI, the certificate and key called name
// and the certificate of authority, the CA that the other side must have. CRLs
// are names of CAs: those that have a CRL have it added. Errors are those of
// certgen.Load.
func New(dir, name string, side endpoint.Side, authority string, o Options) (*Handout, error) {
	h := &Handout{Name: name, Side: side, Authority: authority, URL: o.URL, Encrypted: o.Password != "", names: o.Names, certs: map[string][]byte{}}
	for _, n := range []string{name, authority} {
		if problem := identityProblem(n); problem != "" {
			return nil, &Error{n, "is a name that " + problem + ": give it another one in certs.yaml (filename)"}
		}
	}
	pair, err := certgen.Load(dir, name)
	if err != nil {
		return nil, err
	}
	anchor, err := certgen.LoadCertificates(dir, authority)
	switch {
	case err != nil:
		return nil, err
	case !anchor[0].IsCA:
		return nil, &certgen.NoAnchorError{Name: authority, Issuer: dn.Issuer(anchor[0])}
	}
	for _, der := range pair.Certificate {
		h.add(name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	for _, ca := range anchor {
		h.add(authority+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw}))
	}
	key, err := encodeKey(pair.PrivateKey, o.Password)
	if err != nil {
		return nil, err
	}
	h.add(name+"-key.pem", key)
	if o.PKCS12 {
		encode, password := certgen.ProtectedPKCS12, o.Password
		if password == "" {
			encode, password = certgen.PKCS12, DefaultPassword
		}
		data, err := encode(dir, name, password)
		if err != nil {
			return nil, err
		}
		h.add(name+".p12", data)
	}
	crls, err := readCRLs(dir, o.CRLs)
	maps.Copy(h.certs, crls)
	return h, err
}

// readCRLs returns the CRLs that there are of CAs, by the names of their files.
func readCRLs(dir string, cas []string) (map[string][]byte, error) {
	crls := map[string][]byte{}
	for _, ca := range cas {
		file := ca + "-crl.pem"
		data, err := os.ReadFile(filepath.Join(dir, file))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, err
		default:
			crls[file] = data
		}
	}
	return crls, nil
}

func (h *Handout) add(file string, data []byte) { h.certs[file] = append(h.certs[file], data...) }

// keyIterations are those that a password is worth (OWASP, for HMAC-SHA-256).
const keyIterations = 600_000

// encodeKey returns a private key in PEM.
func encodeKey(key any, password string) ([]byte, error) {
	if password != "" {
		return certfile.EncryptKey(key, password, keyIterations)
	}
	return certfile.EncodeKey(key)
}

// files are all files of the hand-out, by their paths in its folder.
func (h *Handout) files() (map[string][]byte, error) {
	about, err := json.MarshalIndent(description{h.Name, h.Side, h.Authority, h.URL}, "", "  ")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{"README.txt": []byte(h.readme()), "handout.json": append(about, '\n')}
	for file, data := range h.certs {
		files["certs/"+file] = data
	}
	return files, nil
}

// Command returns the arguments of lab with which the side works, in the folder
// that certs is in.
func (h *Handout) Command() []string {
	if h.Side == endpoint.Server {
		return []string{"server", "--addr", "0.0.0.0:" + h.port(), "--cert", h.Name, "--client-ca", h.Authority}
	}
	return []string{"client", "--cert", h.Name, "--ca", h.Authority, "--url", h.URL}
}

func (h *Handout) port() string {
	if u, err := url.Parse(h.URL); err == nil && u.Port() != "" {
		return u.Port()
	}
	return "443"
}

// readme says what is in the hand-out, in three commands.
func (h *Handout) readme() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	name, authority, command := text.ShellWord(h.Name), text.ShellWord(h.Authority), "lab"
	for _, argument := range h.Command() {
		command += " " + text.ShellWord(argument)
	}
	line("%s: certificate, key and CA of a %v", h.Name, h.Side)
	line("")
	if h.Side == endpoint.Client {
		line("The server is %s", h.URL)
	} else {
		line("Clients will call %s", h.URL)
	}
	if len(h.names) > 0 {
		for _, part := range text.FoldWhole("Its certificate is for "+strings.Join(h.names, ", "), 80) {
			line("%s", part)
		}
	}
	line("")
	width := len("certs/.pem  ") + max(len(h.Name+"-key"), len(h.Authority))
	for _, file := range [][2]string{
		{h.Name, "the certificate, which anybody may see"},
		{h.Name + "-key", "its private key: keep it to yourself"},
		{h.Authority, "the CA that the other side must have"},
	} {
		line("  %-*s%s", width, "certs/"+file[0]+".pem", file[1])
	}
	if h.Encrypted {
		line("")
		line("A password protects the key. Whoever made this tells you, on another way.")
	}
	line("")
	if h.Side == endpoint.Client {
		line("1. In an empty folder, unpack it and call:")
	} else {
		line("1. In an empty folder, unpack it:")
	}
	line("     lab join %s.zip", name)
	if h.Side == endpoint.Client {
		line("2. Call again (or where this is unpacked already, if there is no password):")
		line("     %s", command)
		line("3. The same with curl:")
		line("     curl --cacert certs/%s.pem --cert certs/%s.pem \\", authority, name)
		line("       --key certs/%s-key.pem %s", name, text.ShellWord(h.URL))
	} else {
		line("2. Start the server, for other machines too:")
		line("     %s", command)
		line("3. The same with nginx:")
		line("     lab snippet nginx --server --cert %s --client-ca %s", name, authority)
	}
	return b.String()
}
