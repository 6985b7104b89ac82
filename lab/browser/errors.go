package browser

import (
	"fmt"
	"strings"
)

// NotFoundError reports that no browser is installed that can be used.
type NotFoundError struct {
	Family Family // empty: any
	Snap   string // path of one that is a snap, or empty
}

func (e *NotFoundError) Error() string {
	family := string(e.Family)
	if family == "" {
		family = "Chromium or Firefox"
	}
	if e.Snap != "" {
		return fmt.Sprintf("no %s found but %s, a snap, which cannot see a profile made for it", family, e.Snap)
	}
	return fmt.Sprintf("no %s found", family)
}

// ToolError reports that a program of NSS is missing.
type ToolError struct{ Tool string }

func (e *ToolError) Error() string {
	return fmt.Sprintf("%s of NSS is missing: it puts certificates into a browser's profile", e.Tool)
}

// KeyStoreError reports a browser that has no key store of its own on this
// system.
type KeyStoreError struct{ System string } // GOOS

func (e *KeyStoreError) Error() string {
	return fmt.Sprintf("on %s Chromium has certificates only from your own key store, which lab leaves alone", e.System)
}

// NoPageError reports a page that could not be loaded without a window.
type NoPageError struct {
	Browser Family
	URL     string
}

func (e *NoPageError) Error() string {
	return fmt.Sprintf("%s could not load %s", e.Browser, e.URL)
}

// ExitError reports a program that failed, with the last it wrote.
type ExitError struct {
	Program string
	Err     error
	Output  string
}

func (e *ExitError) Error() string {
	text := fmt.Sprintf("%s: %v", e.Program, e.Err)
	if output := strings.TrimSpace(e.Output); output != "" {
		text += "\n" + output
	}
	return text
}

func (e *ExitError) Unwrap() error { return e.Err }
