/* tests/check/rules.c: the rules on single files: lines, heads, banned calls, layers, functions.
 *
 * Each rule is one function over the lines of a file, and each list is one table here. They read
 * text, not C: comments and strings are blanked where a rule must not see them. */
#include "rules.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

CheckReportFn *check_report;

static bool word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Position of `word` as a whole word, or NULL. */
static const char *find_word(const char *line, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = line; (at = strstr(at, word)); at += len)
        if ((at == line || !word_char(at[-1])) && !word_char(at[len])) return at;
    return NULL;
}

/* Copies a line with the insides of strings and comments blanked; carries block comments over. */
static void code_only(const char *line, char *out, size_t room, bool *in_comment)
{
    char quote = 0;
    size_t i = 0;
    for (; line[i] && i + 1 < room; i++) {
        out[i] = line[i];
        if (*in_comment) {
            out[i] = ' ';
            if (line[i] == '*' && line[i + 1] == '/') {
                *in_comment = false;
                if (i + 2 < room) out[++i] = ' ';
            }
        } else if (quote) {
            if (line[i] == '\\' && line[i + 1]) {
                out[i] = ' ';
                if (i + 2 < room) out[++i] = ' ';
            } else if (line[i] == quote) {
                quote = 0;
            } else {
                out[i] = ' ';
            }
        } else if (line[i] == '"' || line[i] == '\'') {
            quote = line[i];
        } else if (line[i] == '/' && line[i + 1] == '*') {
            *in_comment = true;
            out[i] = ' ';
        } else if (line[i] == '/' && line[i + 1] == '/') {
            break;
        }
    }
    out[i] = '\0';
}

void check_lines(const CheckFile *file)
{
    static const char *const marks[] = {"TODO", "FIXME", "XXX", "HACK"};
    static const char *const paths[] = {"/work/", "/root/", "/home/"};
    bool self = strncmp(file->path, "tests/check/", 12) == 0;
    for (int i = 0; i < file->line_count; i++) {
        const char *line = file->lines[i];
        size_t len = strlen(line), chars = 0;
        for (size_t c = 0; c < len; c++) chars += ((unsigned char)line[c] & 0xC0) != 0x80;
        if (file->is_c && chars > LINE_MAX_CHARS)
            check_report(file->path, i + 1, "length", "longer than 100 characters");
        if (len && (line[len - 1] == ' ' || line[len - 1] == '\t'))
            check_report(file->path, i + 1, "space", "white space at the end of the line");
        if (file->is_c && strchr(line, '\t'))
            check_report(file->path, i + 1, "space", "a tab; use four spaces");
        if (self) continue;
        for (size_t m = 0; m < sizeof marks / sizeof *marks; m++)
            if (find_word(line, marks[m]))
                check_report(file->path, i + 1, "mark", "a note to oneself was left over");
        for (size_t m = 0; m < sizeof paths / sizeof *paths; m++)
            if (strstr(line, paths[m]))
                check_report(file->path, i + 1, "path", "a path of one machine");
    }
    if (file->is_c && file->line_count > FILE_MAX_LINES)
        check_report(file->path, 1, "file", "over 1000 lines: split it");
}

void check_head(const CheckFile *file)
{
    if (!file->is_c) return;
    const char *first = file->line_count ? file->lines[0] : "";
    const char *name = strrchr(file->path, '/');
    name = name ? name + 1 : file->path;
    if (strncmp(first, "/* ", 3) != 0 || !strstr(first, name))
        check_report(file->path, 1, "head", "begin with: /* path/name: what this file does");
}

void check_calls(const CheckFile *file)
{
    static const struct {
        const char *name, *instead;
        bool also_tests;
    } banned[] = {
        {"strcpy", "arena_str or memcpy", true},
        {"strcat", "buf_str", true},
        {"sprintf", "snprintf or buf_printf", true},
        {"vsprintf", "vsnprintf", true},
        {"strtok", "str_find_char", true},
        {"atoi", "str_to_i64", true},
        {"atol", "str_to_i64", true},
        {"gets", "fgets", true},
        {"strncpy", "memcpy with a checked length", true},
        {"alloca", "an arena", true},
        {"system", "posix_spawn with an argument list", true},
        {"popen", "posix_spawn with an argument list", true},
        {"malloc", "mem_alloc", false},
        {"calloc", "mem_zalloc", false},
        {"realloc", "mem_realloc", false},
        {"free", "mem_free", false},
        {"strdup", "arena_str", false},
        {"sleep", "wait for the event", true},
        {"usleep", "wait for the event", true},
        {"rand", "a seeded generator", true},
    };
    if (!file->is_c || strstr(file->path, "base/mem.c")) return;
    bool outside = file->is_test || strncmp(file->path, "examples/", 9) == 0;
    bool in_comment = false;
    for (int i = 0; i < file->line_count; i++) {
        char code[1024];
        code_only(file->lines[i], code, sizeof code, &in_comment);
        for (size_t b = 0; b < sizeof banned / sizeof *banned; b++) {
            if (outside && !banned[b].also_tests) continue;
            const char *at = find_word(code, banned[b].name);
            if (!at || at[strlen(banned[b].name)] != '(') continue;
            if (at > code && (at[-1] == '.' || (at[-1] == '>' && at > code + 1))) continue;
            char text[160];
            (void)snprintf(text, sizeof text, "%s() is banned: use %s", banned[b].name,
                           banned[b].instead);
            check_report(file->path, i + 1, "call", text);
        }
    }
}

