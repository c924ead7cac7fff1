/* compiler/lsp/lsp_int.h: inside the language server. Nobody outside compiler/lsp includes this.
 *
 * A Doc is a text the client has open. What is known about it (tree, findings, facts, index) lives
 * in its arena and is thrown away as a whole when the text changes: lsp_doc_ready makes it anew
 * when an answer needs it. Places inside are byte offsets; lines and UTF-16 columns exist at the
 * edge only (text.c). */
#ifndef TUTTI_COMPILER_LSP_LSP_INT_H
#define TUTTI_COMPILER_LSP_LSP_INT_H

#include "base/buf.h"
#include "base/json.h"
#include "compiler/ast/ast.h"
#include "compiler/diag/diag.h"
#include "compiler/lex/lex.h"
#include "compiler/type/facts.h"
#include "compiler/words/words.h"

enum {
    LSP_HEADER_MAX = 8 << 10,
    LSP_MESSAGE_MAX = 24 << 20, /* a text of SOURCE_BYTES_MAX with every byte escaped fits */
    LSP_ANSWER_MAX = 64 << 20,
    LSP_DOCS_MAX = 256,
    LSP_URI_MAX = 4096,
    LSP_ITEMS_MAX = 500,    /* completions in one answer */
    LSP_NAME_MAX = 128,     /* of a new name */
    LSP_FOREIGN_MAX = 2000, /* names of other files that a text uses */
    LSP_ALIASES_MAX = 64,   /* a field handed on by so many stages under its name */
    LSP_ARENA_MAX = 512 << 20
};

/* Error codes of JSON-RPC and LSP. */
enum {
    RPC_PARSE_ERROR = -32700,
    RPC_INVALID_REQUEST = -32600,
    RPC_METHOD_NOT_FOUND = -32601,
    RPC_INVALID_PARAMS = -32602,
    RPC_INTERNAL_ERROR = -32603,
    RPC_NOT_INITIALIZED = -32002,
    RPC_REQUEST_FAILED = -32803
};

/* ---- what a text's names mean: index.c ---------------------------------------------------- */

typedef enum SymbolKind {
    SYMBOL_TYPE,
    SYMBOL_CONST,
    SYMBOL_FN,
    SYMBOL_UNIT,
    SYMBOL_CONNECTION,
    SYMBOL_MAP,
    SYMBOL_TABLE,
    SYMBOL_ALARM,
    SYMBOL_PIPELINE,
    SYMBOL_FIELD,
    SYMBOL_PARAM,
    SYMBOL_ENUM_NAME
} SymbolKind;

typedef struct Symbol {
    SymbolKind kind;
    Str name;
    Span def;            /* the name where it was made, maybe in another file */
    const AstItem *item; /* around it, or it */
} Symbol;

/* A name somewhere in the text, and the symbol it means. */
typedef struct Use {
    Span at;
    uint32_t symbol;
} Use;

/* A word whose meaning is not a symbol of the program. */
typedef enum MarkKind {
    MARK_UNIT,
    MARK_TYPE,
    MARK_FORMAT,
    MARK_CALL,
    MARK_CONNECTOR,
    MARK_OPTION,
    MARK_ALARM_FIELD,
    MARK_LABEL /* of an argument */
} MarkKind;

typedef struct Mark {
    Span at;
    MarkKind kind;
    Str owner; /* MARK_OPTION: the connector; MARK_LABEL: the function */
    bool in;   /* of a source */
} Mark;

typedef struct Index {
    Symbol *symbols;
    uint32_t symbol_count, symbol_cap;
    Use *uses; /* by place; a definition is a use of itself */
    uint32_t use_count, use_cap;
    Mark *marks; /* by place */
    uint32_t mark_count, mark_cap;
} Index;

typedef struct Doc {
    Str uri, path; /* owned; path is what diagnostics would show */
    Buf text;
    int64_t version;
    uint32_t *lines; /* owned: offset of each line's first byte */
    uint32_t line_count, line_cap;
    bool open;
    bool stale;  /* what follows is older than the text */
    bool unsaid; /* diagnostics were not sent yet */
    bool uses_files;
    Arena *arena;
    SourceSet sources;
    const Source *source; /* NULL: the text is too long */
    DiagList diags;
    AstFile *file;
    Facts facts;
    IrProgram *program;
    Index *index; /* made when first needed */
} Doc;

