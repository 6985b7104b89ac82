package command_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/command"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/text"
)

// prologueDir has captures of programs that begin in plain text: record.py
// there says what each of them does.
var prologueDir = filepath.Join("..", "verdict", "testdata", "prologue")

// prologues are what is right of them: outcome, how, code and the protocols
// before TLS, and a part of the reason or fix where that matters.
var prologues = map[string][2]string{
	"smtp.nginx-openssl":                    {"accepted after SMTP"},
	"smtp.nginx-curl":                       {"accepted after SMTP"},
	"imap.nginx-openssl":                    {"accepted after IMAP"},
	"imap.nginx-curl":                       {"accepted after IMAP"},
	"pop3.nginx-openssl":                    {"accepted after POP3"},
	"pop3.nginx-curl":                       {"accepted after POP3"},
	"ftp.python-curl":                       {"accepted after FTP"},
	"ftp.python-openssl":                    {"accepted after FTP"},
	"nntp.python-openssl":                   {"accepted after NNTP"},
	"sieve.python-openssl":                  {"accepted after ManageSieve"},
	"irc.python-openssl":                    {"accepted after IRC"},
	"xmpp.python-openssl":                   {"accepted after XMPP"},
	"ldap.python-openssl":                   {"accepted after LDAP"},
	"mysql.python-openssl":                  {"accepted after MySQL"},
	"mysql.mariadb-mariadb":                 {"accepted (very probably) after MariaDB"},
	"postgresql.postgres-openssl":           {"accepted after PostgreSQL"},
	"upgrade.python-python":                 {"accepted after HTTP"},
	"connect.tinyproxy-curl":                {"accepted after HTTP CONNECT"},
	"connect-password.tinyproxy-curl":       {"accepted after HTTP CONNECT"},
	"connect-smtp.tinyproxy-curl":           {"accepted after HTTP CONNECT, then SMTP"},
	"socks4.python-curl":                    {"accepted after SOCKS 4"},
	"socks4a.python-curl":                   {"accepted after SOCKS 4a"},
	"socks5.microsocks-curl":                {"accepted after SOCKS 5"},
	"socks5-name.microsocks-curl":           {"accepted after SOCKS 5"},
	"socks5-password.microsocks-curl":       {"accepted after SOCKS 5"},
	"socks5-proxy-v1.microsocks-curl":       {"accepted after SOCKS 5, then PROXY v1"},
	"proxy-v1.nginx-nginx":                  {"accepted after PROXY v1"},
	"proxy-v1-smtp.nginx-nginx":             {"accepted after PROXY v1, then SMTP"},
	"proxy-v2.nginx-python":                 {"accepted (very probably) after PROXY v2"},
	"proxy-v2-split.nginx-python":           {"accepted (very probably) after PROXY v2"},
	"smtp-refused.nginx-openssl":            {"unknown (not TLS): tls_refused after SMTP", "the server refused STARTTLS: 500 5.5.1 Invalid command"},
	"smtp-refused.python-openssl":           {"unknown (not TLS): tls_refused after SMTP", "the server refused STARTTLS: 454 4.7.0 TLS not available"},
	"imap-refused.nginx-openssl":            {"unknown (not TLS): tls_refused after IMAP", "the server refused STARTTLS: . BAD invalid command"},
	"pop3-refused.nginx-openssl":            {"unknown (not TLS): tls_refused after POP3", "the server refused STLS: -ERR invalid command"},
	"pop3-refused.python-curl":              {"unknown (not TLS): tls_refused after POP3", "the server refused STLS: -ERR no TLS"},
	"sieve-refused.python-openssl":          {"unknown (not TLS): tls_refused after ManageSieve", "the server refused STARTTLS: NO"},
	"mysql-without-tls.python-openssl":      {"unknown (not TLS): tls_refused after MySQL", "the server does not offer TLS"},
	"connect-unanswered.python-curl":        {"unknown (not TLS) after HTTP CONNECT", "find out why the proxy does not answer"},
	"ldap-refused.python-curl":              {"unknown (not TLS): tls_refused after LDAP", "the server refused StartTLS: ExtendedResponse: unavailable (52)"},
	"postgresql-refused.postgres-openssl":   {"unknown (not TLS): tls_refused after PostgreSQL", "the server refused SSLRequest: N"},
	"ldap.python-curl":                      {"unknown (not TLS) after LDAP", "agreed to StartTLS, but the client went on without TLS"},
	"mysql-plain.mariadb-mariadb":           {"unknown (not TLS) after MariaDB", "this is MariaDB without TLS, for which the client did not ask"},
	"smtp-demanded.python-curl":             {"rejected (not TLS) by server: not_tls after SMTP", "which the server demands: 530 5.7.0 Must issue a STARTTLS command first"},
	"imap-demanded.python-curl":             {"rejected (not TLS) by server: not_tls after IMAP", "which the server demands: A002 NO [PRIVACYREQUIRED] only with TLS"},
	"smtp-tls-at-once.nginx-openssl":        {"rejected (not TLS) by client: not_tls after SMTP", "have the client begin TLS by STARTTLS"},
	"pop3-tls-at-once.nginx-curl":           {"rejected (not TLS) by client: not_tls after POP3", "have the client begin TLS by STLS"},
	"mysql-tls-at-once.mariadb-openssl":     {"rejected (not TLS) by client: not_tls after MariaDB", "have the client begin TLS by SSLRequest"},
	"smtp-to-tls.nginx-openssl":             {"unknown (not TLS): closed", "a client that waits for the server to speak first (STARTTLS)"},
	"connect-403.tinyproxy-curl":            {"unknown (not TLS): proxy_refused after HTTP CONNECT", "the proxy refused the way to 127.0.0.1:4102: HTTP/1.1 403"},
	"connect-407.tinyproxy-curl":            {"unknown (not TLS): proxy_refused after HTTP CONNECT", "give the client the proxy's user name and password"},
	"connect-502.tinyproxy-curl":            {"unknown (not TLS): proxy_refused after HTTP CONNECT", "find out why the proxy cannot reach"},
	"socks4-refused.python-curl":            {"unknown (not TLS): proxy_refused after SOCKS 4", "the proxy refused the way to 127.0.0.1:4102: SOCKS 4: rejected or failed (91)"},
	"socks5-refused.microsocks-curl":        {"unknown (not TLS): proxy_refused after SOCKS 5", "the proxy refused the way to 127.0.0.1:9: SOCKS 5: connection refused (5)"},
	"socks5-no-password.microsocks-curl":    {"unknown (not TLS): proxy_refused after SOCKS 5", "give the client the proxy's user name and password"},
	"socks5-wrong-password.microsocks-curl": {"unknown (not TLS): proxy_refused after SOCKS 5", "the user name or password is wrong"},
	"proxy-v1-unexpected.nginx-nginx":       {"rejected (not TLS) by server: proxy_protocol after PROXY v1, then HTTP", "a load balancer has put a PROXY line before TLS"},
	"proxy-v1-unexpected.openssl-nginx":     {"rejected (very probably) by server: proxy_protocol after PROXY v1", "a load balancer has put a PROXY line before TLS"},
	"proxy-v1-unexpected.gnutls-nginx":      {"rejected (not TLS) by server: proxy_protocol after PROXY v1", "a load balancer has put a PROXY line before TLS"},
	"proxy-v1-unexpected.node-nginx":        {"rejected (very probably) by server: proxy_protocol after PROXY v1", "a load balancer has put a PROXY line before TLS"},
	"proxy-v2-unexpected.openssl-python":    {"rejected (very probably) by server: proxy_protocol after PROXY v2", "the line says that the client is 192.0.2.1:4711"},
	"proxy-v2-unexpected.node-python":       {"rejected (very probably) by server: proxy_protocol after PROXY v2", "the line says that the client is 192.0.2.1:4711"},
	"proxy-missing.nginx-openssl":           {"rejected (aborted) by server: closed", "the server ended the connection without an answer to ClientHello"},
}

