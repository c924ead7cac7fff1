/* compiler/library/library.c: the texts of the standard library and what is found in them. */
#include "compiler/library/library.h"

#define EMBED(name)                                                                                \
    __asm__(".section .rodata\n.global library_text_" #name "\nlibrary_text_" #name                \
            ":\n.incbin \"" STDLIB_DIR "/" #name ".tutti\"\n.byte 0\n.previous\n");                \
    extern const char library_text_##name[];                                                       \
    static LibraryFile file_##name = {#name, "stdlib/" #name ".tutti", {library_text_##name, 0}}
EMBED(signal);
EMBED(oee);
EMBED(spc);
EMBED(energy);

const LibraryFile *const library_files[] = {&file_signal, &file_oee, &file_spc, &file_energy, NULL};

/* The line at `at` with its end cut off. */
static Str line_at(Str text, size_t at)
{
    Str rest = str_skip(text, at);
    ptrdiff_t end = str_find_char(rest, '\n');
    return end < 0 ? rest : str_slice(rest.ptr, (size_t)end);
}

static bool fn_line(Str line, Str *ret_name)
{
    if (!str_starts(line, STR("fn "))) return false;
    ptrdiff_t paren = str_find_char(line, '(');
    if (paren < 4) return false;
    *ret_name = str_slice(line.ptr + 3, (size_t)paren - 3);
    return true;
}

/* From `start` on; the comment are the lines with # directly above. */
static bool next_in(const LibraryFile *file, Str text, size_t start, LibraryFn *ret_fn)
{
    size_t above = start;
    bool comment = false;
    for (size_t at = start; at < text.len;) {
        Str line = line_at(text, at), name;
        if (fn_line(line, &name)) {
            ptrdiff_t body = str_find(line, STR(" ="));
            Str signature = body < 0 ? line : str_slice(line.ptr, (size_t)body);
            Str lines = comment ? str_slice(text.ptr + above, at - above) : STR("");
            *ret_fn = (LibraryFn){file, name, signature, lines};
            if (str_find(lines, STR("# example:")) >= 0)
                return true; /* others are the file's own */
            comment = false;
        }
        bool is_comment = str_starts(line, STR("#"));
        if (is_comment && !comment) above = at;
        comment = is_comment;
        at += line.len + 1;
    }
    return false;
}

static Str text_of(const LibraryFile *file)
{
    return str_from(file->text.ptr);
}

bool library_next(LibraryFn *fn)
{
    uint32_t i = 0;
    size_t start = 0;
    if (fn->file) {
        while (library_files[i] && library_files[i] != fn->file) i++;
        start = (size_t)(fn->signature.ptr - fn->file->text.ptr) + fn->signature.len;
    }
    for (; library_files[i]; i++, start = 0)
        if (next_in(library_files[i], text_of(library_files[i]), start, fn)) return true;
    return false;
}

bool library_find(Str name, LibraryFn *ret_fn)
{
    LibraryFn fn = {0};
    while (library_next(&fn)) {
        if (!str_eq(fn.name, name)) continue;
        *ret_fn = fn;
        return true;
    }
    return false;
}

/* The comment without its signs: the sentences, or the lines behind `example:`. */
static void comment(const LibraryFn *fn, bool example, Buf *out)
{
    bool any = false;
    for (size_t at = 0; at < fn->comment.len;) {
        Str line = line_at(fn->comment, at);
        at += line.len + 1;
        Str text = str_trim(str_skip(line, 1));
        bool is_example = str_starts(text, STR("example:"));
        if (is_example != example || !text.len) continue;
        if (is_example) text = str_trim(str_skip(text, 8));
        if (any) buf_char(out, example ? '\n' : ' ');
        buf_str(out, text);
        any = true;
    }
}

void library_explain(const LibraryFn *fn, Buf *out)
{
    AUTO_BUF Buf example;
    buf_init(&example, 4096);
    comment(fn, true, &example);
    buf_str(out, fn->signature);
    buf_text(out, "\n\n");
    comment(fn, false, out);
    if (example.len) {
        buf_text(out, "\n\n  ");
        buf_str(out, buf_view(&example));
    }
    buf_printf(out, "\n\nfrom %s\n", fn->file->path);
}

/* The comment at the top of a file, up to its first empty line. */
static void heading(const LibraryFile *file, Buf *out)
{
    Str text = text_of(file);
    buf_printf(out, "\n## %s\n\n", file->name);
    for (size_t at = 0; at < text.len;) {
        Str line = line_at(text, at);
        if (!str_starts(line, STR("#"))) break;
        buf_str(out, str_trim(str_skip(line, 1)));
        buf_char(out, '\n');
        at += line.len + 1;
    }
}

void library_reference(Buf *out)
{
    const LibraryFile *file = NULL;
    buf_text(out,
             "# The standard library\n\n"
             "Made by `tutti explain --stdlib` from stdlib/; do not edit. Every program knows\n"
             "these functions, unless it declares the same name. Each stands in its file beside\n"
             "a test.\n");
    for (LibraryFn fn = {0}; library_next(&fn);) {
        if (fn.file != file) heading(fn.file, out);
        file = fn.file;
        buf_printf(out, "\n### %.*s\n\n```tutti\n%.*s\n```\n\n", STR_ARG(fn.name),
                   STR_ARG(fn.signature));
        comment(&fn, false, out);
        AUTO_BUF Buf example;
        buf_init(&example, 4096);
        comment(&fn, true, &example);
        if (example.len) buf_printf(out, "\n\n```tutti\n%.*s\n```", STR_ARG(buf_view(&example)));
        buf_char(out, '\n');
    }
}
