package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// firstPort is the port of the first server of a stack: they count on from it,
// so that a connection's port says what it is.
const firstPort = 20001

// peer is a side of a sealed connection.
type peer struct {
	Stack string // the program; stacks.go
	Root  string // the root folder that the program is in; "": this one

	Pair, Key string // names of its certificate's and its key's files
	CRL       bool   // look at them
	Name      string // of the server that the client wants
	Ask       string // for a certificate: on, optional or off
	Suite     string // the only cipher suite; "": the program's own
	Group     string // the only one; "": the program's own
	NoTickets bool
	NoCompat  bool // no ChangeCipherSpec
	HTTP2     bool
	Padding   bool
	Requests  int // on a connection
	Body      int // of a request, in bytes
	Answer    int // its body, in bytes
	Calls     int // connections, of which all but the first take up the session
	Manner    string
	Port      int
}

func (p *peer) port() string    { return strconv.Itoa(p.Port) }
func (p *peer) chain() string   { return p.party().chainFile() }
func (p *peer) keyFile() string { return p.party().keyFile() }
func (p *peer) party() *party   { return &party{pair: p.Pair, key: p.Key} }

func (p *peer) method() string {
	if p.Body > 0 {
		return "POST"
	}
	return "GET"
}

// sealed is a TLS 1.3 connection to be read without its keys.
type sealed struct {
	what           string
	server, client peer
}

func (c *sealed) name() string { return c.what + " " + c.server.Stack + " " + c.client.Stack }

// recordSealed records the connections of each stack into out: STACK.pcapng.gz,
// its keys, and STACK.txt, which says of each port what it was.
func recordSealed(out, root string, stacks []string) {
	for _, stack := range stacks {
		check(os.WriteFile("keys", nil, 0o666))
		check(os.Chmod("keys", 0o666))
		mtu := "65536"
		if slices.Contains(onNetwork, stack) {
			mtu = "1500"
		}
		run("ip", "link", "set", "lo", "mtu", mtu, "gso_max_segs", "1")
		all := sealedCases(stack, root)
		stop := startDumpcap("all.pcapng", fmt.Sprintf("tcp portrange %d-%d", firstPort, firstPort+len(all)-1))
		var index, said bytes.Buffer
		var mu sync.Mutex
		var group sync.WaitGroup
		slots := make(chan bool, 4)
		for i, c := range all {
			c.server.Port, c.client.Port = firstPort+i, firstPort+i
			fmt.Fprintf(&index, "%d %s\n", c.server.Port, c.name())
			slots <- true
			group.Go(func() {
				text := c.run()
				mu.Lock()
				fmt.Fprintf(&said, "=== %d %s\n%s\n", c.server.Port, c.name(), text)
				mu.Unlock()
				<-slots
			})
		}
		group.Wait()
		time.Sleep(300 * time.Millisecond)
		stop()
		check(os.WriteFile(filepath.Join(out, stack+".txt"), index.Bytes(), 0o644))
		check(os.WriteFile(filepath.Join(os.TempDir(), stack+".said"), said.Bytes(), 0o644))
		pack("all.pcapng", filepath.Join(out, stack+".pcapng.gz"))
		keys, err := os.ReadFile("keys")
		check(err)
		check(os.WriteFile("keys.once", dedup(keys), 0o644))
		pack("keys.once", filepath.Join(out, stack+".keys.gz"))
	}
}

// dedup leaves out the lines that both sides have logged.
func dedup(lines []byte) []byte {
	seen := map[string]bool{}
	var out []byte
	for line := range bytes.Lines(lines) {
		if !seen[string(line)] && !bytes.HasPrefix(line, []byte("#")) && !bytes.HasPrefix(line, []byte("EXPORTER")) {
			out = append(out, line...)
		}
		seen[string(line)] = true
	}
	return out
}

func pack(from, to string) {
	in, err := os.ReadFile(from)
	check(err)
	out, err := os.Create(to)
	check(err)
	z, _ := gzip.NewWriterLevel(out, gzip.BestCompression)
	_, err = z.Write(in)
	check(err)
	check(z.Close())
	check(out.Close())
}

