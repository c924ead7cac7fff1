/* compiler/emit_c/external.c: the C files of `extern c` blocks, each behind its wrappers.
 *
 * A wrapper takes the runtime's values and calls the user's function with plain C arguments. It
 * stands behind the user's text in one translation unit, so the compiler checks the call against
 * the real definition; nothing of ours comes before that text, so no name of ours is in its way.
 * Arrays and texts are copied onto the stack: the user's code sees ordinary C memory, `n` items
 * long (or, where it takes no count, filled up with zeros to the bound). Which of the two a
 * function wants is read off its type by the compiler itself. */
#include "compiler/emit_c/emit_int.h"

#include <inttypes.h>
#include <stdio.h>

enum { WRAPPERS_MAX = 4 << 20 };

/* How an array or a text may be taken: with or without const, and what counts its items. */
static const char *const counts[] = {", unsigned long", "", ", int", ", unsigned", ", long"};
static const char *const constness[] = {"const ", ""};

static const char *ctype(IrType type)
{
    switch (type) {
    case IR_BOOL: return "_Bool";
    case IR_I32: return "int";
    case IR_U32: return "unsigned";
    case IR_U64: return "unsigned long";
    case IR_F32: return "float";
    case IR_F64: return "double";
    case IR_STR: return "char";
    case IR_BYTES: return "unsigned char";
    default: return "long"; /* I64, TIME, DURATION */
    }
}

static bool is_array(const IrExternParam *p)
{
    return p->type == IR_LIST || p->type == IR_STR || p->type == IR_BYTES;
}

static const char *element(const IrExternParam *p)
{
    return ctype(p->type == IR_LIST ? p->item : p->type);
}

void emit_prototype(const IrExtern *fn, Buf *out)
{
    buf_printf(out, "%s %.*s(", ctype(fn->result), STR_ARG(fn->name));
    if (fn->steps)
        buf_printf(out, "%.*s *state%s", STR_ARG(fn->state), fn->param_count ? ", " : "");
    for (uint32_t i = 0; i < fn->param_count; i++) {
        const IrExternParam *p = &fn->params[i];
        if (i) buf_text(out, ", ");
        if (is_array(p))
            buf_printf(out, "const %s *%.*s, size_t n%.*s", element(p), STR_ARG(p->name),
                       STR_ARG(p->name));
        else
            buf_printf(out, "%s %.*s", ctype(p->type), STR_ARG(p->name));
    }
    buf_text(out, !fn->steps && !fn->param_count ? "void)" : ")");
}

/* ---- the state's type ---- */

static bool word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Start of the word at or behind `at`, or text.len. */
static size_t find_word(Str text, Str word, size_t at)
{
    while (at < text.len) {
        ptrdiff_t found = str_find(str_skip(text, at), word);
        if (found < 0) return text.len;
        at += (size_t)found;
        bool starts = at == 0 || !word_char(text.ptr[at - 1]);
        if (starts && (at + word.len == text.len || !word_char(text.ptr[at + word.len]))) return at;
        at += word.len;
    }
    return text.len;
}

/* "struct Kurt" where the file defines a struct of that name, else "Kurt" where the word occurs at
 * all, else "void": then only the user knows what the bytes are. */
static void state_type(Str text, Str name, char *out, size_t size)
{
    size_t at = find_word(text, name, 0);
    (void)snprintf(out, size, "%s", "void");
    if (at < text.len) (void)snprintf(out, size, "%.*s", STR_ARG(name));
    for (; at < text.len; at = find_word(text, name, at + name.len)) {
        Str before = str_trim(str_slice(text.ptr, at));
        Str after = str_trim(str_skip(text, at + name.len));
        if (str_ends(before, STR("struct")) && str_starts(after, STR("{")))
            (void)snprintf(out, size, "struct %.*s", STR_ARG(name));
    }
}

/* ---- one wrapper ---- */

/* The C types of all parameters in one form. */
static void parameter_types(Buf *out, const IrExtern *fn, const char *state, size_t form)
{
    const char *constant = constness[form % COUNT_OF(constness)];
    const char *count = counts[form / COUNT_OF(constness)];
    if (fn->steps) buf_printf(out, "%s *%s", state, fn->param_count ? ", " : "");
    for (uint32_t i = 0; i < fn->param_count; i++) {
        const IrExternParam *p = &fn->params[i];
        if (i) buf_text(out, ", ");
        if (is_array(p))
            buf_printf(out, "%s%s *%s", constant, element(p), count);
        else
            buf_text(out, ctype(p->type));
    }
}

