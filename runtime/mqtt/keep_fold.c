/* runtime/mqtt/keep_fold.c: of changes side by side only those that make a difference.
 *
 * Most messages of a session whose client is there are written down and done with before the store
 * takes them in: both changes are void then. Of the marks of a session and of the messages under a
 * retained row only the last counts. Read from the end: what stands behind a change is known. */
#include "mqtt/keep.h"

#include "base/mem.h"

#include <string.h>

typedef enum Of { OF_ROW = 1, OF_SLOT, OF_RETAINED } Of;

enum { NOWHERE = UINT32_MAX };

typedef struct Later { /* a change that stands behind */
    uint64_t key;      /* what it is about; 0: none */
    uint32_t at;       /* of its head; NOWHERE: it was struck out itself */
} Later;

typedef struct Fold {
    char *bytes;
    uint32_t *ats; /* of the heads that may matter, in their order */
    size_t count;
    Later *later;
    uint32_t bits; /* its size */
} Fold;

static bool matters(uint8_t op)
{
    return op == KEEP_QUEUE || op == KEEP_REC || op == KEEP_DONE || op == KEEP_MARK ||
           op == KEEP_RETAIN;
}

static uint64_t key_of(Of of, uint64_t id)
{
    return (uint64_t)of << 62 | id;
}

/* The place of a key, or the empty one where it belongs: there are more than changes. Numbers that
 * follow each other are spread by a multiplication (Knuth, volume 3, 6.4). */
static Later *find(const Fold *fold, uint64_t key)
{
    size_t mask = ((size_t)1 << fold->bits) - 1;
    size_t at = (size_t)(key * 0x9e3779b97f4a7c15U >> (64 - fold->bits));
    while (fold->later[at].key && fold->later[at].key != key) at = (at + 1) & mask;
    return &fold->later[at];
}

static void strike(const Fold *fold, uint32_t at)
{
    fold->bytes[at + offsetof(KeepHead, op)] = KEEP_NOTHING;
}

/* The last one of its kind stays. */
static void last_only(const Fold *fold, uint64_t key, uint32_t at)
{
    Later *later = find(fold, key);
    if (later->key) strike(fold, at);
    *later = (Later){key, at};
}

/* A row that is written and done with is void, but for the body that it shares with others. */
static void row(const Fold *fold, const KeepHead *head, uint32_t at)
{
    uint64_t key = key_of(OF_ROW, head->id);
    Later *done = find(fold, key);
    if (head->op == KEEP_DONE) {
        *done = (Later){key, at};
        return;
    }
    if (!done->key || done->at == NOWHERE) return;
    if (head->op == KEEP_REC) { /* the row itself stands before it, or in the table */
        strike(fold, at);
        return;
    }
    if (!head->number) {
        strike(fold, at);
        strike(fold, done->at);
    }
    done->at = NOWHERE; /* a row of that number further ahead was another session's */
}

static void fold_run(const Fold *fold)
{
    for (size_t i = fold->count; i-- > 0;) {
        KeepHead head;
        uint32_t at = fold->ats[i];
        memcpy(&head, fold->bytes + at, sizeof head);
        if (head.op == KEEP_MARK)
            last_only(fold, key_of(OF_SLOT, head.id), at);
        else if (head.op == KEEP_RETAIN)
            last_only(fold, key_of(OF_RETAINED, head.id), at);
        else
            row(fold, &head, at);
    }
}

/* Heads of changes, one after the other. */
static bool next(const Buf *batches, size_t *at, uint32_t *ret_at, uint8_t *ret_op)
{
    KeepHead head;
    if (*at + sizeof head > batches->len) return false;
    memcpy(&head, batches->ptr + *at, sizeof head);
    *ret_at = (uint32_t)*at;
    *ret_op = head.op;
    *at += sizeof head + head.bytes;
    return true;
}

void mqtt__keep_fold(Buf *batches)
{
    size_t count = 0, at = 0;
    uint32_t head_at;
    uint8_t op;
    if (batches->len >= NOWHERE) return;
    while (next(batches, &at, &head_at, &op)) count += matters(op);
    if (count < 2) return;
    Fold fold = {.bytes = batches->ptr, .bits = 2};
    while ((size_t)1 << fold.bits < 2 * count) fold.bits++;
    fold.ats = mem_alloc(count * sizeof *fold.ats);
    fold.later = mem_zalloc((size_t)1 << fold.bits, sizeof *fold.later);
    for (at = 0; fold.ats && fold.later && next(batches, &at, &head_at, &op);)
        if (matters(op)) fold.ats[fold.count++] = head_at;
    fold_run(&fold); /* without memory nothing is struck out */
    mem_free(fold.ats);
    mem_free(fold.later);
}
