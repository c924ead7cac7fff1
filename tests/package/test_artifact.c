/* tests/package/test_artifact.c: what is appended comes back; what is damaged is refused. */
#include "test.h"

#include "compiler/package/artifact.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "artifact-XXXXXX", exe_path[64], out_path[64], again_path[64];

static void put_file(const char *path, const void *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");
    CHECK(file);
    CHECK_INT(fwrite(bytes, 1, len, file), len);
    CHECK_INT(fclose(file), 0);
}

static size_t get_file(const char *path, unsigned char *bytes, size_t room)
{
    FILE *file = fopen(path, "rb");
    CHECK(file);
    size_t len = fread(bytes, 1, room, file);
    (void)fclose(file);
    return len;
}

static ArtifactProgram programs[] = {
    {{"a.tutti", 7}, {"pipeline a {}", 13}, {"{}", 2}, {"\177ELF so a", 9}},
    {{"b.tutti", 7}, {"", 0}, {"[]", 2}, {"\177ELF so b!", 10}},
};
static const Artifact sample = {{"press-line", 10}, programs, 2};

static void set_up(void)
{
    static bool done;
    if (done) return;
    done = true;
    CHECK(mkdtemp(dir));
    (void)snprintf(exe_path, sizeof exe_path, "%s/exe", dir);
    (void)snprintf(out_path, sizeof out_path, "%s/out", dir);
    (void)snprintf(again_path, sizeof again_path, "%s/again", dir);
    put_file(exe_path, "pretend executable", 18);
}

TEST(artifact_gives_back_what_was_put_in)
{
    Diag diag = {0};
    Artifact got;
    struct stat info;
    set_up();
    Arena *arena = arena_new(0, 0);
    CHECK_OK(artifact_write(out_path, exe_path, &sample, &diag));
    CHECK_INT(stat(out_path, &info), 0);
    CHECK_INT(info.st_mode & 0111, 0111);
    CHECK_OK(artifact_read(arena, out_path, &got, &diag));
    CHECK_STR(got.name, "press-line");
    CHECK_INT(got.count, 2);
    CHECK_STR(got.programs[0].text, "pipeline a {}");
    CHECK_STR(got.programs[1].file, "b.tutti");
    CHECK_STR(got.programs[1].so, "\177ELF so b!");
    Str path;
    unsigned char bytes[64];
    CHECK_OK(artifact_so_path(arena, &got.programs[0], &path, &diag));
    CHECK_INT(get_file(path.ptr, bytes, sizeof bytes), 9);
    CHECK_INT(memcmp(bytes, "\177ELF so a", 9), 0);
    arena_free(arena);
}

TEST(artifact_made_by_an_artifact_does_not_nest)
{
    Diag diag = {0};
    unsigned char a[4096], b[4096];
    set_up();
    CHECK_OK(artifact_write(out_path, exe_path, &sample, &diag));
    CHECK_OK(artifact_write(again_path, out_path, &sample, &diag));
    size_t len = get_file(out_path, a, sizeof a);
    CHECK_INT(get_file(again_path, b, sizeof b), len);
    CHECK_INT(memcmp(a, b, len), 0);
}

TEST(artifact_plain_executable_has_nothing)
{
    Artifact got;
    set_up();
    Arena *arena = arena_new(0, 0);
    CHECK_INT(artifact_read(arena, exe_path, &got, NULL), ST_NOT_FOUND);
    arena_free(arena);
}

/* Every byte behind the executable flipped, and the file cut at every place: never accepted. */
TEST(artifact_damage_is_always_seen)
{
    Diag diag = {0};
    unsigned char bytes[4096];
    Artifact got;
    set_up();
    CHECK_OK(artifact_write(out_path, exe_path, &sample, &diag));
    size_t len = get_file(out_path, bytes, sizeof bytes);
    for (size_t at = 18; at < len; at++) {
        Arena *arena = arena_new(0, 0);
        bytes[at] ^= 0x20;
        put_file(again_path, bytes, len);
        CHECK(artifact_read(arena, again_path, &got, &diag) != ST_OK);
        bytes[at] ^= 0x20;
        put_file(again_path, bytes, at);
        CHECK(artifact_read(arena, again_path, &got, &diag) != ST_OK);
        arena_free(arena);
    }
}

TEST(artifact_unwritable_place_is_an_error_with_the_path)
{
    Diag diag = {0};
    set_up();
    CHECK_INT(artifact_write("no-such-folder/x", exe_path, &sample, &diag), ST_IO);
    CHECK(strstr(diag.text, "no-such-folder/x"));
}
