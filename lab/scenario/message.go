package scenario

import (
	"math"
	"slices"
	"strings"
	"sync"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
)

// MaxMessage is what a search reads of a message at most, in bytes: its end.
const MaxMessage = 1 << 20

const (
	maxLine  = 4 << 10 // bytes that it reads of a line at most
	maxLines = 1000    // lines at most
)

// part is a line of a message that can stand for all of it.
type part struct {
	text     string        // without what a log puts around it
	line     string        // as it came
	excludes string        // the Scenario.Side that it rules out, if any
	by       endpoint.Side // who printed it, as far as it shows
	counts   float64       // how much it counts among the parts: 1, or more for the deepest cause
	times    int           // how often it is there
	dated    bool          // it stands in a log, beside others that may have nothing to do with it
}

// partsOf takes a message apart: into its lines, without the frames of stack
// traces and without repetitions. In a chain of causes, such as Java's and
// .NET's, the deepest is what happened, and those above it only pass it on.
// Of a message that is too long it reads the end, where logs have the newest;
// of one with many lines, those that are about something.
func partsOf(message string, about func(line string) bool) (parts []part) {
	seen := map[string]int{} // their places among parts
	chain := -1              // the last cause
	lines, dated := linesOf(message, about)
	context := contextOf(lines)
	verified := slices.ContainsFunc(lines, verifyInfo().MatchString)
	for i, line := range lines {
		if verified && strings.Contains(line, "X509 - Certificate verification failed") {
			continue // a line of its own says why
		}
		if isAside(line) || frame().MatchString(line) || len(lines) > 1 && passesOn().MatchString(line) || i > 0 && pythonFrame().MatchString(lines[i-1]) && !named().MatchString(line) {
			continue
		}
		text, isCause := withoutSurroundings(beforeReason().ReplaceAllString(line, "")), causedBy().MatchString(line)
		if saidAlike().MatchString(text) && (context == endpoint.Server || serverLog().MatchString(line)) {
			text += " from client"
		}
		if unsupportedProtocol().MatchString(text) && (context == endpoint.Client || clientLog().MatchString(line)) {
			text += " server selected unsupported version"
		}
		if receiving().MatchString(line) {
			text += " curlreceiving"
		}
		if strings.Contains(line, "OutOfMemoryError") && slices.ContainsFunc(lines, kafkaReceive().MatchString) {
			text += " kafkaplaintext"
		}
		if context == endpoint.Server && strings.Contains(text, "socket hang up") {
			text += " tlsClientError" // Node's event, which may have been cut off
		}
		switch {
		case !isCause:
			chain = -1
		case chain >= 0:
			parts[chain].counts /= deepest
		}
		by, excludes := sidesOf(line, context)
		if i, ok := seen[text]; ok {
			parts[i].times++
			if parts[i].excludes != excludes { // two sides say the same
				parts[i].excludes = ""
			}
			if parts[i].by != by {
				parts[i].by = endpoint.Unknown
			}
			continue
		}
		seen[text] = len(parts)
		parts = append(parts, part{text: text, line: line, excludes: excludes, by: by, counts: 1, times: 1, dated: dated[i]})
		if len(lines) > 1 && ended().MatchString(line) {
			parts[len(parts)-1].counts = afterwards
		}
		if isCause {
			chain = len(parts) - 1
			parts[chain].counts *= deepest
		}
	}
	for i := range parts {
		parts[i].counts *= parts[i].often()
	}
	return parts
}

// often is how much more a line counts that a log has many times.
func (p *part) often() float64 {
	if !p.dated {
		return 1
	}
	return 1 + math.Log2(float64(p.times))/2
}

