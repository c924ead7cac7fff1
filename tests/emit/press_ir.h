/* tests/emit/press_ir.h: the press pipeline as IR, built by hand, so that the back end is tested
 * without the front end. stdin -> where state == RUN and temp > -40 -> time -> window 10s by
 * machine -> stdout. */
#ifndef TUTTI_TESTS_EMIT_PRESS_IR_H
#define TUTTI_TESTS_EMIT_PRESS_IR_H

#include "compiler/ir/ir.h"

static const Str press_states[] = {{"RUN", 3}, {"IDLE", 4}, {"FAULT", 5}};
static const IrEnum press_enum = {press_states, 3};
static IrField press_fields[] = {
    {.name = {"ts", 2}, .type = IR_TIME},
    {.name = {"machine", 7}, .type = IR_STR, .bytes_max = 16},
    {.name = {"line", 4}, .type = IR_STR, .bytes_max = 4},
    {.name = {"temp", 4}, .type = IR_F64, .has_range = true, .lo = -60, .hi = 400},
    {.name = {"pressure", 8}, .type = IR_F64, .has_range = true, .lo = 0, .hi = 25},
    {.name = {"rpm", 3}, .type = IR_I32, .has_range = true, .lo = 0, .hi = 6000},
    {.name = {"state", 5}, .type = IR_ENUM, .names = &press_enum},
    {.name = {"seq", 3}, .type = IR_I64, .optional = true},
};
static IrField press_rows[] = {
    {.name = {"machine", 7}, .type = IR_STR, .bytes_max = 16},
    {.name = {"start", 5}, .type = IR_TIME},
    {.name = {"end", 3}, .type = IR_TIME},
    {.name = {"n", 1}, .type = IR_I64},
    {.name = {"avg", 3}, .type = IR_F64},
    {.name = {"lo", 2}, .type = IR_F64},
    {.name = {"hi", 2}, .type = IR_F64},
    {.name = {"p95", 3}, .type = IR_F64},
    {.name = {"power", 5}, .type = IR_F64},
};
static IrSchema press_schemas[] = {{{"Press", 5}, press_fields, 8}, {{"", 0}, press_rows, 9}};

enum {
    TS,
    MACHINE,
    TEMP,
    PRESSURE,
    RPM,
    STATE,
    RUN,
    IS_RUN,
    COLD,
    WARM,
    FACTOR,
    SCALED,
    OFFSET,
    TEMP_F,
    KW,
    TRUE_POWER,
    RPM_F,
    KW2,
    PRESS_REGS
};
static IrReg press_regs[PRESS_REGS] = {
    [TS] = {.type = IR_TIME, .name = {"ts", 2}},
    [MACHINE] = {.type = IR_STR, .bytes_max = 16, .name = {"machine", 7}},
    [TEMP] = {.type = IR_F64, .name = {"temp", 4}},
    [PRESSURE] = {.type = IR_F64, .name = {"pressure", 8}},
    [RPM] = {.type = IR_I32, .name = {"rpm", 3}},
    [STATE] = {.type = IR_ENUM, .names = &press_enum, .name = {"state", 5}},
    [RUN] = {.type = IR_ENUM, .names = &press_enum},
    [IS_RUN] = {.type = IR_BOOL},
    [COLD] = {.type = IR_F64},
    [WARM] = {.type = IR_BOOL},
    [FACTOR] = {.type = IR_F64},
    [SCALED] = {.type = IR_F64},
    [OFFSET] = {.type = IR_F64},
    [TEMP_F] = {.type = IR_F64, .name = {"temp_f", 6}},
    [KW] = {.type = IR_F64},
    [TRUE_POWER] = {.type = IR_F64, .name = {"power", 5}},
    [RPM_F] = {.type = IR_F64},
    [KW2] = {.type = IR_F64},
};
static uint32_t press_pool[] = {MACHINE, NO_REG, NO_REG, TEMP_F, NO_REG,     TEMP_F, NO_REG,
                                TEMP_F,  NO_REG, TEMP_F, NO_REG, TRUE_POWER, NO_REG};
static IrIns press_code[] = {
    {.op = IR_PASS, .imm.index = 0},
    {.op = IR_FIELD, .dst = STATE, .a = 6},
    {.op = IR_CONST, .dst = RUN, .imm.integer = 0},
    {.op = IR_EQ, .dst = IS_RUN, .a = STATE, .b = RUN, .node = 1},
    {.op = IR_IF, .a = IS_RUN},
    {.op = IR_ELSE},
    {.op = IR_DROP, .imm.index = 1},
    {.op = IR_END},
    {.op = IR_FIELD, .dst = TEMP, .a = 3},
    {.op = IR_CONST, .dst = COLD, .imm.number = -40},
    {.op = IR_GT, .dst = WARM, .a = TEMP, .b = COLD},
    {.op = IR_IF, .a = WARM},
    {.op = IR_ELSE},
    {.op = IR_DROP, .imm.index = 1},
    {.op = IR_END},
    {.op = IR_PASS, .imm.index = 1},
    {.op = IR_FIELD, .dst = TS, .a = 0},
    {.op = IR_WATERMARK, .a = TS, .node = 2},
    {.op = IR_PASS, .imm.index = 2},
    {.op = IR_CONST, .dst = FACTOR, .imm.number = 1.8},
    {.op = IR_MUL, .dst = SCALED, .a = TEMP, .b = FACTOR, .node = 3},
    {.op = IR_CONST, .dst = OFFSET, .imm.number = 32},
    {.op = IR_ADD, .dst = TEMP_F, .a = SCALED, .b = OFFSET, .node = 3},
    {.op = IR_FIELD, .dst = PRESSURE, .a = 4},
    {.op = IR_FIELD, .dst = RPM, .a = 5},
    {.op = IR_CONV, .dst = RPM_F, .a = RPM, .node = 3},
    {.op = IR_MUL, .dst = KW, .a = PRESSURE, .b = RPM_F, .node = 3},
    {.op = IR_CONST, .dst = KW2, .imm.number = 0.0167},
    {.op = IR_MUL, .dst = TRUE_POWER, .a = KW, .b = KW2, .node = 3},
    {.op = IR_FINITE, .dst = TRUE_POWER, .a = TRUE_POWER, .node = 3},
    {.op = IR_PASS, .imm.index = 3},
    {.op = IR_FIELD, .dst = MACHINE, .a = 1},
    {.op = IR_WINDOW, .a = NO_REG, .imm.index = 0, .args = 0, .arg_count = 13, .node = 4},
};

