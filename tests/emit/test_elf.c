/* tests/emit/test_elf.c: objects of the C compiler linked without a linker, loaded by the system's
 * loader; what only a linker knows is refused, what is damaged does no harm. */
#include "base/buf.h"
#include "base/mem.h"
#include "compiler/elf/shared.h"
#include "test.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { OBJECT_BYTES = 4 << 20, ZEROS = 10000 };
static char folder[PATH_MAX], source[PATH_MAX + 20], object[PATH_MAX + 20], shared[PATH_MAX + 20];

static void begin(void)
{
    char name[] = "elf-test-XXXXXX";
    CHECK(mkdtemp(name));
    CHECK(realpath(name, folder));
    (void)snprintf(source, sizeof source, "%s/a.c", folder);
    (void)snprintf(object, sizeof object, "%s/a.o", folder);
    (void)snprintf(shared, sizeof shared, "%s/a.so", folder);
}

static void end(void)
{
    unlink(source);
    unlink(object);
    unlink(shared);
    CHECK_INT(rmdir(folder), 0);
}

static void read_whole(const char *path, Buf *out)
{
    char part[4096];
    FILE *file = fopen(path, "rb");
    CHECK(file);
    for (size_t n; (n = fread(part, 1, sizeof part, file)) > 0;) buf_add(out, part, n);
    CHECK_INT(fclose(file), 0);
}

/* The object of a text, as `how` compiles it. */
static void compile(const char *text, const char *how, Buf *out)
{
    char *arguments[] = {"cc",
                         (char *)(uintptr_t)how,
                         "-fPIC",
                         "-fvisibility=hidden",
                         "-fno-asynchronous-unwind-tables",
                         "-w",
                         "-c",
                         source,
                         "-o",
                         object,
                         NULL};
    pid_t pid;
    int status;
    FILE *file = fopen(source, "w");
    CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
    CHECK_INT(posix_spawnp(&pid, "cc", NULL, NULL, arguments, environ), 0);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    buf_clear(out);
    read_whole(object, out);
}

/* As compiled code looks: constants, tables of addresses, state, calls of the C library. */
static const char program[] =
    "#define SHOWN __attribute__((visibility(\"default\")))\n"
    "typedef unsigned long u64;\n"
    "static const char *const names[] = {\"one\", \"two\", \"three\"};\n"
    "static int twice(int x) { return 2 * x; }\n"
    "static int square(int x) { return x * x; }\n"
    "static int (*const table[])(int) = {twice, square};\n"
    "static int calls;\n"          /* zero */
    "static int step = 3;\n"       /* written, not zero */
    "static int *where = &step;\n" /* written, an address */
    "int hidden(void) { return 1; }\n"
    "SHOWN int apply(unsigned i, int x) { calls += *where; return table[i](x) + calls; }\n"
    "SHOWN double third(void) { static const double v[] = {1.5, 2.5, 1.0 / 3}; return v[calls * 0 "
    "+ 2]; }\n"
    "SHOWN u64 copy(char *to, unsigned i, u64 n) { __builtin_memcpy(to, names[i], n); return n; }\n"
    "SHOWN int same(const char *a, const char *b, u64 n) { return __builtin_memcmp(a, b, n) == 0; "
    "}\n"
    "SHOWN const char *const *const first = names;\n"
    "SHOWN int counted[10000];\n"
    "SHOWN __attribute__((aligned(256))) int apart[3];\n";

/* Whether this process may write there: the kernel is asked to. */
static bool writable(const void *at)
{
    int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    char saved = *(const char *)at;
    ssize_t n = read(zero, (void *)(uintptr_t)at, 1);
    bool fine = n == 1;
    if (fine) *(char *)(uintptr_t)at = saved;
    CHECK(fine || errno == EFAULT);
    CHECK_INT(close(zero), 0);
    return fine;
}

/* Whether code on the stack could run. */
static bool stack_runs(void)
{
    char line[PATH_MAX + 200];
    bool runs = false, found = false;
    FILE *file = fopen("/proc/self/maps", "r");
    CHECK(file);
    while (fgets(line, sizeof line, file))
        if (strstr(line, "[stack]")) {
            found = true;
            runs = strstr(line, " rwx") != NULL;
        }
    CHECK_INT(fclose(file), 0);
    CHECK(found);
    return runs;
}

