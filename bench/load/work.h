/* Copyright (c) 2026, listening.tentacle contributors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the workers of a run do. Each gets everything ready, waits for the start, and works until the deadline;
 * operations, latencies and errors are noted in the worker. */
#ifndef LOAD_WORK_H
#define LOAD_WORK_H
#include <pthread.h>

#include "channel.h"

#define ERRORS_ENOUGH 20 /* of one worker */

typedef struct {
    const Target *target;
    const char *mode;    /* connect, call, small, script, upload, download */
    const char *remote;  /* upload and download: the file's name there */
    int clients;
    double seconds;
    double pause;        /* seconds behind each operation, not counted */
    int64_t bytes;
    char sha1[41];       /* of what is uploaded */
    double started, deadline;
    pthread_barrier_t barrier;
} Run;

typedef struct {
    Run *run;
    pthread_t thread;
    int number;
    long operations, errors;
    double *latency;     /* of the first `room` operations, in seconds */
    long room;
    char error[200];     /* the first one */
} Worker;

double now(void);
void *connect_again_and_again(void *worker);
void *use_one_connection(void *worker);   /* calls, small uploads or scripts */
void *use_all_connections(void *worker);  /* calls on all clients' connections, from this one thread */
void *transfer_one_file(void *worker);
#endif
