/* compiler/words/explain.c: `tutti explain NAME`: a stage, function, connector, unit or reason. */
#include "compiler/library/library.h"
#include "compiler/words/words.h"

#include "compiler/diag/diag.h"
#include "compiler/type/builtins.h"
#include "compiler/type/units.h"

static const char *letter_type(char c)
{
    switch (c) {
    case 'f': return "f64";
    case 'i': return "i64";
    case 's': return "text";
    case 'b': return "bytes";
    case 't': return "time";
    case 'd': return "duration";
    default: return "?";
    }
}

void word_signature(const BuiltinInfo *info, Buf *out)
{
    Str names = str_from(info->params);
    buf_printf(out, "%s(", info->name);
    for (const char *c = info->args; *c; c++) {
        ptrdiff_t comma = str_find_char(names, ',');
        size_t len = comma < 0 ? names.len : (size_t)comma;
        buf_printf(out, "%s%.*s: %s", c == info->args ? "" : ", ", (int)len, names.ptr,
                   letter_type(*c));
        names = str_trim(str_skip(names, comma < 0 ? len : len + 1));
    }
    buf_printf(out, ") -> %s", letter_type(info->result[0]));
}

static void word(const Word *w, Buf *out)
{
    if (!word_available(w)) {
        buf_printf(out, "%s: a %s of the language that is not available in this version\n", w->name,
                   word_kind_text(w->kind));
        return;
    }
    buf_printf(out, "%s: %s\n\n  %s\n\n%s\n", w->name, word_kind_text(w->kind), w->usage, w->doc);
    if (w->kind == WORD_KIND_DECL && str_is(str_from(w->name), "alarm"))
        for (uint32_t i = 0; i < word_alarm_field_count; i++)
            buf_printf(out, "%s  %s\n      %s\n", i ? "" : "\nfields:\n",
                       word_alarm_fields[i].usage, word_alarm_fields[i].doc);
    buf_printf(out, "\nexample: %s\n", w->example);
}

static void builtin(const BuiltinInfo *info, Buf *out)
{
    buf_printf(out, "%s: function\n\n  ", info->name);
    word_signature(info, out);
    buf_printf(out, "\n\n%s\n", info->doc);
    static const char *const units[] = {"Takes numbers without unit.",
                                        "The result has the unit of the first argument.",
                                        "The powers of the unit are halved.",
                                        "Takes an angle: rad, or a unit that converts to it."};
    bool numbers = info->args[0] == 'f';
    if (numbers && (size_t)info->unit < COUNT_OF(units)) buf_printf(out, "%s\n", units[info->unit]);
    if (info->reason != REASON_NONE)
        buf_printf(out, "A record may fail here with `%s`: %s.\n", reason_text(info->reason),
                   reason_doc(info->reason));
}

static void reason(Reason r, Buf *out)
{
    buf_printf(out, "%s: reason\n\nWhy a record fails: %s.\n", reason_text(r), reason_doc(r));
    const char *before = "Functions that may fail so:";
    for (uint32_t i = 0; i < BUILTIN__COUNT; i++) {
        const BuiltinInfo *info = builtin_info((Builtin)i);
        if (info->reason != r) continue;
        buf_printf(out, "%s %s", before, info->name);
        before = ",";
    }
    if (before[0] == ',') buf_char(out, '\n');
}

static void connector(const WordConnector *c, Buf *out)
{
    buf_printf(out, "%s: %s\n\n%s.\n", c->name,
               c->in && c->out ? "source and sink"
               : c->in         ? "source"
                               : "sink",
               c->doc);
    for (int side = 0; side < 2; side++) {
        bool any = false;
        for (uint32_t i = 0; i < word_option_count; i++) {
            const WordOption *o = &word_options[i];
            if (!str_eq(str_from(o->connector), str_from(c->name))) continue;
            if (side == 0 ? !o->in : !o->out) continue;
            if (!any) buf_printf(out, "\nbehind `%s`:\n", side == 0 ? "from" : "into");
            any = true;
            buf_printf(out, "  %-10s %s%s%s\n", o->name, o->doc, o->takes[0] ? "; takes " : "",
                       o->takes);
        }
    }
}