#define FIND(library, fn, name)                                                                    \
    (*(void **)(void *)&(fn) = dlsym(library, name), CHECK((fn) != NULL))

static void try_program(const char *path)
{
    int (*apply)(unsigned, int), (*same)(const char *, const char *, unsigned long);
    double (*third)(void);
    unsigned long (*copy)(char *, unsigned, unsigned long);
    const char *const *const *first;
    int *counted, *apart;
    char text[8] = {0};
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) (void)fprintf(stderr, "%s\n", dlerror());
    CHECK(library != NULL);
    FIND(library, apply, "apply");
    FIND(library, same, "same");
    FIND(library, third, "third");
    FIND(library, copy, "copy");
    FIND(library, first, "first");
    FIND(library, counted, "counted");
    FIND(library, apart, "apart");
    CHECK(!dlsym(library, "hidden") && !dlsym(library, "twice"));
    CHECK_INT(apply(0, 5), 13);
    CHECK_INT(apply(1, 5), 31);
    CHECK(third() == 1.0 / 3);
    CHECK_INT(copy(text, 2, 6), 6);
    CHECK_TEXT(text, "three");
    CHECK_TEXT((*first)[1], "two");
    CHECK(same("abc", "abd", 2) && !same("abc", "abd", 3));
    for (int i = 0; i < ZEROS; i++) CHECK_INT(counted[i], 0);
    counted[ZEROS - 1] = 1;
    CHECK_INT((uintptr_t)apart % 256, 0);
    CHECK(!stack_runs());
    CHECK(writable(counted));
    CHECK(!writable(*first) && !writable(**first) && !writable(*(void **)(void *)&apply));
    CHECK_INT(dlclose(library), 0);
}

TEST(the_loader_of_the_system_takes_it)
{
    static const char *const ways[] = {"-O0", "-O2", "-Os", "-fcf-protection=full", "-fno-plt"};
    AUTO_BUF Buf bytes, file;
    Diag diag = {0};
    buf_init(&bytes, OBJECT_BYTES);
    buf_init(&file, OBJECT_BYTES);
    begin();
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        compile(program, ways[i], &bytes);
        buf_clear(&file);
        Status st = elf_shared(buf_view(&bytes), &file, &diag);
        if (i == 4) { /* calls by way of a table */
            CHECK_INT(st, ST_UNSUPPORTED);
            break;
        }
        if (st) (void)fprintf(stderr, "%s: %s\n", ways[i], diag.text);
        CHECK_OK(st);
        FILE *out = fopen(shared, "wb");
        CHECK(out && fwrite(file.ptr, 1, file.len, out) == file.len && fclose(out) == 0);
        try_program(shared);
        CHECK_INT(unlink(shared), 0);
    }
    end();
}

TEST(what_only_a_linker_knows_is_refused)
{
    static const char *const texts[] = {
        "__thread int x; int f(void) { return x; }",
        "__attribute__((constructor)) static void f(void) { }",
        "__attribute__((weak)) int f(void); int g(void) { return f(); }",
        "extern int x; int *f(void) { return &x; }",
        "extern int x; int *const p = &x;",
        "__attribute__((section(\".text.f,\\\"axG\\\",@progbits,f,comdat#\"))) int f(void) { "
        "return 1; }",
        "int f(void) { return 1; } __asm__(\".section .rodata\\n.quad f\\n.previous\");",
        "char much[60 << 20]; __attribute__((section(\".bss.more\"))) char more[60 << 20];",
        "static int (*which(void))(void) { return 0; } int f(void) "
        "__attribute__((ifunc(\"which\")));",
    };
    AUTO_BUF Buf bytes, file;
    Diag diag = {0};
    buf_init(&bytes, OBJECT_BYTES);
    buf_init(&file, OBJECT_BYTES);
    begin();
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        compile(texts[i], "-O0", &bytes);
        if (elf_shared(buf_view(&bytes), &file, &diag) != ST_UNSUPPORTED || file.len)
            fail_msg("taken: %s", texts[i]);
    }
    compile("int x;", "-fcommon", &bytes);
    CHECK_OK(elf_shared(buf_view(&bytes), &file, &diag)); /* nobody needs it */
    buf_clear(&file);
    compile("int x; int f(void) { return x; }", "-fcommon", &bytes);
    CHECK_INT(elf_shared(buf_view(&bytes), &file, &diag), ST_UNSUPPORTED);
    CHECK_INT(elf_shared(STR(""), &file, &diag), ST_CORRUPT);
    end();
}

