/* compiler/words/reference.c: what no file of the library declares, for docs/stdlib.md: functions
 * built in, functions with a memory, aggregates and units, from the tables that declare them. */
#include "compiler/words/words.h"

#include "compiler/type/builtins.h"

/* A `|` would end the cell. */
static void cell(const char *text, Buf *out)
{
    for (const char *c = text; *c; c++) {
        if (*c == '|') buf_char(out, '\\');
        buf_char(out, *c == '\n' ? ' ' : *c);
    }
}

static void row(const char *usage, const char *doc, const char *reason, Buf *out)
{
    buf_text(out, "| `");
    cell(usage, out);
    buf_text(out, "` | ");
    cell(doc, out);
    buf_text(out, " |");
    if (reason) buf_printf(out, reason[0] ? " `%s` |" : "%s |", reason);
    buf_char(out, '\n');
}

static void rows_of(WordKind kind, Buf *out)
{
    for (uint32_t i = 0; i < word_count; i++)
        if (words[i].kind == kind) row(words[i].usage, words[i].doc, NULL, out);
}

void word_reference(Buf *out)
{
    buf_text(
        out,
        "\n# Built in\n\nWhat follows is part of the compiler; docs/language.md says the rules."
        " Arguments may be given by the names\nshown, in any order behind those without one:"
        " `round_to(temp, digits: 1)`.\n\n## Functions\n\n"
        "| function | meaning | may fail |\n|---|---|---|\n");
    for (uint32_t i = 0; i < BUILTIN__COUNT; i++) {
        const BuiltinInfo *info = builtin_info((Builtin)i);
        AUTO_BUF Buf signature;
        buf_init(&signature, 1024);
        word_signature(info, &signature);
        buf_char(&signature, 0);
        row(signature.ptr, info->doc, info->reason == REASON_NONE ? "" : reason_text(info->reason),
            out);
    }
    buf_text(out, "\nOf numbers and other single values, whose type and unit they keep:\n\n"
                  "| function | meaning |\n|---|---|\n");
    rows_of(WORD_KIND_FUNCTION, out);
    row("min(a, b)", "The lesser of two values.", NULL, out);
    row("max(a, b)", "The greater of two values.", NULL, out);
    buf_text(out, "\n## Functions with a memory\n\n| function | meaning |\n|---|---|\n");
    rows_of(WORD_KIND_MEMORY, out);
    buf_text(out, "\n## Aggregates of a window\n\n| aggregate | meaning |\n|---|---|\n");
    rows_of(WORD_KIND_AGGREGATE, out);
    buf_text(out, "\n## Units\n\nThose with a check mark take the prefixes n u m c d h k M G T.\n\n"
                  "| unit | | prefixes |\n|---|---|---|\n");
    for (uint32_t i = 0; i < word_unit_count; i++) {
        buf_printf(out, "| `%s` | ", word_units[i].name);
        cell(word_units[i].text, out);
        buf_printf(out, " | %s |\n", word_units[i].prefix ? "✓" : "");
    }
}
