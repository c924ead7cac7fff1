/* runtime/connect/modbus_map.c: register lists.
 *
 * Points of one area that lie close together become one request: at most 120 registers or 1,900
 * bits (the protocol allows 125 and 2,000), bridging gaps of up to GAP_MAX unused ones, because a
 * round trip costs more than a few bytes. Tags and plain values never share one: what a device
 * refuses makes tags bad, but fails a record of plain values. */
#include "connect/modbus_map.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { GAP_MAX = 8, REGISTERS_MAX = 120, BITS_MAX = 1900 };

static bool name_index(Str text, const char *const *names, int count, int *ret_index)
{
    for (int i = 0; i < count; i++)
        if (str_is(text, names[i])) {
            *ret_index = i;
            return true;
        }
    return false;
}

static Status point_read(const Json *row, ModbusPoint *p, Diag *diag)
{
    static const char *const types[] = {"f32", "f64", "i16", "u16", "i32",
                                        "u32", "i64", "u64", "bool"};
    static const char *const areas[] = {"holding", "input", "coil", "discrete"};
    static const char *const orders[] = {"ABCD", "CDAB", "BADC", "DCBA"};
    static const uint16_t sizes[] = {2, 4, 1, 1, 2, 2, 4, 4, 1};
    Str name = json_str(row, "name", STR_NONE);
    int type, area, order;
    int64_t address = json_int(row, "address", -1);
    if (!name.len || name.len >= MODBUS_NAME_MAX)
        return diag_set(diag, ST_INVALID, "a register needs a name of 1 to 63 bytes");
    bool known = name_index(json_str(row, "type", STR("u16")), types, 9, &type) &&
                 name_index(json_str(row, "area", STR("holding")), areas, 4, &area) &&
                 name_index(json_str(row, "order", STR("ABCD")), orders, 4, &order);
    if (!known)
        return diag_set(diag, ST_INVALID, "register \"%.*s\": unknown type, area or order",
                        STR_ARG(name));
    bool bits = area == MODBUS_COIL || area == MODBUS_DISCRETE;
    if (bits && type != MODBUS_BOOL)
        return diag_set(diag, ST_INVALID, "register \"%.*s\": a coil is a bool", STR_ARG(name));
    if (address < 0 || address + sizes[type] > 65536)
        return diag_set(diag, ST_INVALID, "register \"%.*s\": address is 0 to 65535",
                        STR_ARG(name));
    *p = (ModbusPoint){.area = (ModbusArea)area,
                       .type = (ModbusType)type,
                       .order = (ModbusOrder)order,
                       .address = (uint16_t)address,
                       .count = sizes[type],
                       .scale = json_number(row, "scale", 1.0),
                       .plus = json_number(row, "offset", 0.0),
                       .tag = json_bool(row, "tag", false)};
    if (!isfinite(p->scale) || !isfinite(p->plus))
        return diag_set(diag, ST_INVALID, "scale or offset is not a number");
    memcpy(p->name, name.ptr, name.len);
    return ST_OK;
}

/* Takes points in order of area and address, without moving them: the JSON keeps its own order. */
static void plan(ModbusMap *map)
{
    uint16_t order[MODBUS_POINTS_MAX];
    for (uint32_t i = 0; i < map->point_count; i++) {
        uint32_t at = i;
        const ModbusPoint *p = &map->points[i];
        for (; at; at--) {
            const ModbusPoint *q = &map->points[order[at - 1]];
            bool before = q->area != p->area ? q->area < p->area
                          : q->tag != p->tag ? p->tag
                                             : q->address <= p->address;
            if (before) break;
            order[at] = order[at - 1];
        }
        order[at] = (uint16_t)i;
    }
    for (uint32_t i = 0; i < map->point_count; i++) {
        ModbusPoint *p = &map->points[order[i]];
        ModbusRange *r = map->range_count ? &map->ranges[map->range_count - 1] : NULL;
        uint32_t max = p->area < MODBUS_COIL ? REGISTERS_MAX : BITS_MAX;
        uint32_t end = (uint32_t)p->address + p->count;
        bool joins = r && r->area == p->area && r->tags == p->tag &&
                     p->address <= (uint32_t)r->address + r->count + GAP_MAX &&
                     end - r->address <= max;
        if (!joins) {
            r = &map->ranges[map->range_count++];
            *r = (ModbusRange){p->area, p->address, p->count, p->tag};
        } else if (end > (uint32_t)r->address + r->count) {
            r->count = (uint16_t)(end - r->address);
        }
        p->range = (uint16_t)(map->range_count - 1);
        p->offset = (uint16_t)(p->address - r->address);
    }
}

