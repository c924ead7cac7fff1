/* compiler/elf/shared.c: see shared.h.
 *
 * The file is laid out as it will lie in memory, so an offset in it is an address, and everything
 * begins with the tables that the loader of the system reads:
 *
 *     constants      heads, symbols, their hash table, relocations, names; read-only sections
 *     code           the sections, then a jump for each function outside
 *     tables         what is constant once relocated; the addresses of the functions outside; where
 *                    all is (the dynamic section)
 *     data           what code writes
 *
 * Each begins on a page of its own. Nothing here knows section names but .data.rel.ro, whose
 * sections are writable for the loader and nobody else. */
#include "compiler/elf/shared.h"

#include "base/mem.h"
#include "compiler/elf/object.h"

enum { PAGE = 4096, HEADS = 6, JUMP_BYTES = 8, DYNAMICS = 11, NAMES_BYTES_MAX = 1 << 20 };
enum { FIRST_BYTES = sizeof(Elf64_Ehdr) + HEADS * sizeof(Elf64_Phdr) };
enum { PART_CONSTANTS, PART_CODE, PART_TABLES, PART_DATA, PART_ZEROS, PARTS };

#define NOWHERE UINT64_MAX

typedef struct Link {
    ElfObject elf;
    uint64_t *at;    /* where sections begin; NOWHERE: not in the file */
    uint32_t *place; /* of symbols in ours, from 1; 0: not there. First those inside. */
    uint32_t inside, outside;
    uint64_t relative; /* addresses that move with the whole */
    uint64_t symbols, hash, relocations, names, name_bytes, jumps, addresses, dynamic;
    uint64_t begin[PARTS], end[PARTS];
    char *file;
    uint64_t added, named; /* relocations, bytes of names */
    Diag *diag;
} Link;

static Status damaged(const Link *l, const char *what)
{
    return diag_set(l->diag, ST_CORRUPT, "the object of the C compiler is damaged: %s", what);
}

static Status unknown(const Link *l, const char *what)
{
    return diag_set(l->diag, ST_UNSUPPORTED, "only a linker knows %s", what);
}

/* ---- what there is ---- */

static Str section_name(const ElfObject *o, const Elf64_Shdr *s)
{
    const Elf64_Ehdr *head = (const void *)o->bytes.ptr;
    const Elf64_Shdr *names = &o->sections[head->e_shstrndx];
    return head->e_shstrndx < o->section_count && names->sh_type == SHT_STRTAB &&
                   s->sh_name < names->sh_size
               ? str_slice(o->bytes.ptr + names->sh_offset + s->sh_name,
                           names->sh_size - s->sh_name)
               : STR_NONE;
}

static int part_of_section(const Link *l, const Elf64_Shdr *s)
{
    if (s->sh_flags & SHF_EXECINSTR) return PART_CODE;
    if (!(s->sh_flags & SHF_WRITE)) return PART_CONSTANTS;
    if (s->sh_type == SHT_NOBITS) return PART_ZEROS;
    return str_starts(section_name(&l->elf, s), STR(".data.rel.ro")) ? PART_TABLES : PART_DATA;
}

/* Notes have nothing to say to the process. */
static bool taken(const Elf64_Shdr *s)
{
    return elf_loaded(s) && s->sh_type != SHT_NOTE;
}

MUST static Status survey_sections(const Link *l)
{
    const uint64_t known = SHF_ALLOC | SHF_WRITE | SHF_EXECINSTR | SHF_MERGE | SHF_STRINGS;
    for (uint32_t i = 0; i < l->elf.section_count; i++) {
        const Elf64_Shdr *s = &l->elf.sections[i];
        if (!taken(s)) continue;
        if ((s->sh_flags & ~known) || (s->sh_type != SHT_PROGBITS && s->sh_type != SHT_NOBITS))
            return unknown(l, "one of its sections");
        if (s->sh_type == SHT_NOBITS && part_of_section(l, s) != PART_ZEROS)
            return unknown(l, "zeros that nobody writes");
    }
    return ST_OK;
}

static bool defined(const Link *l, const Elf64_Sym *symbol)
{
    return symbol->st_shndx != SHN_UNDEF && symbol->st_shndx < l->elf.section_count &&
           taken(&l->elf.sections[symbol->st_shndx]) &&
           symbol->st_value <= l->elf.sections[symbol->st_shndx].sh_size;
}

