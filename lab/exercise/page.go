package exercise

// Page returns README.md of an exercise's folder.
func (e *Exercise) Page() []byte { return []byte("# " + e.Title + "\n") }
