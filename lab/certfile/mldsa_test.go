package certfile_test

import (
	"encoding/asn1"
	"encoding/pem"
	"go/version"
	"runtime"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/certfile"
)

// TestDamagedMLDSA: a key of ML-DSA that cannot be read is not put down to a Go
// without ML-DSA by a lab that has it.
func TestDamagedMLDSA(t *testing.T) {
	type algorithm struct{ OID asn1.ObjectIdentifier }
	der, err := asn1.Marshal(struct {
		Version   int
		Algorithm algorithm
		Key       []byte
	}{0, algorithm{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 18}}, []byte("damaged")})
	if err != nil {
		t.Fatal(err)
	}
	parts, err := certfile.Parse("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), "")
	if err != nil || len(parts) != 1 || len(parts[0].Keys) != 1 {
		t.Fatalf("%+v, %v", parts, err)
	}
	problem := parts[0].Keys[0].Problem
	if isOld := version.Compare(runtime.Version(), "go1.27") < 0; problem == "" || strings.Contains(problem, "built with") != isOld {
		t.Errorf("with %s: %q", runtime.Version(), problem)
	}
}
