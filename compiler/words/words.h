/* compiler/words/words.h: the words of the language with their meaning, from the tables that
 * declare them: words.def, stdlib/builtins.def, stdlib/units.def, connectors.def, reasons.def.
 *
 * For hover, completion and `tutti explain NAME`; the compiler itself does not need it. All texts
 * are constant. */
#ifndef TUTTI_COMPILER_WORDS_WORDS_H
#define TUTTI_COMPILER_WORDS_WORDS_H

#include "base/buf.h"
#include "base/str.h"
#include "compiler/type/builtins.h"

typedef enum WordKind {
    WORD_KIND_STAGE,
    WORD_KIND_DECL,
    WORD_KIND_AGGREGATE,
    WORD_KIND_FUNCTION,
    WORD_KIND_MEMORY,
    WORD_KIND_TYPE,
    WORD_KIND_FORMAT,
    WORD_KIND_WINDOW, /* words of the stage `window` */
    WORD_KIND_OPERATOR,
    WORD_KIND__COUNT
} WordKind;

typedef struct Word {
    WordKind kind;
    const char *name, *usage, *doc;
    uint8_t frame;
    const char *example;
} Word;

extern const Word words[];
extern const uint32_t word_count;

const char *word_kind_text(WordKind kind); /* "stage" */
const Word *word_find(WordKind kind, Str name);
/* False when this version refuses the word; compiled once per word and process, then remembered. */
bool word_available(const Word *word);
/* The program around a word's example, for the test that compiles them all; nothing for a word
 * whose example needs another file. */
void word_program(const Word *word, Buf *out);

/* In the braces of `alarm`: type/alarm_fields.def. */
typedef enum WordAlarmTakes {
    ALARM_TAKES_FILTER,
    ALARM_TAKES_NUMBER,
    ALARM_TAKES_SPAN,
    ALARM_TAKES_WORDS,
    ALARM_TAKES_QUALITY,
    ALARM_TAKES_PRIORITY,
    ALARM_TAKES_FLAG,
    ALARM_TAKES_TEXT
} WordAlarmTakes;

typedef struct WordAlarmField {
    const char *name, *usage, *doc;
    WordAlarmTakes takes;
} WordAlarmField;

extern const WordAlarmField word_alarm_fields[];
extern const uint32_t word_alarm_field_count;
const WordAlarmField *word_alarm_field(Str name); /* NULL: there is none */

/* Behind `from` and `into`: connectors.def. */
typedef struct WordConnector {
    const char *name, *doc;
    bool in, out;
    bool address; /* a text or name belongs behind it */
} WordConnector;

typedef struct WordOption {
    const char *connector, *name, *doc;
    const char *takes; /* "a whole number", or "" for a flag */
    bool in, out, needed;
} WordOption;

extern const WordConnector word_connectors[];
extern const uint32_t word_connector_count;
extern const WordOption word_options[];
extern const uint32_t word_option_count;

typedef struct WordUnit {
    const char *name, *text;
    bool prefix; /* SI prefixes may stand before it */
} WordUnit;

extern const WordUnit word_units[];
extern const uint32_t word_unit_count;

/* "round_to(x: f64, digits: i64) -> f64" */
void word_signature(const BuiltinInfo *info, Buf *out);

/* The part of docs/stdlib.md behind library_reference. */
void word_reference(Buf *out);

/* What `tutti explain NAME` prints: every meaning of the name, best known first. False: none. */
bool word_explain(Str name, Buf *out);
/* The nearest known name, or empty. */
Str word_suggest(Str name);

#endif
