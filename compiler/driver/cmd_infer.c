/* compiler/driver/cmd_infer.c: `tutti infer FILE.ndjson`: a type that fits the samples.
 *
 * A field is an integer when all its values are, a time when all its texts are RFC 3339, an enum
 * when few different texts come often, else a text bounded by twice the longest. A field that is
 * missing or null in some record is optional. Ranges are what was seen, as a comment: a sample is
 * no promise, so the line is there to be taken over by a person. */
#include "compiler/driver/driver.h"

#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INFER_FIELDS_MAX = 256, INFER_ENUM_MAX = 12, INFER_DEPTH_MAX = 8 };

typedef struct Seen Seen;
struct Seen {
    Str name;
    uint32_t count, nulls, texts, times, ints, numbers, bools, objects, others;
    double lo, hi;
    size_t longest;
    Str words[INFER_ENUM_MAX + 1];
    uint32_t word_count;
    Seen *first, *next; /* fields of objects; the next field */
};

static bool digits(Str t, size_t at, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (at + i >= t.len || t.ptr[at + i] < '0' || t.ptr[at + i] > '9') return false;
    return true;
}

/* The shape of RFC 3339: enough to choose a type, the decoder checks every record. */
static bool looks_like_time(Str t)
{
    if (t.len < 20 || !digits(t, 0, 4) || t.ptr[4] != '-' || !digits(t, 5, 2) || t.ptr[7] != '-' ||
        !digits(t, 8, 2) || (t.ptr[10] != 'T' && t.ptr[10] != 't') || !digits(t, 11, 2) ||
        t.ptr[13] != ':' || !digits(t, 14, 2) || t.ptr[16] != ':' || !digits(t, 17, 2))
        return false;
    char last = t.ptr[t.len - 1];
    return last == 'Z' || last == 'z' || digits(t, t.len - 2, 2);
}

static bool is_word(Str t)
{
    if (t.len == 0 || t.len > 32 || (t.ptr[0] >= '0' && t.ptr[0] <= '9')) return false;
    for (size_t i = 0; i < t.len; i++) {
        char c = t.ptr[i];
        bool fine =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        if (!fine) return false;
    }
    return true;
}

static Status see_object(Arena *arena, Seen *into, const Json *object, uint32_t depth,
                         uint32_t *fields);

static Status see(Arena *arena, Seen *s, const Json *value, uint32_t depth, uint32_t *fields)
{
    s->count++;
    switch (value->type) {
    case JSON_NULL: s->nulls++; return ST_OK;
    case JSON_TRUE:
    case JSON_FALSE: s->bools++; return ST_OK;
    case JSON_INT:
    case JSON_NUMBER:
        if (s->ints + s->numbers == 0) s->lo = s->hi = value->number;
        if (value->number < s->lo) s->lo = value->number;
        if (value->number > s->hi) s->hi = value->number;
        if (value->type == JSON_INT)
            s->ints++;
        else
            s->numbers++;
        return ST_OK;
    case JSON_STRING: {
        s->texts++;
        s->times += looks_like_time(value->text);
        if (value->text.len > s->longest) s->longest = value->text.len;
        if (!is_word(value->text)) s->word_count = INFER_ENUM_MAX + 1;
        for (uint32_t i = 0; i < s->word_count && s->word_count <= INFER_ENUM_MAX; i++)
            if (str_eq(s->words[i], value->text)) return ST_OK;
        if (s->word_count > INFER_ENUM_MAX) return ST_OK;
        s->words[s->word_count] = arena_str(arena, value->text);
        return s->words[s->word_count++].ptr ? ST_OK : ST_NO_MEMORY;
    }
    case JSON_OBJECT: s->objects++; return see_object(arena, s, value, depth + 1, fields);
    default: s->others++; return ST_OK;
    }
}

static Status see_object(Arena *arena, Seen *into, const Json *object, uint32_t depth,
                         uint32_t *fields)
{
    if (depth > INFER_DEPTH_MAX) return ST_LIMIT;
    for (const Json *value = object->first; value; value = value->next) {
        Seen **at = &into->first;
        while (*at && !str_eq((*at)->name, value->key)) at = &(*at)->next;
        if (!*at) {
            if (++*fields > INFER_FIELDS_MAX) return ST_LIMIT;
            *at = arena_one(arena, Seen);
            if (!*at) return ST_NO_MEMORY;
            (*at)->name = arena_str(arena, value->key);
            if (!(*at)->name.ptr) return ST_NO_MEMORY;
        }
        Status st = see(arena, *at, value, depth, fields);
        if (st) return st;
    }
    return ST_OK;
}

static void write_fields(const Seen *s, uint32_t records, uint32_t depth, Buf *out);

static uint32_t round_up(size_t longest)
{
    uint32_t bound = 8;
    while (bound < longest * 2 && bound < 1u << 20) bound *= 2;
    return bound;
}

