package text

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Grouped is a number with its thousands apart: "16,406".
func Grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Counted is "1 certificate", "2 certificates", "40,000 certificates".
func Counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return Grouped(int64(n)) + " " + noun
}

// Joined is "a", "a and b", "a, b and c" or, without items, "none".
func Joined(items []string, and string) string {
	if len(items) == 0 {
		return "none"
	}
	last := len(items) - 1
	if last == 0 {
		return items[0]
	}
	return strings.Join(items[:last], ", ") + " " + and + " " + items[last]
}

// Few names the first of many items: "a, b, c", or "a, b and 3 more".
func Few(items []string, most int) string {
	if len(items) <= most {
		return strings.Join(items, ", ")
	}
	return strings.Join(items[:most], ", ") + fmt.Sprintf(" and %s more", Grouped(int64(len(items)-most)))
}

// JoinedFew is Joined for the first of many items: "a, b, c or 2 more".
func JoinedFew(items []string, most int, and string) string {
	if more := len(items) - most; more > 0 {
		items = append(slices.Clone(items[:most]), Grouped(int64(more))+" more")
	}
	return Joined(items, and)
}
