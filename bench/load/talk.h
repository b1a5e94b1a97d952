/* Copyright (c) 2026, listening.tentacle contributors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is said on an open channel, in Halibut or, where the target is an HTTP server, as the same number of round
 * trips in HTTP. Every answer is judged: 0, or -1 with a sentence in the channel's `error`. */
#ifndef LOAD_TALK_H
#define LOAD_TALK_H
#include "channel.h"
#include "request.h"

int talk_hello(Channel *c);                     /* preface and identities; nothing in HTTP */
int talk_next(Channel *c);                      /* NEXT and PROCEED, or one GET of /small */
int talk_call(Channel *c, const Request *r);    /* capabilities, or one GET of /small */
int talk_ask_next(Channel *c);                  /* the first half of each, for one thread with many connections */
int talk_await_next(Channel *c);                /* and the second */
int talk_ask_call(Channel *c, const Request *r);
int talk_await_call(Channel *c, const Request *r);
void talk_goodbye(Channel *c);
int talk_upload(Channel *c, const Request *r, const char *remote, int64_t length, const char *sha1);
int talk_download(Channel *c, const Request *r, const char *remote, int64_t length);
int talk_script(Channel *c);                    /* start, status until it is complete, complete */
#endif
