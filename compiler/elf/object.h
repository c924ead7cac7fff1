/* compiler/elf/object.h: machine code that is not linked yet, in an ELF file of 64 bits.
 *
 * It comes from a compiler or from a file that anybody may have changed: each offset, number and
 * size is checked here, so that who works with sections and symbols need not. What a relocation
 * says is checked by who follows it. */
#ifndef TUTTI_COMPILER_ELF_OBJECT_H
#define TUTTI_COMPILER_ELF_OBJECT_H

#include "base/str.h"

#include <elf.h>

enum { ELF_OBJECT_BYTES_MAX = 64 << 20 };

typedef struct ElfObject {
    Str bytes;
    const Elf64_Shdr *sections; /* each lies in the bytes and is aligned to a page at most */
    const Elf64_Sym *symbols;
    Str names; /* of the symbols; ends with a NUL */
    uint32_t section_count, symbol_count;
} ElfObject;

/* `bytes` begin where 8 bytes are aligned and stay where they are. `machine`: EM_*, or 0 for any.
 * NULL when all is well, else what is not. */
const char *elf_object_read(Str bytes, uint16_t machine, ElfObject *ret_object);
/* Of a symbol; "" when it has none. */
const char *elf_name(const ElfObject *object, const Elf64_Sym *symbol);
/* The list in a section of relocations; NULL when it is not what it should be. */
const Elf64_Rela *elf_relocations(const ElfObject *object, const Elf64_Shdr *section,
                                  uint64_t *ret_count);

/* Whether a section takes room in memory. */
static inline bool elf_loaded(const Elf64_Shdr *section)
{
    return (section->sh_flags & SHF_ALLOC) && section->sh_size && section->sh_type != SHT_NULL;
}

static inline uint64_t elf_up(uint64_t n, uint64_t align)
{
    return align ? (n + align - 1) & ~(align - 1) : n;
}

#endif