static bool visible(const Link *l, const Elf64_Sym *symbol)
{
    return ELF64_ST_BIND(symbol->st_info) == STB_GLOBAL &&
           ELF64_ST_VISIBILITY(symbol->st_other) == STV_DEFAULT && defined(l, symbol);
}

/* Gives a symbol a place in ours. */
MUST static Status add_symbol(Link *l, uint64_t which, uint32_t *count)
{
    if (l->place[which]) return ST_OK;
    l->place[which] = 1 + l->inside + l->outside;
    ++*count;
    l->name_bytes += strlen(elf_name(&l->elf, &l->elf.symbols[which])) + 1;
    return l->name_bytes > NAMES_BYTES_MAX ? unknown(l, "so many names") : ST_OK;
}

/* What one relocation needs. */
MUST static Status survey_relocation(Link *l, const Elf64_Shdr *of, const Elf64_Rela *r)
{
    uint64_t which = ELF64_R_SYM(r->r_info), type = ELF64_R_TYPE(r->r_info);
    uint64_t width = type == R_X86_64_64 ? 8 : 4;
    int part = part_of_section(l, of);
    if (which >= l->elf.symbol_count || part == PART_ZEROS || r->r_offset > of->sh_size ||
        of->sh_size - r->r_offset < width)
        return damaged(l, "a relocation");
    const Elf64_Sym *symbol = &l->elf.symbols[which];
    if (type != R_X86_64_64 && type != R_X86_64_PC32 && type != R_X86_64_PLT32)
        return unknown(l, "one of its relocations");
    if (type == R_X86_64_64 && (part == PART_CODE || part == PART_CONSTANTS))
        return unknown(l, "an address within what is constant");
    if (type == R_X86_64_64) l->relative++;
    if (defined(l, symbol)) return ST_OK;
    if (type != R_X86_64_PLT32 || symbol->st_shndx != SHN_UNDEF || !*elf_name(&l->elf, symbol) ||
        ELF64_ST_BIND(symbol->st_info) != STB_GLOBAL)
        return unknown(l, "a symbol that is elsewhere");
    return add_symbol(l, which, &l->outside);
}

typedef Status EachFn(Link *l, const Elf64_Shdr *of, const Elf64_Rela *r);

/* All relocations of what goes into the file. */
MUST static Status each_relocation(Link *l, EachFn *fn)
{
    Status st = ST_OK;
    for (uint32_t i = 0; i < l->elf.section_count; i++) {
        const Elf64_Shdr *s = &l->elf.sections[i];
        uint64_t count;
        if (s->sh_type == SHT_REL) return unknown(l, "relocations of this kind");
        if (s->sh_type != SHT_RELA) continue;
        const Elf64_Rela *list = elf_relocations(&l->elf, s, &count);
        if (!list) return damaged(l, "its relocations");
        const Elf64_Shdr *of = &l->elf.sections[s->sh_info];
        for (uint64_t k = 0; taken(of) && !st && k < count; k++) st = fn(l, of, &list[k]);
        if (st) return st;
    }
    return ST_OK;
}

MUST static Status survey(Link *l)
{
    Status st = survey_sections(l);
    l->name_bytes = 1;
    for (uint32_t i = 0; !st && i < l->elf.symbol_count; i++) {
        unsigned type = ELF64_ST_TYPE(l->elf.symbols[i].st_info);
        if (type > STT_FILE) st = unknown(l, "one of its symbols"); /* of threads, chosen late */
        if (!st && visible(l, &l->elf.symbols[i])) st = add_symbol(l, i, &l->inside);
    }
    return st ? st : each_relocation(l, survey_relocation);
}

/* ---- where it goes ---- */

static uint64_t take(uint64_t *at, uint64_t count, uint64_t bytes)
{
    uint64_t here = *at = elf_up(*at, 8);
    *at += count * bytes;
    return here;
}

/* What goes in front of a part's sections, and behind them. */
static void place_before(Link *l, int part, uint64_t *at)
{
    uint64_t symbols = 1 + l->inside + l->outside;
    if (part != PART_CONSTANTS) return;
    *at = FIRST_BYTES;
    l->symbols = take(at, symbols, sizeof(Elf64_Sym));
    l->hash = take(at, 3 + symbols, sizeof(uint32_t));
    l->relocations = take(at, l->relative + l->outside, sizeof(Elf64_Rela));
    l->names = take(at, l->name_bytes, 1);
}

