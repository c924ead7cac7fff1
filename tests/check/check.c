/* tests/check/check.c: the house checker: reads a list of files on stdin, applies every rule.
 *
 * `git ls-files | check` is what `make check` runs; `check --self-test` gives each rule one text it
 * must refuse and one it must accept, so that no rule can fall asleep. Exit 1 when something was
 * reported. Rules are in rules.c; rules that need the whole tree (a README in each folder) are
 * here. */
#include "rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXCUSES_MAX = 500, PATHS_MAX = 20000, PATH_BYTES = 400 };

static struct Excuse {
    char path[PATH_BYTES], rule[16];
    int line, used;
} excuses[EXCUSES_MAX];
static int excuse_count, faults, collected;
static char last_rule[16];

static void print_report(const char *path, int line, const char *rule, const char *text)
{
    for (int i = 0; i < excuse_count; i++) {
        struct Excuse *e = &excuses[i];
        if (strcmp(e->path, path) || strcmp(e->rule, rule)) continue;
        if (line != e->line && line != e->line + 1) continue;
        e->used++;
        return;
    }
    printf("%s:%d: [%s] %s\n", path, line, rule, text);
    faults++;
}

static void collect_report(const char *path, int line, const char *rule, const char *text)
{
    (void)path, (void)line, (void)text;
    (void)snprintf(last_rule, sizeof last_rule, "%s", rule);
    collected++;
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

/* Splits `text` (owned by the caller, changed in place) into lines. */
static bool file_split(CheckFile *file, const char *path, char *text, size_t bytes)
{
    *file = (CheckFile){.path = path, .text = text, .bytes = bytes};
    int count = 1;
    for (size_t i = 0; i < bytes; i++) count += text[i] == '\n';
    file->lines = calloc((size_t)count + 1, sizeof *file->lines);
    if (!file->lines) return false;
    for (char *at = text; at < text + bytes;) {
        char *end = memchr(at, '\n', (size_t)(text + bytes - at));
        if (end) *end = '\0';
        file->lines[file->line_count++] = at;
        at = end ? end + 1 : text + bytes;
    }
    file->is_header = ends_with(path, ".h");
    file->is_c = file->is_header || ends_with(path, ".c");
    file->is_test = strncmp(path, "tests/", 6) == 0;
    return true;
}

static void note_excuses(const CheckFile *file)
{
    static const char word[] = "check-allow: ";
    if (strncmp(file->path, "tests/check/", 12) == 0) return;
    for (int i = 0; i < file->line_count && excuse_count < EXCUSES_MAX; i++) {
        const char *at = strstr(file->lines[i], word);
        if (!at) continue;
        struct Excuse *e = &excuses[excuse_count++];
        (void)snprintf(e->path, sizeof e->path, "%s", file->path);
        (void)sscanf(at + sizeof word - 1, "%15s", e->rule);
        e->line = i + 1;
    }
}

static void run_rules(const CheckFile *file)
{
    check_lines(file);
    check_head(file);
    check_calls(file);
    check_layers(file);
    check_functions(file);
}

static bool check_path(const char *path)
{
    FILE *in = fopen(path, "rb");
    if (!in) return false;
    (void)fseek(in, 0, SEEK_END);
    long size = ftell(in);
    rewind(in);
    char *text = size < 0 ? NULL : calloc(1, (size_t)size + 1);
    size_t got = text ? fread(text, 1, (size_t)size, in) : 0;
    (void)fclose(in);
    CheckFile file;
    bool binary = text && memchr(text, '\0', got);
    if (text && !binary && file_split(&file, path, text, got)) {
        note_excuses(&file);
        run_rules(&file);
        free(file.lines);
    }
    free(text);
    return text != NULL;
}

/* Every folder with C sources says what it is. */
static void check_readmes(char (*paths)[PATH_BYTES], int count)
{
    for (int i = 0; i < count; i++) {
        bool room = !strncmp(paths[i], "runtime/", 8) || !strncmp(paths[i], "compiler/", 9);
        if (!room || !(ends_with(paths[i], ".c") || ends_with(paths[i], ".y"))) continue;
        char want[PATH_BYTES + 16], dir[PATH_BYTES];
        (void)snprintf(dir, sizeof dir, "%s", paths[i]);
        *strrchr(dir, '/') = '\0';
        (void)snprintf(want, sizeof want, "%s/README.md", dir);
        bool found = false, told = false;
        for (int k = 0; k < count; k++) {
            found |= strcmp(paths[k], want) == 0;
            told |= k < i && !strncmp(paths[k], dir, strlen(dir)) && ends_with(paths[k], ".c") &&
                    !strchr(paths[k] + strlen(dir) + 1, '/');
        }
        if (!found && !told)
            print_report(want, 1, "readme", "a folder of sources needs a README.md");
    }
}

/* One text each rule must refuse, named by the rule; and one nobody may refuse. */
static int self_test(void)
{
    static char big[64 * 90];
    size_t at = (size_t)snprintf(big, sizeof big, "/* runtime/base/x.c: x\n */\n{\n");
    for (int i = 0; i < 90; i++) at += (size_t)snprintf(big + at, sizeof big - at, "    x();\n");
    (void)snprintf(big + at, sizeof big - at, "}\n");
    static const char head[] = "/* runtime/base/x.c: x */\n";
    const struct {
        const char *rule, *path, *body;
    } cases[] = {
        {"length", "runtime/base/x.c",
         "// "
         "456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
         "12345678901234\n"},
        {"space", "runtime/base/x.c", "int a; \n"},
        {"mark", "runtime/base/x.c",
         "/* FIX"
         "ME later */\n"},
        {"path", "runtime/base/x.c",
         "/* see /ro"
         "ot/x */\n"},
        {"call", "runtime/base/x.c", "    sprintf(a, b);\n"},
        {"call", "runtime/base/x.c", "    p = malloc(3);\n"},
        {"layer", "runtime/base/x.c", "#include \"bus/bus.h\"\n"},
        {"layer", "runtime/modules/uns/x.c", "#include \"modules/auth/auth.h\"\n"},
        {"layer", "compiler/type/x.c", "#include \"flow/abi.h\"\n"},
        {"layer", "compiler/link/x.c", "#include \"http/http.h\"\n"},
        {"", "compiler/link/x.c", "#include \"flow/abi.h\"\n"},
        {"", "runtime/bus/x.c", "#include \"loop/loop.h\"\n"},
        {"", "tests/x.c", "    free(p); /* malloc( in a comment */\n"},
        {"", "runtime/base/x.c", "    puts(\"sprintf(\");\n"},
    };
    int failed = 0, count = (int)(sizeof cases / sizeof *cases);
    check_report = collect_report;
    for (int i = 0; i < count + 1; i++) {
        char text[sizeof big];
        const char *rule = i < count ? cases[i].rule : "function";
        const char *path = i < count ? cases[i].path : "runtime/base/x.c";
        int len = i < count ? snprintf(text, sizeof text, "%s%s", head, cases[i].body)
                            : snprintf(text, sizeof text, "%s", big);
        CheckFile file;
        collected = 0;
        last_rule[0] = '\0';
        if (!file_split(&file, path, text, (size_t)len)) return 1;
        run_rules(&file);
        bool fine = *rule ? collected > 0 && strcmp(last_rule, rule) == 0 : collected == 0;
        if (!fine) printf("self-test %d: want [%s], got [%s]\n", i, rule, last_rule);
        failed += !fine;
        free(file.lines);
    }
    printf("%d passed, %d failed\n", count + 1 - failed, failed);
    return failed != 0;
}

int main(int argc, char **argv)
{
    static char paths[PATHS_MAX][PATH_BYTES];
    int count = 0;
    if (argc > 1 && strcmp(argv[1], "--self-test") == 0) return self_test();
    check_report = print_report;
    while (count < PATHS_MAX && fgets(paths[count], PATH_BYTES, stdin)) {
        paths[count][strcspn(paths[count], "\n")] = '\0';
        if (paths[count][0] && check_path(paths[count])) count++;
    }
    check_readmes(paths, count);
    for (int i = 0; i < excuse_count; i++) {
        if (excuses[i].used) continue;
        printf("%s:%d: [excuse] nothing here needs this exception\n", excuses[i].path,
               excuses[i].line);
        faults++;
    }
    printf("%d files checked, %d faults\n", count, faults);
    return faults != 0;
}
