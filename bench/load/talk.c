/* Copyright (c) 2026, listening.tentacle contributors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include "talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bson.h"

#define SMALL_LENGTH 300 /* of the HTTP server's /small: about what a capabilities answer weighs */
#define STATUS_PAUSE_MICROSECONDS 10000

/* ---- HTTP ---- */

/* Reads the head of an answer, which nginx always writes in one piece; gives the declared length of its body, or -1. */
static int64_t http_head(Channel *c, const char *status) {
    if (c->at == c->end && channel_fill(c)) return -1;
    char *head = (char *)c->buffer + c->at, *end = memmem(head, c->end - c->at, "\r\n\r\n", 4);
    if (!end || end - head < 12 || memcmp(head, "HTTP/1.1 ", 9)) return channel_fail(c, "no head of an HTTP answer");
    *end = 0;
    c->at += (size_t)(end + 4 - head);
    if (!strstr(status, (char[]){head[9], head[10], head[11], 0})) return channel_fail(c, "HTTP answer %.20s", head);
    char *length = strcasestr(head, "\r\ncontent-length:");
    return length ? atoll(length + 17) : 0;
}

static int http_skip(Channel *c, int64_t length) {
    while (length > 0) {
        if (c->at == c->end && channel_fill(c)) return -1;
        size_t n = c->end - c->at;
        if ((int64_t)n > length) n = (size_t)length;
        c->at += n;
        length -= (int64_t)n;
    }
    return 0;
}

static int http_ask_small(Channel *c) {
    static const char get[] = "GET /small HTTP/1.1\r\nHost: bench\r\n\r\n";
    return channel_write(c, get, sizeof get - 1);
}

static int http_await_small(Channel *c) {
    int64_t length = http_head(c, "200");
    if (length != SMALL_LENGTH) return length < 0 ? -1 : channel_fail(c, "GET /small gave %lld bytes", (long long)length);
    return http_skip(c, length);
}

/* ---- Halibut ---- */

/* Reads an answer and gives its result; an error, another id or no document end in a sentence and type 0. */
static BsonValue answer(Channel *c, const Request *r) {
    const BsonValue none = {0, NULL};
    if (channel_message(c)) return none;
    if (!bson_is_string(bson_find(c->document, c->length, "Message.id"), r->id)) {
        channel_fail(c, "the answer has not the id of the request");
        return none;
    }
    if (!bson_is_null(bson_find(c->document, c->length, "Message.error"))) {
        BsonValue text = bson_find(c->document, c->length, "Message.error.message");
        channel_fail(c, "the peer answered with an error: %.120s", text.at ? (const char *)text.at + 4 : "?");
        return none;
    }
    return bson_find(c->document, c->length, "Message.result");
}

static BsonValue result_member(Channel *c, const char *path) {
    char full[100];
    snprintf(full, sizeof full, "Message.result.%s", path);
    return bson_find(c->document, c->length, full);
}

int talk_hello(Channel *c) {
    static const char both[] = "MX\n\nMX-CLIENT 1.0\r\n\r\n";
    if (c->target->http) return 0;
    if (c->target->dotnet ? channel_write(c, both, 4) || channel_write(c, both + 4, sizeof both - 5)
                          : channel_write(c, both, sizeof both - 1))
        return -1;
    return channel_expect(c, "MX-SERVER 1.0\r\n\r\n");
}

int talk_ask_next(Channel *c) { return c->target->http ? http_ask_small(c) : channel_write(c, "NEXT\r\n", 6); }

int talk_await_next(Channel *c) { return c->target->http ? http_await_small(c) : channel_expect(c, "PROCEED\r\n"); }

int talk_next(Channel *c) { return talk_ask_next(c) || talk_await_next(c) ? -1 : 0; }

void talk_goodbye(Channel *c) {
    if (!c->target->http) channel_write(c, "END\r\n", 5);
}

int talk_ask_call(Channel *c, const Request *r) {
    return c->target->http ? http_ask_small(c) : channel_write(c, r->bytes, r->length);
}

int talk_await_call(Channel *c, const Request *r) {
    static const char *const words[] = {"IScriptService", "IFileTransferService", "IScriptServiceV2"};
    if (c->target->http) return http_await_small(c);
    if (!answer(c, r).type) return -1;
    for (int i = 0; i < 3; i++) {
        char path[40];
        snprintf(path, sizeof path, "SupportedCapabilities.%d", i);
        if (!bson_is_string(result_member(c, path), words[i])) return channel_fail(c, "capability %s is missing", words[i]);
    }
    return 0;
}

