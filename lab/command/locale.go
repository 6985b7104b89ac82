package command

import (
	"cmp"
	"os"
	"runtime"
	"strings"
)

// inASCII reports whether the locale says that the terminal shows ASCII alone:
// it is C or POSIX, or names another character set than UTF-8. A locale that
// names none counts as UTF-8, and so does no locale at all (POSIX.1-2024, XBD
// 8.2).
func inASCII() bool {
	if runtime.GOOS == "windows" {
		return false
	}
	locale := cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_CTYPE"), os.Getenv("LANG"))
	locale, _, _ = strings.Cut(locale, "@")
	name, charset, _ := strings.Cut(locale, ".")
	if charset == "" {
		return name == "C" || name == "POSIX"
	}
	return !strings.EqualFold(strings.ReplaceAll(charset, "-", ""), "utf8")
}
