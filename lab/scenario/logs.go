package scenario

import "regexp"

// goClient is how Go's HTTP client begins what it says.
const goClient = `\b(Get|Head|Post|Put|Patch|Delete|Options) "?https?://\S*`

// Programs that log TLS, by the side that they are when they say so. nginx is a
// server to its clients and a client to its upstreams.
var (
	clientLog = regexp.MustCompile(goClient + `|\bwrite EPROTO |\bcurl: \(|HTTPSConnectionPool\(|\bupstream\b`)
	serverLog = regexp.MustCompile(`http: TLS handshake error from |while SSL handshaking, client: |client SSL certificate `)
)

// What a side says of an alert that it received, and of a certificate that it
// does not like itself.
var (
	hearsAlert = regexp.MustCompile(`(?i)remote error: tls: |\balert\b`)
	judges     = regexp.MustCompile(`(?i)verif(y|ication)|x509: |SSL certificate|certificate subject name`)
)

// impossible is the side of the scenarios that a message cannot come from, by
// the program that printed it: a client that hears an alert was refused, and a
// server that hears one refused nobody. It is empty where that cannot be told.
func impossible(message string) string {
	message = nginxTail.ReplaceAllString(message, ", client: ")
	const serverRejects, clientRejects = "server rejects client", "client rejects server"
	own, other := serverRejects, clientRejects // what a server does, and is done to it
	switch {
	case clientLog.MatchString(message):
		own, other = clientRejects, serverRejects
	case !serverLog.MatchString(message):
		return ""
	}
	switch {
	case hearsAlert.MatchString(message):
		return own
	case judges.MatchString(message):
		return other
	}
	return ""
}

// nginxTail ends each line of nginx's log, and names an upstream whatever the
// message is about.
var nginxTail = regexp.MustCompile(`, client: .*?(, host: "[^"]*"|$)`)

// surroundings are what a log puts around a message: when, who and where.
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

// withoutSurroundings is what remains of a message.
func withoutSurroundings(message string) string {
	for _, around := range surroundings {
		message = around.ReplaceAllString(message, " ")
	}
	return verifyError.ReplaceAllString(message, "($1")
}

// verifyError is how nginx writes an error of OpenSSL's verification, whose
// number means no alert.
var verifyError = regexp.MustCompile(`\(\d+:([a-z])`)
