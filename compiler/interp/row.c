/* compiler/interp/row.c: rows out, written from a table.
 *
 * The table is what emit_c/row.c writes as code: constant bytes joined as far as they go, values
 * between them, jumps over fields that are not there. The bytes, and the room asked for, are the
 * same. */
#include "compiler/interp/interp_int.h"

#include "compiler/ir/facts.h"

enum { ROW_TEXT_BYTES_MAX = 1 << 20 };

typedef struct Build {
    const IrProgram *ir;
    const RtSchema *const *schemas;
    const IrStage *stage;
    const uint32_t *regs; /* value and has of each leaf */
    const Pair *row;
    uint32_t leaf, count, depth; /* depth: of nested records, IR_PATH_MAX at most */
    Arena *arena;
    Buf literal;
    Piece *pieces;
    uint32_t piece_count, piece_cap;
    Status failed;
} Build;

static Piece *piece(Build *b, PieceKind kind)
{
    static Piece nowhere;
    if (b->piece_count == b->piece_cap) {
        uint32_t cap = b->piece_cap ? b->piece_cap * 2 : 32;
        Piece *more = arena_many(b->arena, Piece, cap);
        if (!more) {
            b->failed = ST_NO_MEMORY;
            return &nowhere;
        }
        if (b->piece_count) memcpy(more, b->pieces, b->piece_count * sizeof *more);
        b->pieces = more;
        b->piece_cap = cap;
    }
    Piece *p = &b->pieces[b->piece_count++];
    *p = (Piece){.kind = kind, .text = "", .text_len = (uint32_t)b->literal.len};
    if (b->literal.len) {
        char *text = arena_alloc(b->arena, b->literal.len + 16); /* copied 16 bytes at a time */
        if (text)
            memcpy(text, b->literal.ptr, b->literal.len);
        else
            b->failed = ST_NO_MEMORY;
        p->text = text;
        buf_clear(&b->literal);
    }
    return p;
}

static void name(Build *b, char separator, Str text)
{
    buf_char(&b->literal, separator);
    buf_char(&b->literal, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"' || text.ptr[i] == '\\') buf_char(&b->literal, '\\');
        buf_char(&b->literal, text.ptr[i]);
    }
    buf_text(&b->literal, "\":");
}

static const RtText *enum_names(Build *b, const IrEnum *names)
{
    RtText *list = arena_many(b->arena, RtText, names->count + 1);
    if (!list) b->failed = ST_NO_MEMORY;
    for (uint32_t i = 0; list && i < names->count; i++)
        list[i] = (RtText){names->names[i].ptr, names->names[i].len};
    return list;
}

static void value(Build *b)
{
    const Pair *pair = &b->row[b->leaf];
    const IrReg *reg = &b->stage->regs[b->regs[2 * b->leaf]];
    IrType type = (IrType)pair->value.type;
    bool quoted = type == IR_STR || type == IR_BYTES || type == IR_TIME || type == IR_DURATION ||
                  type == IR_ENUM;
    if (quoted) buf_char(&b->literal, '"');
    Piece *p = piece(b, PIECE_VALUE);
    p->value = pair->value;
    if (type == IR_ENUM) p->names = enum_names(b, reg->names);
    if (type == IR_LIST) p->schema = b->schemas[reg->record];
    if (quoted) buf_char(&b->literal, '"');
    b->leaf++;
}

static void object(Build *b, uint32_t schema);

static void member(Build *b, const IrField *field, char separator)
{
    if (field->name.len) name(b, separator, field->name); /* else whole members: `unknown keep` */
    if (field->type == IR_RECORD)
        object(b, field->record);
    else
        value(b);
}

/* A nested record that may be missing is there when any of its leaves is. */
static void condition(Build *b, Piece *p, uint32_t count)
{
    uint32_t *list = arena_many(b->arena, uint32_t, count + 1);
    if (!list) b->failed = ST_NO_MEMORY;
    p->kind = PIECE_IF_ANY;
    p->has_list = list;
    for (uint32_t i = 0; list && i < count && b->leaf + i < b->count; i++)
        list[p->has_count++] = b->row[b->leaf + i].has;
}

static void optional(Build *b, const IrField *field, char separator)
{
    uint32_t at = b->piece_count;
    Piece *p = piece(b, PIECE_IF);
    p->has = b->row[b->leaf].has;
    if (field->type == IR_RECORD) condition(b, p, ir_leaf_count(b->ir, field->record));
    member(b, field, separator);
    if (b->literal.len) (void)piece(b, PIECE_LITERAL);
    if (!b->failed) b->pieces[at].skip = b->piece_count - at - 1;
}

