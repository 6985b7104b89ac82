package keyshim

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/tlswire"
)

// lineOf is a line of the key log for the connection of that number.
func lineOf(label string, n int) string { return fmt.Sprintf("%s %064x %064x\n", label, n, 1) }

func randomOf(n byte) clientRandom { return clientRandom{31: n} }

func TestFollow(t *testing.T) {
	const patience = 5 * time.Second // for keys that are there
	path := filepath.Join(t.TempDir(), "keys.log")
	if err := os.WriteFile(path, []byte(lineOf("OLD", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	write := func(text string) {
		if _, err := log.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	f, err := follow(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.close(); err != nil {
			t.Error(err)
		}
	})
	first, second, third := new(peertest.Buffer), new(peertest.Buffer), new(peertest.Buffer)

	// Before the ClientHello is seen, in parts, and among what is no key.
	want := lineOf("CLIENT_HANDSHAKE_TRAFFIC_SECRET", 1) + lineOf("SERVER_HANDSHAKE_TRAFFIC_SECRET", 1)
	write("# a comment\n\nnonsense\n" + lineOf("CLIENT_RANDOM", 2) + want[:100])
	f.read()
	write(want[100:])
	f.read()
	keys := newConnKeys(first)
	f.expect(randomOf(1), false, keys)
	other := newConnKeys(second)
	f.expect(randomOf(2), false, other)
	if !f.await(other, patience) || second.String() != lineOf("CLIENT_RANDOM", 2) {
		t.Fatalf("the second connection got %q", second)
	}

	// After it.
	select {
	case <-keys.complete:
		t.Error("complete after two of four secrets")
	default:
	}
	rest := lineOf("SERVER_TRAFFIC_SECRET_0", 1) + lineOf("CLIENT_TRAFFIC_SECRET_0", 1)
	write(rest)
	if !f.await(keys, patience) || first.String() != want+rest {
		t.Errorf("the first connection got %q", first)
	}

	// In any order: nothing is complete without the last one.
	for last, label := range []string{"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"} {
		n, all := 10+last, new(peertest.Buffer)
		keys := newConnKeys(all)
		f.expect(randomOf(byte(n)), false, keys)
		for _, other := range []string{"SERVER_TRAFFIC_SECRET_0", "CLIENT_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0", "SERVER_HANDSHAKE_TRAFFIC_SECRET"} {
			if other != label {
				write(lineOf(other, n))
			}
		}
		f.read()
		select {
		case <-keys.complete:
			t.Errorf("complete without %s", label)
		default:
		}
		write(lineOf(label, n))
		if !f.await(keys, patience) || strings.Count(all.String(), "\n") != 4 {
			t.Errorf("with %s at the end the connection got %q", label, all)
		}
	}

	// None at all, and none needed.
	if f.expect(randomOf(3), false, newConnKeys(third)); third.String() != "" {
		t.Errorf("the third connection got %q", third)
	}
	if !f.await(newConnKeys(third), patience) {
		t.Error("keys are missed where there was no ClientHello")
	}
	without := newConnKeys(third)
	f.expect(randomOf(4), false, without)
	if f.await(without, time.Millisecond) {
		t.Error("keys are not missed")
	}

	// What others log is forgotten in time.
	write(strings.Repeat(lineOf("OTHERS", 9), 3*maxRecent))
	f.read()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.recent) > maxRecent {
		t.Errorf("%d entries are kept", len(f.recent))
	}
}

// recordedHello is a ClientHello of TLS 1.2 with no extensions, and its random.
func recordedHello() ([]byte, clientRandom) {
	random := clientRandom([]byte("0123456789abcdef0123456789abcdef"))
	body := append([]byte{3, 3}, random[:]...)
	body = append(body, 0, 0, 2, 0xc0, 0x2b, 1, 0)
	message := append([]byte{1, 0, 0, byte(len(body))}, body...)
	first, second := message[:20], message[20:] // in two records
	record := append([]byte{22, 3, 1, 0, byte(len(first))}, first...)
	return append(append(record, 22, 3, 1, 0, byte(len(second))), second...), random
}

func TestHelloFinder(t *testing.T) {
	hello, want := recordedHello()
	for name, writes := range map[string][][]byte{
		"at once":      {hello},
		"in two":       {hello[:30], hello[30:]},
		"after talk":   {[]byte("EHLO there\r\n"), []byte("STARTTLS\r\n"), hello},
		"with more":    {append(bytes.Clone(hello), "more"...), hello},
		"by the byte":  nil,
		"after a lone": {{22}, []byte("x"), hello},
	} {
		if name == "by the byte" {
			for i := range hello {
				writes = append(writes, hello[i:i+1])
			}
		}
		var found []clientRandom
		finder := &helloFinder{found: func(hello *tlswire.ClientHello) { found = append(found, hello.Random) }}
		for _, p := range writes {
			_, _ = finder.Write(p)
		}
		if len(found) != 1 || found[0] != want {
			t.Errorf("%s: found %x", name, found)
		}
	}
}

func FuzzHelloFinder(f *testing.F) {
	hello, _ := recordedHello()
	f.Add(hello, 7)
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), 3)
	f.Add([]byte{22, 3, 3, 0, 0, 22, 3, 3, 0, 4, 1, 0xff, 0xff, 0xff}, 1)
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		found := 0
		finder := &helloFinder{found: func(*tlswire.ClientHello) { found++ }}
		for size = max(size, 1); len(stream) > 0; {
			n := min(size, len(stream))
			_, _ = finder.Write(stream[:n])
			stream = stream[n:]
		}
		if found > 1 {
			t.Errorf("found %d times", found)
		}
	})
}
