/* compiler/link/schema.c: schemas in memory.
 *
 * A schema's fields carry the numbers of their leaves in the row they belong to, so a nested record
 * is built anew for every use. */
#include "compiler/link/link_int.h"

#include "compiler/ir/facts.h"
#include "compiler/layout/layout.h"

static uint64_t name_word(Str name)
{
    uint64_t v = 0;
    memcpy(&v, name.ptr, name.len < 8 ? name.len : 8);
    return v;
}

static RtSchema *schema_new(Link *link, uint32_t schema)
{
    const IrSchema *s = &link->ir->schemas[schema];
    RtSchema *out = link__alloc(link, 1, sizeof *out);
    if (!out) return NULL;
    out->name = link__text(link, s->name);
    out->count = s->count;
    out->leaf_count = ir_leaf_count(link->ir, schema);
    out->fields = link__alloc(link, s->count + 1, sizeof(RtField));
    return out->fields ? out : NULL;
}

static void fill_field(Link *link, RtField *out, const IrField *f, uint32_t leaf, bool needed,
                       Str path)
{
    out->name = link__text(link, f->name);
    out->word = name_word(f->name);
    out->name_len = (u16)f->name.len;
    out->type = (u8)f->type;
    out->flags = (u8)((needed ? RT_NEEDED : 0) | (f->optional ? RT_OPTIONAL : 0) |
                      (f->has_range ? RT_RANGED : 0));
    out->leaf = (u16)leaf;
    out->scale = f->scale;
    if (f->type == IR_TIME) out->time_read = (u8)f->time_read;
    out->bytes_max = f->bytes_max;
    if (f->type == IR_ENUM && f->names) {
        out->name_count = f->names->count;
        out->names = link__names(link, f->names);
    }
    if (f->has_range) {
        out->lo = f->lo;
        out->hi = f->hi;
    }
    out->path = link__text(link, path);
    if (f->type == IR_LIST) out->child = link->out->schemas[f->record]; /* made before its list */
}

/* In front of the paths of a record's fields; an item has no name. */
static Str inside(Link *link, Str record)
{
    return record.len ? arena_printf(link->arena, "%.*s.", STR_ARG(record)) : record;
}

static RtSchema *row_schema(Link *link, uint32_t schema, uint32_t leaf, Str path)
{
    const IrSchema *s = &link->ir->schemas[schema];
    RtSchema *out = schema_new(link, schema);
    if (!out) return NULL;
    RtField *fields = (RtField *)out->fields;
    for (uint32_t i = 0; i < s->count; i++) {
        const IrField *f = &s->fields[i];
        Str own = arena_printf(link->arena, "%.*s%.*s", STR_ARG(path), STR_ARG(f->name));
        fill_field(link, &fields[i], f, leaf, true, own);
        if (f->type == IR_RECORD)
            fields[i].child = row_schema(link, f->record, leaf, inside(link, own));
        leaf += f->type == IR_RECORD ? ir_leaf_count(link->ir, f->record) : 1;
    }
    return out;
}

RtSchema *link__row_schema(Link *link, uint32_t schema)
{
    return row_schema(link, schema, 0, STR(""));
}

static bool any_needed(const bool *needed, uint32_t leaf, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (needed[leaf + i]) return true;
    return false;
}

static bool any_early(const IrStage *filter, uint32_t leaf, uint32_t count)
{
    for (uint32_t i = 0; filter && i < count; i++)
        if (filter->leaves[leaf + i].needed) return true;
    return false;
}

static RtSchema *record_schema(Link *link, uint32_t schema, uint32_t leaf, Str path,
                               const bool *needed, const IrStage *filter)
{
    const IrSchema *s = &link->ir->schemas[schema];
    RtSchema *out = schema_new(link, schema);
    if (!out) return NULL;
    RtField *fields = (RtField *)out->fields;
    for (uint32_t i = 0; i < s->count; i++) {
        const IrField *f = &s->fields[i];
        uint32_t count = f->type == IR_RECORD ? ir_leaf_count(link->ir, f->record) : 1;
        bool wanted = any_needed(needed, leaf, count);
        Str own = arena_printf(link->arena, "%.*s%.*s", STR_ARG(path), STR_ARG(f->name));
        fill_field(link, &fields[i], f, leaf, wanted, own);
        if (any_early(filter, leaf, count)) fields[i].flags |= RT_EARLY;
        if (f->type == IR_RECORD && wanted)
            fields[i].child =
                record_schema(link, f->record, leaf, inside(link, own), needed, filter);
        else if (f->type == IR_RECORD)
            fields[i].child = link->out->schemas[f->record];
        leaf += count;
    }
    return out;
}

RtSchema *link__shared_schema(Link *link, uint32_t schema, const bool *needed)
{
    return record_schema(link, schema, 0, STR(""), needed, NULL);
}

RtSchema *link__record_schema(Link *link, const IrPipeline *pipeline, uint32_t source,
                              uint32_t schema)
{
    uint32_t count = ir_leaf_count(link->ir, schema);
    bool *needed = link__alloc(link, count + 1, sizeof *needed);
    if (!needed) return NULL;
    const IrSource *from = ir_group_source(pipeline, pipeline->sources[source].group);
    for (uint32_t i = 0; i < pipeline->stage_count; i++) {
        const IrStage *stage = &pipeline->stages[i];
        if (stage->from == IR_FROM_SOURCE && stage->from_index == from->group)
            layout_needed(stage, from->check, needed, count);
    }
    return record_schema(link, schema, 0, STR(""), needed, from->group ? NULL : pipeline->filter);
}
