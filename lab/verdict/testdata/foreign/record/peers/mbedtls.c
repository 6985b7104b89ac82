/* A server or client with mbedTLS 3; sealed.go says what the environment has. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mbedtls/ctr_drbg.h"
#include "mbedtls/entropy.h"
#include "mbedtls/error.h"
#include "mbedtls/net_sockets.h"
#include "mbedtls/ssl.h"
#include "mbedtls/ssl_ticket.h"
#include "psa/crypto.h"

static mbedtls_ssl_config conf;
static mbedtls_ssl_session session;
static int resumable;

static const char *env(const char *name) { const char *v = getenv(name); return v ? v : ""; }
static int number(const char *name) { return atoi(env(name)); }

static void complain(const char *what, int error) {
    char text[200];
    mbedtls_strerror(error, text, sizeof text);
    printf("mbedtls: %s: %s\n", what, text);
    fflush(stdout);
}

static int read_head(mbedtls_ssl_context *ssl, char *head, int size) {
    int n = 0;
    for (;;) {
        int r = mbedtls_ssl_read(ssl, (unsigned char *) head + n, size - 1 - n);
        if (r == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
            resumable = mbedtls_ssl_get_session(ssl, &session) == 0;
            continue;
        }
        if (r <= 0) { if (r < 0) complain("read", r); return -1; }
        n += r;
        head[n] = 0;
        if (strstr(head, "\r\n\r\n")) return n;
    }
}

static int say(mbedtls_ssl_context *ssl, const char *head, int body, char fill) {
    int n = strlen(head) + body, sent = 0;
    char *all = malloc(n);
    memset(all, fill, n);
    memcpy(all, head, strlen(head));
    while (sent < n) {
        int r = mbedtls_ssl_write(ssl, (unsigned char *) all + sent, n - sent);
        if (r == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) continue;
        if (r < 0) { complain("write", r); break; }
        sent += r;
    }
    free(all);
    return sent == n;
}

static void answer(mbedtls_ssl_context *ssl) {
    static char head[70000];
    char reply[99];
    while (read_head(ssl, head, sizeof head) > 0) {
        snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", number("ANSWER"));
        if (!say(ssl, reply, number("ANSWER"), 'y') || strstr(head, "Connection: close")) break;
    }
}

static void call(mbedtls_ssl_context *ssl) {
    static char head[70000];
    char request[300];
    for (int left = number("REQUESTS"); left > 0; left--) {
        snprintf(request, sizeof request, "%s /index.html HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n%s\r\n", env("METHOD"), env("NAME"), number("BODY"), left == 1 ? "Connection: close\r\n" : "");
        if (!say(ssl, request, number("BODY"), 'x') || read_head(ssl, head, sizeof head) < 0) break;
    }
}

int main(int argc, char **argv) {
    int server = argc > 1 && !strcmp(argv[1], "server"), r;
    const char *port = env("PORT");
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context rng;
    mbedtls_x509_crt ca, own;
    mbedtls_x509_crl crl;
    mbedtls_pk_context key;
    mbedtls_net_context listener, tcp;
    mbedtls_ssl_ticket_context tickets;
    mbedtls_ssl_context ssl;

    psa_crypto_init();
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&rng);
    mbedtls_ctr_drbg_seed(&rng, mbedtls_entropy_func, &entropy, NULL, 0);
    mbedtls_x509_crt_init(&ca);
    mbedtls_x509_crt_init(&own);
    mbedtls_x509_crl_init(&crl);
    mbedtls_pk_init(&key);
    mbedtls_net_init(&listener);
    mbedtls_ssl_session_init(&session);
    mbedtls_ssl_config_init(&conf);
    mbedtls_ssl_config_defaults(&conf, server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_min_tls_version(&conf, MBEDTLS_SSL_VERSION_TLS1_3);
    mbedtls_ssl_conf_rng(&conf, mbedtls_ctr_drbg_random, &rng);
    if ((r = mbedtls_x509_crt_parse_file(&ca, env("CA")))) complain("CA", r);
    if (*env("CRL") && (r = mbedtls_x509_crl_parse_file(&crl, env("CRL")))) complain("CRL", r);
    mbedtls_ssl_conf_ca_chain(&conf, &ca, *env("CRL") ? &crl : NULL);
    if (*env("CHAIN")) {
        if ((r = mbedtls_x509_crt_parse_file(&own, env("CHAIN")))) complain("chain", r);
        if ((r = mbedtls_pk_parse_keyfile(&key, env("KEY"), NULL, mbedtls_ctr_drbg_random, &rng))) complain("key", r);
        if ((r = mbedtls_ssl_conf_own_cert(&conf, &own, &key))) complain("certificate", r);
    }
    static uint16_t groups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, 0};
    if (*env("GROUP")) mbedtls_ssl_conf_groups(&conf, groups);
    static int suites[2];
    if (*env("SUITE")) suites[0] = mbedtls_ssl_get_ciphersuite_id(env("SUITE")), mbedtls_ssl_conf_ciphersuites(&conf, suites);
    mbedtls_ssl_conf_authmode(&conf, MBEDTLS_SSL_VERIFY_REQUIRED);
    if (server) {
        const char *ask = env("ASK");
        mbedtls_ssl_conf_authmode(&conf, !strcmp(ask, "on") ? MBEDTLS_SSL_VERIFY_REQUIRED : !strcmp(ask, "off") ? MBEDTLS_SSL_VERIFY_NONE : MBEDTLS_SSL_VERIFY_OPTIONAL);
        if (strcmp(env("TICKETS"), "0")) {
            mbedtls_ssl_ticket_init(&tickets);
            mbedtls_ssl_ticket_setup(&tickets, mbedtls_ctr_drbg_random, &rng, MBEDTLS_CIPHER_AES_256_GCM, 86400);
            mbedtls_ssl_conf_session_tickets_cb(&conf, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse, &tickets);
        }
        if ((r = mbedtls_net_bind(&listener, "127.0.0.1", port, MBEDTLS_NET_PROTO_TCP))) complain("bind", r);
    }
#ifdef MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED
    else mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(&conf, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
#endif
    for (int rounds = server ? 9 : *env("RESUME") ? 2 : 1; rounds > 0; rounds--) {
        mbedtls_net_init(&tcp);
        if (server) r = mbedtls_net_accept(&listener, &tcp, NULL, 0, NULL);
        else r = mbedtls_net_connect(&tcp, "127.0.0.1", port, MBEDTLS_NET_PROTO_TCP);
        if (r) { complain("TCP", r); return 1; }
        mbedtls_ssl_init(&ssl);
        mbedtls_ssl_setup(&ssl, &conf);
        if (!server) mbedtls_ssl_set_hostname(&ssl, env("NAME"));
        if (resumable) mbedtls_ssl_set_session(&ssl, &session);
        mbedtls_ssl_set_bio(&ssl, &tcp, mbedtls_net_send, mbedtls_net_recv, NULL);
        if ((r = mbedtls_ssl_handshake(&ssl))) complain("handshake", r);
        else {
            if (server) answer(&ssl); else call(&ssl);
            mbedtls_ssl_close_notify(&ssl);
        }
        mbedtls_net_free(&tcp);
        mbedtls_ssl_free(&ssl);
    }
    return 0;
}
