/* Copyright (c) 2026, listening.tentacle contributors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The load generator of bench/run.py: real bytes out, every answer inflated and judged, one JSON line at the end. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "talk.h"
#include "work.h"

#define USAGE                                                                                                     \
    "usage: load MODE --port N --certificate FILE --key FILE [options] [-- COMMAND...]\n"                         \
    "  connect    new connection, mutual TLS, hello, one capabilities call, again and again on --clients N\n"     \
    "  call       small calls (NEXT, PROCEED, capabilities) on --clients N open connections\n"                    \
    "  small      uploads of --bytes N on --clients N open connections\n"                                         \
    "  upload     one upload of --bytes N        download   one download of --bytes N, file --remote\n"           \
    "  script     start, wait until complete, complete, on --clients N open connections\n"                        \
    "  idle       opens --clients N connections, one call each, holds them until standard input ends\n"           \
    "  start      runs COMMAND, times it until a TLS handshake is answered, and ends it\n"                        \
    "  sha1       SHA-1 of --bytes N of the pattern, nothing else\n"                                                 \
    "  make-file  writes the pattern of --bytes N to --remote\n"                                                  \
    "options: --address A --seconds S --http (peer is an HTTP server) --dotnet (write as .NET does)\n"            \
    "         --pause MS (call on 1 connection: wait so long behind each) --server-core N (start: where COMMAND runs)\n"
#define SAMPLES 400000 /* of latency, over all workers */
#define START_SECONDS 30.0

static Target target = {.address = "127.0.0.1", .buffer = 1 << 15};
static Run run = {.target = &target, .remote = "bench.bin", .clients = 1, .seconds = 1, .bytes = 2048};
static int server_core = -1;

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void print_quoted(const char *text) {
    putchar('"');
    for (; *text; text++) putchar(*text == '"' || *text == '\\' || (unsigned char)*text < 32 ? ' ' : *text);
    putchar('"');
}

static void start_workers(Worker *workers, int count, void *(*work)(void *)) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 1 << 19);
    pthread_barrier_init(&run.barrier, NULL, (unsigned)count + 1);
    for (int i = 0; i < count; i++) {
        workers[i].run = &run;
        workers[i].number = i;
        workers[i].room = SAMPLES / count;
        workers[i].latency = malloc(sizeof(double) * (size_t)workers[i].room);
        if (pthread_create(&workers[i].thread, &attributes, work, &workers[i])) {
            fprintf(stderr, "load: cannot start thread %d\n", i);
            exit(2);
        }
    }
    pthread_barrier_wait(&run.barrier);
    run.started = now();
    run.deadline = run.started + run.seconds;
}

static int run_workers(int count, void *(*work)(void *)) {
    Worker *workers = calloc((size_t)count, sizeof *workers);
    double *latency = malloc(sizeof *latency * (SAMPLES + 1));
    long operations = 0, errors = 0, n = 0;
    const char *error = "";
    start_workers(workers, count, work);
    double cpu = cpu_seconds();
    pthread_barrier_wait(&run.barrier);
    for (int i = 0; i < count; i++) {
        Worker *w = &workers[i];
        pthread_join(w->thread, NULL);
        operations += w->operations;
        errors += w->errors;
        if (w->errors && !*error) error = w->error;
        for (long j = 0; j < w->operations && j < w->room; j++) latency[n++] = w->latency[j];
    }
    double elapsed = now() - run.started;
    cpu = cpu_seconds() - cpu;
    qsort(latency, (size_t)n, sizeof *latency, by_size);
    printf("{\"mode\": \"%s\", \"clients\": %d, \"operations\": %ld, \"errors\": %ld, \"seconds\": %.4f, \"rate\": %.2f, "
           "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"load_cpu_percent\": %.1f, \"bytes\": %lld, \"error\": ",
           run.mode, run.clients, operations, errors, elapsed, (double)operations / elapsed,
           n ? latency[n / 2] * 1e3 : 0, n ? latency[n * 99 / 100] * 1e3 : 0, cpu / elapsed * 100, (long long)run.bytes);
    print_quoted(error);
    puts("}");
    return errors ? 1 : 0;
}

static int hold_idle_connections(void) {
    long errors = 0;
    const char *error = "";
    double since = now();
    Request request;
    request_capabilities(&request);
    target.buffer = 1 << 12;
    for (int i = 0; i < run.clients && errors < ERRORS_ENOUGH; i++) {
        Channel *c = channel_new(&target);
        if (channel_open(c) || talk_hello(c) || talk_call(c, &request)) {
            errors++;
            error = c->error;
        }
    }
    printf("{\"mode\": \"idle\", \"clients\": %d, \"errors\": %ld, \"seconds\": %.3f, \"error\": ", run.clients, errors,
           now() - since);
    print_quoted(error);
    puts("}");
    fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) {}
    return errors ? 1 : 0;
}

