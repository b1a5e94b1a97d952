/* Copyright (c) 2026, listening.tentacle contributors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The floor of bench/fleet/run.py: for each endpoint the connections that a check makes, and nothing of what it
 * concludes. With our certificate: identities, one capabilities call. Without: the page. Without: a hello that is
 * answered by silence. With a stranger's certificate: the same. One JSON line at the end. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "../load/request.h"

#define USAGE "usage: connections THREADS CERTIFICATE STRANGER < lines of \"address port\"\n"
#define MOST_ENDPOINTS 100000
#define PATIENCE_SECONDS 30

static const char HELLO[] = "MX\n\nMX-CLIENT 1.0\r\n\r\n", GET[] = "GET / HTTP/1.0\r\n\r\n", END[] = "END\r\n";

static struct sockaddr_in endpoints[MOST_ENDPOINTS];
static int endpoint_count;
static atomic_int next_endpoint, connections, errors;
static SSL_CTX *as_server, *as_nobody, *as_stranger;

static SSL_CTX *settings(const char *certificate) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (certificate && (SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
                        SSL_CTX_use_PrivateKey_file(context, certificate, SSL_FILETYPE_PEM) != 1)) {
        fprintf(stderr, "connections: cannot use the certificate and key in %s\n", certificate);
        exit(2);
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    return context;
}

/* A TLS connection, or NULL. */
static SSL *connected(SSL_CTX *context, const struct sockaddr_in *place) {
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (const struct sockaddr *)place, sizeof *place)) {
        close(fd);
        return NULL;
    }
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    if (SSL_connect(ssl) == 1) return ssl;
    close(fd);
    SSL_free(ssl);
    return NULL;
}

static void closed(SSL *ssl) {
    close(SSL_get_fd(ssl));
    SSL_free(ssl);
    connections++;
}

/* Says something and reads to the end; the number of bytes that came, or -1. */
static int asked(SSL_CTX *context, const struct sockaddr_in *place, const char *text) {
    char buffer[4096];
    int total = 0, n;
    SSL *ssl = connected(context, place);
    if (!ssl) return -1;
    SSL_write(ssl, text, (int)strlen(text));
    while ((n = SSL_read(ssl, buffer, sizeof buffer)) > 0) total += n;
    closed(ssl);
    return total;
}

static int called(const struct sockaddr_in *place) {
    char buffer[4096];
    Request request;
    SSL *ssl = connected(as_server, place);
    if (!ssl) return -1;
    request_capabilities(&request);
    SSL_write(ssl, HELLO, sizeof HELLO - 1);
    int good = SSL_read(ssl, buffer, sizeof buffer) > 0;
    SSL_write(ssl, request.bytes, (int)request.length);
    good = good && SSL_read(ssl, buffer, sizeof buffer) > 0;
    SSL_write(ssl, END, sizeof END - 1);
    closed(ssl);
    return good ? 0 : -1;
}

static void *work(void *unused) {
    (void)unused;
    for (int i; (i = next_endpoint++) < endpoint_count;) {
        const struct sockaddr_in *place = &endpoints[i];
        if (called(place) || asked(as_nobody, place, GET) <= 0 || asked(as_nobody, place, HELLO) != 0 ||
            asked(as_stranger, place, HELLO) != 0)
            errors++;
    }
    return NULL;
}

int main(int argc, char **argv) {
    char address[64];
    int port;
    if (argc != 4) return fputs(USAGE, stderr), 2;
    signal(SIGPIPE, SIG_IGN);
    as_server = settings(argv[2]);
    as_nobody = settings(NULL);
    as_stranger = settings(argv[3]);
    while (endpoint_count < MOST_ENDPOINTS && scanf("%63s %d", address, &port) == 2) {
        struct sockaddr_in *place = &endpoints[endpoint_count++];
        place->sin_family = AF_INET;
        place->sin_port = htons((uint16_t)port);
        if (inet_pton(AF_INET, address, &place->sin_addr) != 1) return fputs(USAGE, stderr), 2;
    }
    int count = atoi(argv[1]);
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < count; i++) pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"seconds\": %.4f, \"cpu\": %.4f, \"connections\": %d, \"errors\": %d}\n",
           (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec),
           (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec),
           connections, errors);
    return errors ? 1 : 0;
}
