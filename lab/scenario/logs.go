package scenario

import (
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
)

// goClient matches the beginning of an error of Go's HTTP client.
const goClient = `\b(Get|Head|Post|Put|Patch|Delete|Options) \\?"?https?://[^\s"\\]*\\?"?:?`

// Log lines of TLS clients, and of servers. A proxy is a server to its clients
// and a client to its upstreams.
var (
	clientLog = text.Pattern(goClient + `|\bwrite EPROTO |\bcurl: \(|\b[Uu]pstream\b|HTTPSConnectionPool\(|HTTPConnectionPool|requests\.exceptions|urllib3\.|urllib\.error|httpx\.|aiohttp\.|ClientConnector` +
		`|\b(file_get_contents|fopen|stream_socket_client|fsockopen)\(|\bCan't connect to \S+:\d+|failed calling webhook|Unable to connect to the server|error sending request for url|I/O error on (GET|POST|PUT|DELETE|HEAD) request|unable to access 'https|psql: |connection to server at "` +
		`|Error response from daemon|[Ff]ailed to pull image|(?i:wget: )|TLS client: |[Ff]etch(ing)? failed|npm (ERR|error)|\bpip\b|\bs_client\b|grpc: addrConn|transport: authentication handshake failed|NSURLErrorDomain|kCFStreamErrorDomainSSL|NET::ERR_|net::ERR_|tls_process_server_|tls_post_process_server_|tls_process_ske_|tls_process_certificate_request|ssl3_get_server_|(statem|s3|extensions)_clnt\.c|\bSSL_connect\b|SSL certificate problem|check_?[sS]erver_?(Trusted|Certs)|\[remote |Verify return code|serverhello|ServerHandshaker|authentication handshake failed|SSL Proxy: |HandshakeCheck Client\b|\bERROR 20(02|13|26) \(HY000\)|/smtp(\[\d+\])?: |CTRL-EVENT-EAP-TLS-CERT-ERROR|\bTLS: Domain match |\btlsconnect: |\bhost name verification failed\b|\(TLS code: |\brdkafka\b|\bkafka: client |\bserver preface\b|trust this server cert|\berror trying to connect: |\bserver selected (an )?(unsupported|invalid)|reason: Layer6|\bClient network socket |with remote server returned by|(?i:\bwrong[ _]signature[ _]type)|(?i:\bdh_key_too_small|\bdh key too small)|\bcurl \d+\b|\bOpenSSL SSL_read: |gnutls_handshake\(\) failed|InitializeSecurityContext|\bPR_\w+_ERROR\b|\bERR_CONNECTION_|\bbotocore\.|\bMongo(Server|Network)\w*Error|\bpymongo\.|PG::ConnectionBad|StatusRuntimeException|HttpRequestException|hyper_util::client|\breqwest\b|CFNetwork|Error 525|\bhyper::Error\(Connect|\btonic::transport|[Cc]ouldn't connect to server |ssl_choose_client_version|TLS :client: |from the remote server\b|remote server has requested|trust with server at |by client preferences|not supported by the client\b|\bServer chose (TLS|SSL)|\bonConnectSecure\b|\bERR_CERT_|\bMOZILLA_PKIX_|SSL_ERROR_UNSUPPORTED_VERSION|Handshake error in client|did not accept the certificate|cannot verify .*'s certificate, issued by|(?i:verification of (the )?server.?s? certificate|server certificate verification) failed`)
	serverLog = text.Pattern(`^local error: tls: bad record MAC|TLS handshake error from |while SSL handshaking, client: |client SSL certificate |rejected connection|could not accept SSL connection|TLS server: |tls_process_client_|tls_post_process_client_|tls_early_post_process_client_|ssl3_get_client_|(statem|s3|extensions)_srvr\.c|failed to verify client|check_?[cC]lient_?(Trusted|Certs)|SSL client CA chain|SSL_accept|\bs_server\b|\bwolfSSL_accept\b|\brlm_eap\w*:|\bSTARTTLS=server\b|\bconn=\d+ op=-?\d+ fd=\d+ closed\b` +
		`|client's certificate|\bclient_certificate\b|from client \S+:|AH0\d{4}|\[client |Unable to authenticate the request|(?i:SSL client certificate)|mod_ssl|clienthello|accept\(\) failed|\b[Nn]ew connection from |\b[Cc]lient connection\b|\bClient \S+ disconnected|\baccepted connection from |\bmod_\w+(\.c\b|/\d)|\bcan't accept: |\b(imap|pop3|submission|managesieve)-login: |unable to accept TLS connection|(?i:client certificate failed|verifying client certificate)| - cid:\d+ - |tcpsrv listener |TLS error on connection from |netstream session \S+ from |HandshakeCheck Server\b|\(client (didn't send a|sent an? (in)?valid) cert|sslv3_accept|inbound connection|Invalid request from ip=|while accepting a TLS connection|/smtpd(\[\d+\])?: |\beap_\w+: |\(TLS\) Server : |\btlsservernew: |authentication\.go|(^|[\s\]])[\w.~-]+/\d+: (SSL|Connection|Timeout) |client did not trust this server|trust this client cert|\bclosing AMQP connection|Error on AMQP connection|\[conn\d+\] |"ctx":"conn\d+"|Socket error on client |GET_CLIENT_HELLO|\bACCEPT_SR_|Netty4HttpChannel|BeatsHandler|TLS :server: |remote client application|trust with client at |\bClient \S+ closed its connection|\bSocketServer |CertificateAuthenticationHandler|Error receiving request from client|\bServer\.Serve failed|multiplex_conn accept|\bTLS_accept\b|SSL accept attempt|accepting a TLS connection|^\d+\.\d+\.\d+\.\d+:\d+ TLS Error: `)
)

