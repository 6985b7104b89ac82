package certgen

import (
	"bytes"
	"crypto"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// FuzzFiles has no content of a certificate's files make anything panic that reads a PKI, and what is loaded be whole: a
// key that fits its certificate. Its input is a short list of changes to the files in testdata/files, so that go test
// spends its time on new inputs and not on making them shorter. To run it:
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
			f.Add([]byte{kind, byte(i), 0, 9, 2, 0x30, 0x82})
		}
	}
	ca, err := LoadCertificates(filepath.Join("testdata", "files"), "ca")
	if err != nil {
		f.Fatal(err)
	}
	now, dir := ca[0].NotBefore.Add(time.Hour), f.TempDir() // the same however late it is run
	f.Fuzz(func(t *testing.T, changes []byte) {
		for i, data := range changedFiles(intact, changes) {
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

const kindsOfChange = 7

// changedFiles is the content of files with changes: for each 1 byte of kind, 1 of which file, 2 of where in it, 1 of how
// many bytes follow, and these.
func changedFiles(intact [][]byte, changes []byte) [][]byte {
	var files [][]byte
	for _, data := range intact {
		files = append(files, bytes.Clone(data))
	}
	for len(changes) >= 5 {
		kind, file, at := changes[0]%kindsOfChange, &files[int(changes[1])%len(files)], int(changes[2])<<8|int(changes[3])
		n := min(int(changes[4]), len(changes)-5)
		given := changes[5 : 5+n]
		changes = changes[5+n:]
		block, rest := pem.Decode(*file)
		if block == nil && kind < 4 {
			continue
		}
		switch kind {
		case 0: // other bytes in the first block
			copy(block.Bytes[min(at, len(block.Bytes)):], given)
		case 1: // more
			at = min(at, len(block.Bytes))
			block.Bytes = bytes.Join([][]byte{block.Bytes[:at], block.Bytes[at:]}, given)
		case 2: // fewer
			block.Bytes = block.Bytes[:min(at, len(block.Bytes))]
		case 3: // of another type
			block.Type = []string{"CERTIFICATE", "PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "X509 CRL", "TRUSTED CERTIFICATE"}[at%6]
		case 4: // other text
			copy((*file)[min(at, len(*file)):], given)
		case 5: // another file's content behind it
			*file = append(*file, files[at%len(files)]...)
		case 6: // another file's content in its place
			*file = bytes.Clone(files[at%len(files)])
		}
		if kind < 4 {
			*file = append(pem.EncodeToMemory(block), rest...)
		}
		if len(*file) > 1<<16 {
			return files
		}
	}
	return files
}