static void place_behind(Link *l, int part, uint64_t *at)
{
    if (part == PART_CODE) l->jumps = take(at, l->outside + 1, JUMP_BYTES); /* no part is empty */
    if (part != PART_TABLES) return;
    l->addresses = take(at, l->outside, sizeof(uint64_t));
    l->dynamic = take(at, DYNAMICS, sizeof(Elf64_Dyn));
}

MUST static Status place(Link *l)
{
    uint64_t at = 0;
    for (int part = 0; part < PARTS; part++) {
        if (part != PART_ZEROS) at = elf_up(at, PAGE);
        l->begin[part] = at;
        place_before(l, part, &at);
        for (uint32_t i = 0; i < l->elf.section_count; i++) {
            const Elf64_Shdr *s = &l->elf.sections[i];
            if (!taken(s) || part_of_section(l, s) != part) continue;
            l->at[i] = at = elf_up(at, s->sh_addralign);
            at += s->sh_size;
            if (at > ELF_OBJECT_BYTES_MAX) return unknown(l, "an object so large");
        }
        place_behind(l, part, &at);
        l->end[part] = at;
    }
    return ST_OK;
}

/* ---- writing ---- */

static void write_at(Link *l, uint64_t at, const void *bytes, size_t len)
{
    memcpy(l->file + at, bytes, len);
}

static uint64_t address(const Link *l, const Elf64_Sym *symbol)
{
    return l->at[symbol->st_shndx] + symbol->st_value;
}

static void add_relocation(Link *l, uint64_t at, uint64_t info, int64_t add)
{
    Elf64_Rela out = {.r_offset = at, .r_info = info, .r_addend = add};
    write_at(l, l->relocations + l->added++ * sizeof out, &out, sizeof out);
}

static Status relocate(Link *l, const Elf64_Shdr *of, const Elf64_Rela *r)
{
    uint64_t which = ELF64_R_SYM(r->r_info), type = ELF64_R_TYPE(r->r_info);
    uint64_t here = l->at[of - l->elf.sections] + r->r_offset, add = (uint64_t)r->r_addend;
    const Elf64_Sym *symbol = &l->elf.symbols[which];
    uint64_t to = defined(l, symbol)
                      ? address(l, symbol)
                      : l->jumps + (l->place[which] - 1 - l->inside) * (uint64_t)JUMP_BYTES;
    if (type == R_X86_64_64) {
        add_relocation(l, here, R_X86_64_RELATIVE, (int64_t)(to + add));
        return ST_OK;
    }
    int64_t distance = (int64_t)(to + add - here);
    int32_t narrow = (int32_t)distance;
    if (narrow != distance) return damaged(l, "a relocation");
    write_at(l, here, &narrow, sizeof narrow);
    return ST_OK;
}

/* One symbol of ours, and for a function outside the jump to it. */
static void write_symbol(Link *l, uint32_t which)
{
    const Elf64_Sym *symbol = &l->elf.symbols[which];
    const char *name = elf_name(&l->elf, symbol);
    uint32_t place = l->place[which];
    Elf64_Sym out = {.st_name = (uint32_t)l->named, .st_info = symbol->st_info};
    if (place <= l->inside) {
        out.st_shndx = 1; /* any: it is there */
        out.st_value = address(l, symbol);
        out.st_size = symbol->st_size;
    } else {
        uint64_t n = place - 1 - l->inside, jump = l->jumps + n * JUMP_BYTES;
        uint64_t slot = l->addresses + n * sizeof(uint64_t);
        uint32_t to = (uint32_t)(slot - jump - 6); /* behind the instruction */
        add_relocation(l, slot, ELF64_R_INFO((uint64_t)place, R_X86_64_GLOB_DAT), 0);
        write_at(l, jump, "\xff\x25", 2); /* jmp *to(%rip) */
        write_at(l, jump + 2, &to, sizeof to);
    }
    write_at(l, l->symbols + place * sizeof out, &out, sizeof out);
    write_at(l, l->names + l->named, name, strlen(name) + 1);
    l->named += strlen(name) + 1;
}

/* One bucket: the symbols inside, one after the other. */
static void write_hash(Link *l)
{
    uint32_t head[] = {1, 1 + l->inside + l->outside, l->inside ? 1 : 0};
    write_at(l, l->hash, head, sizeof head);
    for (uint32_t i = 1; i < l->inside; i++) {
        uint32_t next = i + 1;
        write_at(l, l->hash + sizeof head + i * sizeof next, &next, sizeof next);
    }
}

