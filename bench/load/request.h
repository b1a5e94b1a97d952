/* Copyright (c) 2026, listening.tentacle contributors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Halibut requests as Octopus Server's client writes them: the same members in the same order, an endpoint
 * object, a fresh id and activity id, deflated (docs/protocol/halibut-wire.md sections 4.2 to 4.10). */
#ifndef LOAD_REQUEST_H
#define LOAD_REQUEST_H
#include <stddef.h>
#include <stdint.h>

#define REQUEST_CAPACITY 4096

typedef struct {
    char id[128];              /* the answer must repeat it */
    unsigned char stream[16];  /* id of the data stream, uploads only */
    char ticket[64];           /* scripts only */
    unsigned char bytes[REQUEST_CAPACITY]; /* the message, deflated */
    size_t length;
} Request;

void request_capabilities(Request *r);
void request_upload(Request *r, const char *remote, int64_t length);
void request_download(Request *r, const char *remote);
void request_start(Request *r, const char *script);                  /* makes a new ticket */
void request_status(Request *r, const char *ticket, int64_t after);
void request_complete(Request *r, const char *ticket);
#endif
