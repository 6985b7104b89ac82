/*
 * A TLS client with its own key log callbacks: owncallback PORT
 *
 * It makes two SSL_CTX and a handshake with each, in turn twice. It prints the
 * lines that the callback of each gets, and checks that it gets its own
 * callback when it asks for it. Server certificates are not verified.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef void callback(const void *ssl, const char *line);
const void *TLS_client_method(void);
void *SSL_CTX_new(const void *method);
void SSL_CTX_free(void *ctx);
void SSL_CTX_set_keylog_callback(void *ctx, callback *f);
callback *SSL_CTX_get_keylog_callback(const void *ctx);
void *SSL_new(void *ctx);
int SSL_set_fd(void *ssl, int fd);
int SSL_connect(void *ssl);
void SSL_free(void *ssl);

static void first(const void *ssl, const char *line) { (void)ssl; printf("first %s\n", line); }
static void second(const void *ssl, const char *line) { (void)ssl; printf("second %s\n", line); }

static void must(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "%s failed\n", what);
		exit(1);
	}
}

static void handshake(void *ctx, int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	void *ssl = SSL_new(ctx);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "connect");
	SSL_set_fd(ssl, fd);
	must(SSL_connect(ssl) == 1, "SSL_connect");
	SSL_free(ssl);
	close(fd);
}

int main(int argc, char **argv)
{
	int port = atoi(argv[argc - 1]);
	void *a = SSL_CTX_new(TLS_client_method()), *b = SSL_CTX_new(TLS_client_method()), *c = SSL_CTX_new(TLS_client_method());

	must(SSL_CTX_get_keylog_callback(a) == NULL, "no callback at first");
	SSL_CTX_set_keylog_callback(a, first);
	SSL_CTX_set_keylog_callback(b, second);
	must(SSL_CTX_get_keylog_callback(a) == first, "the first callback");
	must(SSL_CTX_get_keylog_callback(b) == second, "the second callback");
	must(SSL_CTX_get_keylog_callback(c) == NULL, "no callback");
	for (int i = 0; i < 2; i++) {
		handshake(a, port);
		handshake(b, port);
		handshake(c, port);
	}
	SSL_CTX_set_keylog_callback(a, NULL);
	must(SSL_CTX_get_keylog_callback(a) == NULL, "no callback any more");
	handshake(a, port);
	SSL_CTX_free(a);
	SSL_CTX_free(b);
	SSL_CTX_free(c);
	return 0;
}
