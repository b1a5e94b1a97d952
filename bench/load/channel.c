/* Copyright (c) 2026, listening.tentacle contributors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include "channel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PATIENCE_SECONDS 60 /* a peer that is silent for longer counts as an error instead of hanging the run */

static SSL_CTX *context;
unsigned char pattern[PATTERN];

void channel_setup(const Target *target) {
    context = SSL_CTX_new(TLS_client_method());
    if (SSL_CTX_use_certificate_chain_file(context, target->certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, target->key, SSL_FILETYPE_PEM) != 1) {
        fprintf(stderr, "load: cannot use the certificate %s with the key %s\n", target->certificate, target->key);
        exit(2);
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_read_ahead(context, 1); /* one read() for many records */
    SSL_CTX_set_default_read_buffer_len(context, target->buffer);
}

Channel *channel_new(const Target *target) {
    Channel *c = calloc(1, sizeof *c);
    c->target = target;
    c->buffer = malloc(target->buffer);
    c->fd = -1;
    if (inflateInit2(&c->inflater, -15) != Z_OK) exit(2);
    return c;
}

void channel_free(Channel *c) {
    channel_close(c);
    inflateEnd(&c->inflater);
    free(c->buffer);
    free(c);
}

int channel_fail(Channel *c, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(c->error, sizeof c->error, format, arguments);
    va_end(arguments);
    return -1;
}

int channel_open(Channel *c) {
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons((uint16_t)c->target->port)};
    struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
    int one = 1;
    c->at = c->end = 0;
    inet_pton(AF_INET, c->target->address, &peer.sin_addr);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&peer, sizeof peer)) {
        channel_fail(c, "no TCP connection: %s", strerror(errno));
        channel_close(c);
        return -1;
    }
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (!c->target->dotnet) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->ssl = SSL_new(context);
    SSL_set_fd(c->ssl, c->fd);
    if (SSL_connect(c->ssl) == 1) return 0;
    channel_fail(c, "no TLS handshake: %s", ERR_reason_error_string(ERR_peek_error()));
    ERR_clear_error();
    channel_close(c);
    return -1;
}

/* Ends the TCP stream without close_notify, as .NET peers do. */
void channel_close(Channel *c) {
    if (c->ssl) {
        SSL_set_quiet_shutdown(c->ssl, 1);
        SSL_shutdown(c->ssl);
        SSL_free(c->ssl);
    }
    if (c->fd >= 0) close(c->fd);
    c->ssl = NULL;
    c->fd = -1;
}

int channel_write(Channel *c, const void *data, size_t length) {
    size_t done;
    if (SSL_write_ex(c->ssl, data, length, &done) == 1) return 0;
    ERR_clear_error();
    return channel_fail(c, "cannot write: the peer ended the connection");
}

int channel_fill(Channel *c) {
    c->at = c->end = 0;
    if (SSL_read_ex(c->ssl, c->buffer, c->target->buffer, &c->end) == 1) return 0;
    ERR_clear_error();
    return channel_fail(c, "the peer ended the connection, or was silent for %d s", PATIENCE_SECONDS);
}

int channel_take(Channel *c, void *out, size_t length) {
    unsigned char *to = out;
    while (length) {
        if (c->at == c->end && channel_fill(c)) return -1;
        size_t n = c->end - c->at < length ? c->end - c->at : length;
        memcpy(to, c->buffer + c->at, n);
        c->at += n;
        to += n;
        length -= n;
    }
    return 0;
}

int channel_expect(Channel *c, const char *text) {
    char seen[64] = "";
    size_t length = strlen(text);
    if (channel_take(c, seen, length)) return -1;
    return memcmp(seen, text, length) ? channel_fail(c, "expected %.9s, seen %.20s", text, seen) : 0;
}

int channel_message(Channel *c) {
    z_stream *z = &c->inflater;
    int result;
    inflateReset(z);
    z->next_out = c->document;
    z->avail_out = DOCUMENT_CAPACITY;
    do {
        if (c->at == c->end && channel_fill(c)) return -1;
        z->next_in = c->buffer + c->at;
        z->avail_in = (uInt)(c->end - c->at);
        result = inflate(z, Z_NO_FLUSH);
        c->at = c->end - z->avail_in;
    } while (result == Z_OK && z->avail_out);
    c->length = z->total_out;
    return result == Z_STREAM_END ? 0 : channel_fail(c, "the answer cannot be inflated (zlib says %d)", result);
}

int channel_compare(Channel *c, int64_t length) {
    size_t offset = 0;
    while (length > 0) {
        if (c->at == c->end && channel_fill(c)) return -1;
        size_t n = c->end - c->at;
        if ((int64_t)n > length) n = (size_t)length;
        if (n > PATTERN - offset) n = PATTERN - offset;
        if (memcmp(c->buffer + c->at, pattern + offset, n)) return channel_fail(c, "the received file differs");
        c->at += n;
        length -= (int64_t)n;
        offset = (offset + n) % PATTERN;
    }
    return 0;
}

void pattern_fill(void) {
    uint64_t state = 0x9E3779B97F4A7C15u;
    for (size_t i = 0; i < PATTERN; i += 8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        memcpy(pattern + i, &state, 8);
    }
}

void pattern_sha1(int64_t length, char out[41]) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size;
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    EVP_DigestInit_ex(hash, EVP_sha1(), NULL);
    for (; length > 0; length -= PATTERN) EVP_DigestUpdate(hash, pattern, length < PATTERN ? (size_t)length : PATTERN);
    EVP_DigestFinal_ex(hash, digest, &size);
    EVP_MD_CTX_free(hash);
    for (unsigned int i = 0; i < size; i++) sprintf(out + 2 * i, "%02x", digest[i]);
}
