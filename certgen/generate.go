package certgen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"mtlslab.example/lab/lab/private"
)

// Options control Generate. The zero value makes what is needed and reports no
// progress.
type Options struct {
	// Renew names certificates to make anew in any case, with all they issued.
	Renew []string
	// All makes every certificate anew.
	All bool
	// Default says that the manifest is the built-in one, in a folder that has
	// none of its own: no file that is there counts as the lab's.
	Default bool
	// Force replaces what the lab did not make, too. It is moved to a new folder
	// below [ReplacedFolder] first: see Plan.Kept.
	Force bool
	// Progress is called after each certificate and CRL made, one call at a
	// time, from any goroutine. No file is replaced before done equals total.
	Progress func(done, total int)
	// Waiting is called once if another process has the folder locked.
	Waiting func()
	// Now is the clock; nil is time.Now.
	Now func() time.Time

	// beforeChange is called before each change on the disk. Tests fail in it.
	beforeChange func(operation, file string) error
}

// lockFile is the file in the PKI's folder that processes lock while they
// write. It is empty and stays.
const lockFile = ".lock"

// lockPoll is how often a waiting process looks whether the lock is free.
const lockPoll = 20 * time.Millisecond

// Generate makes in dir, the folder of the PKI, what [Compare] finds lacking,
// and returns what was made. With nothing to make it writes nothing, not even
// a lock. Everything is made and staged first: an error in that, a full disk
// included, leaves the folder as it was. What a crash interrupts after that is
// completed by the next call.
//
// What the lab did not make is not replaced, unless o.Force is set: the error
// is *ForeignError, or *InTheWayError for what is not a file of a PKI at all.
// Other errors are *UnknownNameError, *IssueError, *UnfaithfulError, those of
// the file system and that of ctx.
func Generate(ctx context.Context, m *Manifest, dir string, o Options) (*Plan, error) {
	if o.beforeChange == nil {
		o.beforeChange = func(string, string) error { return nil }
	}
	renew, err := o.renewals(m)
	if err != nil {
		return nil, err
	}
	f, err := examine(ctx, m, dir, o.now(), renew)
	if err != nil {
		return nil, err
	}
	if !f.listing.interrupted() {
		plan, err := f.plan()
		if err != nil || len(plan.Steps) == 0 {
			return plan, err
		}
		if _, err := f.inTheWay(o); err != nil { // before there is a lock file
			return nil, err
		}
		made, err := f.generateWhole(ctx, o)
		if err != nil {
			return nil, err
		}
		if made {
			return plan, nil
		}
	}
	unlock, err := lock(ctx, dir, o.Waiting)
	if err != nil {
		return nil, err
	}
	plan, err := generateLocked(ctx, m, dir, o, renew)
	return plan, errors.Join(err, unlock())
}

// generateWhole makes the folder, if there is none, beside its place and moves
// it there as a whole, which takes half as many changes of the disk as moving
// each file. It reports false if that cannot be done, as when another process
// has made the folder in the meantime.
func (f *folder) generateWhole(ctx context.Context, o Options) (made bool, err error) {
	parent := filepath.Dir(f.dir)
	if _, err := os.Lstat(f.dir); !errors.Is(err, fs.ErrNotExist) || os.MkdirAll(parent, folderMode) != nil {
		return false, nil
	}
	temporary, err := private.MkdirStaging(parent, "certs")
	if err != nil {
		return false, nil
	}
	defer temporary.Remove() // what a killed run leaves goes when something is next staged there
	w := f.workshop(o, filepath.Join(temporary.Path, "certs"))
	if err := w.stageAll(ctx); err != nil {
		return false, err
	}
	if err := w.staging.create(lockFile, nil, lockMode); err != nil {
		return false, err
	}
	if err := w.beforeChange("commit", filepath.Base(f.dir)); err != nil {
		return false, err
	}
	return os.Rename(w.staging.dir, f.dir) == nil, nil
}

// generateLocked is Generate with the lock held. It looks again, and at the
// clock too: another process may have made everything in the meantime.
func generateLocked(ctx context.Context, m *Manifest, dir string, o Options, renew map[int]bool) (*Plan, error) {
	if err := recoverInterrupted(dir); err != nil {
		return nil, err
	}
	f, err := examine(ctx, m, dir, o.now(), renew)
	if err != nil {
		return nil, err
	}
	plan, err := f.plan()
	if err != nil {
		return nil, err
	}
	way, err := f.inTheWay(o)
	if err != nil {
		return nil, err
	}
	w := f.workshop(o, filepath.Join(dir, stagingFolder))
	if f.count() > 0 {
		if err := w.stageAll(ctx); err != nil {
			return nil, errors.Join(err, removeStaged(dir))
		}
		if plan.Kept, err = putAside(dir, way); err != nil {
			return nil, errors.Join(err, removeStaged(dir))
		}
	}
	return plan, w.commitAll()
}

// now is the time by the clock.
func (o *Options) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

// renewals returns the indices of the certificates to make anew in any case.
func (o *Options) renewals(m *Manifest) (map[int]bool, error) {
	renew := map[int]bool{}
	for _, name := range o.Renew {
		c, err := m.Lookup(name)
		if err != nil {
			return nil, err
		}
		renew[c.index] = true
	}
	if o.All {
		for i := range m.Certificates {
			renew[i] = true
		}
	}
	return renew, nil
}

// lock makes the folder if there is none and locks it against other processes,
// waiting for its turn until ctx ends.
func lock(ctx context.Context, dir string, waiting func()) (unlock func() error, err error) {
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, lockFile)
	if err := checkRegular(path); err != nil {
		return nil, err
	}
	l := flock.New(path, flock.SetPermissions(lockMode))
	locked, err := l.TryLock()
	if err == nil && !locked {
		if waiting != nil {
			waiting()
		}
		_, err = l.TryLockContext(ctx, lockPoll)
	}
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return l.Unlock, nil
}

// IsPKI reports whether the lab has written a PKI into dir.
func IsPKI(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, lockFile))
	return err == nil
}

// Busy reports whether a process is writing to dir: the certificates there may
// not belong together yet.
func Busy(dir string) bool {
	path := filepath.Join(dir, lockFile)
	if _, err := os.Stat(path); err != nil {
		return false // never locked
	}
	l := flock.New(path, flock.SetFlag(os.O_RDONLY))
	free, err := l.TryRLock()
	if free {
		_ = l.Unlock()
	}
	return err == nil && !free
}