// startDumpcap records what passes a filter, until stop is called.
func startDumpcap(file, filter string) (stop func()) {
	dumpcap := exec.Command("dumpcap", "-q", "-i", "lo", "-f", filter, "-w", file)
	stderr, err := dumpcap.StderrPipe()
	check(err)
	check(dumpcap.Start())
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "File: ") {
	}
	return func() {
		check(dumpcap.Process.Signal(syscall.SIGINT))
		for lines.Scan() {
		}
		check(dumpcap.Wait())
	}
}

// run makes the connection, and returns what the programs say.
func (c *sealed) run() string {
	var serverSays, clientSays bytes.Buffer
	server := c.server.command("server")
	server.Stdout, server.Stderr = &serverSays, &serverSays
	hold, err := server.StdinPipe()
	check(err)
	defer hold.Close()
	check(server.Start())
	defer func() {
		_ = syscall.Kill(-server.Process.Pid, syscall.SIGKILL)
		_ = server.Wait()
	}()
	if !await(func() bool { return listensOn(c.server.Port) }) {
		return fmt.Sprintf("THE SERVER DOES NOT LISTEN %s", &serverSays)
	}
	client := c.client.command("client")
	client.Stdout, client.Stderr = &clientSays, &clientSays
	in, err := client.StdinPipe()
	check(err)
	check(client.Start())
	if c.client.Stack == "gnutls" || strings.HasPrefix(c.client.Stack, "openssl") {
		_, _ = io.WriteString(in, c.client.cliRequests())
	}
	if c.client.Requests == 0 {
		time.AfterFunc(700*time.Millisecond, func() { _ = in.Close() })
	}
	stop := time.AfterFunc(15*time.Second, func() { _ = syscall.Kill(-client.Process.Pid, syscall.SIGKILL) })
	_ = client.Wait()
	if !stop.Stop() {
		clientSays.WriteString("KILLED\n")
	}
	time.Sleep(200 * time.Millisecond)
	return fmt.Sprintf("--- client\n%s\n--- server\n%s", &clientSays, &serverSays)
}

// cliRequests is what a user types into a client that has no HTTP.
func (p *peer) cliRequests() (text string) {
	for left := p.Requests; left > 0; left-- {
		text += fmt.Sprintf("%s /index.html HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", p.method(), p.Name, p.Body)
		if left == 1 {
			text += "Connection: close\r\n"
		}
		text += "\r\n" + strings.Repeat("x", p.Body)
	}
	return text
}

// listensOn reports whether something listens on a port.
func listensOn(port int) bool {
	table, err := os.ReadFile("/proc/self/net/tcp")
	check(err)
	six, _ := os.ReadFile("/proc/self/net/tcp6")
	end := fmt.Sprintf(":%04X", port)
	for line := range strings.Lines(string(table) + string(six)) {
		if f := strings.Fields(line); len(f) > 3 && strings.HasSuffix(f[1], end) && f[3] == "0A" {
			return true
		}
	}
	return false
}

// settings returns the environment that the programs in peers/ read.
func (p *peer) settings() []string {
	resume, http2, tickets := "", "", "1"
	if p.Calls > 1 {
		resume = "1"
	}
	if p.HTTP2 {
		http2 = "1"
	}
	if p.NoTickets {
		tickets = "0"
	}
	env := []string{"GODEBUG=tlsmlkem=0", "CA=root.pem", "CHAIN=" + p.chain(), "KEY=" + p.keyFile(), "NAME=" + p.Name, "ASK=" + p.Ask, "SUITE=" + p.Suite, "GROUP=" + p.Group,
		"TICKETS=" + tickets, "METHOD=" + p.method(), "REQUESTS=" + strconv.Itoa(p.Requests), "BODY=" + strconv.Itoa(p.Body), "ANSWER=" + strconv.Itoa(p.Answer),
		"RESUME=" + resume, "HTTP2=" + http2, "PORT=" + p.port(), "VERSIONS=1.3", "STATUS=200", "SSLKEYLOGFILE=keys"}
	if p.CRL {
		env = append(env, "CRL=client-ca.crl.pem")
	}
	return append(os.Environ(), env...)
}

func (p *peer) json() string {
	text, err := json.Marshal(p)
	check(err)
	return string(text)
}
