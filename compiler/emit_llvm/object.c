/* compiler/emit_llvm/object.c: see object.h.
 *
 * The mapping, each part beginning on a page of its own:
 *
 *     code           .text of the object, then a jump for each symbol that lies outside
 *     constants      read-only sections, then the table of addresses, one for each symbol
 *     data           what code or relocation writes
 *
 * An object may come from a file: every number in it is checked before it is used, here or by
 * compiler/elf. */
#include "compiler/emit_llvm/object.h"

#include "base/mem.h"
#include "compiler/elf/object.h"
#include "compiler/emit_llvm/jit.h"
#include "compiler/emit_llvm/native.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { JUMP_BYTES = 8, PARTS = 3, MORE_BYTES = 100 };
enum { PART_CODE, PART_CONSTANTS, PART_DATA };

typedef struct Made {
    JitCode code; /* first */
    char *base;
    size_t bytes;
    const JitPlugin *plugin; /* that linked it, or NULL */
    JitLinked *linked;
    JitShared **shares;
    JitEntry entries[];
} Made;

typedef struct Image {
    ElfObject elf;
    uint64_t *at; /* where sections begin in the mapping; NOWHERE: not loaded */
    uint64_t jumps, addresses, ends[PARTS], bytes;
    char *base;
    const Linked *linked;
    bool near; /* linked here */
    JitLinked *by_llvm;
    const JitPlugin *plugin;
    Diag *diag;
} Image;

#define NOWHERE  UINT64_MAX
#define GOT_NAME "_GLOBAL_OFFSET_TABLE_" /* a linker makes it */

static Status damaged(const Image *im, const char *what)
{
    return diag_set(im->diag, ST_CORRUPT, "the object of the JIT is damaged: %s", what);
}

/* ---- reading ---- */

MUST static Status read_head(Image *im, Str object)
{
    const char *wrong = elf_object_read(object, im->near ? EM_X86_64 : 0, &im->elf);
    return wrong ? damaged(im, wrong) : ST_OK;
}

static const char *name_of(const Image *im, const Elf64_Sym *symbol)
{
    return elf_name(&im->elf, symbol);
}

/* ---- the mapping ---- */

static int part_for(const Elf64_Shdr *s)
{
    return s->sh_flags & SHF_EXECINSTR ? PART_CODE
           : s->sh_flags & SHF_WRITE   ? PART_DATA
                                       : PART_CONSTANTS;
}

/* Where everything goes. */
MUST static Status place(Image *im)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), at = 0;
    for (int part = 0; part < PARTS; part++) {
        for (uint32_t i = 0; i < im->elf.section_count; i++) {
            const Elf64_Shdr *s = &im->elf.sections[i];
            if (!elf_loaded(s) || part_for(s) != part) continue;
            im->at[i] = at = elf_up(at, s->sh_addralign);
            at += s->sh_size;
            if (at > ELF_OBJECT_BYTES_MAX) return damaged(im, "it is too large");
        }
        at = elf_up(at, JUMP_BYTES);
        if (part == PART_CODE) im->jumps = at;
        if (part == PART_CONSTANTS) im->addresses = at;
        if (part != PART_DATA) at += (uint64_t)im->elf.symbol_count * JUMP_BYTES;
        im->ends[part] = at = elf_up(at, page);
    }
    im->bytes = at;
    return ST_OK;
}

MUST static Status map(Image *im)
{
    char *base = mmap(NULL, im->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) return diag_set(im->diag, ST_NO_MEMORY, "no memory for compiled code");
    im->base = base;
    for (uint32_t i = 0; i < im->elf.section_count; i++) {
        const Elf64_Shdr *s = &im->elf.sections[i];
        if (im->at[i] != NOWHERE && s->sh_type != SHT_NOBITS)
            memcpy(base + im->at[i], im->elf.bytes.ptr + s->sh_offset, s->sh_size);
    }
    return ST_OK;
}

MUST static Status protect(const Image *im)
{
    static const int rights[PARTS] = {PROT_READ | PROT_EXEC, PROT_READ, PROT_READ | PROT_WRITE};
    uint64_t from = 0;
    for (int part = 0; part < PARTS; part++) {
        uint64_t len = im->ends[part] - from;
        if (len && mprotect(im->base + from, len, rights[part]))
            return diag_set(im->diag, ST_FORBIDDEN,
                            "this system lets no process run code it has made itself");
        from = im->ends[part];
    }
    return ST_OK;
}

