package snippet

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"unicode"

	"mtlslab.example/lab/certgen/spell"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/packed"
	"mtlslab.example/lab/lab/text"
)

//go:embed snippets.txtar.gz
var archive []byte

var files = packed.Files(archive)

// names are those of all programs, in their order. To read them in the archive
// would take a sixth of the time in which lab starts, and its help has them.
var names = []string{"caddy", "curl", "dotnet", "envoy", "etcd", "go", "grpc-go", "grpc-java", "grpc-python", "haproxy", "httpd", "java", "kafka",
	"mysql", "nginx", "node", "openssl", "postgresql", "python", "redis", "spring-boot", "traefik", "wget"}

// ports are those of programs that have one of their own, in place of 8443.
var ports = map[string]string{"postgresql": "5432", "mysql": "3306", "redis": "6379", "kafka": "9093", "etcd": "2379"}

// aliases are other names of programs.
var aliases = map[string]string{"apache": "httpd", "apache2": "httpd", "postgres": "postgresql", "psql": "postgresql", "mariadb": "mysql",
	"spring": "spring-boot", "nodejs": "node", "python3": "python", "golang": "go", ".net": "dotnet", "aspnet": "dotnet", "valkey": "redis"}

// Values are what a snippet is filled in with. Files are absolute paths.
type Values struct {
	Host   string // of the server, as clients call it
	Listen string // address that the server listens on
	Port   string

	Name      string // of the side's own certificate; "": it is no name of a PKI, but a file
	Authority string // of the CA that the other side must have, likewise
	User      string // common name of the side's own certificate

	Cert, Key string
	CA        string
	CRL       string // of that CA
	HasCRL    bool   // it is there; else the snippet has it as a comment

	Bundle     string // certificate and key in one PEM file
	P12        string // the same in PKCS#12
	TrustStore string // the CA in PKCS#12, for Java
}

// Addr is HOST:PORT to listen on.
func (v Values) Addr() string { return net.JoinHostPort(v.Listen, v.Port) }

// Server is HOST:PORT to call.
func (v Values) Server() string { return net.JoinHostPort(v.Host, v.Port) }

// export is the command that makes a file of a certificate of the PKI.
func export(name, options string) string {
	return "lab certs export " + text.ShellWord(name) + " --format " + options
}

// makeBundle is the command that makes Bundle, or writes it.
func (v Values) makeBundle() string {
	if v.Name == "" {
		return "(umask 077; cat " + text.ShellWord(v.Cert) + " " + text.ShellWord(v.Key) + " >" + text.ShellWord(v.Bundle) + ")"
	}
	return export(v.Name, "pem-bundle")
}

// makeP12 is the command that makes P12.
func (v Values) makeP12() string {
	if v.Name == "" {
		return "openssl pkcs12 -export -in " + text.ShellWord(v.Cert) + " -inkey " + text.ShellWord(v.Key) + " -out " + text.ShellWord(v.P12)
	}
	return export(v.Name, "p12 --password-file password.txt")
}

// makeTrustStore is the command that makes TrustStore.
func (v Values) makeTrustStore() string {
	if v.Authority == "" {
		return "keytool -importcert -noprompt -file " + text.ShellWord(v.CA) + " -storetype PKCS12 -keystore " + text.ShellWord(v.TrustStore)
	}
	return export(v.Authority, "java-truststore --password-file password.txt")
}

// UnknownError reports a program that there is no snippet for.
type UnknownError struct {
	Name    string
	Nearest []string
}

func (e *UnknownError) Error() string { return fmt.Sprintf("there is no snippet for %q", e.Name) }

// PathError reports a path that not every program reads as it is.
type PathError struct{ Path string }

func (e *PathError) Error() string {
	return e.Path + " has a character that configuration files take for something else"
}

// Names are those of all programs, in their order.
func Names() []string { return slices.Clone(names) }

// Sides returns the sides that a program has a snippet for, the server first,
// and its name, of which name may be another. The error is an *UnknownError.
func Sides(name string) (program string, sides []endpoint.Side, err error) {
	program = strings.ToLower(name)
	if other, ok := aliases[program]; ok {
		program = other
	}
	for _, side := range []endpoint.Side{endpoint.Server, endpoint.Client} {
		if _, err := fs.ReadFile(files(), file(program, side)); err == nil {
			sides = append(sides, side)
		}
	}
	if len(sides) == 0 {
		return "", nil, &UnknownError{name, spell.Nearest(program, names)}
	}
	return program, sides, nil
}

func file(program string, side endpoint.Side) string {
	return "snippets/" + program + "." + side.String()
}

// Port is that which a program listens on by itself, or 8443.
func Port(program string) string {
	if port, ok := ports[program]; ok {
		return port
	}
	return "8443"
}

// Write writes the snippet of a program for a side: see Sides. Errors are those
// of w, and *PathError.
func Write(w io.Writer, program string, side endpoint.Side, v Values) error {
	for _, path := range []*string{&v.Cert, &v.Key, &v.CA, &v.CRL, &v.Bundle, &v.P12, &v.TrustStore} {
		*path = filepath.ToSlash(*path)
		if strings.ContainsFunc(*path, isSpecial) {
			return &PathError{*path}
		}
	}
	snippet, err := fs.ReadFile(files(), file(program, side))
	if err != nil {
		return err
	}
	t, err := template.New(program).Funcs(template.FuncMap{
		"q":      quoted,
		"pg":     func(s string) string { return "'" + s + "'" },
		"sh":     text.ShellWord,
		"hasCRL": func() bool { return v.HasCRL },
		"isIP":   func() bool { return net.ParseIP(v.Host) != nil },
		"bracket": func(host string) string {
			if strings.Contains(host, ":") {
				return "[" + host + "]"
			}
			return host
		},
		"conninfo":       conninfo,
		"makeBundle":     v.makeBundle,
		"makeP12":        v.makeP12,
		"makeTrustStore": v.makeTrustStore,
		"crl": func(directive, value, end string) string {
			line := directive + " " + value + end
			if v.HasCRL {
				return line
			}
			return "# " + line + " (once it is there)"
		},
	}).Parse(string(snippet))
	if err != nil {
		return err
	}
	return t.Execute(w, v)
}

// isSpecial reports whether a program may take a character in a path, in quotes
// or not, for something else.
func isSpecial(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(" /._-+:@~,()", r)
}

// quoted is s in double quotes, as all of the languages here read it: without
// special characters they agree.
func quoted(s string) string {
	encoded, _ := json.Marshal(s) // never fails for a string
	return string(encoded)
}

// conninfo is s as a value of libpq's connection string, which itself is in
// double quotes of a shell.
func conninfo(s string) string {
	value := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s)
	return "'" + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(value) + "'"
}