// How a side reports an alert that it received, and a certificate that it
// refuses itself.
var (
	receivesAlert = text.Pattern(`(?i)remote error: tls: |cannot verify your certificate|the CA that issued your certificate|did not accept the certificate|(\b|_)(received|sslv3|tlsv1|tlsv13|ssl|fatal)[ _]+(fatal[ _]+|tls[ _]+|client[ _]+|server[ _]+)?alert|alert[ _](received|number|code)|AlertReceived|did not trust this server|local error: tls: bad record MAC|` + undecryptedAlert + `|\balert\b|is informing us that|\b(refused to talk to me|said): \d{3}|Lost connection to server at 'sending authentication|` + javasUndecrypted + `|` + expiryOfCurl)
	sendsAlert    = text.Pattern(`(?i)\b(generated|sending|sent|send)\b.*\balert\b|\balert\b.*\b(generated|sent)\b|\(OUT\), TLS alert|\balert:? write\b`)
	refuses       = text.Pattern(`(?i)verif(y|ied|ication)|validat|invalid cert\b|can't accept: \(unknown error code\)|x509: |certificate|dh.key.too.small|wrong.signature.type|server selected|SEC_E_|PKIX|alternative names?|CertPath|TrustAnchor|InitializeSecurityContext failed|\bERR_CERT_|SELF_SIGNED_CERT|SSL_ERROR_UNSUPPORTED_VERSION|unsupported.protocol|selected protocol version|\bServer chose (TLS|SSL)`)
)

// ownFile matches what OpenSSL and HAProxy say of a program's own certificate
// that is too weak for them (of the peer's, OpenSSL says "too weak" alone), and
// Schannel and Java of their own settings.
var ownFile = text.Pattern(`\bYour certificate (is not yet valid|has expired)\b|creating an? (SSL|TLS) (client|server) credential|\bNo appropriate protocol\b|\b(?i:key.values.mismatch)\b|AH02565|MinVersion and MaxVersion|NO_CIPHERS_AVAILABLE|Unable to find acceptable protocols|missing (client certificate|key) \S+ for |\b(ee|ca) key too small\b|\bca md too weak\b|\binto SSL Context\b`)

// alertOrNone matches what a server with GnuTLS says in TLS 1.2, both of a client
// that sends no certificate and of one that refuses the server by an alert.
var alertOrNone = text.Pattern(`\bNo certificate was found\b`)

// nodesEnd matches what a server of Node.js says both of a client that hangs up
// and of one whose certificate it refuses itself.
var nodesEnd = text.Pattern(`Error: socket hang up|code: 'ECONNRESET'`)

