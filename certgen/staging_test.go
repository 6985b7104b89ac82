package certgen

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

// stageMany adds more files than may wait, from several goroutines, and returns
// one of the errors.
func stageMany(s *staging) error {
	errs := make(chan error, 8)
	var workers sync.WaitGroup
	for i := range cap(errs) {
		workers.Go(func() {
			var failed error
			for j := range mostAdded {
				if err := s.add(newFile{name: fmt.Sprintf("%d-%d", i, j), data: []byte(strconv.Itoa(j)), mode: keyMode}); err != nil {
					failed = err
				}
			}
			errs <- failed
		})
	}
	workers.Wait()
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	return errors.Join(all...)
}

// Once all have added their files, all are written.
func TestStaging(t *testing.T) {
	s := newStaging(t.TempDir(), func(string, string) error { return nil })
	if err := stageMany(s); err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		for j := range mostAdded {
			file := fmt.Sprintf("%d-%d", i, j)
			if data, err := os.ReadFile(filepath.Join(s.dir, file)); err != nil || string(data) != strconv.Itoa(j) || !s.record.wroteFile(file) {
				t.Fatalf("%s: %q, %v", file, data, err)
			}
		}
	}
}

// After a failure nobody waits, and nothing more is written.
func TestStagingStops(t *testing.T) {
	full, written := errors.New("no space left"), 0
	s := newStaging(t.TempDir(), func(string, string) error {
		if written == 100 {
			return full
		}
		written++
		return nil
	})
	s.added = make(chan newFile, 1) // there is seldom room
	if err := stageMany(s); !errors.Is(err, full) {
		t.Error(err)
	}
	if entries, err := os.ReadDir(s.dir); err != nil || len(entries) != 100 {
		t.Errorf("%d files, %v", len(entries), err)
	}
}