static void write_type(const Seen *s, uint32_t depth, Buf *out)
{
    uint32_t there = s->count - s->nulls;
    if (s->objects && s->objects == there) {
        buf_text(out, "{\n");
        write_fields(s->first, s->objects, depth + 1, out);
        buf_printf(out, "%*s}", (int)(depth * 2), "");
    } else if (s->bools && s->bools == there) {
        buf_text(out, "bool");
    } else if (s->ints && s->ints == there) {
        buf_text(out, s->lo < -2147483648.0 || s->hi > 2147483647.0 ? "i64" : "i32");
    } else if (s->ints + s->numbers == there && there) {
        buf_text(out, "f64");
    } else if (s->times && s->times == there) {
        buf_text(out, "time");
    } else if (s->texts == there && there && s->word_count <= INFER_ENUM_MAX &&
               there >= 4 * s->word_count) {
        buf_text(out, "enum { ");
        for (uint32_t i = 0; i < s->word_count; i++)
            buf_printf(out, "%s%.*s", i ? ", " : "", STR_ARG(s->words[i]));
        buf_text(out, " }");
    } else {
        buf_printf(out, "string(%u)", round_up(s->longest));
    }
}

static void write_fields(const Seen *first, uint32_t records, uint32_t depth, Buf *out)
{
    for (const Seen *s = first; s; s = s->next) {
        if (!is_word(s->name)) {
            buf_printf(out, "%*s# `%.*s` cannot be a field's name\n", (int)(depth * 2), "",
                       STR_ARG(s->name));
            continue;
        }
        uint32_t there = s->count - s->nulls;
        bool mixed = s->others || (s->texts && there != s->texts);
        buf_printf(out, "%*s%s%.*s: ", (int)(depth * 2), "", mixed ? "# mixed or a list: " : "",
                   STR_ARG(s->name));
        write_type(s, depth, out);
        if (s->count < records || s->nulls) buf_char(out, '?');
        buf_char(out, ',');
        if (s->ints + s->numbers && !mixed) buf_printf(out, "  # seen %.15g..%.15g", s->lo, s->hi);
        buf_char(out, '\n');
    }
}

static Status read_lines(Arena *arena, FILE *file, Seen *root, Diag *diag)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    uint32_t fields = 0, number = 0;
    Status st = ST_OK;
    Arena *scratch = arena_new(64 << 10, 64 << 20);
    while (scratch && !st && (len = getline(&line, &cap, file)) >= 0) {
        const Json *record;
        number++;
        Str text = str_trim(str_slice(line, (size_t)len));
        if (!text.len) continue;
        arena_reset(scratch);
        st = json_read(scratch, text, &record, diag);
        if (!st && record->type != JSON_OBJECT)
            st = diag_set(diag, ST_INVALID, "a record is a JSON object");
        if (!st) st = see_object(arena, root, record, 0, &fields);
        if (st == ST_LIMIT)
            diag_set(diag, st, "more than %d fields, or nested too deeply", INFER_FIELDS_MAX);
        if (st)
            st = diag_wrap(diag, st, "line %u", number);
        else
            root->count++;
    }
    free(line); /* check-allow: call getline allocated it */
    arena_free(scratch);
    return scratch ? st : ST_NO_MEMORY;
}

int cmd_infer(const Command *self, int argc, char **argv)
{
    const char *path = NULL, *name = "Record";
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--name") == 0 && i + 1 < argc)
            name = argv[++i];
        else if (argv[i][0] == '-' && argv[i][1])
            return driver_usage(self, "unknown option `%s`", argv[i]);
        else if (path)
            return driver_usage(self, "one file at a time");
        else
            path = argv[i];
    }
    if (!path) return driver_usage(self, "name a file of JSON lines, or -");
    if (!is_word(str_from(name))) return driver_usage(self, "`%s` is no name", name);
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (!file) return driver_usage(self, "%s cannot be read", path);
    Diag diag = {0};
    Seen root = {0};
    AUTO_BUF Buf out;
    buf_init(&out, 16 << 20);
    Arena *arena = arena_new(0, 256 << 20);
    Status st = arena ? read_lines(arena, file, &root, &diag) : ST_NO_MEMORY;
    if (file != stdin) (void)fclose(file);
    if (!st) {
        buf_printf(&out, "# from %u records\ntype %s = {\n", root.count, name);
        write_fields(root.first, root.count, 1, &out);
        buf_text(&out, "}\n");
        (void)fwrite(out.ptr ? out.ptr : "", 1, out.len, stdout);
    }
    arena_free(arena);
    if (st == ST_INVALID || st == ST_LIMIT) {
        (void)fprintf(stderr, "tutti infer: %s: %s\n", path, diag.text);
        return EXIT_WRONG;
    }
    return st ? driver_failed(self, st, &diag) : EXIT_FINE;
}
