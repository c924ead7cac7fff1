/* tests/fuzz/fuzz_elf.c: any bytes as an object of the C compiler. What is written of it lies where
 * its heads say, and is relocated nowhere but where the loader may write. */
#include "compiler/elf/shared.h"

#include <assert.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

static void check(Str file)
{
    Elf64_Ehdr head;
    Elf64_Phdr heads[6];
    Elf64_Dyn entry;
    Elf64_Rela move;
    uint64_t moves = 0, count = 0;
    assert(file.len > sizeof head + sizeof heads);
    memcpy(&head, file.ptr, sizeof head);
    memcpy(heads, file.ptr + sizeof head, sizeof heads);
    for (size_t i = 0; i < 6; i++) {
        assert(heads[i].p_offset <= file.len && heads[i].p_filesz <= heads[i].p_memsz);
        assert(heads[i].p_type == PT_GNU_RELRO ||
               heads[i].p_filesz <= file.len - heads[i].p_offset);
        assert(!i || i > 2 || heads[i].p_vaddr >= heads[i - 1].p_vaddr + heads[i - 1].p_memsz);
    }
    const Elf64_Phdr *data = &heads[2], *dynamic = &heads[3];
    for (uint64_t at = 0; at < dynamic->p_filesz; at += sizeof entry) {
        memcpy(&entry, file.ptr + dynamic->p_offset + at, sizeof entry);
        if (entry.d_tag == DT_RELA) moves = entry.d_un.d_val;
        if (entry.d_tag == DT_RELASZ) count = entry.d_un.d_val / sizeof move;
    }
    for (uint64_t i = 0; i < count; i++) {
        memcpy(&move, file.ptr + moves + i * sizeof move, sizeof move);
        assert(move.r_offset >= data->p_vaddr &&
               move.r_offset + 8 <= data->p_vaddr + data->p_filesz);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *object = malloc(size ? size : 1); /* aligned, and its end is known */
    Buf file;
    if (!object) return 0;
    if (size) memcpy(object, data, size);
    buf_init(&file, 1 << 27);
    if (!elf_shared(str_slice(object, size), &file, NULL)) check(buf_view(&file));
    buf_done(&file);
    free(object);
    return 0;
}
