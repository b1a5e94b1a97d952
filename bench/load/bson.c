/* Copyright (c) 2026, listening.tentacle contributors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "bson.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DOUBLE = 1, STRING = 2, DOCUMENT = 3, ARRAY = 4, BINARY = 5, BOOLEAN = 8, DATE = 9, NOTHING = 10, INT32 = 16, INT64 = 18 };

static void append(Bson *b, const void *data, size_t length) {
    if (b->length + length > BSON_CAPACITY) {
        fprintf(stderr, "load: a request is longer than %d bytes\n", BSON_CAPACITY);
        exit(2);
    }
    memcpy(b->bytes + b->length, data, length);
    b->length += length;
}

static void append_key(Bson *b, unsigned char type, const char *key) {
    append(b, &type, 1);
    append(b, key, strlen(key) + 1);
}

static void open_size(Bson *b) {
    b->open[b->depth++] = b->length;
    append(b, "\0\0\0\0", 4);
}

void bson_start(Bson *b) {
    b->length = 0;
    b->depth = 0;
    open_size(b);
}

void bson_open(Bson *b, const char *key) {
    append_key(b, DOCUMENT, key);
    open_size(b);
}

void bson_open_array(Bson *b, const char *key) {
    append_key(b, ARRAY, key);
    open_size(b);
}

void bson_close(Bson *b) {
    append(b, "", 1);
    size_t start = b->open[--b->depth];
    int32_t size = (int32_t)(b->length - start);
    memcpy(b->bytes + start, &size, 4);
}

void bson_string(Bson *b, const char *key, const char *value) {
    int32_t size = (int32_t)strlen(value) + 1;
    append_key(b, STRING, key);
    append(b, &size, 4);
    append(b, value, (size_t)size);
}

void bson_null(Bson *b, const char *key) { append_key(b, NOTHING, key); }

void bson_bool(Bson *b, const char *key, int value) {
    append_key(b, BOOLEAN, key);
    append(b, value ? "\1" : "\0", 1);
}

void bson_int32(Bson *b, const char *key, int32_t value) {
    append_key(b, INT32, key);
    append(b, &value, 4);
}

void bson_int64(Bson *b, const char *key, int64_t value) {
    append_key(b, INT64, key);
    append(b, &value, 8);
}

void bson_guid(Bson *b, const char *key, const unsigned char *bytes16) {
    append_key(b, BINARY, key);
    append(b, "\x10\0\0\0\x04", 5);
    append(b, bytes16, 16);
}

size_t bson_finish(Bson *b) {
    bson_close(b);
    return b->length;
}

/* Length of a value, or 0 when it would not fit between `at` and `end`. Null has no bytes: reported as SIZE_MAX. */
static size_t value_length(int type, const unsigned char *at, const unsigned char *end) {
    size_t room = (size_t)(end - at), length = 0;
    int32_t size = 0;
    switch (type) {
    case NOTHING: return SIZE_MAX;
    case BOOLEAN: length = 1; break;
    case INT32: length = 4; break;
    case DOUBLE:
    case DATE:
    case INT64: length = 8; break;
    case STRING:
    case DOCUMENT:
    case ARRAY:
    case BINARY:
        if (room < 4) return 0;
        memcpy(&size, at, 4);
        if (size < 1) return 0;
        length = (size_t)size + (type == STRING ? 4 : type == BINARY ? 5 : 0);
    }
    return length > room ? 0 : length;
}

BsonValue bson_find(const unsigned char *document, size_t length, const char *path) {
    const BsonValue none = {0, NULL};
    int32_t size;
    if (length < 5) return none;
    memcpy(&size, document, 4);
    if (size < 5 || (size_t)size > length) return none;
    const unsigned char *at = document + 4, *end = document + size - 1;
    size_t name = strcspn(path, ".");
    while (at < end && *at) {
        int type = *at++;
        const unsigned char *key = at, *stop = memchr(at, 0, (size_t)(end - at));
        if (!stop) return none;
        at = stop + 1;
        size_t value = value_length(type, at, end);
        if (!value) return none;
        if ((size_t)(stop - key) == name && !memcmp(key, path, name)) {
            if (!path[name]) return (BsonValue){type, at};
            if (type != DOCUMENT && type != ARRAY) return none;
            return bson_find(at, (size_t)(end - at), path + name + 1);
        }
        if (value != SIZE_MAX) at += value;
    }
    return none;
}

int bson_is_string(BsonValue value, const char *expected) {
    int32_t size;
    if (value.type != STRING) return 0;
    memcpy(&size, value.at, 4);
    return (size_t)size == strlen(expected) + 1 && !memcmp(value.at + 4, expected, (size_t)size);
}

int bson_is_integer(BsonValue value, int64_t expected) {
    int32_t small;
    int64_t large;
    if (value.type == INT32) {
        memcpy(&small, value.at, 4);
        return small == expected;
    }
    if (value.type != INT64) return 0;
    memcpy(&large, value.at, 8);
    return large == expected;
}

int bson_is_null(BsonValue value) { return value.type == NOTHING; }