// sidesOf returns the side whose log a line is from, as far as it shows, and the
// Scenario.Side that the line rules out, or "": a client that receives an alert
// was refused, and a server that receives one refused nobody. So it is with a
// side whose peer hangs up. Where the line shows no side, context is the one of
// the other lines.
func sidesOf(line string, context endpoint.Side) (by endpoint.Side, excludes string) {
	message := withoutTail(line)
	isClient, isServer := clientLog().MatchString(message), serverLog().MatchString(message)
	if !isClient && !isServer {
		isClient, isServer = context == endpoint.Client, context == endpoint.Server
	}
	switch {
	case isClient && !isServer:
		by = endpoint.Client
	case isServer && !isClient:
		by = endpoint.Server
	}
	if alertOrNone().MatchString(line) || context == endpoint.Server && nodesEnd().MatchString(line) {
		return by, ""
	}
	sent := sendsAlert().MatchString(message)
	wasRefused := !sent && (receivesAlert().MatchString(message) || by != endpoint.Unknown && isHangUp(message))
	switch {
	case !isClient && !isServer, !wasRefused && !sent && !refuses().MatchString(message):
		return by, ""
	case isClient == wasRefused:
		return by, "client rejects server"
	}
	return by, "server rejects client"
}

// withoutTail returns a line without what would mislead about whose it is.
func withoutTail(message string) string {
	return beforeCertificate(withoutUpstream(message))
}

// isHangUp reports whether a line says only that the other side has ended the
// connection.
func isHangUp(line string) bool { return hungUp().MatchString(line) && !refuses().MatchString(line) }

// hungUp matches what a program says whose peer has closed the connection.
var hungUp = text.Pattern(`(?i)socket hang up|aborted connection|\blost connection$|closed before server preface|connection termination|ClosedChannelException|\bEOF\b|ECONNRESET|connection reset|reset by peer|UNEXPECTED_EOF|closed the transport stream|EndOfStreamException|'End of stream'|\bbroken pipe\b|forcibly closed|ended prematurely|prematurely closed|\bfailed to respond\b|unexpectedly closed|closed unexpectedly|\bclosed (the|its) connection\b|\bhost closed connection\b|\bconnection( \d+)?( to \S+)? (was )?closed\b|\bconnection \d+ to \S+ closed\b|SSL connection closed|\bTLS negotiation failure\b|failed to receive handshake|-0x7280\b`)

// Lines, of a stack trace as a rule, that show whose log it is, although they
// say nothing of what happened.
var (
	clientContext = text.Pattern(`jdk\.internal\.net\.http|java\.net\.http\.HttpClient|sun\.net\.www\.protocol\.https|HttpsURLConnection|okhttp3\.|org\.apache\.(http|hc)\.|\bfeign\.|RestTemplate|http/client\.py|\bnet/http\.rb:|System\.Net\.Http\.|urllib/request\.py|urllib3/connection|TLSSocket\.onConnectEnd|_http_client|^(Error: |Unable to connect \()A TLS error occurred`)
	serverContext = text.Pattern(`server_side\s*=\s*True|\bSSL_accept\b|TLSSocket\.onSocketClose|onServerSocketSecure|tlsClientError|ServerSocket|socketserver\.py|http/server\.py|org\.eclipse\.jetty\.server|org\.apache\.(tomcat|coyote)\.|io\.undertow\.server|sun\.net\.httpserver\.|\.Kestrel\.|/webrick/`)
)

// contextOf returns the side whose log some lines are, if no two disagree. A
// line that names no side, such as OpenSSL's "verify error:num=25", is then of
// that side too.
func contextOf(lines []string) endpoint.Side {
	isClient, isServer := false, false
	for _, line := range lines {
		line = withoutUpstream(line)
		isClient = isClient || clientContext().MatchString(line) || clientLog().MatchString(line)
		isServer = isServer || serverContext().MatchString(line) || serverLog().MatchString(line)
	}
	switch {
	case isClient && !isServer:
		return endpoint.Client
	case isServer && !isClient:
		return endpoint.Server
	}
	return endpoint.Unknown
}

// javasAlert matches how Java reports an alert that it received. Java's own
// servers send bad_certificate to a client without a certificate.
var javasAlert = text.Pattern(`Received fatal alert: bad_certificate`)

// nginxTail is the end of each line of nginx's log. It names an upstream even
// if the message is about a client.
const nginxTail = `, client: .*?(, host: "[^"]*"|$)`

// withoutUpstream leaves of it that there is a client.
var withoutUpstream = text.Replacing(nginxTail, ", client: ")
