package scenario

import (
	"testing"

	"mtlslab.example/lab/lab/endpoint"
)

// One line of a log says what is wrong, another whose log it is: together they
// say who refuses. Where none says it, nobody is named.
func TestSearchSaysWhoRefuses(t *testing.T) {
	const depth25, unable = "verify error:num=25:path length constraint exceeded\n", "verify error:num=20:unable to get local issuer certificate\n"
	for _, c := range []struct {
		log  string
		want endpoint.Side
	}{
		// OpenSSL
		{depth25 + "4027:error:0A000086:SSL routines:tls_process_client_certificate:certificate verify failed:ssl/statem/statem_srvr.c:3510:", endpoint.Server},
		{depth25 + "4027:error:0A000086:SSL routines:tls_post_process_server_certificate:certificate verify failed:ssl/statem/statem_clnt.c:1889:", endpoint.Client},
		{unable + "140:error:1417C086:SSL routines:tls_process_client_certificate:certificate verify failed", endpoint.Server},
		{unable + "140:error:1416F086:SSL routines:tls_process_server_certificate:certificate verify failed", endpoint.Client},
		{unable + "140:error:140890B2:SSL routines:SSL3_GET_CLIENT_CERTIFICATE:no certificate returned:s3_srvr.c:3321:", endpoint.Server},
		{unable + "140:error:140890B2:SSL routines:ssl3_get_client_certificate:certificate verify failed", endpoint.Server},
		{unable + "140:error:14090086:SSL routines:ssl3_get_server_certificate:certificate verify failed:s3_clnt.c:1264:", endpoint.Client},
		{unable + "SSL_accept: certificate verify failed", endpoint.Server},
		{unable + "SSL_connect: certificate verify failed", endpoint.Client},
		{depth25, endpoint.Unknown},
		{unable, endpoint.Unknown},
		// nginx
		{"client SSL certificate verify error: (25:path length constraint exceeded) while reading client request headers, client: 10.0.0.42, server: a", endpoint.Server},
		{`upstream SSL certificate verify error: (25:path length constraint exceeded) while SSL handshaking to upstream, client: 10.0.0.42, server: a, upstream: "https://10.0.0.3/"`, endpoint.Client},
		// Apache
		{"[ssl:info] AH02276: Certificate Verification: Error (25): path length constraint exceeded", endpoint.Server},
		{"SSL Library Error: error:0A000086:SSL routines::certificate verify failed\n[ssl:error] [remote 10.0.0.3:443] AH02039: Certificate Verification: Error (25): path length constraint exceeded", endpoint.Client},
		// gnutls-cli
		{"*** PKI verification of server certificate failed...", endpoint.Client},
		// HAProxy, stunnel
		{"10.0.0.9:4711 [24/Nov/2026] fe/1: SSL client CA chain cannot be verified", endpoint.Server},
		{"CERT: Pre-verification error: path length constraint exceeded\nSSL_accept: ssl/statem/statem_srvr.c:3510: error:0A000086:SSL routines::certificate verify failed", endpoint.Server},
		{"CERT: Pre-verification error: path length constraint exceeded\nSSL_connect: ssl/statem/statem_clnt.c:1889: error:0A000086:SSL routines::certificate verify failed", endpoint.Client},
		// OpenLDAP, Dovecot, ProFTPD, rsyslog
		{"6b0d2d3b.0173887a 0x7f69ee3cf6c0 TLS: can't accept: (unknown error code).\n6b0d2d3b.01746dec 0x7f69ee3cf6c0 conn=1004 fd=11 closed (TLS negotiation failure)", endpoint.Server},
		{"6b0d2d40.117d8a4b 0x7f69ee3cf6c0 TLS: can't accept: Decryption has failed..", endpoint.Client},
		{"6b0d2d40.1e0d6e21 0x7f69edbce6c0 TLS: can't accept: No certificate was found..", endpoint.Unknown}, // of a client that sends none, and of one that refuses
		{"imap-login: Info: Disconnected: Connection closed: SSL_accept() failed: error:0A000418:SSL routines::tlsv1 alert unknown ca: SSL alert number 48 (client didn't send a cert): user=<>, rip=10.0.0.7, lip=10.0.0.2, TLS handshaking: SSL_accept() failed: error:0A000418:SSL routines::tlsv1 alert unknown ca: SSL alert number 48", endpoint.Client},
		{"imap-login: Info: Disconnected: Aborted login by logging out (client sent an invalid cert): user=<>, method=PLAIN, rip=10.0.0.7, lip=10.0.0.2, TLS", endpoint.Server},
		{"mod_tls/2.9.2[21120]: client certificate failed verification: certificate has expired", endpoint.Server},
		{"mod_tls/2.9.2[21137]: unable to accept TLS connection: protocol error: \n  (1) error:0A000418:SSL routines::tlsv1 alert unknown ca [SSL alert number 48]", endpoint.Client},
		{"rsyslogd: Certificate EXPIRED at depth: 0   issuer  = /O=Shop/CN=Shop Root  subject = /O=Shop/CN=till-7  err 10:certificate has expired [v8.2302.0]\nrsyslogd: netstream session 0x7fbdb80169c0 from 10.0.0.7 will be closed due to error [v8.2302.0]", endpoint.Server},
		// PostgreSQL, MariaDB, Postfix, FreeRADIUS, wpa_supplicant, radsecproxy, curl
		{"2026-11-30 11:26:40.400 UTC [14417] [unknown]@[unknown] LOG:  could not accept SSL connection: sslv3 alert bad certificate", endpoint.Client},
		{"ERROR 2026 (HY000): TLS/SSL error: unable to get local issuer certificate", endpoint.Client},
		{"ERROR 2026 (HY000): TLS/SSL error: tlsv1 alert unknown ca", endpoint.Server},
		{"ERROR 2013 (HY000): Lost connection to server at 'sending authentication information', system error: 104", endpoint.Server},
		{"2026-11-30 11:31:13 6 [Warning] Aborted connection 6 to db: 'unconnected' user: 'unauthenticated' host: 'till-7' (This connection closed normally without authentication)", endpoint.Unknown},
		{"Nov 30 11:36:33 mx postfix/smtpd[30242]: certificate verification failed for a.example[10.0.0.7]: self-signed certificate", endpoint.Server},
		{"Nov 30 11:36:33 mx postfix/smtp[30242]: certificate verification failed for b.example[10.0.0.3]:25: self-signed certificate", endpoint.Client},
		{"Nov 30 11:36:33 mx postfix/smtpd[30242]: warning: TLS library problem: error:0A000418:SSL routines::tlsv1 alert unknown ca:../ssl/record/rec_layer_s3.c:1602:SSL alert number 48:", endpoint.Client},
		{"Nov 30 11:36:33 mx postfix/smtp[30242]: 9A7BC7C54A: to=<u@b.example>, relay=b.example[10.0.0.3]:25, dsn=4.7.1, status=deferred (host b.example[10.0.0.3] refused to talk to me: 421 4.7.1 b.example Error: Client certificate not trusted)", endpoint.Server},
		{"(2) eap_tls: ERROR: (TLS) Alert write:fatal:certificate expired", endpoint.Server},
		{"(2) eap_tls: ERROR: (TLS) Alert read:fatal:certificate expired", endpoint.Client},
		{"(0) ERROR: (TLS) Alert read:fatal:unknown CA", endpoint.Unknown},
		{"CTRL-EVENT-EAP-TLS-CERT-ERROR reason=4 depth=0 subject='/CN=server' err='certificate has expired'", endpoint.Client},
		{"Mon Nov 30 11:42:22 2026: tlsservernew: SSL accept from tlsc failed: error:0A000418:SSL routines::tlsv1 alert unknown ca", endpoint.Client},
		{"curl: (60) SSL certificate verification failed", endpoint.Server},
		// MongoDB, .NET
		{"2022-07-27T09:25:44.993+0000 E  NETWORK  [conn25854] SSL peer certificate validation failed: certificate has expired", endpoint.Server},
		{`{"t":{"$date":"2026-01-10T10:00:00.000+00:00"},"s":"E","c":"NETWORK","id":23255,"ctx":"conn12","msg":"SSL peer certificate validation failed","attr":{"reason":"certificate has expired"}}`, endpoint.Server},
		{"couldn't connect to server db:27017, connection attempt failed: SSLHandshakeFailed: SSL peer certificate validation failed: certificate has expired", endpoint.Client},
		{"Authentication failed because the remote party has closed the transport stream.", endpoint.Unknown},
		// Go
		{"tls: failed to verify client certificate: x509: certificate has expired or is not yet valid", endpoint.Server},
		{`Get "https://a.example/": tls: failed to verify certificate: x509: certificate has expired or is not yet valid`, endpoint.Client},
		{"tls: failed to verify certificate: x509: certificate has expired or is not yet valid", endpoint.Unknown}, // servers say it too
		{"x509: certificate has expired or is not yet valid", endpoint.Unknown},
		// Java
		{"sun.security.validator.ValidatorException: PKIX path building failed\n\tat java.base/sun.security.ssl.X509TrustManagerImpl.checkClientTrusted(X509TrustManagerImpl.java:123)\n\tat java.base/sun.security.ssl.CertificateMessage$T13CertificateConsumer.onConsumeCertificate(CertificateMessage.java:1300)", endpoint.Server},
		{"sun.security.validator.ValidatorException: PKIX path building failed\n\tat java.base/sun.security.ssl.CertificateMessage$T12CertificateConsumer.checkServerCerts(CertificateMessage.java:638)", endpoint.Client},
		{"sun.security.validator.ValidatorException: PKIX path building failed", endpoint.Unknown},
		{"FINE: Handshake failed for client connection from IP address [10.0.0.7] and port [46814]\njavax.net.ssl.SSLHandshakeException: Insufficient buffer remaining for AEAD cipher fragment (2). Needs to be more than tag size (16)", endpoint.Client},
		{"javax.net.ssl.SSLHandshakeException: Received fatal alert: bad_certificate\n\tat jdk.httpserver/sun.net.httpserver.SSLStreams.doHandshake(SSLStreams.java:478)", endpoint.Client},
		// A peer that has closed the connection.
		{"http: TLS handshake error from 10.0.0.7:48116: EOF", endpoint.Client},
		{`Get "https://a.example/": EOF`, endpoint.Server},
		// Python, PHP, Node.js, .NET, curl
		{"[2026-11-30 11:35:46 +0000] [28943] [DEBUG] Invalid request from ip=10.0.0.7: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:2546)", endpoint.Server},
		{"PHP Warning:  file_get_contents(): SSL operation failed with code 1. OpenSSL Error messages:\nerror:0A000086:SSL routines::certificate verify failed in /srv/x.php on line 4", endpoint.Client},
		{"Error: error:0A000412:SSL routines:ssl3_read_bytes:sslv3 alert bad certificate\nEmitted 'error' event on ClientRequest instance at:\n    at emitErrorEvent (node:_http_client:101:11) {\n  code: 'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE'\n}", endpoint.Server},
		{"dbug: Microsoft.AspNetCore.Server.Kestrel.Https.Internal.HttpsConnectionMiddleware[1]\n      System.Security.Authentication.AuthenticationException: The remote certificate is invalid because of errors in the certificate chain: UntrustedRoot", endpoint.Server},
		{"curl: (60) SSL certificate verification failed", endpoint.Server}, // certificate_expired, of a server in TLS 1.2
		// Two connections of a proxy.
		{depth25 + "SSL routines:tls_process_client_certificate:certificate verify failed\nSSL routines:tls_process_server_certificate:certificate verify failed", endpoint.Unknown},
		// A side that loses the other, and which: the one that does not print it.
		{"PR_END_OF_FILE_ERROR", endpoint.Server},
		{"net::ERR_CONNECTION_CLOSED", endpoint.Server},
		{"curl: (35) Recv failure: Connection reset by peer", endpoint.Server},
		{"fatal: unable to access 'https://git.example/': gnutls_handshake() failed: The TLS connection was non-properly terminated.", endpoint.Server},
		{"botocore.exceptions.SSLError: SSL validation failed for https://s3.example/ EOF occurred in violation of protocol (_ssl.c:1129)", endpoint.Server},
		{`Get "https://a.example/": read tcp 10.0.0.1:33->10.0.0.2:443: read: connection reset by peer`, endpoint.Server},
		{"http: TLS handshake error from 10.0.0.7:4711: EOF", endpoint.Client},
		{"http: TLS handshake error from 10.0.0.7:4711: read tcp 10.0.0.2:443->10.0.0.7:4711: read: connection reset by peer", endpoint.Client},
		{`psql: error: connection to server at "db" (10.0.0.5), port 5432 failed: SSL SYSCALL error: EOF detected`, endpoint.Server},
		{"2026-11-30 11:21:29.358 UTC [6440] [unknown]@[unknown] LOG:  could not accept SSL connection: EOF detected", endpoint.Client},
		{"EOF", endpoint.Unknown},
		{"java.net.SocketException: Connection reset", endpoint.Unknown},
		{"tlsClientError Error: socket hang up ECONNRESET", endpoint.Unknown}, // Node's server also refuses so
		{"Error: socket hang up\n    at TLSSocket.onSocketClose (node:_tls_wrap:1050:23)\n  code: \"ECONNRESET\"", endpoint.Unknown},
		{"Error: socket hang up\n    at TLSSocket.onConnectEnd (node:_tls_wrap:1732:19)\n  code: \"ECONNRESET\"", endpoint.Server},
		// Clients of many kinds
		{"error: RPC failed; curl 56 OpenSSL SSL_read: error:14094412:SSL routines:ssl3_read_bytes:sslv3 alert bad certificate, errno 0", endpoint.Server},
		{"MongoServerSelectionError: 80FB:error:0A000418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca", endpoint.Server},
		{"ERROR 2026 (HY000): SSL connection error: error:0A000086:SSL routines::certificate verify failed", endpoint.Client},
		{"schannel: next InitializeSecurityContext failed: SEC_E_UNTRUSTED_ROOT (0x80090325)", endpoint.Client},
		{"curl: (60) SSL certificate problem: EE certificate key too weak", endpoint.Client},
		{"%3|1700000000.000|FAIL|rdkafka#producer-1| [thrd:ssl://kafka:9093/1]: ssl://kafka:9093/1: SSL handshake failed: error:0A000418:SSL routines::tlsv1 alert unknown ca: SSL alert number 48", endpoint.Server},
		{"[o.e.h.AbstractHttpServerTransport] http client did not trust this server's certificate, closing connection Netty4HttpChannel{localAddress=/10.0.0.2:9200}", endpoint.Client},
		{"javax.net.ssl.SSLHandshakeException: None of the TrustManagers trust this server certificate chain", endpoint.Client},
		{"rpc error: code = Unavailable desc = connection closed before server preface received", endpoint.Server},
		{"error:0A00018A:SSL routines::dh key too small", endpoint.Client},
		{"ssl.SSLError: [SSL: WRONG_SIGNATURE_TYPE] wrong signature type (_ssl.c:1000)", endpoint.Client},
		{"tls: server selected unsupported protocol version 301", endpoint.Client},
		{"Error: Client network socket disconnected before secure TLS connection was established", endpoint.Server},
		{`Server app/web1 is DOWN, reason: Layer6 invalid response, info: "SSL handshake failure (error:0A000086:SSL routines::certificate verify failed)"`, endpoint.Client},
	} {
		found := Search(c.log)
		if len(found.Scenarios) == 0 {
			t.Errorf("%q finds nothing", c.log)
			continue
		}
		if found.Refuses != c.want {
			t.Errorf("%q is about %s, and the side that refuses is %v, not %v", c.log, found.Scenarios[0].Name, found.Refuses, c.want)
		}
	}
}
