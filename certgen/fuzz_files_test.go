package certgen

import (
	"bytes"
	"crypto"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// FuzzFiles checks that nothing that reads a PKI panics, whatever is in the
// files of a certificate, and that what is loaded is whole: a key and its
// certificate. Its input is two changes to the files in testdata/files, in
// numbers: go test does not spend its time on making these shorter. To run it:
//
//	go test -fuzz FuzzFiles -fuzztime 1m ./certgen
func FuzzFiles(f *testing.F) {
	m, err := Parse("certs.yaml", []byte("subject: CN=ca\n---\nsubject: CN=a\nissuer: CN=ca\nrevoked: true\n"))
	if err != nil {
		f.Fatal(err)
	}
	names, intact := []string{"a.pem", "a-key.pem", "ca.pem", "ca-key.pem", "ca-crl.pem"}, make([][]byte, 5)
	for i, name := range names {
		if intact[i], err = os.ReadFile(filepath.Join("testdata", "files", name)); err != nil {
			f.Fatal(err)
		}
		for kind := range byte(kindsOfChange) {
			for _, at := range []uint16{0, 3, 9, 100} {
				f.Add(kind, byte(i), at, uint16(0x3082), byte(kindsOfChange), byte(0), at, uint16(0))
			}
		}
	}
	ca, err := LoadCertificates(filepath.Join("testdata", "files"), "ca")
	if err != nil {
		f.Fatal(err)
	}
	now, dir := ca[0].NotBefore.Add(time.Hour), f.TempDir() // the same however late it is run
	f.Fuzz(func(t *testing.T, kind1, file1 byte, at1, given1 uint16, kind2, file2 byte, at2, given2 uint16) {
		files := slices.Clone(intact)
		change(files, kind1, file1, at1, given1)
		change(files, kind2, file2, at2, given2)
		for i, data := range files {
			if err := os.WriteFile(filepath.Join(dir, names[i]), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"a", "ca"} {
			if loaded, err := Load(dir, name); err == nil {
				public, ok := loaded.Leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
				if signer := loaded.PrivateKey.(crypto.Signer); !ok || !public.Equal(signer.Public()) {
					t.Error("the key that was loaded is not that of the certificate")
				}
			}
			if certificates, err := LoadCertificates(dir, name); err == nil && len(certificates) == 0 {
				t.Error("no certificate was loaded, and no error")
			}
			if list, err := LoadCRL(dir, name); err == nil && list == nil {
				t.Error("no CRL was loaded, and no error")
			}
		}
		for range Verify(m, dir, now) {
		}
		if plan, err := Compare(m, dir, Options{Now: func() time.Time { return now }}); err == nil && plan == nil {
			t.Error("no comparison, and no error")
		}
		if list, err := List(m, dir, now); err == nil && len(list) != len(m.Certificates) {
			t.Errorf("%d certificates are listed", len(list))
		}
	})
}

// kindsOfChange are those of change; one more is none.
const kindsOfChange = 7

// change replaces one of the files by a changed one: of which kind, where in
// it, and a number for it.
func change(files [][]byte, kind, which byte, at, given uint16) {
	file := &files[int(which)%len(files)]
	text, number := bytes.Clone(*file), []byte{byte(given >> 8), byte(given)}
	place := min(int(at), len(text))
	switch kind % (kindsOfChange + 1) {
	case 0: // other text
		copy(text[place:], number)
	case 1: // another file's content behind it
		text = append(text, files[int(at)%len(files)]...)
	case 2: // another file's content in its place
		text = files[int(at)%len(files)]
	case kindsOfChange:
		return
	default:
		block, rest := pem.Decode(text)
		if block == nil {
			return
		}
		place = min(int(at), len(block.Bytes))
		switch kind % (kindsOfChange + 1) {
		case 3: // other bytes in the first block
			copy(block.Bytes[place:], number)
		case 4: // more
			block.Bytes = slices.Insert(block.Bytes, place, bytes.Repeat(number, 1+int(given)%100)...)
		case 5: // fewer
			block.Bytes = block.Bytes[:place]
		case 6: // of another type
			types := []string{"CERTIFICATE", "PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "X509 CRL", "TRUSTED CERTIFICATE"}
			block.Type = types[int(at)%len(types)]
		}
		text = append(pem.EncodeToMemory(block), rest...)
	}
	*file = text
}
