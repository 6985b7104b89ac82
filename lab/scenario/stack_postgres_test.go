package scenario

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

var stackPostgreSQL = postgreSQLStack()

// postgreSQLStack lets each run have its own server, with a copy of a folder
// that is made once. Relays speak PostgreSQL's SSLRequest for the lab.
func postgreSQLStack() *stack {
	var bin, template string
	return &stack{
		name: "PostgreSQL", needs: []string{"psql", "pg_config", "setpriv"},
		client:  "psql sslmode=verify-full sslrootcert=CA sslcert=CERT sslkey=KEY host=HOST",
		server:  "ssl = on, ssl_ca_file = CA, ssl_cert_file = CERT; pg_hba.conf: hostssl all all all trust clientcert=verify-ca",
		lines:   `^(psql: error: .*|LOG:  could not accept .*|FATAL: .*|HINT: .*|This may indicate .*)`,
		crl:     true,
		without: []string{"mtls/server"}, // it waits for another protocol
		version: func(t *testing.T) string {
			bin = firstWords(t, 1, "pg_config", "--bindir")
			if _, err := os.Stat(filepath.Join(bin, "initdb")); err != nil {
				peertest.Missing(t, "needs postgresql: %v", err)
			}
			template = initPostgreSQL(t, bin)
			return firstWords(t, 3, "psql", "--version")
		},
		call: func(t *testing.T, e *end) (int, string) {
			port := relay(t, "127.0.0.1:"+e.port, func(client, _ net.Conn) error {
				if _, err := io.ReadFull(client, make([]byte, len(sslRequest))); err != nil {
					return err
				}
				_, err := io.WriteString(client, "S")
				return err
			})
			status, said := psql(t, e, e.host, port)
			if strings.Contains(said, "expected authentication request from server, but received H") {
				return 0, "" // the lab has answered in HTTP: TLS is all right
			}
			return status, said
		},
		serve: func(t *testing.T, e *end) (string, func(*regexp.Regexp) string) {
			p, port := startPostgreSQL(t, bin, template, e)
			relayed := relay(t, "127.0.0.1:"+port, func(_, server net.Conn) error {
				if _, err := io.WriteString(server, sslRequest); err != nil {
					return err
				}
				_, err := io.ReadFull(server, make([]byte, 1))
				return err
			})
			e.port = port
			return "127.0.0.1:" + relayed, untilLine(p)
		},
		native: func(t *testing.T, _ string, e *end) int {
			dir, client := filepath.Dir(e.key), &e.Scenario.Client
			as := &end{Scenario: e.Scenario, version: e.version, trust: filepath.Join(dir, "server-ca.pem")}
			if name := cmp.Or(client.Certificate, "client"); name != "none" && !client.Withhold && !client.ByUsage {
				as.cert, as.key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+"-key.pem")
			}
			status, _ := psql(t, as, "localhost", e.port)
			return status
		},
	}
}

// sslRequest is what a client says before TLS; the server answers "S".
const sslRequest = "\x00\x00\x00\x08\x04\xd2\x16\x2f"

func psql(t *testing.T, e *end, host, port string) (int, string) {
	list := "/nonexistent"
	if e.crl {
		list = e.trust
	}
	return output(t, "", "psql", "-X", "-w", "-c", "select 1", fmt.Sprintf("host=%s hostaddr=127.0.0.1 port=%s user=postgres dbname=postgres gssencmode=disable sslmode=verify-full sslrootcert=%s sslcert=%s sslkey=%s sslcrl=%s ssl_min_protocol_version=TLSv%s ssl_max_protocol_version=TLSv%[7]s",
		host, port, e.trust, cmp.Or(e.cert, "/nonexistent"), cmp.Or(e.key, "/nonexistent"), list, e.version))
}

// relay listens on a port of 127.0.0.1, and passes on each connection to addr
// when begin has said what comes before TLS.
func relay(t *testing.T, addr string, begin func(client, server net.Conn) error) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var passing sync.WaitGroup
	t.Cleanup(func() { stop(); l.Close(); passing.Wait() })
	passing.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			passing.Go(func() { pass(ctx, client, addr, begin) })
		}
	})
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

func pass(ctx context.Context, client net.Conn, addr string, begin func(client, server net.Conn) error) {
	defer client.Close()
	server, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer server.Close()
	defer context.AfterFunc(ctx, func() { client.Close(); server.Close() })()
	if begin(client, server) != nil {
		return
	}
	var back sync.WaitGroup
	back.Go(func() { copyThenEnd(client, server) })
	copyThenEnd(server, client)
	back.Wait()
}

func copyThenEnd(to, from net.Conn) {
	_, _ = io.Copy(to, from) // it is over either way
	_ = to.(*net.TCPConn).CloseWrite()
}

// asNobody runs a program as nobody where the test runs as root, which
// PostgreSQL refuses.
func asNobody(name string, args ...string) *exec.Cmd {
	if os.Getuid() == 0 {
		args = append([]string{"--reuid=nobody", "--regid=nogroup", "--clear-groups", "--", name}, args...)
		name = "setpriv"
	}
	return exec.Command(name, args...)
}

// nobodysDir makes a folder that nobody may write to.
func nobodysDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lab-postgres-") // those of t.TempDir are within folders of root's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if os.Getuid() == 0 {
		who, err := user.Lookup("nobody")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(who.Uid)
		gid, _ := strconv.Atoi(who.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func initPostgreSQL(t *testing.T, bin string) (template string) {
	t.Helper()
	dir := nobodysDir(t)
	cmd := asNobody(filepath.Join(bin, "initdb"), "-D", dir, "-A", "trust", "-N", "-U", "postgres", "--no-locale", "-E", "UTF8", "--wal-segsize=1")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	hba := "hostssl all all all trust clientcert=verify-ca\n"
	if err := os.WriteFile(filepath.Join(dir, "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func startPostgreSQL(t *testing.T, bin, template string, e *end) (p *peertest.Program, port string) {
	t.Helper()
	dir, port := nobodysDir(t), peertest.FreePort(t)
	give := func(name, file string) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cmd := asNobody("sh", "-c", "umask 077; cat >"+filepath.Join(dir, name))
		cmd.Stdin = strings.NewReader(string(text))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if out, err := asNobody("cp", "-r", template+"/.", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	give("server.pem", e.cert)
	give("server-key.pem", e.key)
	give("ca.pem", e.trust)
	args := []string{"-D", dir}
	for _, setting := range []string{"listen_addresses=127.0.0.1", "port=" + port, "unix_socket_directories=", "fsync=off", "shared_buffers=1MB", "log_line_prefix=", "ssl=on", "ssl_cert_file=server.pem", "ssl_key_file=server-key.pem", "ssl_ca_file=ca.pem",
		"ssl_min_protocol_version=TLSv" + e.version, "ssl_max_protocol_version=TLSv" + e.version} {
		args = append(args, "-c", setting)
	}
	if e.crl {
		args = append(args, "-c", "ssl_crl_file=ca.pem")
	}
	cmd := asNobody(filepath.Join(bin, "postgres"), args...)
	cmd.Dir = dir
	p = peertest.Start(t, cmd)
	t.Cleanup(func() { // in good order, or its shared memory is left
		_ = cmd.Process.Signal(os.Interrupt)
		p.Wait(t)
	})
	p.Await(t, "database system is ready to accept connections")
	return p, port
}
