package command_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

// cookbook is what COOKBOOK.md says of other programs.
type cookbook struct {
	commands []string // of a shell
	java     string   // Get.java
	manifest string   // more certificates
	names    []string // of the certificate in each column of the table; empty: none is shown
	rows     []cookbookRow
}

// cookbookRow is what a program makes of being refused.
type cookbookRow struct {
	program string // and an option
	cells   []string
}

// TestCookbook runs every line of COOKBOOK.md, as it stands and with
// the certificates of the table, against one server.
func TestCookbook(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the lines are of a Unix shell")
	}
	need(t, "sh")
	book, k := readCookbook(t), newKitchen(t)
	k.write("Get.java", strings.ReplaceAll(book.java, "8443", k.port))
	manifest, err := os.ReadFile(defaultManifest(t))
	if err != nil {
		t.Fatal(err)
	}
	k.write("certs.yaml", string(manifest)+book.manifest)
	k.startServer()
	for _, command := range book.commands {
		if !strings.HasPrefix(command, "lab certs export") {
			continue
		}
		for _, name := range append(book.names, "client") {
			if status, output := k.cook(t, withCertificate(command, name)); status != 0 {
				t.Errorf("%s\nexit status %d\n%s", command, status, output)
			}
		}
	}
	for _, command := range book.commands {
		if strings.HasPrefix(command, "lab certs export") {
			continue
		}
		t.Run(peerOf(command), func(t *testing.T) {
			t.Parallel()
			needPeers(t, command)
			want := "Hello CN=client"
			if strings.HasPrefix(command, "lab browser") {
				want = "wrote "
			}
			if status, output := k.cook(t, command); status != 0 || !strings.Contains(output, want) {
				t.Errorf("%s\nexit status %d, without %q\n%s", command, status, want, output)
			}
		})
	}
	for _, row := range book.rows {
		command := book.commandOf(t, row.program)
		for i, name := range book.names {
			t.Run(row.program+"/"+name, func(t *testing.T) {
				t.Parallel()
				needPeers(t, command)
				status, output := k.cook(t, withCertificate(command, name))
				cell := regexp.MustCompile("^(\\d+) `(.+)`$").FindStringSubmatch(row.cells[i])
				if cell == nil {
					t.Fatalf("%q is not an exit status and `words`", row.cells[i])
				}
				if strconv.Itoa(status) != cell[1] || !strings.Contains(output, cell[2]) {
					t.Errorf("%s\nexit status %d; COOKBOOK.md says %s\n%s", withCertificate(command, name), status, row.cells[i], output)
				}
			})
		}
	}
}

// readCookbook takes the document apart.
func readCookbook(t *testing.T) (book cookbook) {
	t.Helper()
	text := readDocument(t, filepath.Join("lab", "command", "COOKBOOK.md"))
	for _, block := range regexp.MustCompile("(?s)```(\\w+)\n(.*?)\n```").FindAllStringSubmatch(text, -1) {
		switch block[1] {
		case "sh":
			book.commands = append(book.commands, strings.Split(block[2], "\n\n")...)
		case "java":
			book.java += block[2]
		case "yaml":
			book.manifest += block[2]
		}
	}
	for _, line := range regexp.MustCompile(`(?m)^\|.*\|$`).FindAllString(text, -1) {
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch program, rest := strings.Trim(cells[0], "`"), cells[1:]; {
		case strings.HasPrefix(program, "---"):
		case program == "":
			for _, heading := range rest {
				book.names = append(book.names, code.FindString(heading))
			}
		default:
			book.rows = append(book.rows, cookbookRow{program, rest})
		}
	}
	for i, name := range book.names {
		book.names[i] = strings.Trim(name, "`")
	}
	if len(book.commands) == 0 || len(book.rows) == 0 || len(book.names) == 0 {
		t.Fatalf("COOKBOOK.md is not understood: %+v", book)
	}
	return book
}

var code = regexp.MustCompile("`.+`")