int talk_call(Channel *c, const Request *r) { return talk_ask_call(c, r) || talk_await_call(c, r) ? -1 : 0; }

static int send_pattern(Channel *c, int64_t length) {
    for (; length > 0; length -= PATTERN)
        if (channel_write(c, pattern, length < PATTERN ? (size_t)length : PATTERN)) return -1;
    return 0;
}

static int http_upload(Channel *c, const char *remote, int64_t length) {
    char head[300];
    int n = snprintf(head, sizeof head, "PUT /files/%s HTTP/1.1\r\nHost: bench\r\nContent-Length: %lld\r\n\r\n", remote,
                     (long long)length);
    if (channel_write(c, head, (size_t)n) || send_pattern(c, length)) return -1;
    int64_t body = http_head(c, "201 204");
    return body < 0 ? -1 : http_skip(c, body);
}

int talk_upload(Channel *c, const Request *r, const char *remote, int64_t length, const char *sha1) {
    if (c->target->http) return http_upload(c, remote, length);
    if (channel_write(c, r->bytes, r->length) || channel_write(c, r->stream, 16) || channel_write(c, &length, 8) ||
        send_pattern(c, length) || channel_write(c, &length, 8) || !answer(c, r).type)
        return -1;
    if (!bson_is_integer(result_member(c, "Length"), length)) return channel_fail(c, "the upload's length differs");
    return bson_is_string(result_member(c, "Hash"), sha1) ? 0 : channel_fail(c, "the upload's hash is not %s", sha1);
}

int talk_download(Channel *c, const Request *r, const char *remote, int64_t length) {
    unsigned char head[24], trailer[8];
    if (c->target->http) {
        char get[300];
        int n = snprintf(get, sizeof get, "GET /files/%s HTTP/1.1\r\nHost: bench\r\n\r\n", remote);
        if (channel_write(c, get, (size_t)n)) return -1;
        if (http_head(c, "200") != length) return channel_fail(c, "the download's length differs");
        return channel_compare(c, length);
    }
    if (channel_write(c, r->bytes, r->length) || !answer(c, r).type) return -1;
    if (!bson_is_integer(result_member(c, "length"), length)) return channel_fail(c, "the download's length differs");
    BsonValue id = result_member(c, "id");
    if (id.type != 5 || channel_take(c, head, 24)) return channel_fail(c, "no data stream follows the answer");
    if (memcmp(head, id.at + 5, 16) || memcmp(head + 16, &length, 8)) return channel_fail(c, "another data stream follows");
    if (channel_compare(c, length) || channel_take(c, trailer, 8)) return -1;
    return memcmp(trailer, &length, 8) ? channel_fail(c, "the stream's trailer differs") : 0;
}

/* The log of the answer holds `text` as a line of its own. */
static int log_has(Channel *c, const char *text) {
    for (int i = 0; i < 100; i++) {
        char path[40];
        snprintf(path, sizeof path, "Logs.%d.Text", i);
        BsonValue line = result_member(c, path);
        if (!line.type) return 0;
        if (bson_is_string(line, text)) return 1;
    }
    return 0;
}

int talk_script(Channel *c) {
    Request start, next;
    request_start(&start, "echo hello %s\n");
    char expected[100];
    snprintf(expected, sizeof expected, "hello %s", start.ticket);
    if (channel_write(c, start.bytes, start.length) || !answer(c, &start).type) return -1;
    int seen = log_has(c, expected);
    while (!bson_is_integer(result_member(c, "State"), 2)) {
        usleep(STATUS_PAUSE_MICROSECONDS);
        request_status(&next, start.ticket, 0);
        if (talk_next(c) || channel_write(c, next.bytes, next.length) || !answer(c, &next).type) return -1;
        seen |= log_has(c, expected);
    }
    if (!seen) return channel_fail(c, "the script's log has not the line %s", expected);
    if (!bson_is_integer(result_member(c, "ExitCode"), 0)) return channel_fail(c, "the script's exit code is not 0");
    request_complete(&next, start.ticket);
    if (talk_next(c) || channel_write(c, next.bytes, next.length)) return -1;
    return answer(c, &next).type ? 0 : -1; /* null has a type as well */
}