static void arguments(Buf *out, const IrExtern *fn, size_t form)
{
    bool counted = counts[form / COUNT_OF(constness)][0] != 0;
    if (fn->steps) buf_printf(out, "tutti_state%s", fn->param_count ? ", " : "");
    for (uint32_t i = 0; i < fn->param_count; i++) {
        if (i) buf_text(out, ", ");
        buf_printf(out, "a%" PRIu32, i);
        if (is_array(&fn->params[i]) && counted) buf_printf(out, ", n%" PRIu32, i);
    }
}

static void argument(Buf *out, const IrExternParam *p, uint32_t i)
{
    const char *type = element(p);
    const char *member = p->item == IR_F32 || p->item == IR_F64   ? "d"
                         : p->item == IR_U32 || p->item == IR_U64 ? "u"
                                                                  : "i";
    if (!is_array(p)) {
        member = p->type == IR_F32 || p->type == IR_F64   ? "d"
                 : p->type == IR_U32 || p->type == IR_U64 ? "u"
                                                          : "i";
        buf_printf(out, "    %s a%" PRIu32 " = (%s)tutti_args[%" PRIu32 "].%s;\n", type, i, type, i,
                   member);
        return;
    }
    uint32_t room = p->bytes_max + (p->type != IR_LIST); /* texts end with a NUL, too */
    buf_printf(out,
               "    unsigned long n%" PRIu32 " = tutti_args[%" PRIu32 "].s.n;\n"
               "    if (n%" PRIu32 " > %" PRIu32 ") n%" PRIu32 " = %" PRIu32 ";\n    %s a%" PRIu32
               "[%" PRIu32 "];\n",
               i, i, i, p->bytes_max, i, p->bytes_max, type, i, room ? room : 1);
    if (p->type == IR_LIST)
        buf_printf(out,
                   "    for (unsigned long i = 0; i < n%" PRIu32 "; i++) a%" PRIu32
                   "[i] = (%s)((const Tutti_value *)(const void *)(tutti_args[%" PRIu32
                   "].s.p + 24 * i))->%s;\n",
                   i, i, type, i, member);
    else
        buf_printf(out,
                   "    if (n%" PRIu32 ") __builtin_memcpy(a%" PRIu32 ", tutti_args[%" PRIu32
                   "].s.p, n%" PRIu32 ");\n",
                   i, i, i, i);
    buf_printf(out,
               "    __builtin_memset(a%" PRIu32 " + n%" PRIu32 ", 0, sizeof a%" PRIu32
               " - n%" PRIu32 " * sizeof *a%" PRIu32 ");\n",
               i, i, i, i, i);
}

/* The call in the form the function has; a function without arrays is simply called. */
static void call(Buf *out, const IrExtern *fn, const char *state, size_t forms)
{
    const char *result = ctype(fn->result);
    if (forms == 0) {
        buf_printf(out, "    %s r = %.*s(", result, STR_ARG(fn->name));
        arguments(out, fn, 0);
        buf_text(out, ");\n");
        return;
    }
    for (size_t form = 0; form < forms; form++) {
        buf_printf(out, "    typedef %s (*Tutti_form_%zu)(", result, form);
        parameter_types(out, fn, state, form);
        buf_text(out, ");\n");
    }
    buf_text(out, "    _Static_assert(");
    for (size_t form = 0; form < forms; form++)
        buf_printf(out, "%s__builtin_types_compatible_p(__typeof__(&%.*s), Tutti_form_%zu)",
                   form ? " || " : "", STR_ARG(fn->name), form);
    buf_printf(out,
               ", \"%.*s is not the function that is declared; in C it is: ", STR_ARG(fn->name));
    emit_prototype(fn, out);
    buf_printf(out, "\");\n    %s r = ", result);
    for (size_t form = 0; form < forms; form++) {
        buf_printf(out,
                   "__builtin_choose_expr(__builtin_types_compatible_p(__typeof__(&%.*s), "
                   "Tutti_form_%zu), ((Tutti_form_%zu)(void *)%.*s)(",
                   STR_ARG(fn->name), form, form, STR_ARG(fn->name));
        arguments(out, fn, form);
        buf_text(out, "), ");
    }
    buf_text(out, "0");
    for (size_t form = 0; form < forms; form++) buf_char(out, ')');
    buf_text(out, ";\n");
}