/* ---- what lies outside ---- */

#define LIBRARY(X) X(memcpy) X(memmove) X(memset) X(memcmp) X(bcmp) X(memchr)

static const RtField *field_of(const RtSchema *schema, uint32_t leaf)
{
    for (uint32_t i = 0; i < schema->count; i++) {
        const RtField *f = &schema->fields[i];
        if (f->type == RT_RECORD && leaf >= f->leaf && leaf - f->leaf < f->child->leaf_count)
            return field_of(f->child, leaf);
        if (f->type != RT_RECORD && f->leaf == leaf) return f;
    }
    return NULL;
}

/* Of the sources of a pipeline; behind all pipelines come the shared decoders. */
static const RtSchema *read_by(const Linked *linked, uint32_t pipeline, uint32_t group)
{
    uint32_t pipelines = linked->program.pipeline_count, share = pipeline - pipelines;
    if (pipeline < pipelines)
        return group <= linked->pipelines[pipeline].source_count ? linked->groups[pipeline][group]
                                                                 : NULL;
    return share < linked->program.share_count && !group ? linked->shared_schemas[share] : NULL;
}

/* The tables: "schema_N", "in_PIPELINE_GROUP", "field_PIPELINE_LEAF". */
static const void *table(const Linked *linked, const char *name)
{
    unsigned a, b;
    int end = 0;
    if (sscanf(name, "schema_%u%n", &a, &end) == 1 && !name[end])
        return a < linked->schema_count ? linked->schemas[a] : NULL;
    if (sscanf(name, "in_%u_%u%n", &a, &b, &end) == 2 && !name[end]) return read_by(linked, a, b);
    if (sscanf(name, "field_%u_%u%n", &a, &b, &end) == 2 && !name[end]) {
        const RtSchema *schema = read_by(linked, a, 0);
        return schema ? field_of(schema, b) : NULL;
    }
    return NULL;
}

static uint64_t outside(const Image *im, const char *name)
{
    static const struct {
        const char *name;
        void (*at)(void);
    } list[] = {
#define SYMBOL(name) {#name, (void (*)(void))name},
        LIBRARY(SYMBOL) NATIVE(SYMBOL)
#undef SYMBOL
    };
    for (size_t i = 0; i < COUNT_OF(list); i++)
        if (strcmp(name, list[i].name) == 0) return (uint64_t)(uintptr_t)list[i].at;
    return (uint64_t)(uintptr_t)table(im->linked, name);
}

static void write8(char *to, uint64_t value)
{
    memcpy(to, &value, sizeof value);
}

/* False: it has none. */
static bool address(const Image *im, const Elf64_Sym *symbol, uint64_t *ret)
{
    if (symbol->st_shndx == SHN_UNDEF) {
        *ret = symbol->st_name ? outside(im, name_of(im, symbol)) : 0;
        return *ret || !symbol->st_name;
    }
    if (symbol->st_shndx >= im->elf.section_count || im->at[symbol->st_shndx] == NOWHERE ||
        symbol->st_value > im->elf.sections[symbol->st_shndx].sh_size)
        return false;
    *ret = (uint64_t)(uintptr_t)im->base + im->at[symbol->st_shndx] + symbol->st_value;
    return true;
}

/* Fills the table of addresses, and makes a jump to each function outside. */
MUST static Status open_symbols(Image *im)
{
    for (uint32_t i = 0; i < im->elf.symbol_count; i++) {
        const Elf64_Sym *symbol = &im->elf.symbols[i];
        bool none = symbol->st_shndx >= SHN_LORESERVE || /* files, constants */
                    (symbol->st_shndx < im->elf.section_count && symbol->st_shndx != SHN_UNDEF &&
                     im->at[symbol->st_shndx] == NOWHERE);
        uint64_t value;
        if (none) continue;
        if (!address(im, symbol, &value))
            return diag_set(im->diag, ST_CORRUPT, "the object of the JIT needs `%.100s`",
                            name_of(im, symbol));
        write8(im->base + im->addresses + (uint64_t)i * JUMP_BYTES, value);
        if (symbol->st_shndx != SHN_UNDEF || !symbol->st_name) continue;
        char *jump = im->base + im->jumps + (uint64_t)i * JUMP_BYTES;
        int32_t to = (int32_t)(im->addresses - im->jumps) - 6; /* behind the instruction */
        memcpy(jump, "\xff\x25", 2);                           /* jmp *to(%rip) */
        memcpy(jump + 2, &to, sizeof to);
    }
    return ST_OK;
}

