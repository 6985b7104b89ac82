package exercise

import (
	"cmp"
	"crypto/rsa"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// What somebody reads in the files of an exercise is what its marking takes for
// the right answer.
func TestAnswersAreInTheFiles(t *testing.T) {
	t.Parallel()
	readings := map[string]func(reading) map[string]string{
		"who-refused": func(r reading) map[string]string {
			calls := r.calls("tills.pcapng")
			refused := slices.IndexFunc(calls, func(c call) bool { return c.alert != "" })
			c := calls[refused]
			return map[string]string{"call": fmt.Sprint(refused), "who": c.alertFrom.String(), "alert": c.alert, "done": c.finished, "serial": c.serial}
		},
		"which-key-signs": func(r reading) map[string]string {
			c := r.calls("shop.pcapng")[0]
			return map[string]string{"message": "CertificateVerify", "key": c.client, "issuer": c.issuer, "algorithm": c.algorithm, "serial": c.serial}
		},
		"what-the-listener-reads": func(r reading) map[string]string {
			older, newer := r.calls("old.pcapng")[0], r.calls("new.pcapng")[0]
			readable := "no"
			if older.headers != nil || newer.headers != nil {
				readable = "yes"
			}
			return map[string]string{"old-serial": older.serial, "new-serial": cmp.Or(newer.serial, "no"),
				"new-server": cmp.Or(newer.server, "no"), "host": newer.host, "request": readable}
		},
		"recorded-for-later": func(r reading) map[string]string {
			return map[string]string{"order": r.calls("spring.pcapng")[0].headers["X-Order"]}
		},
		"find-the-thief": func(r reading) map[string]string {
			given := map[string]string{}
			for i, c := range r.calls("payroll.pcapng") {
				switch {
				case c.alert != "":
					given["tried"] = c.client
				case strings.HasPrefix(c.headers["User-Agent"], "curl"):
					given["call"], given["batch"], given["stolen"] = fmt.Sprint(i), c.headers["X-Batch"], c.client
				}
			}
			return given
		},
		"traffic-of-another": func(r reading) map[string]string {
			given := map[string]string{"secret": "CLIENT_TRAFFIC_SECRET_0"} // RFC 9850 section 2.1
			for name, value := range r.calls("feed.pcapng")[0].headers {
				if strings.Contains(value, "@") {
					given["contact"] = name
				} else if strings.HasPrefix(name, "X-") {
					given["reading"] = value
				}
			}
			return given
		},
	}
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if len(e.Ask) == 0 {
			continue
		}
		read := readings[e.Name]
		if read == nil {
			t.Errorf("nobody has read the answers of %s", e.Name)
			continue
		}
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			w := begin(t, Open(t.TempDir()), e.Name)
			repair := w.Solution
			repair.Right = false
			if _, err := w.apply(t.Context(), w.Folder, w.Values, &repair); err != nil {
				t.Fatal(err)
			}
			given := read(reading{t, w.Folder})
			text, err := yaml.Marshal(given)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(w.Folder, answersFile), text, 0o644); err != nil {
				t.Fatal(err)
			}
			if r := marked(t, w); !r.Solved {
				t.Errorf("read in the files: %v; marked: %+v%s", given, r.Answers, told(r))
			}
		})
	}
}

// reading reads the files of an exercise as somebody does who does it.
type reading struct {
	*testing.T
	dir string
}

// call is what can be read of a call.
type call struct {
	alert                          string
	alertFrom                      endpoint.Side
	finished                       string // "yes": the client's was seen
	serial, client, server, issuer string // the client's certificate, and the server's
	algorithm                      string // of the server's CertificateVerify
	host                           string
	headers                        map[string]string // of the request; nil: it cannot be read
}

// calls reads a capture, with the keys that the folder has.
func (r reading) calls(file string) []call {
	r.Helper()
	data, err := os.Open(filepath.Join(r.dir, file))
	if err != nil {
		r.Fatal(err)
	}
	defer data.Close()
	secrets := &keylog.Store{}
	learn := func(lines []byte) {
		for line := range strings.Lines(string(lines)) {
			if entry, err := keylog.ParseLine([]byte(strings.TrimSpace(line))); err == nil {
				secrets.Add(entry)
			}
		}
	}
	if log, err := os.ReadFile(filepath.Join(r.dir, "keys.log")); err == nil {
		learn(log)
	}
	if err := capture.Read(data, capture.ReadOptions{Secrets: learn}); err != nil {
		r.Fatal(err)
	}
	if _, err := data.Seek(0, io.SeekStart); err != nil {
		r.Fatal(err)
	}
	options := tlsdecrypt.Options{Secrets: secrets}
	if pair, err := certgen.Load(filepath.Join(r.dir, certsFolder), "archive"); err == nil {
		options.RSAKeys = append(options.RSAKeys, pair.PrivateKey.(*rsa.PrivateKey))
	}
	read := map[int]call{}
	options.Done = func(c *tlsdecrypt.Connection) { read[c.Number] = callIn(c) }
	d := tlsdecrypt.New(options)
	if err := capture.Read(data, capture.ReadOptions{Sink: d}); err != nil {
		r.Fatal(err)
	}
	d.Close()
	var calls []call
	for i := range len(read) {
		calls = append(calls, read[i])
	}
	return calls
}

// callIn returns what can be read in a connection.
func callIn(c *tlsdecrypt.Connection) call {
	found := call{host: c.ServerName, finished: "no"}
	for _, m := range c.Messages {
		if m.Alert != nil && m.Alert.Description != tlswire.AlertCloseNotify {
			found.alert, found.alertFrom = m.Alert.Description.String(), m.From
		}
		if m.Handshake != nil {
			switch body := m.Body().(type) {
			case *tlswire.Finished:
				if m.From == endpoint.Client && found.alert == "" {
					found.finished = "yes"
				}
			case *tlswire.CertificateVerify:
				if m.From == endpoint.Server {
					found.algorithm = body.Algorithm.String()
				}
			}
		}
		if ders, ok := m.Certificates(); ok && len(ders) > 0 {
			leaf, err := tlswire.ParseCertificate(ders[0])
			if err != nil {
				continue
			}
			if m.From == endpoint.Server {
				found.server = "yes"
				continue
			}
			found.serial, found.client, found.issuer = dn.Serial(leaf), strings.TrimPrefix(chain.Name(leaf), "CN="), leaf.Issuer.CommonName
		}
		if m.HTTP != nil && m.HTTP.Request {
			found.headers = map[string]string{}
			for _, h := range m.HTTP.Headers {
				found.headers[h.Name] = h.Value
			}
		}
	}
	return found
}