// linesOf returns the lines of a message, without what syslog and the like put
// before them, and which of them begin with a time. If there are many it returns
// the last that are about something.
func linesOf(message string, about func(line string) bool) (lines []string, dated []bool) {
	if len(message) > MaxMessage {
		message = message[len(message)-MaxMessage:]
	}
	message = translated.Replace(strings.TrimSpace(colour().ReplaceAllString(message, "")))
	lineEnds := strings.Count(message, "\n")
	inDump := false // of a handshake message
	for line := range strings.Lines(message) {
		if len(line) > maxLine {
			line = line[:maxLine]
		}
		line = strings.TrimSpace(line)
		if debug := javaDebug().MatchString(line); lineEnds > 0 && (debug || inDump) {
			inDump = debug && strings.HasSuffix(line, "(") || !debug && !strings.HasSuffix(line, ")")
			continue
		}
		if line == "" || encoded().MatchString(line) || lineEnds > 0 && state().MatchString(line) || lineEnds > maxLines && !about(line) {
			continue
		}
		if n := len(lines); n > 0 && strings.Contains(lines[n-1], " ALERT: Fatal - ") && alertsReason().MatchString(line) {
			lines[n-1] += alertsReason().ReplaceAllString(line, " ")
			continue
		}
		if n := len(lines); n > 0 && strings.Contains(lines[n-1], "AlertMessagePayload {") && !strings.HasSuffix(lines[n-1], "}") {
			lines[n-1] += " " + line // rustls's value, of several lines
			continue
		}
		lines = append(lines, line)
	}
	lines = lines[max(0, len(lines)-maxLines):]
	for i, line := range lines {
		dated = append(dated, timed().MatchString(line))
		lines[i] = strings.TrimSpace(logPrefix().ReplaceAllString(line, "$5"))
	}
	return lines, dated
}

// timed matches a line of a log: it has a time near its beginning, of the day or
// in seconds.
var timed = text.Pattern(`^.{0,40}\b\d\d:\d\d:\d\d\b|^.{0,10}\b1\d{9}\b`)

// beforeReason matches what Python says before the reason.
var beforeReason = text.Pattern(`\[SSL: CERTIFICATE_VERIFY_FAILED\] certificate verify failed: \b`)

// alertsReason matches what stands before Erlang's reason for an alert, in a line
// of its own.
var alertsReason = text.Pattern(`^(.*> +)?- `)

// encoded matches a line of base64, which says nothing.
var encoded = text.Pattern(`^[A-Za-z0-9+/]{40,}={0,2}$`)

// colour matches what makes a terminal write in colours.
var colour = text.Pattern(`\x1b\[[\d;]*m`)

// state matches lines of programs that tell much, such as openssl s_client,
// gnutls-cli and curl -v: they stand there whether or not something has failed.
// Alone, such a line is what was asked about.
var state = text.Pattern(`^(curl failed to verify the legitimacy|This proxy and the remote host failed to negotiate|New, .*, Cipher is |Secure Renegotiation IS |No ALPN negotiated|(Shared )?Requested Signature Algorithms: |Acceptable client certificate CA names|Protocol version: |SSL_(connect|accept):(before|SSLv3/TLS|TLSv1|error in )` +
	`|(\* *)?ALPN: |\* *TLSv1\.\d \((IN|OUT)\), TLS (handshake|change cipher|header), |\* *subjectAltName: host \S+ matched |\* +issuer: |\* *SSL certificate verify ok|- (Certificate type|Certificate\[\d+\] info|Description|Session ID|Options):|Certificate issued by: )` +
	`|\bTLS established tls_ssf=|\bclosed \(connection lost\)|\bTLSv1(\.\d)? connection accepted, using cipher |"SSL version: \S+, SSL cipher: |"level":"debug",.*"logger":"(events|tls\.handshake)"`)

// javaDebug matches what Java says with -Djavax.net.debug of what goes on: all
// that is no ERROR.
var javaDebug = text.Pattern(`\bjavax\.net\.ssl\|([A-DF-Z]\w+)\|`)

// ended matches lines that say only that a connection has ended: why, other
// lines say.
var ended = text.Pattern(`(?i)\bconnection (was )?(reset|closed|lost|aborted)\b|\bclosed \(TLS negotiation failure\)|\bA TLS fatal alert has been received\b|\b(lost|aborted) connection\b|\bdisconnected\b|^No client certificate CA names sent|\bFailed to enable crypto\b|\bHTTP request failed!|code: 'ECONNRESET'|\bEOFException: EOF reached\b`)

// afterwards is how much such a line counts beside others.
const afterwards = 0.5

// unsupportedProtocol matches what OpenSSL says of the other side's version: a
// client of what the server has chosen, a server of what the client offers.
var unsupportedProtocol = text.Pattern(`(?i)\bunsupported.protocol\b`)

