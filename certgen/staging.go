package certgen

import (
	"io/fs"
	"path/filepath"
	"sync"
)

// staging writes new files into a folder, from one goroutine at a time: threads
// that add files to one folder at once wait for each other in the kernel. A
// goroutine that has a file while another one writes leaves it to that one, and
// goes on.
type staging struct {
	dir          string
	beforeChange func(operation, file string) error

	added   chan newFile // those not written yet
	writing sync.Mutex
	record  *record // of what was written; guarded by writing
	err     error   // the first; guarded by writing
}

// newFile is a file to be written.
type newFile struct {
	name   string
	data   []byte
	digest digest // of its first PEM block
	mode   fs.FileMode
}

// mostAdded is how many files may wait, a megabyte or so.
const mostAdded = 1024

func newStaging(dir string, beforeChange func(operation, file string) error) *staging {
	return &staging{dir: dir, beforeChange: beforeChange, added: make(chan newFile, mostAdded), record: newRecord()}
}

// add has a file written by the time that all calls of add have returned. The
// error may be another file's.
func (s *staging) add(f newFile) (err error) {
	s.added <- f
	// After an error, too: whoever waits for room has nobody else.
	for len(s.added) > 0 && s.writing.TryLock() {
		err = s.writeAdded()
		s.writing.Unlock()
	}
	return err
}

// writeAdded writes what was added so far. After an error it drops it instead.
func (s *staging) writeAdded() error {
	for {
		select {
		case f := <-s.added:
			if s.err == nil {
				s.err = s.write(f)
			}
		default:
			return s.err
		}
	}
}

func (s *staging) write(f newFile) error {
	if err := s.beforeChange("stage", f.name); err != nil {
		return err
	}
	s.record.add(f.name, f.digest)
	return s.create(f.name, f.data, f.mode)
}

// create does not wait for the disk (fsync). What a power cut damages is found
// by the next run, which makes it anew; waiting would take most of the time of
// a large PKI.
func (s *staging) create(file string, data []byte, mode fs.FileMode) error {
	return createFile(filepath.Join(s.dir, file), data, mode)
}
