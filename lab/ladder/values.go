package ladder

import (
	"crypto/x509"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/text"
)

// This file turns values into words.

// short bounds what a peer can make a sentence say.
func short(s string) string { return text.Unicode.Cut(text.Clean(s), 60) }

// subjectOf returns the subject of a certificate.
func subjectOf(cert *x509.Certificate) string { return short(chain.Name(cert)) }

// protocol gives an ALPN protocol the name people know it by.
func protocol(alpn string) string {
	switch alpn {
	case "h2":
		return "HTTP/2"
	case "http/1.1", "http/1.0":
		return strings.ToUpper(alpn)
	}
	return strconv.Quote(short(alpn))
}

func listed(items []string) string { return text.Joined(items, "and") }

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func are(n int64) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func bytesCounted(n int64) string {
	if n == 1 {
		return "1 byte"
	}
	return text.Grouped(n) + " bytes"
}

// bytesOnWire is a size for the margin, at most nine columns.
func bytesOnWire(n int) string {
	switch {
	case n == 0:
		return ""
	case n < 1_000_000:
		return text.Grouped(int64(n)) + " B"
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// excerpt shows the first bytes of data.
func excerpt(b []byte) string {
	const few = 24
	q := strconv.QuoteToASCII(string(b[:min(few, len(b))]))
	if len(b) > few {
		q += "…"
	}
	return q
}

// Elapsed is how long d is, in at most eight columns.
func Elapsed(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", d.Seconds()*1e3)
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
	case d < 100*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 1e6*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f d", d.Hours()/24)
}
