//go:build unix

package lab

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"mtlslab.example/lab/lab/verdict"
)

// mounted is a Secret as Kubernetes mounts it: its entries are links through
// ..data, a link to a folder with the files.
type mounted struct {
	dir     string
	edition int
}

// swap replaces all files at once, as the kubelet does: it makes a folder, has
// ..data lead to it, and removes the one before.
func (m *mounted) swap(t *testing.T, files map[string]string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	before, _ := os.Readlink(filepath.Join(m.dir, "..data"))
	m.edition++
	folder := "..edition-" + strconv.Itoa(m.edition)
	must(os.Mkdir(filepath.Join(m.dir, folder), 0o755))
	for entry, content := range files {
		must(os.WriteFile(filepath.Join(m.dir, folder, entry), []byte(content), 0o600))
	}
	must(os.Symlink(folder, filepath.Join(m.dir, "..data_tmp")))
	must(os.Rename(filepath.Join(m.dir, "..data_tmp"), filepath.Join(m.dir, "..data")))
	for entry := range files {
		if before == "" {
			must(os.Symlink(filepath.Join("..data", entry), filepath.Join(m.dir, entry)))
		}
	}
	if before != "" {
		must(os.RemoveAll(filepath.Join(m.dir, before)))
	}
}

func (m *mounted) file(entry string) string { return filepath.Join(m.dir, entry) }

// Certificates, keys and CAs that Kubernetes swaps are taken up while 16
// clients call, without a call that fails.
func TestSecretsThatAreSwapped(t *testing.T) {
	const clients, swaps = 16, 4
	pkis := []string{newPKI(t), newPKI(t)} // of different CAs
	content := func(pki, file string) string {
		data, err := os.ReadFile(filepath.Join(pki, file))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	secret := func(pki, name string) map[string]string {
		return map[string]string{"tls.crt": content(pki, name+".pem"), "tls.key": content(pki, name+"-key.pem")}
	}
	var server, client, serverCA, clientCA mounted
	trust := func(pkis ...string) {
		for mount, name := range map[*mounted]string{&serverCA: "server-ca", &clientCA: "client-ca"} {
			bundle := ""
			for _, pki := range pkis {
				bundle += content(pki, name+".pem")
			}
			mount.swap(t, map[string]string{"ca.crt": bundle})
		}
	}
	for _, m := range []*mounted{&server, &client, &serverCA, &clientCA} {
		m.dir = t.TempDir()
	}
	trust(pkis[0])
	server.swap(t, secret(pkis[0], "server"))
	client.swap(t, secret(pkis[0], "client"))

	var mu sync.Mutex
	ended := make(chan int, 1000) // numbers of clients
	s, err := Listen(t.Context(), "127.0.0.1:0", Settings{
		Credentials: Credentials{Dir: t.TempDir(), Certificate: server.file("tls.crt"), KeyFile: server.file("tls.key"), Trust: clientCA.file("ca.crt")},
		Journal: &Journal{Each: func(x *Exchange) {
			mu.Lock()
			defer mu.Unlock()
			if x.Outcome != verdict.Accepted {
				t.Errorf("exchange %d: %+v", x.Number, x.Verdict)
			}
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	serving, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(serving) }()
	ctx, enough := context.WithCancel(t.Context())

	var calling sync.WaitGroup
	for number := range clients {
		u := &url.URL{Scheme: "https", Host: "localhost", Path: "/"}
		c, err := NewClient(ClientOptions{URL: u, Addr: s.Addr().String()}, Settings{
			Credentials: Credentials{Dir: t.TempDir(), Certificate: client.file("tls.crt"), KeyFile: client.file("tls.key"), Trust: serverCA.file("ca.crt")},
			Journal:     &Journal{},
		})
		if err != nil {
			t.Fatal(err)
		}
		calling.Go(func() {
			for ctx.Err() == nil {
				if _, err := c.Call(serving); err != nil {
					t.Errorf("a call: %v", err)
					enough()
					return
				}
				ended <- number
			}
		})
	}
	// calls waits until every client has made a call, from begin to end.
	calls := func() {
		made := map[int]int{}
		for n := 0; n < clients && ctx.Err() == nil; {
			select {
			case number := <-ended:
				if made[number]++; made[number] == 2 {
					n++
				}
			case <-ctx.Done():
			}
		}
	}
	calls()
	for i := range swaps {
		before, now := pkis[i%2], pkis[(i+1)%2]
		trust(before, now)
		calls()
		server.swap(t, secret(now, "server"))
		client.swap(t, secret(now, "client"))
		calls()
		trust(now) // who still has the certificate of before is refused
		calls()
	}
	enough()
	go func() { calling.Wait(); close(ended) }()
	for range ended {
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
