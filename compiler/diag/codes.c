/* compiler/diag/codes.c: what is known of each code: its sentence, its reason, an example. */
#include "base/json.h"
#include "compiler/diag/diag.h"

#include <ctype.h>

static const DiagCodeInfo codes[] = {
#define CODE(id, title, why) [DIAG_##id] = {#id, title, why},
#include "compiler/diag/codes.def"
#undef CODE
};

static const DiagExample examples[DIAG__COUNT] = {
#define EXAMPLE(id, frame, wrong, right) [DIAG_##id] = {DIAG_FRAME_##frame, wrong, right},
#include "compiler/diag/examples.def"
#undef EXAMPLE
};

static const struct {
    char letter;
    const char *title;
} families[] = {{'P', "Syntax"},
                {'N', "Names"},
                {'T', "Types"},
                {'U', "Units"},
                {'S', "Stages, sources and sinks"},
                {'R', "Tests"},
                {'C', "Functions in C"},
                {'A', "Not available in this version"}};

const DiagCodeInfo *diag_code_info(DiagCode code)
{
    return (unsigned)code < DIAG__COUNT ? &codes[code] : NULL;
}

const DiagExample *diag_code_example(DiagCode code)
{
    return (unsigned)code < DIAG__COUNT ? &examples[code] : NULL;
}

const DiagCodeInfo *diag_code_find(Str id)
{
    for (size_t i = 0; i < DIAG__COUNT; i++) {
        Str have = str_from(codes[i].id);
        if (have.len != id.len) continue;
        size_t same = 0;
        while (same < id.len && toupper((unsigned char)id.ptr[same]) == have.ptr[same]) same++;
        if (same == id.len) return &codes[i];
    }
    return NULL;
}

/* The codes of a family by number: `at` -1 starts, -1 ends. */
static int next_code(char letter, int at)
{
    const char *after = at < 0 ? "" : codes[at].id;
    int best = -1;
    for (int i = 0; i < (int)DIAG__COUNT; i++) {
        if (codes[i].id[0] != letter || strcmp(codes[i].id, after) <= 0) continue;
        if (best < 0 || strcmp(codes[i].id, codes[best].id) < 0) best = i;
    }
    return best;
}

void diag_codes_text(Buf *out)
{
    for (size_t f = 0; f < COUNT_OF(families); f++) {
        buf_printf(out, f ? "\n%s\n" : "%s\n", families[f].title);
        for (int i = -1; (i = next_code(families[f].letter, i)) >= 0;)
            buf_printf(out, "  %s  %s\n", codes[i].id, codes[i].title);
    }
}

/* Each line of the text behind `margin`. */
static void put_lines(Buf *out, const char *margin, const char *text)
{
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, "\n");
        buf_printf(out, "%s%.*s\n", margin, (int)len, at);
        at += len + (at[len] == '\n');
    }
}

void diag_code_explain(const DiagCodeInfo *info, Buf *out)
{
    const DiagExample *example = &examples[info - codes];
    buf_printf(out, "%s: %s\n\n%s\n", info->id, info->title, info->why);
    if (example->wrong && example->wrong[0]) {
        buf_text(out, "\nnot\n");
        put_lines(out, "  ", example->wrong);
    }
    if (example->right && example->right[0]) {
        buf_text(out, "but\n");
        put_lines(out, "  ", example->right);
    }
}

void diag_codes_json(Buf *out)
{
    JsonOut json;
    json_out_init(&json, out);
    json_begin_array(&json);
    for (size_t f = 0; f < COUNT_OF(families); f++) {
        for (int i = -1; (i = next_code(families[f].letter, i)) >= 0;) {
            json_begin_object(&json);
            json_field_text(&json, "code", codes[i].id);
            json_field_text(&json, "family", families[f].title);
            json_field_text(&json, "title", codes[i].title);
            json_field_text(&json, "why", codes[i].why);
            json_field_text(&json, "wrong", examples[i].wrong ? examples[i].wrong : "");
            json_field_text(&json, "right", examples[i].right ? examples[i].right : "");
            json_end(&json);
        }
    }
    json_end(&json);
    buf_char(out, '\n');
}

static void put_block(Buf *out, const char *word, const char *text)
{
    if (!text || !text[0]) return;
    buf_printf(out, "%s\n```\n", word);
    put_lines(out, "", text);
    buf_text(out, "```\n");
}

void diag_codes_page(Buf *out)
{
    buf_text(out, "# Diagnostics\n\n"
                  "What the compiler can have to say, by code; `tutti explain CODE` says the same. "
                  "Generated from\n"
                  "`compiler/diag/codes.def` and `examples.def` by `tutti explain --codes "
                  "--markdown`; do not edit.\n");
    for (size_t f = 0; f < COUNT_OF(families); f++) {
        buf_printf(out, "\n## %s\n", families[f].title);
        for (int i = -1; (i = next_code(families[f].letter, i)) >= 0;) {
            buf_printf(out, "\n### %s: %s\n%s\n", codes[i].id, codes[i].title, codes[i].why);
            put_block(out, "\nnot", examples[i].wrong);
            put_block(out, "but", examples[i].right);
        }
    }
}
