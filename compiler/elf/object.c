/* compiler/elf/object.c: see object.h. */
#include "compiler/elf/object.h"

enum { SECTIONS_MAX = 4096, SYMBOLS_MAX = 1 << 20, ALIGN_MAX = 4096 };

/* `count` things of `size` bytes at `offset`, or NULL. */
static const void *part_of(Str bytes, uint64_t offset, uint64_t count, uint64_t size)
{
    if (offset > bytes.len || offset % 8 || count > (bytes.len - offset) / size) return NULL;
    return bytes.ptr + offset;
}

/* The symbol table and the names that belong to it. */
static bool find_symbols(ElfObject *o)
{
    for (uint32_t i = 0; i < o->section_count; i++) {
        const Elf64_Shdr *s = &o->sections[i];
        if (s->sh_type != SHT_SYMTAB) continue;
        uint64_t count = s->sh_size / sizeof *o->symbols;
        if (count > SYMBOLS_MAX || s->sh_link >= o->section_count) return false;
        const Elf64_Shdr *names = &o->sections[s->sh_link];
        o->symbols = part_of(o->bytes, s->sh_offset, count, sizeof *o->symbols);
        if (names->sh_offset > o->bytes.len || !names->sh_size ||
            names->sh_size > o->bytes.len - names->sh_offset)
            return false;
        o->names = str_slice(o->bytes.ptr + names->sh_offset, names->sh_size);
        o->symbol_count = (uint32_t)count;
        return o->names.ptr[o->names.len - 1] == 0 && o->symbols;
    }
    return false;
}

const char *elf_object_read(Str bytes, uint16_t machine, ElfObject *ret_object)
{
    ElfObject o = {.bytes = bytes};
    const Elf64_Ehdr *head = part_of(bytes, 0, 1, sizeof *head);
    if (!head || bytes.len > ELF_OBJECT_BYTES_MAX || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
        head->e_ident[EI_CLASS] != ELFCLASS64 || head->e_type != ET_REL ||
        (machine && head->e_machine != machine) || head->e_shentsize != sizeof *o.sections ||
        head->e_shnum > SECTIONS_MAX)
        return "its head";
    o.section_count = head->e_shnum;
    o.sections = part_of(bytes, head->e_shoff, head->e_shnum, sizeof *o.sections);
    if (!o.sections) return "its sections";
    for (uint32_t i = 0; i < o.section_count; i++) {
        const Elf64_Shdr *s = &o.sections[i];
        bool file = s->sh_type != SHT_NOBITS && s->sh_type != SHT_NULL;
        if (s->sh_size > ELF_OBJECT_BYTES_MAX || s->sh_addralign > ALIGN_MAX ||
            (s->sh_addralign & (s->sh_addralign - 1)) ||
            (file && (s->sh_offset > bytes.len || s->sh_size > bytes.len - s->sh_offset)))
            return "a section";
    }
    if (!find_symbols(&o)) return "its symbols";
    *ret_object = o;
    return NULL;
}

const char *elf_name(const ElfObject *object, const Elf64_Sym *symbol)
{
    return symbol->st_name < object->names.len ? object->names.ptr + symbol->st_name : "";
}

const Elf64_Rela *elf_relocations(const ElfObject *object, const Elf64_Shdr *section,
                                  uint64_t *ret_count)
{
    *ret_count = section->sh_size / sizeof(Elf64_Rela);
    return section->sh_info < object->section_count
               ? part_of(object->bytes, section->sh_offset, *ret_count, sizeof(Elf64_Rela))
               : NULL;
}