// receiving matches what curl says after a handshake that was complete for it.
var receiving = text.Pattern(`\bcurl: \(56\)`)

// verifyInfo matches what mbedTLS says of a certificate that it refuses
// (mbedtls_x509_crt_verify_info).
var verifyInfo = text.Pattern(`^\s*! (The certificate |The CRL |Usage does not match |Unknown reason)`)

// kafkaReceive matches where a client of Kafka takes the first bytes of TLS for
// the length of an answer, and has no memory for it.
var kafkaReceive = text.Pattern(`\bkafka\.common\.network\.NetworkReceive\.readFrom`)

// deepest is how much more the deepest cause of a chain counts.
const deepest = 1.5

// logPrefix matches what syslog, journald, containers and pods put before a
// line. Postfix's programs stay: they say which side it is.
var logPrefix = text.Pattern(`^((\w{3} [ \d]\d \d\d:\d\d:\d\d(\.\d+)?|\d{4}-\d\d-\d\dT\S*[^:\s]) \S+ (((?:[\w.-]+/)+smtpd?\[\d+\]: )|[\w./@()-]+(\[\d+\])?: )|[\w.-]+ +\| |\[pod/\S+\] |\d{4}-\d\d-\d\dT\S+ (stdout|stderr) [FP] )`)

var (
	causedBy = text.Pattern(`^(Caused by: |-+> |Inner exception )`)
	frame    = text.Pattern(`^(\{[a-z_]+,$|at [\w$.<>/]+[(\[]|at async |at .*:\d+:\d+\)?( \{)?$|at [\w.]+\(.*\)( in .*)?$|\.\.\. \d+ (more|common)|File ".*", line \d+|Traceback \(most|During handling of the above|The above exception was|goroutine \d+|[\w./]+\.go:\d+ \+0x|[~^ ]+$|--- End of (inner|stack)` +
		`|(from )?\S+:\d+:in .[^:]*'$|node:\S+$|\w{3} \d+, \d{4} \d+:\d\d:\d\d [AP]M \S+ \S+$|throw er;|Emitted 'error' event|code: 'EPROTO',?$|Node\.js v\d|(errno|syscall|library|timeout|(local|remote)\w+|bytes\w+|address|port): ('[^']*'|-?\d+|undefined),?$|\[Symbol\(|[{}\[\]);,]+$)`)
	// A line of a program in Python follows where it stands, if Python has it.
	// What follows else has the name of an exception.
	pythonFrame = text.Pattern(`^File ".*", line \d+`)
	named       = text.Pattern(`^[\w.]+(: .*)?$`)
)