typedef struct Lsp {
    int in, out;
    Buf input;     /* what was read and not yet handled */
    uint64_t skip; /* bytes of a message over the limit still to come */
    Buf answer;    /* body being written */
    Buf scratch;   /* texts of hovers and labels */
    Arena *arena;  /* of the message at hand */
    Arena *trial;  /* of texts that are only tried */
    Doc docs[LSP_DOCS_MAX];
    bool initialized, shut, over;
    int exit_code;
    int error; /* of the request at hand; 0: fine */
    Str error_text;
} Lsp;

/* ---- lsp.c, wire.c ---- */
typedef enum WireState { WIRE_MESSAGE, WIRE_MORE, WIRE_BROKEN } WireState;
/* The next whole message of `input`; it stays valid until wire_done. */
WireState wire_next(Lsp *lsp, Str *ret_body, size_t *ret_whole);
void wire_done(Lsp *lsp, size_t whole);
/* One read; false: the input has ended. */
bool wire_read(Lsp *lsp);
bool wire_waiting(const Lsp *lsp); /* more input can be read at once */
void wire_send(Lsp *lsp, Str body);
/* Makes the request at hand fail. */
void lsp_fail(Lsp *lsp, int code, const char *format, ...) PRINTF_LIKE(3, 4);

/* ---- doc.c, text.c ---- */
Doc *lsp_doc(Lsp *lsp, const Json *params); /* of params.textDocument.uri; NULL: not open, failed */
/* The document with its tree, findings and facts; false: failed (said so). */
bool lsp_doc_ready(Lsp *lsp, Doc *doc);
void lsp_doc_free(Doc *doc);
/* Makes what is known about the text anew; `others` are all open documents, or NULL. */
MUST Status lsp_doc_check(Doc *doc, const Doc *others);
const Index *lsp_index(Doc *doc); /* never NULL: empty when memory ends */
void lsp_did_open(Lsp *lsp, const Json *params);
void lsp_did_change(Lsp *lsp, const Json *params);
void lsp_did_save(Lsp *lsp, const Json *params);
void lsp_did_close(Lsp *lsp, const Json *params);

MUST Status lsp_lines(Doc *doc); /* after each change of the text */
uint32_t lsp_offset(const Doc *doc, const Json *position);
void lsp_put_position(JsonOut *out, const Doc *doc, uint32_t offset);
void lsp_put_range(JsonOut *out, const Doc *doc, Span span); /* with its key "range" */
void lsp_put_location(Lsp *lsp, JsonOut *out, const Doc *doc, Span span);
/* Line from 0 and UTF-16 column. */
void lsp_place(const Doc *doc, uint32_t offset, uint32_t *ret_line, uint32_t *ret_column);
uint32_t lsp_utf16(Str text);

/* ---- index.c, find.c ---- */
MUST Status index_build(Doc *doc, Index *index);
const Use *index_use(const Index *index, uint32_t offset);   /* NULL: no name there */
const Mark *index_mark(const Index *index, uint32_t offset); /* NULL: none */
/* The token at or just before the offset; NULL: none touches it. */
const LexToken *doc_token(const Doc *doc, uint32_t offset);
Str doc_text(const Doc *doc, uint32_t start, uint32_t end);
/* The stage around the offset, and the row that reaches it. */
typedef struct DocRow {
    const Record *in;      /* what the stage at the offset gets; NULL: nothing known */
    const AstStage *stage; /* whole stages only; NULL: none, or broken */
    const AstItem *item;
} DocRow;
DocRow doc_row(const Doc *doc, uint32_t offset);
const AstItem *doc_item(const Doc *doc, uint32_t offset);
/* The row that leaves, or reaches, the stage that starts there. */
const Record *doc_stage_row(const Doc *doc, Span stage, bool out);
/* What the smallest expression around the offset is; NULL: none. */
const Fact *doc_fact(const Doc *doc, uint32_t offset);
/* The value that ends exactly there (the largest of them); NULL: none. */
const Fact *doc_fact_before(const Doc *doc, uint32_t end);
/* The file that a `use` names; NULL: it could not be read. */
const AstFile *doc_used(const Doc *doc, const AstItem *use);
/* The row of a test's `in` or `expect`; of several sinks one whose rows have `field`, if named. */
const Record *doc_step_row(const Doc *doc, const AstItem *test, const AstStep *step, Str field);

/* ---- answers ---- */
void lsp_put_diagnostic(Lsp *lsp, JsonOut *out, Doc *doc, const Diagnostic *d);
void lsp_publish(Lsp *lsp, Doc *doc);
#define METHOD(name, fn) void fn(Lsp *lsp, const Json *params, JsonOut *out);
#include "compiler/lsp/methods.def"
#undef METHOD

#endif
