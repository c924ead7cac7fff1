/* compiler/emit_c/cc_steps.c: the compiler's own programs, called without its driver.
 *
 * `cc` compiles nothing: it looks for its parts and starts them. What it would start it tells when
 * called with -###; that is learnt once and kept in the cache folder, so that later calls start the
 * parts at once. The file's name is a hash of everything the answer depends on: the driver's path,
 * size and time, the options, the variables that drivers look at. Its text has a line for each word
 * of each step, an empty line behind each step; where a file is to be named stands a mark. Behind
 * the text stands a hash of it and of the size and time of each program it names, so neither a
 * damaged file nor one about programs that were replaced is followed.
 *
 * Who can write to that file has us run programs. So it is kept and read only in a folder that
 * belongs to this user and that nobody else may write to, and must be such a file itself. Wherever
 * anything is not as expected the answer is false, and the driver does the work as ever. */
#include "compiler/emit_c/cc_int.h"

#include "base/buf.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    STEPS_MAX = 2, /* a compiler, and an assembler that reads what it writes */
    WORDS_MAX = 200,
    TEXT_BYTES_MAX = 64 << 10,
    SEAL_BYTES = 32,
    PATH_BYTES = CC_PATH_BYTES
};

static const char source_mark[] = "\001", object_mark[] = "\002";

typedef struct Steps {
    const char *argv[STEPS_MAX][WORDS_MAX + 1];
    uint32_t count;
} Steps;

typedef crypto_generichash_state Hash;

static void hash_text(Hash *hash, const char *text)
{
    crypto_generichash_update(hash, (const unsigned char *)text, strlen(text) + 1);
}

static void hash_file(Hash *hash, const struct stat *st)
{
    long long identity[3] = {(long long)st->st_size, (long long)st->st_mtim.tv_sec,
                             (long long)st->st_mtim.tv_nsec};
    crypto_generichash_update(hash, (const unsigned char *)identity, sizeof identity);
}

/* What stands for a word: marks for the two files. */
static const char *marked(const CcCall *call, const char *word)
{
    if (strcmp(word, call->source) == 0) return source_mark;
    return strcmp(word, call->object) == 0 ? object_mark : word;
}

static void name_of(const CcCall *call, char *path)
{
    static const char *const variables[] = {"PATH",  "COMPILER_PATH",  "GCC_EXEC_PREFIX",
                                            "CPATH", "C_INCLUDE_PATH", "CCC_OVERRIDE_OPTIONS"};
    Hash hash;
    unsigned char sum[20];
    char name[sizeof sum * 2 + 1];
    crypto_generichash_init(&hash, NULL, 0, sizeof sum);
    hash_text(&hash, "steps 1");
    hash_file(&hash, call->compiler);
    for (const char *const *word = call->argv; *word; word++) hash_text(&hash, marked(call, *word));
    for (size_t i = 0; i < COUNT_OF(variables); i++) {
        const char *value = getenv(variables[i]);
        hash_text(&hash, value ? value : "");
    }
    crypto_generichash_final(&hash, sum, sizeof sum);
    sodium_bin2hex(name, sizeof name, sum, sizeof sum);
    snprintf(path, PATH_BYTES, "%s/%s.steps", call->folder, name);
}

/* Nobody but this user may write here. */
static bool ours(const struct stat *st)
{
    return st->st_uid == geteuid() && (st->st_mode & 022) == 0;
}

static bool folder_ours(const char *folder)
{
    struct stat st;
    return stat(folder, &st) == 0 && S_ISDIR(st.st_mode) && ours(&st);
}

/* Hash of the text and of the programs in it; false: one of them is not there. */
static bool seal_of(Str text, unsigned char *seal)
{
    Hash hash;
    crypto_generichash_init(&hash, NULL, 0, SEAL_BYTES);
    crypto_generichash_update(&hash, (const unsigned char *)text.ptr, text.len);
    for (bool first = true; text.len;) { /* the first word of each step */
        char path[PATH_BYTES];
        struct stat st;
        ptrdiff_t end = str_find_char(text, '\n');
        if (end < 0) return false;
        if (first) {
            if (!end || end >= PATH_BYTES || *text.ptr != '/') return false;
            snprintf(path, sizeof path, "%.*s", (int)end, text.ptr);
            if (stat(path, &st) || !S_ISREG(st.st_mode)) return false;
            hash_file(&hash, &st);
        }
        first = end == 0;
        text = str_skip(text, (size_t)end + 1);
    }
    crypto_generichash_final(&hash, seal, SEAL_BYTES);
    return true;
}

/* ---- learning ---- */

/* The next word of a line as -### writes it: bare, or in quotes with a \ before what is special.
 * Appends it; *ret_bare: it stood without quotes. False: the line ends here, or is no such line. */
static bool next_word(Str *line, Buf *out, bool *ret_bare)
{
    while (line->len && *line->ptr == ' ') *line = str_skip(*line, 1);
    if (!line->len) return false;
    *ret_bare = *line->ptr != '"';
    if (!*ret_bare) *line = str_skip(*line, 1);
    while (line->len && *line->ptr != (*ret_bare ? ' ' : '"')) {
        if (*line->ptr == '\\' && line->len > 1) *line = str_skip(*line, 1);
        buf_char(out, *line->ptr);
        *line = str_skip(*line, 1);
    }
    if (!*ret_bare && !line->len) return false;
    if (!*ret_bare) *line = str_skip(*line, 1);
    return true;
}

