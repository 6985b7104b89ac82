package certgen

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// Options are how Generate goes about its work. The zero value makes what is
// needed and says nothing.
type Options struct {
	// Renew names certificates to make anew in any case, with all they issued.
	Renew []string
	// All makes every certificate anew.
	All bool
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
// a lock, but removes what a killed run has left. Everything is made and staged
// in temporary files first: an error in that, a full disk included, leaves the
// folder as it was. An error or a crash while the files are then put in place
// leaves it so that the next call completes it.
//
// Errors are *InTheWayError, *UnknownNameError, *IssueError, *UnfaithfulError,
// those of the file system and that of ctx.
func Generate(ctx context.Context, m *Manifest, dir string, o Options) (*Plan, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.beforeChange == nil {
		o.beforeChange = func(string, string) error { return nil }
	}
	renew, err := o.renewals(m)
	if err != nil {
		return nil, err
	}
	f, err := examine(ctx, m, dir, o.Now(), renew)
	if err != nil {
		return nil, err
	}
	if plan := f.plan(); len(plan.Steps) == 0 {
		tidy(dir)
		return plan, nil
	}
	unlock, err := lock(ctx, dir, o.Waiting)
	if err != nil {
		return nil, err
	}
	plan, err := generateLocked(ctx, m, dir, o, renew)
	return plan, errors.Join(err, unlock())
}

// generateLocked is Generate with the lock held. It looks again, and at the
// clock too: another process may have made everything in the meantime.
func generateLocked(ctx context.Context, m *Manifest, dir string, o Options, renew map[int]bool) (*Plan, error) {
	if err := removeTemporaries(dir); err != nil {
		return nil, err
	}
	f, err := examine(ctx, m, dir, o.Now(), renew)
	if err != nil {
		return nil, err
	}
	w := f.workshop(o)
	if err := w.makeAll(ctx); err != nil {
		return nil, errors.Join(err, removeTemporaries(dir))
	}
	if err := w.commitAll(); err != nil {
		return nil, errors.Join(err, removeTemporaries(dir))
	}
	return f.plan(), nil
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

// Busy tells whether a process is at writing in dir, so that its certificates
// may not belong together yet.
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
