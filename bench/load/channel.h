/* Copyright (c) 2026, listening.tentacle contributors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One TLS connection with our certificate shown. Bytes that were read too far stay in the buffer, so that lines,
 * deflated messages and data streams can follow each other without a gap. A channel is opened and closed as often as
 * one likes; its buffers are kept. Every int function gives 0, or -1 with a sentence in `error`. */
#ifndef LOAD_CHANNEL_H
#define LOAD_CHANNEL_H
#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#define DOCUMENT_CAPACITY (1 << 16)

typedef struct {
    const char *address;
    int port;
    const char *certificate;
    const char *key;
    int http;        /* the peer speaks HTTP */
    int dotnet;      /* write as .NET does: Nagle's algorithm on, each part a write of its own */
    size_t buffer;   /* bytes of one read; more helps only where streams are received */
} Target;

typedef struct {
    SSL *ssl;
    int fd;
    const Target *target;
    unsigned char *buffer;
    size_t at, end;
    z_stream inflater;
    unsigned char document[DOCUMENT_CAPACITY]; /* the message read last, inflated */
    size_t length;
    char error[200];
} Channel;

/* Once, before any channel. Ends the program with a sentence when certificate or key cannot be loaded. */
void channel_setup(const Target *target);

Channel *channel_new(const Target *target);
void channel_free(Channel *c);
int channel_open(Channel *c);
void channel_close(Channel *c);
int channel_fail(Channel *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

int channel_write(Channel *c, const void *data, size_t length);
int channel_fill(Channel *c);                               /* some more bytes into an empty buffer */
int channel_take(Channel *c, void *out, size_t length);
int channel_expect(Channel *c, const char *text);
int channel_message(Channel *c);                            /* inflates one message to its final block */
int channel_compare(Channel *c, int64_t length);            /* reads a stream and compares it with the pattern */

/* What every transferred file consists of: PATTERN bytes of fixed noise, again and again. */
#define PATTERN (1 << 20)
extern unsigned char pattern[PATTERN];
void pattern_fill(void);
void pattern_sha1(int64_t length, char out[41]);            /* hex, lower case */
#endif
