/* compiler/driver/cmd_fmt.c: `tutti fmt`: rewrites files in place, all or nothing per file. */
#include "compiler/driver/options.h"

#include "compiler/fmt/fmt.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Through a new file beside it and a rename, so that a crash leaves the old text. */
static Status replace_file(Front *front, const char *path, Str text, Diag *diag)
{
    struct stat info;
    Str beside = arena_printf(front->arena, "%s.fmt-%ld", path, (long)getpid());
    if (!beside.ptr) return ST_NO_MEMORY;
    FILE *file = fopen(beside.ptr, "wbxe");
    if (!file) return diag_errno(diag, errno, "%s", beside.ptr);
    bool good = fwrite(text.ptr, 1, text.len, file) == text.len;
    if (stat(path, &info) == 0) good = fchmod(fileno(file), info.st_mode & 07777) == 0 && good;
    good = fclose(file) == 0 && good;
    if (good && rename(beside.ptr, path) == 0) return ST_OK;
    int error = errno;
    (void)unlink(beside.ptr);
    return diag_errno(diag, error, "%s", path);
}

static Status format_one(Front *front, uint32_t index, bool check, bool *ret_changed, Diag *diag)
{
    const Source *source = front->programs[index];
    Buf out;
    buf_init(&out, (size_t)SOURCE_BYTES_MAX * 4);
    Status st = fmt_file(front->arena, front->files[index], &out);
    if (st) (void)diag_set(diag, st, "%.*s: %s", STR_ARG(source->path), status_text(st));
    bool standard = str_is(source->path, "<stdin>");
    bool changed = !st && !str_eq(buf_view(&out), source->text);
    buf_str(&out, source->carried); /* files behind the program's own text stay as they are */
    if (!st && standard && !check) (void)fwrite(out.ptr ? out.ptr : "", 1, out.len, stdout);
    if (changed && check) (void)printf("%.*s\n", STR_ARG(source->path));
    if (changed && !check && !standard) {
        st = replace_file(front, source->path.ptr, buf_view(&out), diag);
    }
    buf_done(&out);
    *ret_changed = changed;
    return st;
}

static int format_all(const Command *self, Front *front, bool check)
{
    Diag diag = {0};
    bool any = false;
    int code = front_report(front); /* a file with errors stays as it is */
    for (uint32_t i = 0; i < front->count; i++) {
        bool changed = false;
        if (front->files[i]->broken) continue;
        Status st = format_one(front, i, check, &changed, &diag);
        if (st) return driver_failed(self, st, &diag);
        any = any || changed;
    }
    return check && any ? EXIT_WRONG : code;
}

const Option fmt_options[] = {OPTION("--check", NULL, OPTION_FLAG, FrontArgs, flag,
                                     "change nothing; name the files that would change and exit 1"),
                              {0}};

int cmd_fmt(const Command *self, int argc, char **argv)
{
    FrontArgs args;
    int code = options_read_front(self, argc, argv, &args);
    if (code >= 0) return code;
    code = format_all(self, &args.front, args.flag);
    front_close(&args.front);
    return code;
}
