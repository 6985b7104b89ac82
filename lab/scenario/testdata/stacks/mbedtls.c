// One TLS connection of mbedTLS, from either end:
//
//     client|server HOST PORT VERSION TRUST CRLS [CERT KEY]
//
// It looks at CRLs if there are any in TRUST.
// A server prints "listening on PORT" first.
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crl.h>

static void check(const char *what, int code) {
	char text[200];
	if (code >= 0)
		return;
	mbedtls_strerror(code, text, sizeof text);
	printf("%s: -0x%04x - %s\n", what, (unsigned)-code, text);
	exit(1);
}

static void accept_one(mbedtls_net_context *net) {
	mbedtls_net_context listener;
	struct sockaddr_in own;
	socklen_t size = sizeof own;
	mbedtls_net_init(&listener);
	check("listen", mbedtls_net_bind(&listener, "127.0.0.1", "0", MBEDTLS_NET_PROTO_TCP));
	check("listen", getsockname(listener.fd, (struct sockaddr *)&own, &size));
	printf("listening on %d\n", ntohs(own.sin_port));
	fflush(stdout);
	check("accept", mbedtls_net_accept(&listener, net, NULL, 0, NULL));
}

static void handshake(mbedtls_ssl_context *ssl) {
	char why[500];
	int code = mbedtls_ssl_handshake(ssl);
	unsigned flags = mbedtls_ssl_get_verify_result(ssl);
	if (code < 0 && flags != 0 && flags != (unsigned)-1 && mbedtls_x509_crt_verify_info(why, sizeof why, "verify: ", flags) > 0)
		fputs(why, stdout);
	check("mbedtls_ssl_handshake", code);
}

static void say(mbedtls_ssl_context *ssl, const char *text) {
	check("mbedtls_ssl_write", mbedtls_ssl_write(ssl, (const unsigned char *)text, strlen(text)));
}

static void hear(mbedtls_ssl_context *ssl) {
	unsigned char buffer[4096];
	check("mbedtls_ssl_read", mbedtls_ssl_read(ssl, buffer, sizeof buffer));
}

int main(int argc, char **argv) {
	mbedtls_net_context net;
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context random;
	mbedtls_ssl_context ssl;
	mbedtls_ssl_config config;
	mbedtls_x509_crt trust, cert;
	mbedtls_x509_crl lists;
	mbedtls_pk_context key;
	if (argc < 7)
		return 2;
	int is_client = strcmp(argv[1], "client") == 0, minor = argv[4][2] - '0' + 1; // TLS 1.2 is 3.3

	mbedtls_net_init(&net);
	mbedtls_entropy_init(&entropy);
	mbedtls_ctr_drbg_init(&random);
	mbedtls_ssl_init(&ssl);
	mbedtls_ssl_config_init(&config);
	mbedtls_x509_crt_init(&trust);
	mbedtls_x509_crl_init(&lists);
	mbedtls_x509_crt_init(&cert);
	mbedtls_pk_init(&key);
	check("seed", mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, NULL, 0));
	check("configuration", mbedtls_ssl_config_defaults(&config, is_client ? MBEDTLS_SSL_IS_CLIENT : MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT));
	mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random);
	mbedtls_ssl_conf_min_version(&config, 3, minor);
	mbedtls_ssl_conf_max_version(&config, 3, minor);
	mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
	check("trust", mbedtls_x509_crt_parse_file(&trust, argv[5]));
	int without = mbedtls_x509_crl_parse_file(&lists, argv[5]);
	mbedtls_ssl_conf_ca_chain(&config, &trust, without ? NULL : &lists);
	if (argc > 8) {
		check("certificate", mbedtls_x509_crt_parse_file(&cert, argv[7]));
		check("key", mbedtls_pk_parse_keyfile(&key, argv[8], NULL));
		check("own certificate", mbedtls_ssl_conf_own_cert(&config, &cert, &key));
	}
	check("setup", mbedtls_ssl_setup(&ssl, &config));
	if (is_client) {
		check("host name", mbedtls_ssl_set_hostname(&ssl, argv[2]));
		check("connect", mbedtls_net_connect(&net, "127.0.0.1", argv[3], MBEDTLS_NET_PROTO_TCP));
	} else {
		accept_one(&net);
	}
	mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, mbedtls_net_recv, NULL);
	handshake(&ssl);
	if (is_client) {
		say(&ssl, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
		hear(&ssl);
	} else {
		hear(&ssl);
		say(&ssl, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	}
	mbedtls_ssl_close_notify(&ssl);
	return 0;
}