static void write_dynamic(Link *l)
{
    const Elf64_Dyn list[DYNAMICS] = {
        {DT_HASH, {l->hash}},
        {DT_SYMTAB, {l->symbols}},
        {DT_SYMENT, {sizeof(Elf64_Sym)}},
        {DT_STRTAB, {l->names}},
        {DT_STRSZ, {l->name_bytes}},
        {DT_RELA, {l->relocations}},
        {DT_RELASZ, {(l->relative + l->outside) * sizeof(Elf64_Rela)}},
        {DT_RELAENT, {sizeof(Elf64_Rela)}},
        {DT_RELACOUNT, {l->relative}},
        {DT_FLAGS, {DF_BIND_NOW}},
        {DT_NULL, {0}},
    };
    write_at(l, l->dynamic, list, sizeof list);
}

static Elf64_Phdr head_of(uint32_t type, uint32_t flags, uint64_t from, uint64_t file_end,
                          uint64_t end, uint64_t align)
{
    return (Elf64_Phdr){.p_type = type,
                        .p_flags = flags,
                        .p_offset = from,
                        .p_vaddr = from,
                        .p_paddr = from,
                        .p_filesz = file_end - from,
                        .p_memsz = end - from,
                        .p_align = align};
}

static void write_heads(Link *l)
{
    const Elf64_Ehdr head = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_DYN,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_phoff = sizeof head,
        .e_ehsize = sizeof head,
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = HEADS,
        .e_shentsize = sizeof(Elf64_Shdr)};
    const uint64_t *b = l->begin, *e = l->end;
    const Elf64_Phdr heads[HEADS] = {
        head_of(PT_LOAD, PF_R, b[PART_CONSTANTS], e[PART_CONSTANTS], e[PART_CONSTANTS], PAGE),
        head_of(PT_LOAD, PF_R | PF_X, b[PART_CODE], e[PART_CODE], e[PART_CODE], PAGE),
        head_of(PT_LOAD, PF_R | PF_W, b[PART_TABLES], e[PART_DATA], e[PART_ZEROS], PAGE),
        head_of(PT_DYNAMIC, PF_R | PF_W, l->dynamic, e[PART_TABLES], e[PART_TABLES], 8),
        head_of(PT_GNU_RELRO, PF_R, b[PART_TABLES], b[PART_DATA], b[PART_DATA], 1),
        head_of(PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 16)};
    write_at(l, 0, &head, sizeof head);
    write_at(l, sizeof head, heads, sizeof heads);
}

MUST static Status write_all(Link *l, Buf *out)
{
    l->file = buf_reserve(out, l->end[PART_DATA]);
    if (!l->file) return diag_set(l->diag, buf_status(out), "no room for a compiled program");
    memset(l->file, 0, l->end[PART_DATA]);
    for (uint32_t i = 0; i < l->elf.section_count; i++) {
        const Elf64_Shdr *s = &l->elf.sections[i];
        if (l->at[i] != NOWHERE && s->sh_type != SHT_NOBITS)
            write_at(l, l->at[i], l->elf.bytes.ptr + s->sh_offset, s->sh_size);
    }
    Status st = each_relocation(l, relocate); /* those that move with the whole come first */
    l->named = 1;
    for (uint32_t i = 0; !st && i < l->elf.symbol_count; i++)
        if (l->place[i]) write_symbol(l, i);
    if (st) return st;
    write_hash(l);
    write_dynamic(l);
    write_heads(l);
    out->len += l->end[PART_DATA];
    return ST_OK;
}

Status elf_shared(Str object, Buf *ret_file, Diag *diag)
{
    Link l = {.diag = diag};
    const char *wrong = elf_object_read(object, EM_X86_64, &l.elf);
    if (wrong) return damaged(&l, wrong);
    l.at = mem_alloc((l.elf.section_count + 1) * sizeof *l.at);
    l.place = mem_zalloc(l.elf.symbol_count + 1, sizeof *l.place);
    Status st = l.at && l.place ? ST_OK : diag_set(diag, ST_NO_MEMORY, "linking a program");
    for (uint32_t i = 0; !st && i < l.elf.section_count; i++) l.at[i] = NOWHERE;
    if (!st) st = survey(&l);
    if (!st) st = place(&l);
    if (!st) st = write_all(&l, ret_file);
    mem_free(l.at);
    mem_free(l.place);
    return st;
}
