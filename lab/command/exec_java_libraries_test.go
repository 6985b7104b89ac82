//go:build unix

package command_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

// TestExecJavaLibraries runs Netty and Jetty, which have an SSLEngine each for
// their connections, under lab exec, and has tshark decrypt what they have said.
func TestExecJavaLibraries(t *testing.T) {
	t.Parallel()
	netty := jars(t, "netty-handler", "netty-transport", "netty-buffer", "netty-common", "netty-codec", "netty-resolver")
	jetty := jars(t, "jetty9-server", "jetty9-util", "jetty9-io", "jetty9-http", "servlet-api")
	l := newJavaLab(t)
	need(t, "tshark")
	l.compile(t, netty, "NettyPeer.java")
	l.compile(t, jetty, "JettyPeer.java")
	var names []string
	program := func(class, classpath, store, way, port, version string) []string {
		args := append([]string{"java"}, smallJVM...)
		return append(args, "-cp", l.dir+":"+classpath, class, store, way, port, version)
	}
	for _, version := range []string{"TLSv1.3", "TLSv1.2"} {
		l.run(t, "netty"+version, "", program("NettyPeer", netty, "client.p12", "client", l.port, version)...)
		names = append(names, "netty"+version)
		for class, classpath := range map[string]string{"NettyPeer": netty, "JettyPeer": jetty} {
			name, port := class+version, peertest.FreePort(t)
			l.serve(t, name, port, program(class, classpath, "server.p12", "server", port, version), func() { l.get(t, port, "localhost", "/"+name) })
			names = append(names, name)
		}
	}
	l.finish(t)
	seen := l.requests(t, names...)
	if seen["/netty"] != 2 {
		t.Errorf("with its keys tshark sees the request of Netty's client %d times, not 2", seen["/netty"])
	}
	for _, name := range names {
		if strings.Contains(name, "Peer") && seen["/"+name] != 1 {
			t.Errorf("with its keys tshark sees /%s %d times, not once", name, seen["/"+name])
		}
	}
}

// jars returns a class path of libraries from Debian.
func jars(t *testing.T, names ...string) string {
	t.Helper()
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = filepath.Join("/usr/share/java", name+".jar")
		if _, err := os.Stat(paths[i]); err != nil {
			if peertest.Full() {
				peertest.Missing(t, "needs a library: %v", err)
			}
			t.Skip(err)
		}
	}
	return strings.Join(paths, ":")
}

// TestExecJavaBouncyCastle: BouncyCastle's TLS, as client and as server, gives
// the same lines as Java's own.
func TestExecJavaBouncyCastle(t *testing.T) {
	t.Parallel()
	libraries := jars(t, "bctls", "bcprov", "bcutil")
	l := newJavaLab(t)
	need(t, "tshark")
	program := func(args []string) []string { // what comes last holds
		args = slices.Clone(args)
		at := slices.Index(args, "Peer")
		return slices.Insert(args, at, "-cp", l.dir+":"+libraries,
			"-Dpeer.providers=org.bouncycastle.jce.provider.BouncyCastleProvider,org.bouncycastle.jsse.provider.BouncyCastleJsseProvider")
	}
	want := make(map[string]int)
	var names []string
	for version, lines := range map[string]int{"TLSv1.3": 4, "TLSv1.2": 1} {
		client, server, port := "bc"+version, "bc-server"+version, peertest.FreePort(t)
		names = append(names, client, server)
		l.run(t, client, "", program(l.call("java", "socket,httpclient,resumed", l.port, version, 2, 2))...)
		l.serve(t, server, port, program(l.server("java", "server", port, version)), func() { l.get(t, port, "localhost", "/"+server) })
		for _, path := range []string{"/socket-0", "/socket-1", "/httpclient-0", "/httpclient-1", "/resumed-0", "/resumed-1", "/" + server} {
			want[path]++
		}
		counts := l.lines(t, client)
		if len(counts) != 6 {
			t.Errorf("%s: keys of %d handshakes, not 6", version, len(counts))
		}
		for _, n := range counts {
			if n != lines {
				t.Errorf("%s: %d lines of a handshake, not %d", version, n, lines)
			}
		}
	}
	l.finish(t)
	seen := l.requests(t, names...)
	for path, times := range want {
		if seen[path] != times {
			t.Errorf("with its keys tshark sees %s %d times, not %d", path, seen[path], times)
		}
	}
}