Status connect__modbus_map(const Json *registers, ModbusMap *ret_map, Diag *diag)
{
    if (!registers || registers->type != JSON_ARRAY || !registers->count ||
        registers->count > MODBUS_POINTS_MAX)
        return diag_set(diag, ST_INVALID, "\"registers\" is a list of 1 to %d registers",
                        MODBUS_POINTS_MAX);
    ret_map->point_count = ret_map->range_count = 0;
    for (const Json *row = registers->first; row; row = row->next) {
        Status st = point_read(row, &ret_map->points[ret_map->point_count], diag);
        if (st) return st;
        ret_map->point_count++;
    }
    plan(ret_map);
    return ST_OK;
}

/* The value's bytes, most significant first, whatever order the device uses. */
static uint64_t assemble(const ModbusPoint *p, const uint16_t *words)
{
    bool swap_words = p->order == MODBUS_CDAB || p->order == MODBUS_DCBA;
    bool swap_bytes = p->order == MODBUS_BADC || p->order == MODBUS_DCBA;
    uint64_t bits = 0;
    for (uint16_t i = 0; i < p->count; i++) {
        uint16_t word = words[swap_words ? p->count - 1 - i : i];
        if (swap_bytes) word = (uint16_t)(word << 8 | word >> 8);
        bits = bits << 16 | word;
    }
    return bits;
}

/* The shortest text that reads back as the same f32. */
static void put_f32(JsonOut *out, float value)
{
    char text[32];
    if (!isfinite(value)) {
        json_put_null(out);
        return;
    }
    for (int digits = 6; digits <= 9; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value) break;
    }
    json_put_raw(out, str_from(text));
}

static void put_scaled(const ModbusPoint *point, JsonOut *out, double value)
{
    char text[40];
    value = value * point->scale + point->plus;
    if (!isfinite(value)) {
        json_put_null(out);
        return;
    }
    (void)snprintf(text, sizeof text, "%.12g", value);
    json_put_raw(out, str_from(text));
}

void connect__modbus_value(const ModbusPoint *point, const uint16_t *words, JsonOut *out)
{
    uint64_t bits = assemble(point, words);
    uint32_t low = (uint32_t)bits;
    float f32;
    double f64;
    int64_t whole = 0;
    bool as_read = point->scale == 1.0 && point->plus == 0.0;
    switch (point->type) {
    case MODBUS_BOOL: json_put_bool(out, bits & 0xffff); return;
    case MODBUS_F32:
        memcpy(&f32, &low, sizeof f32);
        if (as_read)
            put_f32(out, f32);
        else
            put_scaled(point, out, (double)f32);
        return;
    case MODBUS_F64:
        memcpy(&f64, &bits, sizeof f64);
        if (as_read)
            json_put_number(out, f64);
        else
            put_scaled(point, out, f64);
        return;
    case MODBUS_I16: whole = (int16_t)(uint16_t)bits; break;
    case MODBUS_U16: whole = (int64_t)(bits & 0xffff); break;
    case MODBUS_I32: whole = (int32_t)low; break;
    case MODBUS_U32: whole = (int64_t)low; break;
    case MODBUS_I64: whole = (int64_t)bits; break;
    case MODBUS_U64:
        if (as_read)
            json_put_uint(out, bits);
        else
            put_scaled(point, out, (double)bits);
        return;
    }
    if (as_read)
        json_put_int(out, whole);
    else
        put_scaled(point, out, (double)whole);
}