// begun is what lab explain --json says of one connection.
type begun struct {
	Outcome, How, Code, Reason, Fix string
	RejectedBy                      string `json:"rejected_by"`
	Client                          string `json:"client_addr"`
	Server                          string `json:"server_addr"`
	Prologue                        struct {
		Protocol string
		Bytes    int64 `json:"client_bytes"`
	}
	Messages []struct {
		Handshake struct{ Type *int }
		Records   []struct{ Offset, Length int64 }
	}
	Problems []struct{ Text string }
}

func (b begun) String() string {
	s := b.Outcome
	if b.How != "" {
		s += " (" + b.How + ")"
	}
	if b.RejectedBy != "" {
		s += " by " + b.RejectedBy
	}
	if b.Code != "" {
		s += ": " + b.Code
	}
	if b.Prologue.Protocol != "" {
		s += " after " + b.Prologue.Protocol
	}
	return s
}

// ports are those of the two sides, as text in order.
func (b begun) ports() string {
	pair := []string{b.Client[strings.LastIndex(b.Client, ":")+1:], b.Server[strings.LastIndex(b.Server, ":")+1:]}
	slices.Sort(pair)
	return strings.Join(pair, ",")
}

// types are the types of the handshake messages that were read.
func (b begun) types() (all []string) {
	for _, m := range b.Messages {
		if m.Handshake.Type != nil {
			all = append(all, fmt.Sprint(*m.Handshake.Type))
		}
	}
	return all
}

