//go:build !linux

package capture

// renameNew renames a file to a name that no file has.
func renameNew(from, to string) error { return renameReserved(from, to) }
