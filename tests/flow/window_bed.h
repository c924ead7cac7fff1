/* tests/flow/window_bed.h: a program of one pipeline with windows, as a table made by hand. */
#ifndef TUTTI_TESTS_FLOW_WINDOW_BED_H
#define TUTTI_TESTS_FLOW_WINDOW_BED_H

#include "flow/instance.h"
#include "flow/pipe.h"
#include "flow/window.h"

/* Of windows with one key, a number. */
static const u8 key_types[] = {RT_I64};
static const u32 key_bytes[] = {0};

static void bind_nothing(const RtApi *api)
{
    (void)api;
}

/* Defines `program`; `row_fn` gets the rows of all windows of `list`, an array. */
#define WINDOW_PROGRAM(program, list, row_fn)                                                      \
    static const RtPipelineInfo program##_pipelines[] = {                                          \
        {.name = "p",                                                                              \
         .error_stage = RT_NO_STAGE,                                                               \
         .windows = list,                                                                          \
         .window_count = sizeof(list) / sizeof *(list),                                            \
         .has_time = 1,                                                                            \
         .row = row_fn}};                                                                          \
    static const RtProgram program = {.abi = RT_ABI,                                               \
                                      .name = "p",                                                 \
                                      .hash = "",                                                  \
                                      .pipelines = program##_pipelines,                            \
                                      .pipeline_count = 1,                                         \
                                      .bind = bind_nothing}

#endif