TEST(so_many_names_are_refused)
{
    AUTO_BUF Buf text, bytes, file;
    Diag diag = {0};
    buf_init(&text, OBJECT_BYTES);
    buf_init(&bytes, OBJECT_BYTES);
    buf_init(&file, OBJECT_BYTES);
    begin();
    buf_text(&text, "__attribute__((visibility(\"default\"))) int x");
    for (int i = 0; i < 1 << 20; i++) buf_char(&text, 'x');
    buf_text(&text, ";\n");
    compile(text.ptr, "-O0", &bytes);
    CHECK_INT(elf_shared(buf_view(&bytes), &file, &diag), ST_UNSUPPORTED);
    end();
}

/* ---- damage ---- */

static Elf64_Shdr *section(char *bytes, const char *name)
{
    Elf64_Ehdr *head = (void *)bytes;
    Elf64_Shdr *list = (void *)(bytes + head->e_shoff);
    for (unsigned i = 0; i < head->e_shnum; i++)
        if (strcmp(bytes + list[head->e_shstrndx].sh_offset + list[i].sh_name, name) == 0)
            return &list[i];
    fail_msg("no section %s", name);
    return NULL;
}

/* Each damage by itself, and none: what makes no sense is not written. */
TEST(each_damage_is_seen)
{
    static const char text[] = "static int zeros[9]; int other(int);\n"
                               "int f(int i) { return other(zeros[i]); }\n";
    AUTO_BUF Buf whole, file;
    Diag diag = {0};
    buf_init(&whole, OBJECT_BYTES);
    begin();
    compile(text, "-O0", &whole);
    for (int damage = 0; damage < 8; damage++) {
        char *part = mem_alloc(whole.len);
        memcpy(part, whole.ptr, whole.len);
        Elf64_Shdr *code = section(part, ".text"), *calls = section(part, ".rela.text");
        Elf64_Rela *first = (void *)(part + calls->sh_offset);
        Elf64_Sym *symbols = (void *)(part + section(part, ".symtab")->sh_offset);
        if (damage == 1) first->r_addend = (Elf64_Sxword)1 << 40;
        if (damage == 2) first->r_offset = code->sh_size - 3;
        if (damage == 3) first->r_offset = code->sh_size + 1;
        if (damage == 4) symbols[ELF64_R_SYM(first->r_info)].st_value = code->sh_size + (1 << 20);
        if (damage == 5) calls->sh_type = SHT_REL;
        if (damage == 6) section(part, ".bss")->sh_flags = SHF_ALLOC;
        if (damage == 7) first->r_info = ELF64_R_INFO(1 << 20, R_X86_64_PC32);
        buf_init(&file, OBJECT_BYTES);
        Status st = elf_shared(str_slice(part, whole.len), &file, &diag);
        if ((st == ST_OK) != (damage == 0)) fail_msg("damage %d: %d", damage, (int)st);
        buf_done(&file);
        mem_free(part);
    }
    buf_init(&file, 1);
    end();
}

/* Whatever is in it: it is refused or written, and nothing outside of it is read. */
TEST(damaged_objects_are_refused_or_written)
{
    enum { TRIES = 20000 };
    AUTO_BUF Buf whole, file;
    Diag diag = {0};
    uint64_t seed = 20261128;
    uint32_t refused = 0;
    buf_init(&whole, OBJECT_BYTES);
    begin();
    compile(program, "-O0", &whole);
    for (int i = 0; i < TRIES; i++) {
        char *part = mem_alloc(whole.len); /* its end is the end of what may be read */
        memcpy(part, whole.ptr, whole.len);
        for (int k = 0; k <= i % 3; k++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            size_t at = (size_t)(seed >> 33) % (i % 5 ? whole.len : 64);
            part[at] = (char)(i % 2 ? seed >> 20 : (uint64_t)part[at] ^ 1u << (seed >> 61));
        }
        buf_init(&file, 1 << 27);
        refused += elf_shared(str_slice(part, whole.len), &file, &diag) != ST_OK;
        buf_done(&file);
        mem_free(part);
    }
    CHECK(refused > TRIES / 20 && refused < TRIES);
    buf_init(&file, 1);
    end();
}