// surroundings match what a log adds to a message: time, level, process, place.
var surroundings = []func(string) string{
	without(nginxTail),
	without(`^[0-9a-f]{8}\.[0-9a-f]+ 0x[0-9a-f]+ (TLS: can't (accept|connect): \b)?|\bconn=\d+ fd=\d+`), // slapd's
	without(`\[\w+\] \d+#\d+:( \*\d+)?`),                             // nginx's level and process
	without(`\bconnection from IP address \[\S+\] and port \[\d+\]`), // Tomcat's
	without(goClient),
	without(`([\w.-]+/)+smtpd?(\[\d+\])?:`),        // Postfix's programs
	without(`\bbetween TLSv[\d.]+ and TLSv[\d.]+`), // PostgreSQL's
	without(`\bat \w+\.erl:\d+`),
	without(`\bwith cipher \S+ \(\d+/\d+ bits\).*`), // Postfix's
	without(`\bERROR 20\d\d \(HY000\):`),            // MySQL's clients
	without(`\b[a-z][a-z0-9+]*://[^\s"',)]*`),
	without(`\bwhile (reading|sending|SSL handshaking|waiting|processing|proxying|connecting)( \w+)*( to upstream)?`),
	without(`\bfrom "?\S+:\d+"?:?`),                                                    // Go's servers
	without(`\(_ssl\.c:\d+\)|\(\w+\.(c|cc|cpp|go|java|py|rs|erl):\d+\)`),               // places in source code
	without(`(\.\.|[\w.-]+)?(/[\w.@-]+)+\.(c|cc|cpp|h|go|java|py|rs|erl|js)\b(:\d+)*`), // the same
	without(`"?(/[\w.@+-]+){2,}"?`),                                                    // paths
	without(`\b(tls|ssl|ssl3|ossl|dtls1)(_[a-z0-9]+){2,}\b`),                           // OpenSSL's functions
	without(`SSL_(connect|accept) returned=\d errno=\d+( peeraddr=\S+)? state=error:`), // Ruby's
	without(`\b\d{4}[-/]\d\d[-/]\d\d([T ]\d\d:\d\d:\d\d\S*)?|\b\d\d:\d\d:\d\d\S*`),     // dates and times
	without(`\b[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5,}`),                                   // fingerprints
	without(`\[?[0-9a-fA-F]*:[0-9a-fA-F:]*:[0-9a-fA-F.]*\]?:\d+`),                      // addresses
	without(`[\w.:/\[\]-]*\d\.\d+\.\d+\.\d[\w.:/\]-]*`),
	without(`(?i)upstream connect error or disconnect/reset before headers\. (retried and the latest )?reset reason:( remote connection failure, transport failure reason:)?`), // Envoy's
	without(`(?i)\berror:[0-9a-f]{8}\b:?`), // OpenSSL's codes; their words follow
	without(`"[^" ]*\.[^" ]*"`),            // host names
	without(`\bHTTP/2 stream \d+ was not closed cleanly: |\bstream error: stream ID \d+; |; received from peer|\bstream was reset: |Stream closed with error code NGHTTP2_`), // what was given up, with its reason behind it
	without(`Handshake error in client`),                                      // Dart's, with its reason behind it
	without(` -- Too restrictive SSLCipherSuite.*`),                           // mod_ssl's guess
	without(`\(e\.g\. handshake failed\)`),                                    // curl's, with Schannel
	without(`\b\w*OpenSsl\w*(\$\w+)?:?`),                                      // Netty's and .NET's classes
	without(`\bClientConnector\w+|\bConnectionKey\([^()]*\),?|\bssl:<[^>]*>`), // aiohttp's
	without(`The certificate is NOT trusted\. \b`),                            // GnuTLS's, with the reason behind it
	without(`\blocalhost\b(:\d+)?`),
	without(`(psql: (error: )?)?connection to server (at|on socket) "[^"]*"( \([^)]*\))?(, port \d+)? failed:`),
	without(`</?(html|head|title|body|p|h[1-6]|br|hr|center|pre|address)\b[^<>]*>`),
	without(`(?i)\b(Error accepting a client connection|Client connection from \S+ failed):`), // Redis's, Mosquitto's
	without(`(?i)\bprotocol error\.?$`), // with its reason elsewhere
	without(`\bldap_start_tls: Connect error \(-11\)( additional info:)?|^additional info: (\(unknown error code\))?`),                                // OpenLDAP's clients, with the reason beside it
	without(`A connection was successfully established with the server, but then an error occurred during the (pre-login handshake|login process)\.`), // SQL Server's clients, with the reason behind it
	without(`\(71\) Protocol error\b|\bSQUID_(ERR_SSL|TLS_ERR)_[A-Z]+|\bHandshake with SSL server failed:`),                                           // Squid's, with the reason behind it
	without(`curl: \(\d+\)|could not load PEM client certificate( from \S+)?, OpenSSL error`),
}

// without returns a function that takes what a pattern matches out of a text.
func without(pattern string) func(string) string { return text.Replacing(pattern, " ") }

// withoutSurroundings returns a message without them.
func withoutSurroundings(message string) string {
	if strings.Contains(message, "http://") {
		message = phrasesOfHTTP().Replace(message)
	} else {
		message = phrases().Replace(message)
	}
	for _, reword := range rewordings {
		message = reword(message)
	}
	for _, around := range surroundings {
		message = around(message)
	}
	message = encryption(ofOpenSSLVerify(message))
	message = dotted(subStatus(postHandshake(message)))
	return strings.TrimSpace(verifyNumber(message))
}

// ofOpenSSLVerify shortens the last line of openssl verify; the one before it
// has the reason.
var ofOpenSSLVerify = text.Replacing(`^error \S+: verification failed$`, "certificate verify failed")