static void object(Build *b, uint32_t schema)
{
    const IrSchema *s = &b->ir->schemas[schema];
    bool certain = false;
    if (s->count && s->fields[0].type == IR_RECORD) certain = !s->fields[0].optional;
    if (s->count && s->fields[0].type != IR_RECORD) certain = b->row[b->leaf].has == NO_COLUMN;
    uint32_t mark = b->depth++;
    if (!certain) piece(b, PIECE_OPEN)->mark = mark;
    for (uint32_t i = 0; i < s->count && b->leaf < b->count; i++) {
        const IrField *field = &s->fields[i];
        bool always =
            field->type == IR_RECORD ? !field->optional : b->row[b->leaf].has == NO_COLUMN;
        char separator = i == 0 && certain ? '{' : ',';
        if (always)
            member(b, field, separator);
        else
            optional(b, field, separator);
    }
    if (!certain) piece(b, PIECE_CLOSE)->mark = mark;
    b->depth--;
    buf_char(&b->literal, '}');
}

static bool is_slice(const Pair *pair)
{
    return pair->value.column != NO_COLUMN && pair->value.cell == CELL_TEXT;
}

/* What the room of a row depends on. */
MUST static Status texts(Build *b, RowCode *code)
{
    Piece *list = arena_many(b->arena, Piece, b->count + 1);
    if (!list) return ST_NO_MEMORY;
    for (uint32_t i = 0; i < b->count; i++) {
        if (!is_slice(&b->row[i])) continue;
        Piece *p = &list[code->text_count++];
        p->value = b->row[i].value;
        p->has = b->row[i].has;
        if (p->value.type == IR_LIST) p->schema = b->schemas[b->stage->regs[b->regs[2 * i]].record];
    }
    code->texts = list;
    return ST_OK;
}

Status interp__row_code(const IrProgram *ir, const RtSchema *const *schemas, const IrSink *sink,
                        const Pair *row, uint32_t count, const IrStage *stage, const uint32_t *regs,
                        Arena *arena, RowCode *ret_code, Diag *diag)
{
    Build b = {.ir = ir,
               .schemas = schemas,
               .stage = stage,
               .regs = regs,
               .row = row,
               .count = count,
               .arena = arena};
    *ret_code = (RowCode){.format = sink->format};
    if (sink->format == FORMAT_CSV || ir_format_is_bytes(sink->format)) return ST_OK;
    ret_code->room = ir_row_bytes(ir, sink->schema) + (uint64_t)64 * count;
    Status st = texts(&b, ret_code);
    if (st) return st;
    if (sink->format == FORMAT_TEXT || sink->format == FORMAT_RAW) {
        bool plain = count && is_slice(&row[0]) && row[0].value.type != IR_LIST;
        if (plain) return ST_OK;
        return diag_set(diag, ST_UNSUPPORTED,
                        "a sink `as text` or `as raw` takes rows whose first field is text");
    }
    buf_init(&b.literal, ROW_TEXT_BYTES_MAX);
    object(&b, sink->schema);
    buf_char(&b.literal, '\n');
    (void)piece(&b, PIECE_LITERAL);
    if (!b.failed) b.failed = buf_status(&b.literal);
    buf_done(&b.literal);
    ret_code->pieces = b.pieces;
    ret_code->piece_count = b.piece_count;
    return b.failed;
}

/* ---- writing ---- */

static char *put_literal(char *w, const char *text, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += 16) memcpy(w + i, text + i, 16); /* room has slack */
    return w + n;
}