/* ---- relocation ---- */

static bool write4(char *to, int64_t value)
{
    int32_t narrow = (int32_t)value;
    memcpy(to, &narrow, sizeof narrow);
    return narrow == value;
}

/* False: a kind there is no use for here, or too far away. */
static bool relocate_one(const Image *im, const Elf64_Rela *r, char *to)
{
    uint64_t which = ELF64_R_SYM(r->r_info), type = ELF64_R_TYPE(r->r_info);
    uint64_t here = (uint64_t)(uintptr_t)to, value;
    if (which >= im->elf.symbol_count || !address(im, &im->elf.symbols[which], &value))
        return false;
    uint64_t base = (uint64_t)(uintptr_t)im->base, add = (uint64_t)r->r_addend;
    switch (type) {
    case R_X86_64_64: write8(to, value + add); return true;
    case R_X86_64_PC64: write8(to, value + add - here); return true;
    case R_X86_64_PLT32:
    case R_X86_64_PC32:
        if (type == R_X86_64_PLT32 && im->elf.symbols[which].st_shndx == SHN_UNDEF)
            value = base + im->jumps + which * JUMP_BYTES;
        return write4(to, (int64_t)(value + add - here));
    case R_X86_64_GOTPCREL:
    case R_X86_64_GOTPCRELX:
    case R_X86_64_REX_GOTPCRELX:
        value = base + im->addresses + which * JUMP_BYTES;
        return write4(to, (int64_t)(value + add - here));
    default: return false;
    }
}

MUST static Status relocate(const Image *im)
{
    for (uint32_t i = 0; i < im->elf.section_count; i++) {
        const Elf64_Shdr *s = &im->elf.sections[i];
        if (s->sh_type != SHT_RELA) continue;
        uint64_t count;
        const Elf64_Rela *list = elf_relocations(&im->elf, s, &count);
        if (!list) return damaged(im, "its relocations");
        const Elf64_Shdr *of = &im->elf.sections[s->sh_info];
        if (im->at[s->sh_info] == NOWHERE) continue;
        for (uint64_t k = 0; k < count; k++) {
            uint64_t width = ELF64_R_TYPE(list[k].r_info) == R_X86_64_64 ||
                                     ELF64_R_TYPE(list[k].r_info) == R_X86_64_PC64
                                 ? 8
                                 : 4;
            if (list[k].r_offset > of->sh_size || of->sh_size - list[k].r_offset < width ||
                !relocate_one(im, &list[k], im->base + im->at[s->sh_info] + list[k].r_offset))
                return damaged(im, "a relocation");
        }
    }
    return ST_OK;
}

/* ---- the whole ---- */

/* The place of an exported symbol, of a section of `part`, with `bytes` behind it. */
static const char *exported(const Image *im, int part, uint64_t bytes, const char *prefix,
                            uint32_t index)
{
    char name[64];
    (void)snprintf(name, sizeof name, index == UINT32_MAX ? "%s" : "%s_%u", prefix, index);
    if (!im->near) return im->plugin->find(im->by_llvm, name);
    for (uint32_t i = 0; i < im->elf.symbol_count; i++) {
        const Elf64_Sym *symbol = &im->elf.symbols[i];
        if (ELF64_ST_BIND(symbol->st_info) != STB_GLOBAL || symbol->st_shndx == SHN_UNDEF ||
            symbol->st_shndx >= im->elf.section_count || im->at[symbol->st_shndx] == NOWHERE ||
            strcmp(name_of(im, symbol), name) != 0)
            continue;
        const Elf64_Shdr *s = &im->elf.sections[symbol->st_shndx];
        if (part_for(s) != part || symbol->st_value > s->sh_size ||
            s->sh_size - symbol->st_value < bytes)
            return NULL;
        return im->base + im->at[symbol->st_shndx] + symbol->st_value;
    }
    return NULL;
}

/* One that is a function. */
#define FUNCTION(to, im, prefix, index)                                                            \
    (*(const void **)(void *)(to) = exported(im, PART_CODE, 1, prefix, index))

