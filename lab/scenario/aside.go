package scenario

import (
	"strings"

	"mtlslab.example/lab/lab/text"
)

// What messages say that no scenario is about.
var (
	// Errors from before a connection was there, and of one that the program that
	// prints them has closed itself.
	notReached = text.Pattern(`(?i)\b(connection refused|ECONNREFUSED|no route to host|EHOSTUNREACH|network is unreachable|no such host|ENOTFOUND|EAI_AGAIN|getaddrinfo|UnknownHostException|could not resolve host|name or service not known|name resolution)\b` +
		`|\bdial tcp\b[^"]*: i/o timeout|\bFailed to connect to \S+ port \d+.*\b(timed out|Timeout was reached|(Couldn't|Could not) connect to server)\b|\bConnectTimeout|\bconnect (ETIMEDOUT|timed out)|\buse of closed (network )?connection\b`)

	// A proxy has not opened the way to the server, as HTTP clients say it.
	notTunnelled = text.Pattern(`(?i)\bCONNECT tunnel failed\b|\bfrom proxy after CONNECT\b|\bUnable to tunnel through proxy\b|\bTunnel connection failed\b|\btunneling socket could not be established, statusCode\b|\bproxy tunneling failed\b|\bRefused CONNECT method on port\b|\bERR_TUNNEL_CONNECTION_FAILED\b`)

	// A server does not offer STARTTLS.
	notOffered = text.Pattern(`(?i)\bDidn't find STARTTLS\b|\bSTARTTLS (extension |command )?(is )?not (supported|offered|available|advertised)\b|\b(not|n't) (support|offer|advertise) STARTTLS\b|\b454[ -]4\.7\.0 TLS not available\b`)

	// A server refuses what is not encrypted.
	wantsTLS = text.Pattern(`(?i)\bsessions must use encryption\b|\bMust issue a STARTTLS command\b|\bplaintext authentication (is )?(disallowed|disabled)|\b(TLS|SSL|encryption|confidentiality|secure connection) (is )?required\b|\bconnections using insecure transport are prohibited\b`)

	// A port that expects the header of the PROXY protocol, as HAProxy and nginx
	// say it, and got none.
	noHeader = text.Pattern(`\bdoes not look like a PROXY protocol header\b|\bbroken header: .*while reading PROXY protocol\b`)

	// A proxy has no server for a connection, as nginx and HAProxy say it.
	noServer = text.Pattern(`\bno host in upstream "|\bno live upstreams\b|/<NOSRV> \S+ \d+ (\d+ )?\S* ?SC`)

	// A server could not set up TLS, as OpenLDAP says it.
	notSetUp = text.Pattern(`\bTLS init (def )?ctx failed\b`)

	// Replies of SMTP begin with two codes (RFC 3463), of which the first could be
	// taken for a status of HTTP.
	mailReply = text.Pattern(`^\s*[245]\d\d[ -][245]\.\d{1,3}\.\d{1,3}\b`)
	namesTLS  = text.Pattern(`(?i)TLS|SSL|certificate`)

	// GnuTLS and mbedTLS do not name the alert.
	unnamedAlert = text.Pattern(`(?i)\bA TLS fatal alert has been received\.?$|\bfatal alert (message )?was received\b|\bMBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE\b|-0x7780\b`)

	// Warnings of programs in which the check of the other side's certificate is
	// switched off.
	verifiesNothing = text.Pattern(`(?i)\bUnverified HTTPS request\b|\bNODE_TLS_REJECT_UNAUTHORIZED environment variable to '0'|\bauthenticity is not (established|verified)\b|\b(SSL|TLS|certificate|cert|peer|hostname|server) (verification|validation|verify) (is |was |has been )?(disabled|off|turned off|switched off|skipped)\b`)

	// What has gone wrong in TLS may stand beside in one line.
	namesFault = text.Pattern(`(?i)\balert\b|\bhandshake|\bx509\b|\bexpired\b|\bunknown (ca|authority)\b|\bbad certificate\b|\bverify failed\b`)

	// Lines of logs that say what goes on, whether or not something has failed: of
	// openssl s_client, stunnel, nginx and ngIRCd.
	tellsNoFault = text.Pattern(`(?i)^(connection: close|accept|accepted|hello)$|^verify depth is \d|\bASGI 'lifespan' protocol appears unsupported\b|\bHTTP Server listening on\b|\bCertificate validation status: Verified\b|(?-i)^depth=\d+ |^verify return:1\s*$|\bNo subject checks configured\b|\b(Received|Configured) trusted (client|server) CA\b|\bPre-verification error ignored\b|\bCertificate accepted at depth\b|\bLocally installed certificate matched\b|\bclosed keepalive connection\b|\bConnection statistics: client\b|\bGot unchecked peer certificate\b`)

	// A server of MQTT refuses a client that has come through TLS (MQTT 3.1.1
	// section 3.2.2.3).
	refusedInMQTT = text.Pattern(`(?i)\bconnection refused: (not authori[sz]ed|identifier rejected|bad user ?name or password|unacceptable protocol version|(broker|server) unavailable)\b`)

	// A server of HTTP gets something else, which the line quotes.
	notHTTP = text.Pattern(`\bclient sent invalid (request|method) while reading client request line\b`)

	// Lines that say only that another one has the reason.
	passesOn = text.Pattern(`(?i)\bexception while handling client http traffic\b|\bexception caught on transport layer\b|\bGeneral (OpenSslEngine|SSLEngine) problem|\bsee (the )?inner exception\.?$|plaintext read error|\bCould not convert socket to TLS(;\s*(nested exception is:?)?)?\s*$|tls_read_plaintext error|\bAn internal exception was caught\b|\bA TLS error occurred\b|\bEncryption\(ssl/tls\) handshake failed|^(Error: )?The connection was lost\.?$|\bldap_\w+: Can't contact LDAP server \(-1\)|\bSSL connection failed with error code\b|\bFatal error: Error in the certificate\b|\bCannot start TLS: handshake failure\b`)
)

