package command_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"

	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/lab/command"
	"mtlslab.example/lab/lab/peertest"
)

// foreignDir has captures of connections between programs that are not ours.
var foreignDir = filepath.Join("..", "verdict", "testdata", "foreign")

// foreignCapture is an entry of expect.yaml, which says what its fields mean.
type foreignCapture struct {
	Capture     string
	Cause       string
	Alert       string
	WithKeys    rightAnswer  `yaml:"with_keys"`
	WithoutKeys *rightAnswer `yaml:"without_keys"` // nil: the same
	WithCAs     *rightAnswer `yaml:"with_cas"`     // nil: the same
}

type rightAnswer struct {
	Outcome    string
	RejectedBy string `yaml:"rejected_by"`
	Code       string
	Causes     []string
	Sentence   string
	Says       []string
}

// explained is what lab explain --json says of a connection.
type explained struct {
	Outcome    string `json:"outcome"`
	RejectedBy string `json:"rejected_by"`
	Code       string `json:"code"`
	Reason     string `json:"reason"`
	Causes     []struct {
		Code string `json:"code"`
	} `json:"causes"`
}

func foreignCaptures(t *testing.T) []foreignCapture {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(foreignDir, "expect.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var all []foreignCapture
	if err := yaml.Load(data, &all, yaml.WithKnownFields()); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(foreignDir, "*.pcap"))
	if err != nil || len(files) != len(all) {
		t.Fatalf("%d captures, %d in expect.yaml, %v", len(files), len(all), err)
	}
	return all
}

// Of each capture, with its keys, without, with the CAs of the two sides and of
// another PKI, lab explain names the right side and cause, or says that it
// cannot be known.
func TestExplainForeign(t *testing.T) {
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	wrong, best, all := 0, 0, 0
	empty, strange := t.TempDir(), t.TempDir()
	cas, err := os.ReadFile(filepath.Join("..", "ladder", "testdata", "cas.pem"))
	check(t, err)
	check(t, os.Mkdir(filepath.Join(strange, "certs"), 0o755))
	check(t, os.WriteFile(filepath.Join(strange, "certs", "cas.pem"), cas, 0o644))
	for i, c := range foreignCaptures(t) {
		file := filepath.Join(foreignDir, c.Capture)
		for j, try := range []struct {
			with, keys, dir string
			want            *rightAnswer
		}{
			{"keys", file + ".keys", empty, &c.WithKeys},
			{"no keys", "off", empty, cmp.Or(c.WithoutKeys, &c.WithKeys)},
			{"another's CAs", file + ".keys", strange, &c.WithKeys},
			{"CAs", file + ".keys", foreignDir, cmp.Or(c.WithCAs, &c.WithKeys)},
		} {
			if j >= 2 && j != 2+i%2 && !peertest.Full() {
				continue // the one or the other
			}
			all++
			got := explainForeign(t, file+".pcap", "--dir", try.dir, "--keylog", try.keys)
			if complaint := try.want.compare(got, c.Cause); complaint != "" {
				wrong++
				fmt.Fprintf(w, "%s\t%s\t%s\n", c.Capture, try.with, complaint)
			} else if is(try.want.Code, got.Code) == 0 && is(try.want.Outcome, got.Outcome) == 0 {
				best++
			}
		}
	}
	_ = w.Flush()
	t.Logf("%d answers: %d wrong, %d the best", all, wrong, best)
	if wrong > 0 {
		t.Error("wrong:\n" + table.String())
	}
}

// explainForeign returns what lab explain says of a capture of one connection.
func explainForeign(t *testing.T, capture string, flags ...string) (x explained) {
	t.Helper()
	var out, errs bytes.Buffer
	p := command.Program{Stdout: &out, Stderr: &errs}
	if status := p.Run(t.Context(), append([]string{"lab", "explain", "--json", capture}, flags...)); status != 0 {
		t.Fatalf("%s: exit status %d: %s", capture, status, &errs)
	}
	if lines := bytes.Count(out.Bytes(), []byte("\n")); lines != 1 {
		t.Fatalf("%s: %d connections in place of one", capture, lines)
	}
	if err := json.Unmarshal(out.Bytes(), &x); err != nil {
		t.Fatalf("%s: %v", capture, err)
	}
	return x
}

