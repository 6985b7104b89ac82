package scenario

import "regexp"

// goClient matches the beginning of an error of Go's HTTP client.
const goClient = `\b(Get|Head|Post|Put|Patch|Delete|Options) "?https?://\S*`

// Log lines of TLS clients, and of servers. nginx is a server to its clients
// and a client to its upstreams.
var (
	clientLog = regexp.MustCompile(goClient + `|\bwrite EPROTO |\bcurl: \(|HTTPSConnectionPool\(|\bupstream\b`)
	serverLog = regexp.MustCompile(`http: TLS handshake error from |while SSL handshaking, client: |client SSL certificate `)
)

// How a side reports an alert that it received, and a certificate that it
// refuses itself.
var (
	receivesAlert = regexp.MustCompile(`(?i)remote error: tls: |\balert\b`)
	refuses       = regexp.MustCompile(`(?i)verif(y|ication)|x509: |SSL certificate|certificate subject name`)
)

// excludedSide returns the Scenario.Side that a log line rules out, or "": a
// client that receives an alert was refused, and a server that receives one
// refused nobody.
func excludedSide(message string) string {
	message = nginxTail.ReplaceAllString(message, ", client: ")
	isClient, wasRefused := clientLog.MatchString(message), receivesAlert.MatchString(message)
	switch {
	case !isClient && !serverLog.MatchString(message), !wasRefused && !refuses.MatchString(message):
		return ""
	case isClient == wasRefused:
		return "client rejects server"
	}
	return "server rejects client"
}

// nginxTail is the end of each line of nginx's log. It names an upstream even
// if the message is about a client.
var nginxTail = regexp.MustCompile(`, client: .*?(, host: "[^"]*"|$)`)

// surroundings match what a log adds to a message: time, process, place.
var surroundings = []*regexp.Regexp{
	nginxTail,
	regexp.MustCompile(`\[\w+\] \d+#\d+:( \*\d+)?`), // its level and process
	regexp.MustCompile(goClient),
	regexp.MustCompile(`\bhttps?://\S*`),
	regexp.MustCompile(`\bwhile \w[\w ]*\w to upstream`), // what it did just then
	regexp.MustCompile(`\bwhile (reading|sending|SSL handshaking|waiting|processing|proxying|connecting)[\w ]*`),
	regexp.MustCompile(`from \S+:\d+:`),                                         // Go's servers
	regexp.MustCompile(`curl: \(\d+\)`),                                         // its exit status
	regexp.MustCompile(`\S*\d[:./]\d\S*|\d+-\d+-\S*|\(\w+\.c:\d+\)|\d+\.\.\d+`), // dates, times, addresses and places in source code
	regexp.MustCompile(`"[^" ]*\.[^" ]*"`),                                      // host names
}

// withoutSurroundings returns a message without them.
func withoutSurroundings(message string) string {
	for _, around := range surroundings {
		message = around.ReplaceAllString(message, " ")
	}
	return verifyError.ReplaceAllString(message, "($1")
}

// verifyError matches an error of OpenSSL's verification in nginx's log. Its
// number is not that of an alert.
var verifyError = regexp.MustCompile(`\(\d+:([a-z])`)