// explainBegun returns what lab explain says of a capture, with its keys, and
// all that it prints without.
func explainBegun(t *testing.T, name string) (b begun, drawn string) {
	t.Helper()
	keys := filepath.Join(prologueDir, strings.TrimSuffix(name, ".late")+".keys")
	if _, err := os.Stat(keys); err != nil {
		keys = "off"
	}
	explain := func(flag, keys string) string {
		var out, errs bytes.Buffer
		p := command.Program{Stdout: &out, Stderr: &errs}
		if status := p.Run(t.Context(), []string{"lab", "explain", flag, "--dir", t.TempDir(), "--keylog", keys, filepath.Join(prologueDir, name+".pcap")}); status != 0 {
			t.Fatalf("%s: exit status %d: %s", name, status, &errs)
		}
		return out.String()
	}
	check(t, json.Unmarshal([]byte(explain("--json", keys)), &b))
	return b, explain("--json", "off") + explain("--verbose", "off") + explain("--list", "off")
}

// TestExplainPrologue: after whatever comes before it, TLS is read as if it had
// begun there, and where there is none, the verdict says who refused it.
// Passwords stay where they are.
func TestExplainPrologue(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(prologueDir, "*.pcap"))
	check(t, err)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".pcap")
		want, known := prologues[strings.TrimSuffix(name, ".late")]
		got, drawn := explainBegun(t, name)
		switch {
		case !known:
			t.Errorf("%s: nothing says what is right", name)
		case got.String() != want[0]:
			t.Errorf("%s: %v, want %s (%s; %v)", name, got, want[0], got.Reason, got.Problems)
		case !strings.Contains(got.Reason+"; "+got.Fix, want[1]):
			t.Errorf("%s: %s; fix: %s, want %s", name, got.Reason, got.Fix, want[1])
		}
		if strings.Contains(drawn, "secretword") || strings.Contains(drawn, "c2VjcmV0d29yZ") { // in base64
			t.Errorf("%s: the password is printed:\n%s", name, drawn)
		}
		_, ladder, _ := strings.Cut(drawn, "TCP stream")
		for line := range strings.Lines(ladder) {
			if text.Width(strings.TrimRight(line, "\n")) > text.Usual {
				t.Errorf("%s: a line of more than 80 columns: %s", name, line)
			}
		}
		if len(got.Messages) > 0 && got.Messages[0].Records[0].Offset != got.Prologue.Bytes {
			t.Errorf("%s: ClientHello is at byte %d, behind %d that are no TLS", name, got.Messages[0].Records[0].Offset, got.Prologue.Bytes)
		}
		if strings.Contains(got.String(), "accepted") && len(got.Messages) < 5 {
			t.Errorf("%s: %d messages", name, len(got.Messages))
		}
	}
}

