// Package private opens files and folders that only their user can read or
// write: for secrets, and for code that is loaded into programs.
package private