// unanswered are the words of HTTP clients for a connection that the server has
// closed before it answered: of PHP, Ruby, Java, .NET, Perl, curl, Node.js and
// Python.
var unanswered = []string{
	"HTTP request failed! in ", "rbuf_fill': end of file reached", "Unexpected end of file from server", "HTTP/1.1 header parser received no bytes",
	"IOException: Error writing to server", "NoHttpResponseException: ", "The target server failed to respond", "The response ended prematurely",
	"Unexpected end of stream while looking for line", "Server closed connection without sending any data back", "getpeername() failed",
	"SocketError: other side closed", "This socket has been ended by the other party", "Server disconnected without sending a response", "ServerDisconnectedError",
}

// phrases puts what programs say in other words into those of one; of clients
// of plain HTTP, who get no answer from a TLS port, into others.
var phrases, phrasesOfHTTP = phrasesWith("Remote end closed connection without response"), phrasesWith("Empty reply from server")

func phrasesWith(noAnswer string) func() *strings.Replacer {
	return sync.OnceValue(func() *strings.Replacer {
		pairs := []string{"read ECONNRESET", "connection reset by peer", "ConnectionResetError()", "EOF", "Failed to enable crypto", "EOF"}
		for _, words := range unanswered {
			pairs = append(pairs, words, noAnswer+" ")
		}
		return strings.NewReplacer(pairs...)
	})
}

// javasUndecrypted is what Java says of an alert that is not encrypted, where
// one should be.
const javasUndecrypted = `Insufficient buffer remaining for AEAD cipher fragment\b.*`