static void wrapper(Buf *out, const IrExtern *fn, uint32_t index, Str text)
{
    char state[160] = "void";
    bool arrays = false;
    for (uint32_t i = 0; i < fn->param_count; i++) arrays = arrays || is_array(&fn->params[i]);
    if (fn->steps) {
        state_type(text, fn->state, state, sizeof state);
        if (!str_is(str_from(state), "void"))
            buf_printf(out,
                       "_Static_assert(sizeof(%s) <= %" PRIu32
                       ", \"%s is larger than the state(%" PRIu32 ") that is declared\");\n",
                       state, fn->state_bytes, state, fn->state_bytes);
    }
    buf_printf(out,
               "unsigned tutti_extern_%" PRIu32
               "(void *tutti_state, const Tutti_value *tutti_args, Tutti_value *tutti_ret)\n{\n",
               index);
    buf_printf(out, "    typedef __typeof__(&%.*s) Tutti_function;\n",
               STR_ARG(fn->name)); /* it is there */
    for (uint32_t i = 0; i < fn->param_count; i++) argument(out, &fn->params[i], i);
    call(out, fn, state, arrays ? COUNT_OF(counts) * COUNT_OF(constness) : 0);
    bool is_float = fn->result == IR_F32 || fn->result == IR_F64;
    const char *member = is_float ? "d" : fn->result == IR_U32 || fn->result == IR_U64 ? "u" : "i";
    buf_printf(out, "    (void)tutti_state;\n    (void)tutti_args;\n    tutti_ret->%s = r;\n",
               member);
    if (is_float)
        buf_text(out, "    return r - r != 0;\n}\n");
    else
        buf_text(out, "    return 0;\n}\n");
}

/* ---- units ---- */

static void unit(Buf *out, const IrProgram *program, uint32_t file)
{
    const Source *source = program->extern_files[file];
    buf_text(out, "#line 1 \"");
    for (size_t i = 0; i < source->path.len; i++) {
        char c = source->path.ptr[i];
        if (c == '"' || c == '\\') buf_char(out, '\\');
        buf_char(out, c);
    }
    buf_text(out, "\"\n");
    buf_str(out, source->text);
    buf_printf(out,
               "\n#line 1 \"calls of %.*s\"\n"
               "typedef union Tutti_value {\n    long i;\n    unsigned long u;\n    double d;\n"
               "    struct {\n        const char *p;\n        unsigned long n;\n    } s;\n"
               "} Tutti_value;\n",
               STR_ARG(source->path));
    for (uint32_t i = 0; i < program->extern_count; i++)
        if (program->externs[i].file == file) wrapper(out, &program->externs[i], i, source->text);
}

/* The list of all wrappers, in a unit of its own. */
static void list(Buf *out, const IrProgram *program)
{
    for (uint32_t i = 0; i < program->extern_count; i++)
        buf_printf(out, "unsigned tutti_extern_%" PRIu32 "(void *, const void *, void *);\n", i);
    buf_text(out,
             "typedef unsigned Tutti_extern(void *, const void *, void *);\n"
             "extern Tutti_extern *const tutti_externs[];\n"
             "__attribute__((visibility(\"default\"))) Tutti_extern *const tutti_externs[] = {");
    for (uint32_t i = 0; i < program->extern_count; i++)
        buf_printf(out, "tutti_extern_%" PRIu32 ", ", i);
    buf_text(out, "0};\n");
}

Status emit_externs(const IrProgram *program, Arena *arena, EmitUnits *units, Diag *diag)
{
    uint32_t count = program->extern_count ? program->extern_file_count + 1 : 0;
    Str *more = arena_many(arena, Str, count + 1);
    if (!more) return diag_set(diag, ST_NO_MEMORY, "compiling");
    for (uint32_t i = 0; i < count; i++) {
        AUTO_BUF Buf out;
        buf_init(&out, WRAPPERS_MAX + SOURCE_BYTES_MAX);
        if (i < program->extern_file_count)
            unit(&out, program, i);
        else
            list(&out, program);
        Status status = buf_status(&out);
        more[i] = status ? STR_NONE : arena_str(arena, buf_view(&out));
        if (!more[i].ptr) return diag_set(diag, ST_NO_MEMORY, "compiling");
    }
    units->more = more;
    units->more_count = count;
    return ST_OK;
}