static IrReg row_regs[] = {{.type = IR_STR, .bytes_max = 16, .name = {"machine", 7}},
                           {.type = IR_TIME, .name = {"start", 5}},
                           {.type = IR_TIME},
                           {.type = IR_I64},
                           {.type = IR_F64},
                           {.type = IR_F64},
                           {.type = IR_F64},
                           {.type = IR_F64},
                           {.type = IR_F64}};
static uint32_t row_pool[] = {0, NO_REG, 1, NO_REG, 2, NO_REG, 3, NO_REG, 4, NO_REG,
                              5, NO_REG, 6, NO_REG, 7, NO_REG, 8, NO_REG};
static IrIns row_code[] = {
    {.op = IR_FIELD, .dst = 0, .a = 0},
    {.op = IR_FIELD, .dst = 1, .a = 1},
    {.op = IR_FIELD, .dst = 2, .a = 2},
    {.op = IR_FIELD, .dst = 3, .a = 3},
    {.op = IR_FIELD, .dst = 4, .a = 4},
    {.op = IR_FIELD, .dst = 5, .a = 5},
    {.op = IR_FIELD, .dst = 6, .a = 6},
    {.op = IR_FIELD, .dst = 7, .a = 7},
    {.op = IR_FIELD, .dst = 8, .a = 8},
    {.op = IR_PASS, .imm.index = 4, .args = 0, .arg_count = 18},
    {.op = IR_EMIT, .a = NO_REG, .imm.index = 0, .args = 0, .arg_count = 18, .node = 5},
};
static IrStage press_stages[] = {
    {.from = IR_FROM_SOURCE,
     .schema = 0,
     .regs = press_regs,
     .reg_count = PRESS_REGS,
     .code = press_code,
     .code_count = COUNT_OF(press_code),
     .pool = press_pool,
     .pool_count = COUNT_OF(press_pool)},
    {.from = IR_FROM_WINDOW,
     .schema = 1,
     .regs = row_regs,
     .reg_count = 9,
     .code = row_code,
     .code_count = COUNT_OF(row_code),
     .pool = row_pool,
     .pool_count = COUNT_OF(row_pool)},
};
static IrReg press_key = {.type = IR_STR, .bytes_max = 16};
static IrAgg press_aggs[] = {{AGG_COUNT, IR_NONE, 0, 0, 3, 0, 0, false},
                             {AGG_MEAN, IR_F64, 0, 0, 4, 0, 0, false},
                             {AGG_MIN, IR_F64, 0, 0, 5, 0, 0, false},
                             {AGG_MAX, IR_F64, 0, 0, 6, 0, 0, false},
                             {AGG_QUANTILE, IR_F64, 0.95, 0.01, 7, 0, 0, false},
                             {AGG_MEAN, IR_F64, 0, 0, 8, 0, 0, false}};
static IrWindow press_window = {.kind = WINDOW_TUMBLE,
                                .event_time = true,
                                .size_ns = 10000000000,
                                .keys = &press_key,
                                .key_count = 1,
                                .aggs = press_aggs,
                                .agg_count = 6,
                                .in_schema = 0,
                                .out_schema = 1,
                                .out_stage = 1,
                                .late_stage = NO_INDEX,
                                .node = 4};
static IrSource press_source = {
    .kind = {"stdin", 5}, .connection = NO_INDEX, .format = FORMAT_JSON, .map = NO_INDEX};
static IrSink press_sink = {
    .kind = {"stdout", 6}, .connection = NO_INDEX, .format = FORMAT_JSON, .schema = 1, .node = 5};
static IrNode press_nodes[] = {{.kind = {"from", 4}},   {.kind = {"where", 5}},
                               {.kind = {"time", 4}},   {.kind = {"let", 3}},
                               {.kind = {"window", 6}}, {.kind = {"into", 4}}};
static IrWire press_wires[] = {{0, 1, PORT_OUT, 0},
                               {1, 2, PORT_OUT, 0},
                               {2, 3, PORT_OUT, 0},
                               {3, 4, PORT_OUT, 0},
                               {4, 5, PORT_OUT, 1}};
static IrPipeline press_pipeline = {
    .name = {"press_stats", 11},
    .sources = &press_source,
    .source_count = 1,
    .in_schema = 0,
    .time = {.present = true, .order_ns = 2000000000, .idle_ns = 30000000000},
    .stages = press_stages,
    .stage_count = 2,
    .windows = &press_window,
    .window_count = 1,
    .sinks = &press_sink,
    .sink_count = 1,
    .nodes = press_nodes,
    .node_count = 6,
    .wires = press_wires,
    .wire_count = 5,
    .error_stage = NO_INDEX,
    .bounded = true};
static IrProgram press_program = {
    .schemas = press_schemas, .schema_count = 2, .pipelines = &press_pipeline, .pipeline_count = 1};

#endif
