// Package text sets text for a terminal. Text from others (names, hosts,
// headers, file names, values of a manifest) is made harmless here and kept on
// one line. Widths are those of grapheme clusters (UAX #29).
package text