/* One step of a line of the answer; *ret_piped: the next one reads what it writes. */
static bool learn_step(const CcCall *call, Str line, Buf *text, bool *ret_piped)
{
    AUTO_BUF Buf word;
    struct stat st;
    char path[PATH_BYTES];
    bool bare;
    uint32_t count = 0;
    *ret_piped = false;
    for (buf_init(&word, PATH_BYTES - 1); next_word(&line, &word, &bare); buf_clear(&word)) {
        if (buf_status(&word) || !word.len || *ret_piped) return false;
        if (bare && str_eq(buf_view(&word), STR("|"))) {
            *ret_piped = true;
            continue;
        }
        const char *value = marked(call, word.ptr);
        if (!count) value = cc__find_program(word.ptr, path, &st) ? path : "";
        buf_printf(text, "%s\n", value);
        if (count++ == 0 && *value != '/') return false;
    }
    buf_char(text, '\n');
    return count > 0 && count <= WORDS_MAX;
}

/* Lines of the answer that begin with a blank are the steps. */
static bool learn_text(const CcCall *call, Str answer, Buf *text)
{
    uint32_t count = 0;
    bool piped = false;
    while (answer.len) {
        ptrdiff_t end = str_find_char(answer, '\n');
        size_t len = end < 0 ? answer.len : (size_t)end;
        Str line = str_slice(answer.ptr, len);
        answer = str_skip(answer, len + 1);
        if (!str_starts(line, STR(" ")) || str_starts(line, STR(" ("))) continue; /* a remark */
        if (count++ && !piped) return false; /* files between steps: not with -pipe */
        if (count > STEPS_MAX || !learn_step(call, line, text, &piped)) return false;
    }
    return count && !piped && !buf_status(text) && str_find(buf_view(text), STR("\n\001\n")) >= 0 &&
           str_find(buf_view(text), STR("\n\002\n")) >= 0;
}

static bool read_file(int fd, Buf *out)
{
    struct stat st;
    ssize_t n = -1;
    char *to =
        fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size <= TEXT_BYTES_MAX
            ? buf_reserve(out, (size_t)st.st_size)
            : NULL;
    if (to) n = read(fd, to, (size_t)st.st_size);
    if (n > 0) out->len = (size_t)n;
    return n > 0 && n == st.st_size;
}

/* Asks the driver. */
static bool learn(const CcCall *call, Buf *text)
{
    AUTO_BUF Buf answer;
    const char *argv[WORDS_MAX + 2];
    size_t n = 0;
    bool fine;
    buf_init(&answer, TEXT_BYTES_MAX + 1);
    argv[n++] = call->argv[0];
    argv[n++] = "-###";
    for (const char *const *word = call->argv + 1; *word && n < WORDS_MAX; word++)
        argv[n++] = *word;
    argv[n] = NULL;
    if (cc__run(argv, call->folder, call->log, &fine, &(Diag){0}) || !fine) return false;
    int fd = open(call->log, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool read = read_file(fd, &answer);
    close(fd);
    return read && learn_text(call, buf_view(&answer), text);
}

/* ---- keeping ---- */

static void keep(const CcCall *call, const char *path, Str text)
{
    char made[PATH_BYTES];
    unsigned char seal[SEAL_BYTES];
    int len = snprintf(made, sizeof made, "%.*s.steps", PATH_BYTES - 10, call->object);
    if (len < 0 || len >= PATH_BYTES || !seal_of(text, seal)) return;
    int fd = open(made, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return;
    bool fine = write(fd, text.ptr, text.len) == (ssize_t)text.len &&
                write(fd, seal, sizeof seal) == (ssize_t)sizeof seal;
    if (close(fd) || !fine || rename(made, path)) unlink(made);
}

static bool kept(const char *path, Buf *text)
{
    unsigned char seal[SEAL_BYTES];
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return false;
    bool fine = fstat(fd, &st) == 0 && ours(&st) && read_file(fd, text) && text->len > SEAL_BYTES;
    close(fd);
    if (!fine) return false;
    text->len -= SEAL_BYTES;
    return seal_of(buf_view(text), seal) && memcmp(seal, text->ptr + text->len, SEAL_BYTES) == 0;
}

/* ---- running ---- */

/* The steps of a text, whose ends of lines become ends of words. */
static bool steps_of(const CcCall *call, Buf *text, Steps *ret)
{
    size_t words = 0;
    ret->count = 0;
    for (char *p = text->ptr, *end = p + text->len; p < end;) {
        char *stop = memchr(p, '\n', (size_t)(end - p));
        if (!stop || ret->count == STEPS_MAX) return false;
        *stop = '\0';
        const char **to = ret->argv[ret->count];
        if (stop == p) {
            to[words] = NULL;
            ret->count++;
            words = 0;
        } else if (words < WORDS_MAX) {
            to[words++] = strcmp(p, source_mark) == 0   ? call->source
                          : strcmp(p, object_mark) == 0 ? call->object
                                                        : p;
        } else {
            return false;
        }
        p = stop + 1;
    }
    return ret->count && !words;
}

bool cc__steps(const CcCall *call)
{
    AUTO_BUF Buf text;
    char path[PATH_BYTES];
    Steps steps;
    bool fine = false;
    buf_init(&text, TEXT_BYTES_MAX);
    if (!folder_ours(call->folder)) return false;
    name_of(call, path);
    if (!kept(path, &text)) {
        buf_clear(&text);
        if (!learn(call, &text)) return false;
        keep(call, path, buf_view(&text));
    }
    if (!steps_of(call, &text, &steps)) return false;
    Status status = steps.count > 1
                        ? cc__run_piped(steps.argv[0], steps.argv[1], call->folder, call->log,
                                        &fine, &(Diag){0})
                        : cc__run(steps.argv[0], call->folder, call->log, &fine, &(Diag){0});
    return !status && fine;
}

void cc__steps_forget(const CcCall *call)
{
    char path[PATH_BYTES];
    name_of(call, path);
    unlink(path);
}
