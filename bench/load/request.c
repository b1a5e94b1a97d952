/* Copyright (c) 2026, listening.tentacle contributors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "request.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "bson.h"

#define SCRIPT_V2 "Octopus.Tentacle.Contracts.ScriptServiceV2."
#define CONTRACTS ", Octopus.Tentacle.Contracts"

static void random_guid(unsigned char out[16]) {
    if (RAND_bytes(out, 16) != 1) {
        fprintf(stderr, "load: no random bytes\n");
        exit(2);
    }
}

static void print_guid(char out[37], const unsigned char guid[16]) {
    int n = 0;
    for (int i = 0; i < 16; i++) n += sprintf(out + n, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", guid[i]);
}

/* Everything before the parameters; leaves the array `params` open. */
static void open_request(Request *r, Bson *b, const char *service, const char *method) {
    unsigned char activity[16];
    char text[37];
    random_guid(activity);
    print_guid(text, activity);
    snprintf(r->id, sizeof r->id, "%s::%sAsync[1] / %s", service, method, text);
    bson_start(b);
    bson_open(b, "Message");
    bson_string(b, "$type", "Halibut.Transport.Protocol.RequestMessage, Halibut");
    bson_string(b, "id", r->id);
    bson_guid(b, "activityId", activity);
    bson_open(b, "endpoint");
    bson_string(b, "PollingRequestQueueTimeout", "00:02:00");
    bson_string(b, "RetryListeningSleepInterval", "00:00:01");
    bson_int32(b, "RetryCountLimit", 5);
    bson_string(b, "ConnectionErrorRetryTimeout", "00:05:00");
    bson_string(b, "TcpClientConnectTimeout", "00:01:00");
    bson_string(b, "BaseUri", "https://localhost:10933/");
    bson_string(b, "RemoteThumbprint", "0123456789ABCDEF0123456789ABCDEF01234567");
    bson_null(b, "Proxy");
    bson_null(b, "ForceResolveHost");
    bson_bool(b, "IsWebSocketEndpoint", 0);
    bson_close(b);
    bson_string(b, "service", service);
    bson_string(b, "method", method);
    bson_open_array(b, "params");
}

/* Closes `params` and `Message`, and deflates the document into the request. */
static void close_request(Request *r, Bson *b) {
    bson_close(b);
    bson_close(b);
    size_t length = bson_finish(b);
    z_stream z = {0};
    if (deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) exit(2);
    z.next_in = b->bytes;
    z.avail_in = (uInt)length;
    z.next_out = r->bytes;
    z.avail_out = sizeof r->bytes;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END) {
        fprintf(stderr, "load: a deflated request is longer than %d bytes\n", REQUEST_CAPACITY);
        exit(2);
    }
    r->length = z.total_out;
    deflateEnd(&z);
}

void request_capabilities(Request *r) {
    Bson b;
    open_request(r, &b, "ICapabilitiesServiceV2", "GetCapabilities");
    close_request(r, &b);
}

void request_upload(Request *r, const char *remote, int64_t length) {
    Bson b;
    random_guid(r->stream);
    open_request(r, &b, "IFileTransferService", "UploadFile");
    bson_string(&b, "0", remote);
    bson_open(&b, "1");
    bson_string(&b, "$type", "Halibut.DataStream, Halibut");
    bson_guid(&b, "id", r->stream);
    bson_int64(&b, "length", length);
    bson_close(&b);
    close_request(r, &b);
}

void request_download(Request *r, const char *remote) {
    Bson b;
    open_request(r, &b, "IFileTransferService", "DownloadFile");
    bson_string(&b, "0", remote);
    close_request(r, &b);
}

static void write_ticket(Bson *b, const char *key, const char *ticket) {
    bson_open(b, key);
    bson_string(b, "TaskId", ticket);
    bson_close(b);
}

void request_start(Request *r, const char *script) {
    Bson b;
    unsigned char guid[16];
    char text[37], body[512];
    random_guid(guid);
    print_guid(text, guid);
    snprintf(r->ticket, sizeof r->ticket, "bench-%s", text);
    snprintf(body, sizeof body, script, r->ticket);
    open_request(r, &b, "IScriptServiceV2", "StartScript");
    bson_open(&b, "0");
    bson_string(&b, "$type", SCRIPT_V2 "StartScriptCommandV2" CONTRACTS);
    write_ticket(&b, "ScriptTicket", r->ticket);
    bson_string(&b, "ScriptBody", body);
    bson_string(&b, "TaskId", "ServerTasks-1");
    bson_string(&b, "DurationToWaitForScriptToFinish", "00:00:05");
    bson_int32(&b, "Isolation", 0);
    bson_string(&b, "ScriptIsolationMutexTimeout", "24.20:31:23.6470000");
    bson_string(&b, "IsolationMutexName", "RunningScript");
    bson_open(&b, "Scripts");
    bson_close(&b);
    bson_open_array(&b, "Files");
    bson_close(&b);
    bson_open_array(&b, "Arguments");
    bson_close(&b);
    bson_close(&b);
    close_request(r, &b);
}

void request_status(Request *r, const char *ticket, int64_t after) {
    Bson b;
    open_request(r, &b, "IScriptServiceV2", "GetStatus");
    bson_open(&b, "0");
    bson_string(&b, "$type", SCRIPT_V2 "ScriptStatusRequestV2" CONTRACTS);
    write_ticket(&b, "Ticket", ticket);
    bson_int64(&b, "LastLogSequence", after);
    bson_close(&b);
    close_request(r, &b);
}

void request_complete(Request *r, const char *ticket) {
    Bson b;
    open_request(r, &b, "IScriptServiceV2", "CompleteScript");
    bson_open(&b, "0");
    bson_string(&b, "$type", SCRIPT_V2 "CompleteScriptCommandV2" CONTRACTS);
    write_ticket(&b, "Ticket", ticket);
    bson_close(&b);
    close_request(r, &b);
}
