/* Copyright (c) 2026, listening.tentacle contributors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * As much BSON as a Halibut client needs: documents are written in one pass into a fixed buffer,
 * and read by path without building anything. */
#ifndef LOAD_BSON_H
#define LOAD_BSON_H
#include <stddef.h>
#include <stdint.h>

#define BSON_CAPACITY 8192
#define BSON_DEPTH 16

typedef struct {
    unsigned char bytes[BSON_CAPACITY];
    size_t length;
    size_t open[BSON_DEPTH]; /* where the int32 sizes of the open documents stand */
    int depth;
} Bson;

void bson_start(Bson *b);
void bson_open(Bson *b, const char *key);       /* embedded document */
void bson_open_array(Bson *b, const char *key); /* its keys are "0", "1", ... and written by the caller */
void bson_close(Bson *b);
void bson_string(Bson *b, const char *key, const char *value);
void bson_null(Bson *b, const char *key);
void bson_bool(Bson *b, const char *key, int value);
void bson_int32(Bson *b, const char *key, int32_t value);
void bson_int64(Bson *b, const char *key, int64_t value);
void bson_guid(Bson *b, const char *key, const unsigned char *bytes16);
size_t bson_finish(Bson *b); /* closes the root; returns the length of the document */

/* A value found in a document: its BSON type and where its bytes are (NULL when there is none). */
typedef struct {
    int type;
    const unsigned char *at;
} BsonValue;

/* path: names joined by dots, "Message.result.SupportedCapabilities.0". Array indices are names like others. */
BsonValue bson_find(const unsigned char *document, size_t length, const char *path);
int bson_is_string(BsonValue value, const char *expected);
int bson_is_integer(BsonValue value, int64_t expected); /* int32 and int64 alike */
int bson_is_null(BsonValue value);
#endif