// rewordings do the same as phrases. They begin with a text: others are slow.
var rewordings = []func(string) string{
	text.Replacing(`\(client didn't send a cert\):.*\bTLS handshaking: Connection closed\b`, " EOF"), // Dovecot's
	text.Replacing(`Cannot connect to host .* \[None\]`, "EOF"),                                      // aiohttp's
	text.Replacing(`^Server disconnected$`, "Remote end closed connection without response"),         // the same
	text.Replacing(`http://[^" ]*": EOF$`, "Empty reply from server"),                                // Go's
	text.Replacing(`Connection reset$`, "connection reset by peer"),                                  // Java's
	openSSLCode,
	text.Replacing(`\bError in handshake: Error in the certificate\b`, "gnutlsservcertificate"),
	text.Replacing(`\bProcessing of the ClientHello handshake message failed`, "mbedclienthello"),                                                            // mbedTLS's
	text.Replacing(`-0x7200\b(: SSL - An invalid SSL record was received)?`, "unexpectedtlsrecord"),                                                          // mbedTLS's client, of what is no TLS
	text.Replacing(`\bAccessDeniedException:? /`, "EACCES: permission denied, open /"),                                                                       // which others say of logins
	text.Replacing(`No such file or directory, \(no key found, .*`, "No such file or directory"),                                                             // curl's, of a file that it has not read
	text.Replacing(`The remote certificate is invalid according to the validation procedure: RemoteCertificateNotAvailable`, "remotecertificateunavailable"), // .NET's, which is no reason of the rest
	text.Replacing(`invalid certificate or no client certificate supplied`, "vaultsuppliednone"),                                                             // Vault's
	text.Replacing(`\bkeyUsage extension`, "basickeyusage"),                                                                                                  // mbedTLS's, which is not the extended one
	text.Replacing(`\bBADCERT_(\w+)`, "badcert$1"),                                                                                                           // mbedTLS's
	text.Replacing(`\bSSL_accept returned=\d errno=\d state=\w+ read client hello \w: http request\b`, "SSL routines::HTTP_REQUEST"),                         // Ruby's, with OpenSSL 1.0
	text.Replacing(`Could not find user ("[^"]*" )?for db "?\$external"?`, "externaluserunknown"),                                                            // MongoDB's
	text.Replacing(`\bSSL off$`, "no encryption"),                                                                                                            // PostgreSQL's, before version 14
	text.Replacing(`RECV <<22,3,[0-4],\S*|\bunrecognized RPC byte: byte=22\b`, "unexpectedtlsrecord"),                                                        // EMQX's and Consul's, of a ClientHello
	text.Replacing(`not an SSL/TLS record: 0[3-5]00[0-9a-f]{4}0[1-5][0-9a-f]*`, "plain HTTP request was sent to HTTPS port"),                                 // Netty, of a request of Cassandra
	text.Replacing(` 403 (7|13|16|17) \d+ \d+$`, " HTTP 403.$1"),                                                                                             // IIS's log: status, substatus, Windows' and the time
	text.Replacing(`client closed connection while SSL handshaking`, "peer closed connection in SSL handshake while SSL handshaking"),                        // nginx's
	text.Replacing(`\bhandshake rejected while SSL handshaking`, "tlsv1 unrecognized name while SSL handshaking"),                                            // the same, with ssl_reject_handshake
	text.Replacing(`^.*\bLayer6 invalid response, info: "certificate verify failed".*`, "certificate verify failed"),                                         // HAProxy's
	text.Replacing(`\bpeer cert untrusted or revoked \(0x22\)`, "certificate revoked"),                                                                       // OpenLDAP's with GnuTLS: GNUTLS_CERT_REVOKED is 0x20
	text.Replacing(`\bSSL_connect failed: certificate verify failed`, "certificate verify failed"),                                                           // Redis's client
	text.Replacing(`kafka: client has run out of available brokers( to talk to)?:`, "transport: authentication handshake failed:"),                           // sarama's, as gRPC says it
	text.Replacing(expiryOfCurl, "${1}sslv3 alert certificate expired"),
	text.Replacing(`Unable to get certificate\b`, "unloadable"), // MySQL's and MariaDB's, of their own file
	// Erlang's server, of a client that refuses it: servers alone send that alert
	// where nothing is in common.
	text.Replacing(`received CLIENT ALERT: Fatal - Handshake Failure`, "clientshandshakefailure alert"),
	// In place of a ServerHello: the client has shown nothing of itself yet.
	text.Replacing(`SSL(2?3)_GET_SERVER_HELLO:(sslv3|tlsv1) alert handshake failure|\bread server hello A: sslv3 alert handshake failure|In state :?(hello|start|wait_sh)( at \S+)? (received|generated) SERVER ALERT: Fatal - Handshake Failure`, "alert handshake failure: no shared cipher"),
	text.Replacing(`bad_header,<<22,3,\S*|Invalid version of beats protocol: 22\b`, "unexpectedtlsrecord"),         // RabbitMQ's and Logstash's, of a ClientHello
	text.Replacing(`\bSSLProtocolException\b`, "SSLException"),                                                     // which is about no version
	text.Replacing(`handshake failed: A TLS fatal alert has been received`, "A TLS fatal alert has been received"), // GnuTLS's, which names none
	text.Replacing(`unexpected ID \\?"spiffe://`, "unexpectedspiffeid "),
	text.Replacing(`Unsupported record version Unknown-[\d.]+`, "Unsupported or unrecognized SSL message"),          // Java's
	text.Replacing(`\bInvalidMessage\(InvalidContentType\)`, "received corrupt message of type InvalidContentType"), // rustls's, as a value
	// Netty, of plain HTTP, whose bytes follow: GET, HEAD, POST, PUT, DELETE,
	// OPTIONS, PATCH, or HTTP/2's preface.
	text.Replacing(`not an SSL/TLS record: (474554|48454144|504f5354|505554|44454c455445|4f5054494f4e53|5041544348|505249)20[0-9a-f]*`, "plain HTTP request was sent to HTTPS port"),
	text.Replacing(`hostname '[\d.]+' doesn't match`, "IP address mismatch "),
	text.Replacing(`Certificate for <[\d.]+> doesn't match`, "IP address mismatch "),
	text.Replacing(`Can't connect to [\d.]+:\d+ \(hostname verification failed`, "IP address mismatch "),
	text.Replacing(`Fatal \(\w+\): `+javasUndecrypted, "unencryptedalert"),
	text.Replacing(javasUndecrypted, "unencryptedalert"),
	beforeCertificate,
	text.Replacing(unencryptedAlert, "${1} unencryptedalert"),
	text.Replacing(`(\bSSL( routines:\w*| connection)?: ?|\bstate=error: )http request\b`, "${1}HTTP_REQUEST"), // OpenSSL's, which alone say nothing
}