// commandOf is the line for a program of the table, with the option that it has
// there.
func (book cookbook) commandOf(t *testing.T, program string) string {
	t.Helper()
	name, _, _ := strings.Cut(program, " ")
	for _, command := range book.commands {
		if peerOf(command) == name && strings.Contains(command, program) {
			return command
		}
		if peerOf(command) == name {
			return strings.Replace(command, name, program, 1)
		}
	}
	t.Fatalf("COOKBOOK.md has no line for %s", program)
	return ""
}

// peerOf is the program that a line is about.
func peerOf(command string) string {
	if _, after, piped := strings.Cut(command, " | "); piped {
		command = after
	}
	words := strings.Fields(command)
	if words[0] == "lab" {
		return strings.Join(words[:3], " ")
	}
	return words[0]
}

// needPeers skips without the programs of a line, and fails where CI is set.
func needPeers(t *testing.T, command string) {
	t.Helper()
	peers := []string{peerOf(command)}
	if browser, ok := strings.CutPrefix(peers[0], "lab browser --"); ok {
		if runtime.GOOS != "linux" {
			t.Skip("on other systems a browser is left to people")
		}
		peers = []string{browser, "pk12util"}
	}
	need(t, peers...)
}

// need skips without the programs, and fails where CI is set.
func need(t testing.TB, peers ...string) {
	t.Helper()
	for _, peer := range peers {
		if err := findPeer(peer); err != nil {
			peertest.Missing(t, "needs %s: %v", peer, err)
		}
	}
}

// identity is the client's certificate in the lines of each program.
var identity = regexp.MustCompile(`--?cert \S+ --?key \S+|--certificate=\S+ --private-key=\S+|--x509certfile \S+ --x509keyfile \S+|` +
	`context\.load_cert_chain.*|cert: pem\("client"\), key: pem\("client-key"\)|-Djavax.net.ssl.keyStore=\S+`)

// withCertificate has a line show another certificate, or none.
func withCertificate(command, name string) string {
	if name == "" {
		return identity.ReplaceAllString(command, "")
	}
	for _, place := range []string{"certs/client", `"client`, "export client "} {
		command = strings.ReplaceAll(command, place, strings.Replace(place, "client", name, 1))
	}
	return command
}

// kitchen is a folder with a server.
type kitchen struct {
	t              *testing.T
	dir, bin, port string
}

func newKitchen(t *testing.T) *kitchen {
	return &kitchen{t: t, dir: t.TempDir(), bin: filepath.Dir(labCommand(t)), port: peertest.FreePort(t)}
}

func (k *kitchen) write(name, text string) {
	k.t.Helper()
	if err := os.WriteFile(filepath.Join(k.dir, name), []byte(text), 0o600); err != nil {
		k.t.Fatal(err)
	}
}

// command is a shell that runs a line.
func (k *kitchen) command(ctx context.Context, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", "-c", strings.ReplaceAll(line, "8443", k.port))
	cmd.Dir = k.dir
	cmd.Env = append(os.Environ(), "PATH="+k.bin+":"+os.Getenv("PATH"), "LAB_ADDR=127.0.0.1:"+k.port,
		"LAB_TEST_MANIFEST="+defaultManifest(k.t), "SSLKEYLOGFILE=", "LC_ALL=C",
		"JAVA_TOOL_OPTIONS=-XX:TieredStopAtLevel=1") // it is over before a better compiler would pay
	return cmd
}

// startServer runs lab server until the test and its parallel parts have ended.
func (k *kitchen) startServer() {
	k.t.Helper()
	peertest.Start(k.t, k.command(context.Background(), "exec lab server --capture off --keylog off"))
	if err := peertest.AwaitListener(k.port); err != nil {
		k.t.Fatal(err)
	}
}

// cook runs a line and returns its exit status and all its output.
func (k *kitchen) cook(t *testing.T, line string) (status int, output string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*peertest.Patience) // Java and browsers, all at once
	defer cancel()
	text, err := k.command(ctx, line).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), string(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, string(text)
}