// compare says what is wrong with an answer, if anything is.
func (want *rightAnswer) compare(got explained, cause string) string {
	var wrong []string
	complain := func(what, got, want string) {
		wrong = append(wrong, fmt.Sprintf("%s %s, want %s", what, got, want))
	}
	var causes []string
	for _, c := range got.Causes {
		causes = append(causes, c.Code)
	}
	for _, f := range []struct{ what, got, want string }{
		{"outcome", got.Outcome, want.Outcome}, {"by", got.RejectedBy, want.RejectedBy}, {"code", got.Code, want.Code},
	} {
		if is(f.want, f.got) < 0 {
			complain(f.what, orNone(f.got), f.want)
		}
	}
	if len(want.Causes) > 0 && got.Code != cause {
		if !slices.Contains(causes, cause) {
			complain("causes", orNone(strings.Join(causes, ",")), cause)
		} else if !inOrder(causes, want.Causes) {
			complain("causes", strings.Join(causes, ","), strings.Join(want.Causes, ","))
		}
	}
	if is(want.Code, got.Code) == 0 && got.Reason != "" {
		for _, words := range want.Says {
			if !slices.ContainsFunc(strings.Split(words, "|"), func(word string) bool {
				return strings.Contains(strings.ToLower(got.Reason), strings.ToLower(word))
			}) {
				complain("sentence", strconv.Quote(got.Reason), strconv.Quote(words))
			}
		}
	}
	return strings.Join(wrong, "; ")
}

// is returns the place of got among the right answers a|b, -1 if it is wrong.
func is(right, got string) int { return slices.Index(strings.Split(right, "|"), orNone(got)) }

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// inOrder reports whether those of order that are among codes come in order.
func inOrder(codes, order []string) bool {
	last := -1
	for _, code := range order {
		if i := slices.Index(codes, code); i >= 0 {
			if i < last {
				return false
			}
			last = i
		}
	}
	return true
}

// The alerts in expect.yaml are those that tshark shows.
func TestForeignAlerts(t *testing.T) {
	peertest.Need(t, "tshark", "mergecap")
	captures := foreignCaptures(t)
	merged, keys := filepath.Join(t.TempDir(), "merged.pcap"), filepath.Join(t.TempDir(), "keys")
	merge, secrets := []string{"-a", "-F", "pcap", "-w", merged}, []byte{}
	var ends []int // the number of each capture's last frame
	for _, c := range captures {
		file := filepath.Join(foreignDir, c.Capture)
		merge = append(merge, file+".pcap")
		lines, err := os.ReadFile(file + ".keys")
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, lines...)
		ends = append(ends, frames(t, file+".pcap"))
		if n := len(ends); n > 1 {
			ends[n-1] += ends[n-2]
		}
	}
	if err := os.WriteFile(keys, secrets, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mergecap", merge...).CombinedOutput(); err != nil {
		t.Fatalf("mergecap: %v: %s", err, out)
	}
	out, err := exec.Command("tshark", "-r", merged, "-o", "tls.keylog_file:"+keys, "-d", "tcp.port==443,tls", "-Y", "tls.alert_message", "-T", "fields",
		"-e", "frame.number", "-e", "tcp.srcport", "-e", "tls.alert_message.desc").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := make([]string, len(captures))
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		frame, err := strconv.Atoi(f[0])
		if err != nil {
			t.Fatal(err)
		}
		i, _ := slices.BinarySearch(ends, frame)
		side := "client"
		if f[1] == "443" {
			side = "server"
		}
		for _, code := range strings.Split(f[2], ",") {
			if name := alertNames[code]; name != "" && seen[i] == "" {
				seen[i] = name + " by " + side
			}
		}
	}
	for i, c := range captures {
		if c.Cause == "not_tls" { // tshark reads no further
			seen[i] = plainAlert(t, filepath.Join(foreignDir, c.Capture+".pcap"))
		}
		if got := orNone(seen[i]); got != c.Alert {
			t.Errorf("%s: tshark shows %s, expect.yaml has %s", c.Capture, got, c.Alert)
		}
	}
}

// plainAlert finds the alert in a capture in which only one side speaks TLS.
func plainAlert(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, alert, found := bytes.Cut(data, []byte{21, 3, 3, 0, 2, 2})
	switch {
	case !found:
		return ""
	case bytes.Contains(data, []byte("GET / HTTP/1.1\r\n")):
		return alertNames[strconv.Itoa(int(alert[0]))] + " by server"
	}
	return alertNames[strconv.Itoa(int(alert[0]))] + " by client"
}

// alertNames are those of the alerts in the captures that end a connection for
// a reason (RFC 9846 section 6.2).
var alertNames = map[string]string{
	"10": "unexpected_message", "40": "handshake_failure", "42": "bad_certificate", "43": "unsupported_certificate", "44": "certificate_revoked",
	"45": "certificate_expired", "46": "certificate_unknown", "48": "unknown_ca", "49": "access_denied", "50": "decode_error", "51": "decrypt_error",
	"70": "protocol_version", "80": "internal_error", "112": "unrecognized_name", "116": "certificate_required", "120": "no_application_protocol",
}

// frames counts the packets of a pcap file.
func frames(t *testing.T, file string) (n int) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for rest := data[24:]; len(rest) >= 16; n++ {
		rest = rest[16+int(rest[8])+int(rest[9])<<8+int(rest[10])<<16:]
	}
	return n
}
