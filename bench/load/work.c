/* Copyright (c) 2026, listening.tentacle contributors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include "work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "talk.h"

#define VARIANTS 32 /* different requests in turn, so that no peer can know the bytes by heart */

double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Workers wait until everyone is ready, then until the clock has been started. */
static void wait_for_start(Worker *w) {
    pthread_barrier_wait(&w->run->barrier);
    pthread_barrier_wait(&w->run->barrier);
}

static void note(Worker *w, Channel *c, double since, int failed) {
    if (failed) {
        if (!w->errors++) strcpy(w->error, c->error);
        return;
    }
    if (w->operations < w->room) w->latency[w->operations] = now() - since;
    w->operations++;
}

void *connect_again_and_again(void *argument) {
    Worker *w = argument;
    Channel *c = channel_new(w->run->target);
    Request requests[VARIANTS];
    for (int i = 0; i < VARIANTS; i++) request_capabilities(&requests[i]);
    wait_for_start(w);
    for (long i = 0; now() < w->run->deadline && w->errors < ERRORS_ENOUGH; i++) {
        double since = now();
        int failed = channel_open(c) || talk_hello(c) || talk_call(c, &requests[i % VARIANTS]);
        if (!failed) talk_goodbye(c);
        channel_close(c);
        note(w, c, since, failed);
    }
    channel_free(c);
    return NULL;
}

static int operate(Channel *c, const Run *run, const Request *r, const char *name) {
    if (!strcmp(run->mode, "script")) return talk_next(c) || talk_script(c);
    if (!strcmp(run->mode, "small")) return talk_next(c) || talk_upload(c, r, name, run->bytes, run->sha1);
    return talk_next(c) || talk_call(c, r);
}

void *use_one_connection(void *argument) {
    Worker *w = argument;
    Channel *c = channel_new(w->run->target);
    Request first, requests[VARIANTS];
    char name[64];
    snprintf(name, sizeof name, "small-%d.bin", w->number);
    request_capabilities(&first);
    for (int i = 0; i < VARIANTS; i++)
        if (!strcmp(w->run->mode, "small")) request_upload(&requests[i], name, w->run->bytes);
        else request_capabilities(&requests[i]);
    int failed = channel_open(c) || talk_hello(c) || talk_call(c, &first);
    if (failed) note(w, c, 0, 1);
    wait_for_start(w);
    for (long i = 0; !failed && now() < w->run->deadline; i++) {
        double since = now();
        failed = operate(c, w->run, &requests[i % VARIANTS], name);
        note(w, c, since, failed);
        if (w->run->pause > 0) usleep((useconds_t)(w->run->pause * 1e6));
    }
    if (!failed) talk_goodbye(c);
    channel_free(c);
    return NULL;
}

typedef struct {
    Channel *channel;
    int called;   /* the call is on its way; else the question whether one may be made */
    long turn;
    double since;
} Connection;

/* An answer has arrived on a connection: judge it and send what comes next. */
static int proceed(Worker *w, Connection *x, const Request *requests) {
    const Request *r = &requests[x->turn % VARIANTS];
    if (!x->called) {
        x->called = 1;
        return talk_await_next(x->channel) || talk_ask_call(x->channel, r);
    }
    if (talk_await_call(x->channel, r)) return -1;
    note(w, x->channel, x->since, 0);
    x->called = 0;
    x->turn++;
    x->since = now();
    return talk_ask_next(x->channel);
}

/* One thread for all connections: threads that wait for each other's answers would cost a third of the core. */
void *use_all_connections(void *argument) {
    Worker *w = argument;
    int clients = w->run->clients, ready = epoll_create1(0);
    Connection *connections = calloc((size_t)clients, sizeof *connections);
    struct epoll_event *events = calloc((size_t)clients, sizeof *events);
    Request requests[VARIANTS];
    for (int i = 0; i < VARIANTS; i++) request_capabilities(&requests[i]);
    for (int i = 0; i < clients; i++) {
        Connection *x = &connections[i];
        x->channel = channel_new(w->run->target);
        x->turn = i;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = x};
        if (channel_open(x->channel) || talk_hello(x->channel) || talk_call(x->channel, &requests[0]) ||
            epoll_ctl(ready, EPOLL_CTL_ADD, x->channel->fd, &event))
            note(w, x->channel, 0, 1);
    }
    wait_for_start(w);
    for (int i = 0; i < clients && !w->errors; i++) {
        connections[i].since = now();
        if (talk_ask_next(connections[i].channel)) note(w, connections[i].channel, 0, 1);
    }
    while (!w->errors && now() < w->run->deadline) {
        int n = epoll_wait(ready, events, clients, 1000);
        for (int i = 0; i < n && !w->errors; i++) {
            Connection *x = events[i].data.ptr;
            if (proceed(w, x, requests)) note(w, x->channel, 0, 1);
        }
    }
    for (int i = 0; i < clients; i++) channel_free(connections[i].channel);
    close(ready);
    free(events);
    free(connections);
    return NULL;
}

void *transfer_one_file(void *argument) {
    Worker *w = argument;
    Run *run = w->run;
    Channel *c = channel_new(run->target);
    Request request;
    int up = !strcmp(run->mode, "upload");
    if (up) request_upload(&request, run->remote, run->bytes);
    else request_download(&request, run->remote);
    int failed = channel_open(c) || talk_hello(c);
    wait_for_start(w);
    double since = now();
    failed = failed || (up ? talk_upload(c, &request, run->remote, run->bytes, run->sha1)
                           : talk_download(c, &request, run->remote, run->bytes));
    note(w, c, since, failed);
    if (!failed) talk_goodbye(c);
    channel_free(c);
    return NULL;
}
