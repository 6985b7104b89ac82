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
		// HAProxy, stunnel
		{"10.0.0.9:4711 [24/Nov/2026] fe/1: SSL client CA chain cannot be verified", endpoint.Server},
		{"CERT: Pre-verification error: path length constraint exceeded\nSSL_accept: ssl/statem/statem_srvr.c:3510: error:0A000086:SSL routines::certificate verify failed", endpoint.Server},
		{"CERT: Pre-verification error: path length constraint exceeded\nSSL_connect: ssl/statem/statem_clnt.c:1889: error:0A000086:SSL routines::certificate verify failed", endpoint.Client},
		// Go
		{"tls: failed to verify client certificate: x509: certificate has expired or is not yet valid", endpoint.Server},
		{`Get "https://a.example/": tls: failed to verify certificate: x509: certificate has expired or is not yet valid`, endpoint.Client},
		{"tls: failed to verify certificate: x509: certificate has expired or is not yet valid", endpoint.Unknown}, // servers say it too
		{"x509: certificate has expired or is not yet valid", endpoint.Unknown},
		// Java
		{"sun.security.validator.ValidatorException: PKIX path building failed\n\tat java.base/sun.security.ssl.X509TrustManagerImpl.checkClientTrusted(X509TrustManagerImpl.java:123)\n\tat java.base/sun.security.ssl.CertificateMessage$T13CertificateConsumer.onConsumeCertificate(CertificateMessage.java:1300)", endpoint.Server},
		{"sun.security.validator.ValidatorException: PKIX path building failed\n\tat java.base/sun.security.ssl.CertificateMessage$T12CertificateConsumer.checkServerCerts(CertificateMessage.java:638)", endpoint.Client},
		{"sun.security.validator.ValidatorException: PKIX path building failed", endpoint.Unknown},
		// Two connections of a proxy.
		{depth25 + "SSL routines:tls_process_client_certificate:certificate verify failed\nSSL routines:tls_process_server_certificate:certificate verify failed", endpoint.Unknown},
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