// isMailReply reports whether a line is a reply of SMTP that is not about TLS.
func isMailReply(line string) bool {
	return mailReply().MatchString(line) && !namesTLS().MatchString(line)
}

// isTunnelRefused reports whether a line says that a proxy has not opened the
// way.
func isTunnelRefused(line string) bool {
	return notTunnelled().MatchString(line) && !namesFault().MatchString(line)
}

// isUnreached reports whether a line says that there was no connection. etcd
// looks up the names in a certificate.
func isUnreached(line string) bool {
	return notReached().MatchString(line) && !strings.Contains(line, "does not match any of DNSNames")
}

// isUnverified reports whether a line is a warning that nothing is verified.
func isUnverified(line string) bool {
	return verifiesNothing().MatchString(line) && !namesFault().MatchString(line)
}

// isAside reports whether a line says something else than what went wrong in
// TLS.
func isAside(line string) bool {
	return tellsNoFault().MatchString(line) || noHeader().MatchString(line) || noServer().MatchString(line) || notHTTP().MatchString(line) || isUnreached(line) || isTunnelRefused(line) || notOffered().MatchString(line) || isMailReply(line) || isUnverified(line)
}

// each reports whether there are lines in a message, and all are so, but for
// empty ones.
func each(message string, is func(line string) bool) (all bool) {
	for line := range strings.Lines(message) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if all = is(line); !all {
			return false
		}
	}
	return all
}

// Aside returns what a message that no scenario fits says, and what to do; "":
// nothing is known of it.
func Aside(message string) string {
	if said := saidElsewhere(message); said != "" {
		return said
	}
	switch {
	case isTunnelRefused(message):
		return "the proxy did not open the way to the server, and no TLS was spoken yet: with 403 its rules forbid it, with 407 it wants a login; NO_PROXY=HOST goes past it"
	case refusedInMQTT().MatchString(message):
		return "the server refuses this in MQTT: the connection is there, and TLS is complete if it is used; the server's log says why, and its users and access rules do"
	case isUnreached(message):
		return "no TLS was spoken yet: is the address right, does a server listen there, and may this machine reach it?"
	case notOffered().MatchString(message):
		return "no TLS was spoken yet: the server does not offer STARTTLS here, or not now, as without a key or certificate that it can load; its configuration and its log say why, and openssl s_client -starttls PROTOCOL -connect HOST:PORT shows whether something on the way takes the offer out"
	case wantsTLS().MatchString(message):
		return "the server refuses what is not encrypted, and no TLS was spoken yet: have the client begin TLS (STARTTLS, AUTH TLS), or call the port where TLS comes first"
	case noHeader().MatchString(message):
		return "the port expects the PROXY line of a load balancer before TLS, and got something else: call the load balancer, or begin with that line (lab client --proxy-protocol 1, curl --haproxy-protocol), or have the port not expect it"
	case noServer().MatchString(message):
		return "the proxy has no server to pass the connection on to: none is up, or it chooses by the host in ClientHello (server_name), and the client named none that it knows"
	case notSetUp().MatchString(message):
		return "the server could not set up TLS from its own files: its certificate, key or CAs cannot be read, or do not belong together; the lines above say which, with more of its log (slapd -d 1)"
	case each(message, isMailReply):
		return "this is a reply of SMTP, and not about TLS: RFC 3463 explains its codes"
	case each(message, isUnverified):
		return "this is a warning, and no failure: the program that prints it checks no certificate of the other side, so that anybody can pose as it; give it the other side's CA in place of that"
	case each(message, tellsNoFault().MatchString):
		return "this says what goes on, and names no failure"
	case notHTTP().MatchString(message):
		return "what came is no request of HTTP: the line quotes it; one that begins with PROXY comes from a load balancer, or a client, that speaks the PROXY protocol, and the server is not set up for that"
	case unnamedAlert().MatchString(message):
		return "the other side refuses this one with an alert, whose name is not said: it is in the other side's log, and in a capture of both: lab help failing"
	case passesOn().MatchString(message) || strings.Contains(message, "SSL handshake failed"):
		return "this only passes a reason on: ask with the lines around it, too (Caused by, inner exception); where there are none, the other side's log has it, or a capture: lab help failing"
	}
	return ""
}
