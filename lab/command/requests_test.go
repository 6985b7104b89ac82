package command_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

// Of several requests on one connection, one that is refused decides, whichever
// it is: nginx lets everybody see one path, and wants a certificate for
// another.
func TestRequestRefusedOnConnection(t *testing.T) {
	t.Parallel()
	need(t, "nginx", "curl")
	l := newExecLab(t)
	port := peertest.FreePort(t)
	l.writeNginx(t, port)
	config, err := os.ReadFile(l.path("nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(" ssl;", " ssl http2;", "ssl_verify_client on;", "ssl_verify_client optional; location /private { if ($ssl_client_verify != SUCCESS) { return 403; } return 200; } location /password { if ($http_authorization != 'Basic bGFiOnNlY3JldA==') { add_header WWW-Authenticate 'Basic realm=lab' always; return 401; } return 200; }").Replace(string(config))
	if err := os.WriteFile(l.path("nginx.conf"), []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	const other = "; this answers request 2 of the connection, GET /private"
	l.serve(t, "nginx", port, []string{"nginx", "-p", l.dir, "-c", "nginx.conf"}, func() {
		for _, version := range []string{"--http1.1", "--http2"} {
			for name, test := range map[string]struct {
				shows         []string
				paths         []string
				outcome, line string
				reason        string // its end
			}{
				"the second":              {nil, []string{"/", "/private?token=secret", "/"}, "refused", "server: no_client_certificate", "the client sent none" + other},
				"the first":               {nil, []string{"/private", "/"}, "refused", "server: no_client_certificate", "the client sent none"},
				"none":                    {[]string{"--cert", "certs/client.pem", "--key", "certs/client-key.pem"}, []string{"/", "/private"}, "accepted", "GET / 200", ""},
				"a challenge that is met": {[]string{"--anyauth", "--user", "lab:secret"}, []string{"/", "/password"}, "accepted", "GET / 200", ""},
				"one that is not":         {[]string{"--anyauth", "--user", "lab:wrong"}, []string{"/", "/password"}, "refused", "server: no_client_certificate", "the client sent none" + strings.ReplaceAll(other, "private", "password")},
			} {
				cmd := l.command(t, "requests")
				cmd.Args = []string{l.program, "exec", "--keylog", "off", "--capture", "requests.pcapng", "--", "curl", "-s", version, "--cacert", "certs/server-ca.pem"}
				cmd.Args = append(cmd.Args, test.shows...)
				for _, path := range test.paths {
					cmd.Args = append(cmd.Args, "https://localhost:"+port+path)
				}
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%s %s: %v: %s", version, name, err, out)
				}
				explain := func(how string) string {
					cmd := l.command(t, "")
					cmd.Args = []string{l.program, "explain", how, "requests.pcapng"}
					out, err := cmd.CombinedOutput()
					if err != nil {
						t.Fatalf("%s %s: %v: %s", version, name, err, out)
					}
					return strings.Join(strings.Fields(string(out)), " ")
				}
				if listed := explain("--list"); !strings.Contains(listed, " 0 "+test.outcome+" ") || !strings.Contains(listed, test.line) {
					t.Errorf("%s %s: %s", version, name, listed)
				}
				if counted := explain("--summary"); !strings.Contains(counted, " 1 "+test.outcome) {
					t.Errorf("%s %s: %s", version, name, counted)
				}
				var v struct{ Reason string }
				if err := json.Unmarshal([]byte(explain("--json")), &v); err != nil || !strings.HasSuffix(v.Reason, test.reason) || test.reason == "" && v.Reason != "" {
					t.Errorf("%s %s: %q, %v", version, name, v.Reason, err)
				}
			}
		}
	})
}