static char *put_value(const Frame *f, const Piece *p, uint32_t r, char *w)
{
    const RtApi *rt = f->rt;
    uint32_t column = p->value.column;
    switch ((IrType)p->value.type) {
    case IR_BOOL:
        return COLUMN(f, uint8_t, column)[r] ? (memcpy(w, "true", 4), w + 4)
                                             : (memcpy(w, "false", 5), w + 5);
    case IR_I32: return rt->put_i64(w, COLUMN(f, int32_t, column)[r]);
    case IR_I64: return rt->put_i64(w, COLUMN(f, int64_t, column)[r]);
    case IR_U32: return rt->put_u64(w, COLUMN(f, uint32_t, column)[r]);
    case IR_U64: return rt->put_u64(w, COLUMN(f, uint64_t, column)[r]);
    case IR_F32: return rt->put_f32(w, COLUMN(f, float, column)[r]);
    case IR_F64: return rt->put_f64(w, COLUMN(f, double, column)[r]);
    case IR_TIME: return rt->put_time(w, COLUMN(f, int64_t, column)[r]);
    case IR_DURATION: return rt->put_duration(w, COLUMN(f, int64_t, column)[r]);
    case IR_DECIMAL: return rt->put_decimal(w, COLUMN(f, int64_t, column)[r], p->value.scale);
    case IR_ENUM: {
        RtText text = p->names[COLUMN(f, uint32_t, column)[r]];
        memcpy(w, text.p, text.n);
        return w + text.n;
    }
    default: break;
    }
    RtText text = COLUMN(f, RtText, column)[r];
    if (p->value.type == IR_STR) return rt_put_plain(rt, w, text.p, text.n);
    if (p->value.type == IR_LIST) return rt->put_list(w, p->schema, &(RtValue){.s = text});
    if (p->value.type == IR_BYTES) return rt->put_base64(w, text.p, text.n);
    if (text.n) memcpy(w, text.p, text.n);
    return w + text.n;
}

static bool there(const Frame *f, uint32_t has, uint32_t lane)
{
    return has == NO_COLUMN || COLUMN(f, uint8_t, has)[lane];
}

static bool any_there(const Frame *f, const Piece *p, uint32_t lane)
{
    for (uint32_t i = 0; i < p->has_count; i++)
        if (there(f, p->has_list[i], lane)) return true;
    return false;
}

static char *put_json(const Frame *f, const RowCode *code, uint32_t lane, char *w)
{
    char *marks[IR_PATH_MAX + 1];
    for (uint32_t i = 0; i < code->piece_count; i++) {
        const Piece *p = &code->pieces[i];
        w = put_literal(w, p->text, p->text_len);
        switch (p->kind) {
        case PIECE_LITERAL: break;
        case PIECE_VALUE: w = put_value(f, p, lane, w); break;
        case PIECE_IF:
            if (!there(f, p->has, lane)) i += p->skip;
            break;
        case PIECE_IF_ANY:
            if (!any_there(f, p, lane)) i += p->skip;
            break;
        case PIECE_OPEN: marks[p->mark] = w; break;
        case PIECE_CLOSE:
            if (w == marks[p->mark]) w++;
            *marks[p->mark] = '{';
            break;
        }
    }
    return w;
}

static uint32_t emit_other(Frame *f, const Effect *e, uint32_t lane)
{
    RtValue v[RT_LEAVES_MAX];
    u8 h[RT_LEAVES_MAX];
    for (uint32_t i = 0; i < e->row_count; i++) {
        h[i] = (u8)there(f, e->row[i].has, lane);
        v[i] = interp__value(f, &e->row[i].value, lane);
    }
    RtValue address = {.s = {"", 0}};
    if (e->at.column != NO_COLUMN) address.s = COLUMN(f, RtText, e->at.column)[lane];
    f->rt->other_row(f->pipe, e->index, (u32)e->code->format, v, h, address);
    if (!f->done) f->done = 1;
    return RT_FINE;
}

uint32_t interp__emit(Frame *f, const Effect *e, uint32_t lane)
{
    const RowCode *code = e->code;
    if (code->format == FORMAT_CSV || ir_format_is_bytes(code->format))
        return emit_other(f, e, lane);
    uint64_t room = code->room;
    for (uint32_t i = 0; i < code->text_count; i++) {
        const Piece *p = &code->texts[i];
        if (!there(f, p->has, lane)) continue;
        RtValue v = {.s = COLUMN(f, RtText, p->value.column)[lane]};
        room += p->schema ? f->rt->list_bytes(p->schema, &v) : v.s.n * 6;
    }
    char *w = f->rt->row_begin(f->pipe, e->index, room);
    if (RT_RARE(!w)) return RT_OVERFLOW;
    if (code->piece_count) {
        w = put_json(f, code, lane, w);
    } else { /* as text, as raw: the first leaf as it is */
        RtText text = COLUMN(f, RtText, code->texts[0].value.column)[lane];
        if (text.n) memcpy(w, text.p, text.n);
        w += text.n;
        if (code->format == FORMAT_TEXT) *w++ = '\n';
    }
    RtValue address = {.s = {"", 0}}, key = {.s = {"", 0}};
    if (e->at.column != NO_COLUMN) address.s = COLUMN(f, RtText, e->at.column)[lane];
    f->rt->row_end(f->pipe, e->index, w, address, key);
    if (!f->done) f->done = 1;
    return RT_FINE;
}
