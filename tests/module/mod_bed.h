/* tests/module/mod_bed.h: a loop, a local bus, a data folder and a host, for module tests. */
#ifndef TUTTI_TESTS_MODULE_MOD_BED_H
#define TUTTI_TESTS_MODULE_MOD_BED_H

#include "test.h"

#include "base/mem.h"
#include "module/host.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BED_DEADLINE_MS = 60000 };

typedef struct ModBed {
    Loop *loop;
    Bus *bus;
    Log *log;
    Host *host;
    LoopTimer *deadline;
    bool late;
    char dir[64];
    int answers;
    Status status;
    Arena *arena;
    Str body;         /* of the last answer, in `arena` */
    const Json *json; /* the same, read; NULL when it is not JSON */
} ModBed;

static void bed_on_deadline(void *ctx)
{
    ModBed *bed = ctx;
    bed->late = true;
    loop_stop(bed->loop);
}

static void bed_begin(ModBed *bed)
{
    *bed = (ModBed){0};
    (void)snprintf(bed->dir, sizeof bed->dir, "/tmp/tutti-mod-XXXXXX");
    CHECK(mkdtemp(bed->dir));
    bed->arena = arena_new(0, 0);
    bed->log = log_new(LOG_ERROR, false);
    CHECK_OK(loop_new(&bed->loop));
    CHECK_OK(loop_timer_start(bed->loop, BED_DEADLINE_MS, 0, bed_on_deadline, bed, &bed->deadline));
    CHECK_OK(bus_local_open(bed->loop, &bed->bus));
}

__attribute__((unused)) static Status bed_open(ModBed *bed, const ModuleDef *const *modules,
                                               const HostConf *conf, Diag *diag)
{
    HostOptions options = {.loop = bed->loop,
                           .bus = bed->bus,
                           .log = bed->log,
                           .data_dir = bed->dir,
                           .modules = modules,
                           .conf = conf};
    return host_open(&options, &bed->host, diag);
}

static void bed_close_host(ModBed *bed)
{
    host_close(bed->host);
    bed->host = NULL;
}

static void bed_end(ModBed *bed)
{
    bed_close_host(bed);
    bus_close(bed->bus);
    loop_free(bed->loop);
    log_free(bed->log);
    arena_free(bed->arena);
    DIR *dir = opendir(bed->dir);
    CHECK(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[400];
        (void)snprintf(path, sizeof path, "%s/%s", bed->dir, entry->d_name);
        (void)unlink(path);
    }
    closedir(dir);
    CHECK_INT(rmdir(bed->dir), 0);
}

static void bed_on_answer(void *ctx, Status status, Str body)
{
    ModBed *bed = ctx;
    bed->status = status;
    bed->answers++;
    bed->json = NULL;
    bed->body = arena_str(bed->arena, body);
    if (json_read(bed->arena, bed->body, &bed->json, NULL)) bed->json = NULL;
    loop_stop(bed->loop);
}

static void bed_run(ModBed *bed)
{
    loop_run(bed->loop);
    CHECK(!bed->late);
}

/* Asks and waits for the answer; `caller` NULL is the system. */
__attribute__((unused)) static Status bed_ask_as(ModBed *bed, const BusCaller *caller,
                                                 const char *op, const char *body)
{
    int before = bed->answers;
    CHECK_OK(bus_request(bed->bus, str_from(op), str_from(body), caller, BED_DEADLINE_MS,
                         bed_on_answer, bed));
    while (bed->answers == before) bed_run(bed); /* others stop the loop, too */
    return bed->status;
}

__attribute__((unused)) static Status bed_ask(ModBed *bed, const char *op, const char *body)
{
    return bed_ask_as(bed, NULL, op, body);
}

#endif
