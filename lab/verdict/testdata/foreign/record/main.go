// Record makes the captures in the folder above: connections, most of which
// fail, between programs that have nothing to do with the lab. It runs each
// pair of programs once a fault, and has dumpcap record them on the loopback
// device of a network namespace of its own.
//
//	go build -o /tmp/record ./lab/verdict/testdata/foreign/record
//	cd lab/verdict/testdata/foreign && unshare -n /tmp/record [-v] [NAME…]
//
// NAME is a pattern, such as 'client-*.nginx-curl.*'; without one all captures
// are made anew. It needs Linux, root, dumpcap, ip, nginx, curl, openssl, java
// and javac, node, python3, gnutls-serv and gnutls-cli. Which alert was sent,
// if any, stands in expect.yaml: compare it after a change of these programs.
//
// The folder sealed beside it has TLS 1.3 connections of more programs, all of
// a stack in one capture, to be read with and without their keys:
//
//	unshare -n /tmp/record -sealed -root ROOT STACK…
//
// STACK is a key of sealedStacks. ROOT is a root folder with Debian 13, for
// programs that Debian 12 has not, with botan, erlang-ssl, libbotan-3-dev,
// libmbedtls-dev and g++. Needed are also erlang-ssl, libnss3-tools and JDK 25.
package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// work is the folder with the certificates and settings of the programs.
var work string

func main() {
	log.SetFlags(0)
	verbose := flag.Bool("v", false, "show what the programs say")
	hidden := flag.Bool("sealed", false, "make the captures of the folder sealed, for each stack NAME")
	root := flag.String("root", "", "the other root folder for -sealed")
	isPeer := flag.Bool("peer", false, "be a program of a connection")
	flag.Parse()
	if *isPeer {
		goPeer(flag.Arg(0), flag.Arg(1))
		return
	}
	out, err := os.Getwd()
	check(err)
	peers := filepath.Join(out, "record")
	_, err = os.Stat(filepath.Join(peers, "server.js"))
	check(err) // else this is not the folder
	work, err = os.MkdirTemp("", "record")
	if *root != "" {
		work = filepath.Join(*root, "work")
		check(os.RemoveAll(work))
		err = os.Mkdir(work, 0o755)
	}
	check(err)
	defer os.RemoveAll(work)
	check(os.Chdir(work))
	writePKI(".")
	if flag.NArg() == 0 && !*hidden {
		publish(filepath.Join(out, "certs"))
	}
	check(os.WriteFile("index.html", []byte("hello\n"), 0o600))
	run("ip", "link", "set", "lo", "up")
	// No port that Wireshark knows as another protocol's.
	check(os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("50000 50999"), 0o600))
	run("javac", "-d", ".", filepath.Join(peers, "Server.java"), filepath.Join(peers, "Client.java"))
	if *hidden {
		preparePeers(peers, *root)
		recordSealed(filepath.Join(out, "..", "sealed"), *root, flag.Args())
		return
	}
	for _, c := range cases() {
		if !wanted(c.name()) {
			continue
		}
		said := c.record(out, peers)
		if *verbose {
			fmt.Printf("=== %s\n%s", c.name(), said)
		}
	}
}

// publish copies to dir what a person has who runs such programs: the CAs, but
// not the others', and the CRL.
func publish(dir string) {
	check(os.MkdirAll(dir, 0o755))
	for to, from := range map[string]string{"root.pem": "root.pem", "server-ca.pem": "server-ca.pem", "client-ca.pem": "client-ca.pem", "client-ca-crl.pem": "client-ca.crl.pem"} {
		data, err := os.ReadFile(from)
		check(err)
		check(os.WriteFile(filepath.Join(dir, to), data, 0o644))
	}
}

// wanted reports whether a capture is among those asked for.
func wanted(name string) bool {
	for _, pattern := range flag.Args() {
		if ok, err := path.Match(pattern, name); ok {
			return true
		} else if err != nil {
			fail("%v", err)
		}
	}
	return flag.NArg() == 0
}

// record makes one capture and its key log, and returns what the programs said.
func (c *connection) record(out, peers string) []byte {
	var serverSays, clientSays bytes.Buffer
	check(os.WriteFile("keys", nil, 0o600))
	server := c.serverCommand(peers)
	server.Stdout, server.Stderr = &serverSays, &serverSays
	check(server.Start())
	stopServer := func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	}
	if !await(listening) {
		stopServer()
		fail("%s: the server does not listen: %s", c.name(), &serverSays)
	}
	file := filepath.Join(out, c.name())
	_ = os.Remove(file + ".pcap")
	dumpcap := exec.Command("dumpcap", "-q", "-P", "-i", "lo", "-f", "tcp port 443", "-w", file+".pcap")
	stderr, err := dumpcap.StderrPipe()
	check(err)
	check(dumpcap.Start())
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "File: ") {
	}
	client := c.clientCommand(peers)
	client.Stdout, client.Stderr = &clientSays, &clientSays
	request, err := client.StdinPipe() // stays open: openssl and gnutls-cli leave at its end
	check(err)
	check(client.Start())
	if !c.client.quiet {
		_, _ = io.WriteString(request, "GET / HTTP/1.0\r\n\r\n")
	}
	stop := time.AfterFunc(20*time.Second, func() { _ = client.Process.Kill() })
	_ = client.Wait()
	if !stop.Stop() {
		fail("%s: the client does not end: %s", c.name(), &clientSays)
	}
	time.Sleep(400 * time.Millisecond) // what is under way is recorded as well
	check(dumpcap.Process.Signal(syscall.SIGINT))
	for lines.Scan() {
	}
	check(dumpcap.Wait())
	if info, err := os.Stat(file + ".pcap"); err != nil || info.Size() < 300 {
		fail("%s: nothing was recorded: %v %s", c.name(), err, &clientSays)
	}
	stopServer()
	check(os.Chmod(file+".pcap", 0o644))
	keys, err := os.ReadFile("keys")
	check(err)
	check(os.WriteFile(file+".keys", keys, 0o644))
	if errorLog, err := os.ReadFile("error.log"); err == nil {
		serverSays.Write(errorLog)
		check(os.Remove("error.log"))
	}
	return fmt.Appendf(nil, "--- client\n%s\n--- server\n%s\n", &clientSays, &serverSays)
}

// listening reports whether something listens on port 443.
func listening() bool {
	table, err := os.ReadFile("/proc/self/net/tcp")
	check(err)
	six, _ := os.ReadFile("/proc/self/net/tcp6")
	for line := range strings.Lines(string(table) + string(six)) {
		if f := strings.Fields(line); len(f) > 3 && strings.HasSuffix(f[1], ":01BB") && f[3] == "0A" {
			return true
		}
	}
	return false
}

func await(so func() bool) bool {
	for range 500 {
		if so() {
			return true
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

func run(name string, args ...string) {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		fail("%s: %v\n%s", name, err, out)
	}
}

func check(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func fail(format string, args ...any) {
	_ = os.RemoveAll(work)
	log.Fatalf(format, args...)
}