// TestWithoutTLSIsShown: where a capture has no TLS, what there was instead is
// shown without being asked for, and --list names the protocol where it fits.
func TestWithoutTLSIsShown(t *testing.T) {
	for name, want := range map[string][2]string{
		"pop3-refused.python-curl":            {"the server refused STLS", "POP3: tls_refused"},
		"smtp-refused.python-openssl":         {"the server refused STARTTLS", "SMTP: tls_refused"},
		"imap-refused.nginx-openssl":          {"the server refused STARTTLS", "IMAP: tls_refused"},
		"mysql-without-tls.python-openssl":    {"the server does not offer TLS", "MySQL: tls_refused"},
		"postgresql-refused.postgres-openssl": {"the server refused SSLRequest", "PostgreSQL: tls_refused"},
		"connect-unanswered.python-curl":      {"the client closed before the proxy", "the client closed before the"},
		"mysql-plain.mariadb-mariadb":         {"this is MariaDB without TLS", "this is MariaDB without TLS"},
	} {
		for i, flag := range []string{"--brief", "--list"} {
			var out, errs bytes.Buffer
			p := command.Program{Stdout: &out, Stderr: &errs}
			if status := p.Run(t.Context(), []string{"lab", "explain", flag, "--dir", t.TempDir(), "--keylog", "off", filepath.Join(prologueDir, name+".pcap")}); status != 0 || !strings.Contains(out.String(), want[i]) {
				t.Errorf("%s %s: exit status %d, %q is not in\n%s%s", name, flag, status, want[i], &out, &errs)
			}
		}
	}
}

// TestPrologueLikeTshark: tshark sees the same handshake messages, as far as it
// looks for TLS there.
func TestPrologueLikeTshark(t *testing.T) {
	peertest.Need(t, "tshark", "mergecap")
	blind := map[string]string{
		"proxy-v2":    "tshark finds no ClientHello in the segment of a PROXY header of version 2",
		"upgrade":     "tshark does not know HTTP's Upgrade to TLS",
		"irc":         "tshark does not know IRC's STARTTLS",
		"mysql-tls-a": "tshark takes the port for MySQL's",
	}
	names := slices.Sorted(maps.Keys(prologues))
	all, keys := filepath.Join(t.TempDir(), "all.pcapng"), filepath.Join(t.TempDir(), "keys")
	merge := []string{"-a", "-w", all}
	var lines []byte
	for _, name := range names {
		merge = append(merge, filepath.Join(prologueDir, name+".pcap"))
		if log, err := os.ReadFile(filepath.Join(prologueDir, name+".keys")); err == nil {
			lines = append(lines, log...)
		}
	}
	check(t, os.WriteFile(keys, lines, 0o600))
	check(t, exec.Command("mergecap", merge...).Run())
	out, err := exec.Command("tshark", "-r", all, "-o", "tls.keylog_file:"+keys, "-Y", "tls.handshake.type", "-T", "fields", "-e", "tcp.port", "-e", "tls.handshake.type").Output()
	check(t, err)
	seen := map[string][]string{} // by the ports, the lower first
	for line := range strings.Lines(string(out)) {
		ports, types, _ := strings.Cut(strings.TrimSpace(line), "\t")
		pair := strings.Split(ports, ",")
		slices.Sort(pair)
		seen[strings.Join(pair, ",")] = append(seen[strings.Join(pair, ",")], strings.Split(types, ",")...)
	}
	for _, name := range names {
		got, _ := explainBegun(t, name)
		want := seen[got.ports()]
		why := ""
		for prefix, reason := range blind {
			if strings.HasPrefix(name, prefix) {
				why = reason
			}
		}
		if same := slices.Equal(got.types(), want); !same && (why == "" || !within(want, got.types())) {
			t.Errorf("%s: %v, and tshark sees %v", name, got.types(), want)
		}
	}
}

// within reports whether all has part in order.
func within(part, all []string) bool {
	for _, s := range all {
		if len(part) > 0 && part[0] == s {
			part = part[1:]
		}
	}
	return len(part) == 0
}
