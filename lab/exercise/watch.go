package exercise

import (
	"context"
	"fmt"
	"hash/fnv"
	"io/fs"
	"path/filepath"
	"time"
)

// pollInterval is how often Watch looks at a folder. Polling works on every
// system and for every editor, and the folders are small.
const pollInterval = 200 * time.Millisecond

// Watch calls changed at once, and then whenever the files of the work have
// changed and rest, until ctx ends or changed returns an error, which it
// returns.
func (w *Work) Watch(ctx context.Context, changed func() error) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	before, marked := "", ""
	for {
		now := w.state()
		if now == before && now != marked || marked == "" { // it rests
			marked = now
			if err := changed(); err != nil {
				return err
			}
		}
		before = now
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// state identifies the content of the files of the work, but for what marking
// writes.
func (w *Work) state() string {
	sum := fnv.New64a()
	files := 0
	_ = filepath.WalkDir(w.Folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) == ".pcapng" {
			return nil // it may go while it is looked at
		}
		if files++; files > maxFiles {
			return fs.SkipAll
		}
		if info, err := entry.Info(); err == nil {
			fmt.Fprintln(sum, path, info.Size(), info.ModTime().UnixNano())
		}
		return nil
	})
	return fmt.Sprintf("%x", sum.Sum64())
}
