package certgen

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

func TestSmoke(t *testing.T) {
	fs, _ := filepath.Glob("../../shared/testdata/manifests/*.yaml")
	fs = append(fs, "../certs.yaml")
	for _, f := range fs {
		m, err := Read(f)
		if err != nil {
			fmt.Println(err)
			fmt.Printf("%+v\n", err.(*ManifestError))
			continue
		}
		d := filepath.Join(t.TempDir(), "certs")
		fmt.Println(f, generate(t, m, d, Options{}))
		fmt.Println(" again", generate(t, m, d, Options{}))
		verifyAll(t, m, d, time.Now())
		is, _ := List(m, d, time.Now())
		for _, i := range is {
			fmt.Println("   ", i.Depth, i.Name, i.Key(), i.State)
		}
	}
}