static void become(char **command) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(server_core, &cores);
    if (server_core >= 0) sched_setaffinity(0, sizeof cores, &cores);
    int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    execvp(command[0], command);
    _exit(127);
}

static int time_a_start(char **command) {
    Channel *c = channel_new(&target);
    Request request;
    request_capabilities(&request);
    double since = now(), handshake = 0, call = 0;
    pid_t child = fork();
    if (!child) become(command);
    int gone = 0, status;
    while (!handshake && !gone && now() - since < START_SECONDS) {
        if (!channel_open(c)) handshake = now() - since;
        else usleep(200);
        gone = waitpid(child, &status, WNOHANG) == child;
    }
    if (handshake && !talk_hello(c) && !talk_call(c, &request)) call = now() - since;
    channel_free(c);
    if (!gone) {
        kill(child, SIGTERM);
        for (int i = 0; i < 500 && waitpid(child, &status, WNOHANG) != child; i++) {
            usleep(10000);
            if (i == 300) kill(child, SIGKILL);
        }
    }
    printf("{\"mode\": \"start\", \"errors\": %d, \"handshake_ms\": %.2f, \"call_ms\": %.2f, \"error\": ", call ? 0 : 1,
           handshake * 1e3, call * 1e3);
    print_quoted(call ? "" : gone ? "the command ended by itself" : "no call was answered");
    puts("}");
    return call ? 0 : 1;
}

static int time_sha1(void) {
    double since = now();
    pattern_sha1(run.bytes, run.sha1);
    double elapsed = now() - since;
    printf("{\"mode\": \"sha1\", \"errors\": 0, \"seconds\": %.4f, \"rate\": %.2f, \"error\": \"\"}\n", elapsed,
           (double)run.bytes / 1e6 / elapsed);
    return 0;
}

static int make_file(void) {
    FILE *file = fopen(run.remote, "wb");
    for (int64_t left = run.bytes; file && left > 0; left -= PATTERN) {
        size_t n = left < PATTERN ? (size_t)left : PATTERN;
        if (fwrite(pattern, 1, n, file) != n) break;
    }
    if (file && !fclose(file)) return 0;
    fprintf(stderr, "load: cannot write %s: %s\n", run.remote, strerror(errno));
    return 2;
}

static void parse(int argc, char **argv) {
    static const struct option options[] = {
        {"port", 1, 0, 'p'},     {"certificate", 1, 0, 'c'}, {"key", 1, 0, 'k'},    {"address", 1, 0, 'a'},
        {"clients", 1, 0, 'n'},  {"seconds", 1, 0, 's'},     {"bytes", 1, 0, 'b'},  {"remote", 1, 0, 'r'},
        {"http", 0, 0, 'h'},     {"dotnet", 0, 0, 'd'},      {"server-core", 1, 0, 'o'}, {"pause", 1, 0, 'u'},
        {0, 0, 0, 0}};
    for (int option; (option = getopt_long(argc, argv, "+", options, NULL)) != -1;) switch (option) {
        case 'p': target.port = atoi(optarg); break;
        case 'c': target.certificate = optarg; break;
        case 'k': target.key = optarg; break;
        case 'a': target.address = optarg; break;
        case 'n': run.clients = atoi(optarg); break;
        case 's': run.seconds = atof(optarg); break;
        case 'b': run.bytes = atoll(optarg); break;
        case 'r': run.remote = optarg; break;
        case 'h': target.http = 1; break;
        case 'd': target.dotnet = 1; break;
        case 'u': run.pause = atof(optarg) / 1e3; break;
        case 'o': server_core = atoi(optarg); break;
        default: fputs(USAGE, stderr); exit(2);
        }
}

static int usage(void) {
    fputs(USAGE, stderr);
    return 2;
}

static int is(const char *mode) { return !strcmp(run.mode, mode); }

int main(int argc, char **argv) {
    struct rlimit files = {8192, 8192};
    signal(SIGPIPE, SIG_IGN);
    setrlimit(RLIMIT_NOFILE, &files);
    if (argc < 2) return usage();
    run.mode = argv[1];
    parse(argc - 1, argv + 1);
    char **command = argv + 1 + optind;
    pattern_fill();
    if (is("make-file")) return make_file();
    if (is("sha1")) return time_sha1();
    if (!target.certificate || !target.key || !target.port || run.clients < 1 || run.bytes < 0) return usage();
    if (is("upload") || is("download")) target.buffer = 1 << 18;
    channel_setup(&target);
    if (is("upload") || is("small")) pattern_sha1(run.bytes, run.sha1);
    if (is("connect")) return run_workers(run.clients, connect_again_and_again);
    if (is("call") && run.clients > 1) return run_workers(1, use_all_connections);
    if (is("call") || is("small") || is("script")) return run_workers(run.clients, use_one_connection);
    if (is("upload") || is("download")) return run_workers(1, transfer_one_file);
    if (is("idle")) return hold_idle_connections();
    if (is("start") && *command) return time_a_start(command);
    return usage();
}
