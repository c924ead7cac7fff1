/* compiler/words/words.c: the tables as C, and which words this version has. */
#include "compiler/words/words.h"

#include "compiler/bundle.h"
#include "compiler/compile.h"

enum {
    FRAME_STAGE,
    FRAME_FROM,
    FRAME_TIME,
    FRAME_END,
    FRAME_ERROR,
    FRAME_VALUE,
    FRAME_TALLY,
    FRAME_TYPE,
    FRAME_DECL,
    FRAME_FORMAT,
    FRAME_ALONE
};

const Word words[] = {
#define WORD(kind, name, usage, doc, frame, example)                                               \
    {WORD_KIND_##kind, name, usage, doc, FRAME_##frame, example},
#include "compiler/words/words.def"
#undef WORD
};
const uint32_t word_count = COUNT_OF(words);

/* The columns of connectors.def as bits: 1 in, 2 out. */
enum {
    SIDES_IN = 1,
    SIDES_OUT = 2,
    SIDES_BOTH = 3,
    SIDES_BOUNDED_IN = 3,
    SIDES_BOUNDED_IN_ONLY = 1,
    ADDRESS_NONE = 0,
    ADDRESS_TEXT = 1,
    ADDRESS_FIXED = 1,
    ADDRESS_NAME = 1,
    ADDRESS_MAYBE = 1,
    ADDRESS_DURATION = 1
};

#define TAKES_FLAG     ""
#define TAKES_INT      "a whole number"
#define TAKES_TEXT     "a text"
#define TAKES_WORD     "a word"
#define TAKES_DURATION "a duration"
#define TAKES_KEYS     "fields in parentheses"
#define TAKES_MAPNAME  "the name of a map"
#define TAKES_SIZE     "a size such as 64KiB"
#define TAKES_PIECES   "a text that may hold fields"
#define TAKES_MOMENT   "an instant, or an age such as 1d"

const WordConnector word_connectors[] = {
#define KIND(name, sides, address, format, doc)                                                    \
    {#name, doc, (SIDES_##sides & 1) != 0, (SIDES_##sides & 2) != 0, ADDRESS_##address != 0},
#define OPTION(kind, side, name, type, needed, doc)
#include "compiler/type/connectors.def"
#undef KIND
#undef OPTION
};
const uint32_t word_connector_count = COUNT_OF(word_connectors);

const WordOption word_options[] = {
#define KIND(name, sides, address, format, doc)
#define OPTION(kind, side, name, type, needed, doc)                                                \
    {#kind, #name, doc, TAKES_##type, (SIDES_##side & 1) != 0, (SIDES_##side & 2) != 0, needed},
#include "compiler/type/connectors.def"
#undef KIND
#undef OPTION
};
const uint32_t word_option_count = COUNT_OF(word_options);

const WordAlarmField word_alarm_fields[] = {
#define ALARM_FIELD(name, takes, usage, doc) {#name, usage, doc, ALARM_TAKES_##takes},
#include "compiler/type/alarm_fields.def"
#undef ALARM_FIELD
};
const uint32_t word_alarm_field_count = COUNT_OF(word_alarm_fields);

const WordUnit word_units[] = {
#define UNIT(name, m, kg, s, A, K, mol, cd, data, num, den, pi, prefix, text) {name, text, prefix},
#include "stdlib/units.def"
#undef UNIT
};
const uint32_t word_unit_count = COUNT_OF(word_units);

const char *word_kind_text(WordKind kind)
{
    static const char *const texts[WORD_KIND__COUNT] = {"stage",    "declaration",      "aggregate",
                                                        "function", "function",         "type",
                                                        "format",   "word of `window`", "operator"};
    return texts[kind];
}

const WordAlarmField *word_alarm_field(Str name)
{
    for (uint32_t i = 0; i < word_alarm_field_count; i++)
        if (str_is(name, word_alarm_fields[i].name)) return &word_alarm_fields[i];
    return NULL;
}

const Word *word_find(WordKind kind, Str name)
{
    for (uint32_t i = 0; i < word_count; i++)
        if (words[i].kind == kind && str_is(name, words[i].name)) return &words[i];
    return NULL;
}

void word_program(const Word *word, Buf *out)
{
    uint8_t f = word->frame;
    if (f == FRAME_ALONE) return;
    const char *example = word->example;
    buf_text(out, "type Reading = { ts: time, machine: string(16), temp: f64 [degC],\n"
                  "  pressure: f64 [bar]?, n: i32, state: enum { RUN, IDLE }, note: string(64)\n");
    if (str_is(str_from(word->name), "each")) buf_text(out, ", values: [f64; 8]\n");
    if (str_is(str_from(word->name), "good_ratio")) buf_text(out, ", level: tag f64\n");
    buf_text(out, "}\n");
    if (str_is(str_from(word->name), "join"))
        buf_text(out, "table machines from csv \"machines.csv\" key id : { id: string(16) }\n");
    if (f == FRAME_TYPE) buf_printf(out, "type Value = { value: %s }\n", example);
    if (f == FRAME_DECL) buf_printf(out, "%s\n", example);
    buf_text(out, "pipeline hot {\n  ");
    bool message = str_is(str_from(word->name), "protobuf");
    if (f == FRAME_FORMAT)
        buf_printf(out, "from stdin as %s { %s: string(64) }%s", example,
                   str_is(str_from(word->name), "sparkplug") ? "uuid" : "line",
                   message ? " proto \"reading.proto\" message Reading" : "");
    else
        buf_text(out, f == FRAME_FROM  ? example
                      : f == FRAME_END ? "from http post \"/readings\" as json Reading"
                                       : "from stdin as json Reading");
    if (f != FRAME_FORMAT)
        buf_printf(out, "\n  %s", f == FRAME_TIME ? example : "time ts order 1s");
    if (f == FRAME_STAGE) buf_printf(out, "\n  %s", example);
    if (f == FRAME_VALUE) buf_printf(out, "\n  let x = %s", example);
    if (f == FRAME_TALLY) buf_printf(out, "\n  window tumble 10s by machine { x = %s }", example);
    buf_text(out, "\n  into stdout\n");
    if (f == FRAME_END) buf_printf(out, "  %s\n", example);
    buf_printf(out, "  %s\n}\n", f == FRAME_ERROR ? example : "on error drop");
    if (message) /* carried with it: bundle.h */
        buf_text(out, "#: file reading.proto\nsyntax = \"proto3\";\n"
                      "message Reading { string line = 1; }\n");
}

/* Compiles the example; only a word that compiles is offered. */
static bool compiles(const Word *word)
{
    if (word->frame == FRAME_ALONE) return true;
    SourceSet set;
    DiagList diags;
    Source *source;
    IrProgram *program = NULL;
    AUTO_BUF Buf text;
    buf_init(&text, 1 << 16);
    word_program(word, &text);
    Arena *arena = arena_new(0, 0);
    if (!arena || buf_status(&text)) {
        arena_free(arena);
        return false;
    }
    source_set_init(&set, arena);
    diag_list_init(&diags, arena, &set);
    bool fine = source_add(&set, STR("word"), buf_view(&text), &source, NULL) == ST_OK &&
                bundle_open(source, NULL) == ST_OK &&
                compile_source(arena, source, &diags, NULL, &program) == ST_OK && program != NULL;
    arena_free(arena);
    return fine;
}

bool word_available(const Word *word)
{
    static uint8_t known[COUNT_OF(words)]; /* 0 not asked yet, 1 no, 2 yes; one thread */
    uint8_t *at = &known[word - words];
    if (!*at) *at = compiles(word) ? 2 : 1;
    return *at == 2;
}