/* A unit by its name, with prefix or power too: kW, m3. */
static bool unit(Str name, Buf *out)
{
    Unit found;
    if (!unit_find(name, &found)) return false;
    Arena *arena = arena_new(0, 0);
    if (!arena) return false;
    const char *text = NULL;
    for (uint32_t i = 0; i < word_unit_count; i++)
        if (str_is(name, word_units[i].name)) text = word_units[i].text;
    Str dimension = unit_dimension(arena, &found);
    buf_printf(out, "%.*s: unit\n\n", STR_ARG(name));
    if (text) buf_printf(out, "%s; ", text);
    buf_printf(out, "dimension: %.*s\n", STR_ARG(dimension));
    bool any = false;
    for (uint32_t i = 0; i < word_unit_count; i++) {
        Unit other;
        if (str_is(name, word_units[i].name)) continue;
        if (!unit_find(str_from(word_units[i].name), &other)) continue;
        if (!unit_convertible(&found, &other)) continue;
        double factor, offset;
        unit_conversion(&found, &other, &factor, &offset);
        if (!any) buf_text(out, "converts:\n");
        any = true;
        buf_printf(out, "  x [%.*s] to [%s] is x * %.15g", STR_ARG(name), word_units[i].name,
                   factor);
        if (offset != 0)
            buf_printf(out, " %c %.15g", offset < 0 ? '-' : '+', offset < 0 ? -offset : offset);
        buf_char(out, '\n');
    }
    arena_free(arena);
    return true;
}

/* An option by its name, of every connector that has it. */
static bool option(Str name, Buf *out)
{
    bool any = false;
    for (uint32_t i = 0; i < word_option_count; i++) {
        const WordOption *o = &word_options[i];
        if (!str_is(name, o->name)) continue;
        if (!any) buf_printf(out, "%s: option of connectors\n\n", o->name);
        any = true;
        buf_printf(out, "  %s %s: %s%s%s\n", o->in ? o->out ? "from and into" : "from" : "into",
                   o->connector, o->doc, o->takes[0] ? "; takes " : "", o->takes);
    }
    return any;
}

static bool word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Whether the usage shows it as a word of its own, in small letters: `idle` of time. */
static bool shows(const char *usage, Str name)
{
    for (const char *at = usage; *at;) {
        const char *end = at;
        while (word_char(*end)) end++;
        if (str_eq(str_slice(at, (size_t)(end - at)), name)) return true;
        at = end > at ? end : at + 1;
    }
    return false;
}

/* A word inside a stage, a declaration or a call: what it belongs to is explained. */
static bool inside(Str name, Buf *out)
{
    bool any = false;
    if (!name.len || name.ptr[0] < 'a' || name.ptr[0] > 'z' || name.len < 2) return false;
    for (uint32_t i = 0; i < word_count; i++) {
        if (!shows(words[i].usage, name) || !word_available(&words[i])) continue;
        buf_printf(out, "%s`%.*s` is a word of `%s`:\n\n", any ? "\n" : "", STR_ARG(name),
                   words[i].name);
        word(&words[i], out);
        any = true;
    }
    return any;
}

static void next(bool *any, Buf *out)
{
    if (*any) buf_char(out, '\n');
    *any = true;
}

bool word_explain(Str name, Buf *out)
{
    bool any = false;
    for (uint32_t i = 0; i < word_count; i++) {
        if (!str_is(name, words[i].name)) continue;
        next(&any, out);
        word(&words[i], out);
    }
    Builtin which = builtin_find(name);
    if (which != BUILTIN__COUNT) {
        next(&any, out);
        builtin(builtin_info(which), out);
    }
    for (uint32_t i = 0; i < word_connector_count; i++) {
        if (!str_is(name, word_connectors[i].name)) continue;
        next(&any, out);
        connector(&word_connectors[i], out);
    }
    for (uint32_t r = 1; r < REASON__COUNT; r++) {
        if (!str_is(name, reason_text((Reason)r))) continue;
        next(&any, out);
        reason((Reason)r, out);
    }
    LibraryFn fn;
    if (library_find(name, &fn)) {
        next(&any, out);
        library_explain(&fn, out);
    }
    Unit space;
    if (unit_find(name, &space)) {
        next(&any, out);
        any = unit(name, out) || any;
    }
    if (!any) any = option(name, out);
    return any || inside(name, out);
}

Str word_suggest(Str name)
{
    Str best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    for (uint32_t i = 0; i < word_count; i++)
        diag_suggest(name, str_from(words[i].name), &best, &distance);
    for (uint32_t i = 0; i < BUILTIN__COUNT; i++)
        diag_suggest(name, str_from(builtin_info((Builtin)i)->name), &best, &distance);
    for (uint32_t i = 0; i < word_connector_count; i++)
        diag_suggest(name, str_from(word_connectors[i].name), &best, &distance);
    for (LibraryFn fn = {0}; library_next(&fn);) diag_suggest(name, fn.name, &best, &distance);
    for (uint32_t r = 1; r < REASON__COUNT; r++)
        diag_suggest(name, str_from(reason_text((Reason)r)), &best, &distance);
    if (!best.len) best = unit_suggest(name, NULL);
    return best;
}
