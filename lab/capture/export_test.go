package capture

// SetRename has files renamed by another function, and returns one that undoes
// it.
func SetRename(f func(from, to string) error) (undo func()) {
	before := rename
	rename = f
	return func() { rename = before }
}