/* Rooms from the ground up; a file may include its own room and any with a lower rank. Rooms of
 * one rank do not know each other. The compiler stands beside the tower: base only, and flow in the
 * folders that build what runs in this process. */
static const struct Room {
    const char *prefix;
    int rank;
} rooms[] = {
    {"base/", 0},    {"loop/", 1},  {"bus/", 2},       {"store/", 2},   {"http/", 2},
    {"mqtt/", 3},    {"flow/", 3},  {"ask/", 4},       {"module/", 4},  {"modules/", 5},
    {"connect/", 4}, {"fleet/", 5}, {"peer/", 2},      {"deliver/", 4}, {"series/", 3},
    {"tls/", 1},     {"alarm/", 3}, {"sparkplug/", 4},
};

static const struct Room *room_of(const char *path)
{
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++)
        if (strncmp(path, rooms[i].prefix, strlen(rooms[i].prefix)) == 0) return &rooms[i];
    return NULL;
}

/* "modules/auth/x.h" -> length of "modules/auth/"; for other rooms the room itself. */
static size_t room_bytes(const char *path, const struct Room *room)
{
    size_t len = strlen(room->prefix);
    if (strcmp(room->prefix, "modules/") != 0) return len;
    const char *slash = strchr(path + len, '/');
    return slash ? (size_t)(slash - path) + 1 : len;
}

static const char *layer_fault(const char *own, const char *target)
{
    if (strncmp(own, "compiler/", 9) == 0) {
        if (strncmp(own, "compiler/driver/", 16) == 0) return NULL; /* the program: sees all */
        const struct Room *to = room_of(target);
        if (!to || to->rank == 0) return NULL;
        static const char *const engines[] = {"compiler/link/", "compiler/interp/",
                                              "compiler/emit_llvm/"};
        for (size_t i = 0; i < sizeof engines / sizeof *engines; i++)
            if (strncmp(own, engines[i], strlen(engines[i])) == 0)
                return strcmp(to->prefix, "flow/") == 0 ? NULL : "engines may use base and flow";
        return "the compiler may use runtime/base only";
    }
    if (strncmp(own, "runtime/", 8) != 0) return NULL;
    const char *mine = own + 8;
    const struct Room *from = room_of(mine), *to = room_of(target);
    if (!from || !to) return NULL;
    if (from == to) {
        size_t len = room_bytes(mine, from);
        if (strcmp(from->prefix, "modules/") != 0) return NULL;
        if (strchr(target + 8, '/') == NULL) return NULL; /* modules/modules.def */
        return strncmp(mine, target, len) == 0 ? NULL
                                               : "no module includes another: send a message";
    }
    return to->rank < from->rank ? NULL : "includes a room that is not below its own";
}

void check_layers(const CheckFile *file)
{
    if (!file->is_c) return;
    for (int i = 0; i < file->line_count; i++) {
        const char *line = file->lines[i];
        if (strncmp(line, "#include \"", 10) != 0) continue;
        const char *fault = layer_fault(file->path, line + 10);
        if (fault) check_report(file->path, i + 1, "layer", fault);
    }
}

void check_functions(const CheckFile *file)
{
    if (!file->is_c || file->is_header) return;
    int start = 0;
    for (int i = 0; i < file->line_count; i++) {
        const char *line = file->lines[i];
        if (strcmp(line, "{") == 0) start = i + 1;
        if (strcmp(line, "}") != 0 || start == 0) continue;
        if (i - start > FUNCTION_MAX_LINES)
            check_report(file->path, start, "function", "over 80 lines: give its parts names");
        start = 0;
    }
}