// beforeCertificate takes away what Dovecot says of a connection that has ended
// before a certificate could come, where the rest of the line says why.
var beforeCertificate = text.Replacing(`\(client didn't send a cert\):.*\bTLS handshaking\b`, "")

// undecryptedAlert is what a server with GnuTLS says of an alert that is not
// encrypted, where one should be.
const undecryptedAlert = `(can't accept|returned error( on handshake)?|\(gnutls_handshake\)): Decryption has failed`

// unencryptedAlert matches what a server in Go, or one with GnuTLS, says of an
// alert that is not encrypted, as OpenSSL's clients send it in TLS 1.3. That is
// no alert bad_record_mac, which a remote error would be.
const unencryptedAlert = `(^|TLS handshake error from \S+: )local error: tls: bad record MAC|` + undecryptedAlert

// expiryOfCurl is what curl with OpenSSL says of the alert certificate_expired
// in TLS 1.2. Of what it refuses itself it says why.
const expiryOfCurl = `(curl: \(60\) |unable to access '\S+': )SSL certificate verification failed$`

// encryption puts PostgreSQL's words for a connection without and with TLS into
// one.
var encryption = text.ReplacingFunc(`(?i)\b(no|SSL|GSS) encryption\b`, func(s string) string {
	if strings.EqualFold(s, "no encryption") {
		return "unencrypted"
	}
	return "encrypted"
})

// postHandshake makes one word of one that is written in two.
var postHandshake = text.Replacing(`(?i)\bpost[- ]handshake\b`, "posthandshake")

// saidAlike matches words of OpenSSL, Go, GnuTLS, Java and .NET that servers and
// clients say alike: of what is no TLS, and of an alert.
var saidAlike = text.Pattern(`\bUnrecognized SSL message\b|\bnot an SSL/TLS record\b|\bUnsupported or unrecognized SSL message\b|\bCannot determine the frame size\b|\bA TLS fatal alert has been received\b|\bwrong version number\b|\bfirst record does not look like a TLS handshake\b|\bunexpected TLS packet was received\b|:unknown protocol\b`)

// subStatus makes one word of IIS's HTTP statuses, such as 403.7.
var subStatus = text.Replacing(`\b(4\d\d)\.(\d{1,2})\b`, "substatus${1}x$2")

// dotted shortens the names of hosts, files, and classes with their packages.
var dotted = text.ReplacingFunc(`[\w$-]*[a-zA-Z][\w$-]*(\.[\w$-]+)+`, withoutPackage)

// withoutPackage returns the class of a dotted name, or nothing of one without
// a class: a host or a file.
func withoutPackage(name string) string {
	last := name[strings.LastIndexByte(name, '.')+1:]
	switch {
	case last != strings.ToLower(last):
		return last
	case name == strings.ToLower(name):
		return ""
	}
	return name
}

// verifyNumber puts the text behind the number of an error of OpenSSL's
// verification.
var verifyNumber = text.ReplacingFunc(`(?i)(?:verify (?:error|return code|result)|says error|num|ssl_[cf]_(?:ca_)?err|depth \d+,? error)\s*[:=]?\s*(?:num=|code )?\d+\b`, func(s string) string {
	return s + " " + verifyErrors[s[strings.LastIndexFunc(s, isNoDigit)+1:]] + " "
})

func isNoDigit(r rune) bool { return r < '0' || r > '9' }

// verifyErrors are the texts of those numbers, of programs that print the
// number alone (OpenSSL's crypto/x509/x509_txt.c).
var verifyErrors = map[string]string{
	"2": "unable to get issuer certificate", "3": "unable to get certificate CRL", "7": "certificate signature failure",
	"9": "certificate is not yet valid", "10": "certificate has expired", "12": "CRL has expired",
	"18": "self-signed certificate", "19": "self-signed certificate in certificate chain", "20": "unable to get local issuer certificate",
	"21": "unable to verify the first certificate", "22": "certificate chain too long", "23": "certificate revoked", "24": "invalid CA certificate", "25": "path length constraint exceeded",
	"26": "unsupported certificate purpose", "47": "permitted subtree violation", "62": "hostname mismatch", "64": "IP address mismatch",
	"66": "EE certificate key too weak", "67": "CA certificate key too weak", "68": "CA signature digest algorithm too weak",
}