MUST static Status entries(const Image *im, Made *made)
{
    bool fine = FUNCTION(&made->code.bind, im, "jit_bind", UINT32_MAX) != NULL;
    for (uint32_t i = 0; fine && i < im->linked->program.pipeline_count; i++) {
        JitEntry *entry = &made->entries[i];
        const char *layouts = exported(im, PART_CONSTANTS, sizeof(uint32_t), "layouts", i);
        fine = layouts && FUNCTION(&entry->feed, im, "feed", i) &&
               FUNCTION(&entry->row, im, "row", i) && FUNCTION(&entry->run, im, "run", i);
        if (!fine) break;
        memcpy(&entry->layout_count, layouts, sizeof(uint32_t));
        fine = entry->layout_count <= RT_LAYOUTS;
    }
    for (uint32_t i = 0; fine && i < im->linked->program.share_count; i++)
        fine = FUNCTION(&made->shares[i], im, "shared", i) != NULL;
    return fine ? ST_OK : damaged(im, "its functions");
}

MUST static Status link_image(Image *im, Made *made)
{
    Status st = place(im);
    if (!st) st = map(im);
    if (!st) st = open_symbols(im);
    if (!st) st = relocate(im);
    if (!st) st = protect(im);
    if (!st) st = entries(im, made);
    made->base = im->base;
    made->bytes = im->bytes;
    return st;
}

static Made *made_new(const Linked *linked)
{
    size_t entry_bytes = linked->program.pipeline_count * sizeof(JitEntry);
    Made *made = mem_zalloc(1, sizeof *made + entry_bytes);
    if (!made) return NULL;
    made->code.pipelines = made->entries;
    made->shares = mem_zalloc(linked->program.share_count + 1, sizeof *made->shares);
    made->code.shares = made->shares;
    if (made->shares) return made;
    mem_free(made);
    return NULL;
}

/* By LLVM: the symbols that the object leaves open, with their places. */
MUST static Status borrow(Image *im, Made *made)
{
    uint32_t count = 0;
    JitSymbol *list = mem_zalloc(im->elf.symbol_count + 1, sizeof *list);
    Status st = list ? ST_OK : diag_set(im->diag, ST_NO_MEMORY, "compiling");
    for (uint32_t i = 0; !st && i < im->elf.symbol_count; i++) {
        const Elf64_Sym *symbol = &im->elf.symbols[i];
        const char *name = name_of(im, symbol);
        uint64_t at = symbol->st_shndx == SHN_UNDEF && *name ? outside(im, name) : 0;
        if (symbol->st_shndx != SHN_UNDEF || !*name || strcmp(name, GOT_NAME) == 0) continue;
        list[count++] = (JitSymbol){name, at, !table(im->linked, name)};
        if (!at) st = diag_set(im->diag, ST_CORRUPT, "the object of the JIT needs `%.100s`", name);
    }
    if (!st) st = im->plugin->link(im->elf.bytes, list, count, &im->by_llvm, im->diag);
    mem_free(list);
    made->plugin = im->plugin;
    made->linked = im->by_llvm;
    return st ? st : entries(im, made);
}

MUST static Status link_here(Image *im, Made *made)
{
    im->at = mem_alloc(im->elf.section_count * sizeof *im->at + 1);
    if (!im->at) return diag_set(im->diag, ST_NO_MEMORY, "compiling");
    for (uint32_t i = 0; i < im->elf.section_count; i++) im->at[i] = NOWHERE;
    Status st = link_image(im, made);
    mem_free(im->at);
    return st;
}

JitReach jit_object_reach(void)
{
#ifdef __x86_64__
    const char *who = getenv("TUTTI_JIT_LINK");
    return who && strcmp(who, "llvm") == 0 ? JIT_FAR : JIT_NEAR;
#else
    return JIT_FAR;
#endif
}

Status jit_object_link(Str object, const Linked *linked, const JitPlugin *plugin,
                       JitCode **ret_code, Diag *diag)
{
    Image im = {.linked = linked, .near = !plugin, .plugin = plugin, .diag = diag};
    Status st = read_head(&im, object);
    if (st) return st;
    Made *made = made_new(linked);
    if (!made) return diag_set(diag, ST_NO_MEMORY, "compiling");
    st = plugin ? borrow(&im, made) : link_here(&im, made);
    if (st)
        jit_object_free(&made->code);
    else
        *ret_code = &made->code;
    return st;
}

void jit_object_free(JitCode *code)
{
    Made *made = (Made *)code; /* its first member */
    if (!made) return;
    if (made->base) (void)munmap(made->base, made->bytes);
    if (made->plugin) made->plugin->unlink(made->linked);
    mem_free(made->shares);
    mem_free(made);
}
