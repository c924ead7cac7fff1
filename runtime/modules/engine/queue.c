/* runtime/modules/engine/queue.c: records between the main loop (or a reader) and a shard.
 *
 * A list of batches. Producers fill the last one, the shard takes the first one whole: a batch is
 * therefore what arrived since the shard last looked, 1..ENGINE_BATCH_ITEMS, and nobody waits for
 * it to fill. Bounded in batches, and each batch in items and bytes. Records that must be
 * acknowledged are bounded by their source's window and always taken; others drop the oldest,
 * counted. */
#include "modules/engine/engine.h"

#include "base/clock.h"
#include "base/mem.h"

Status engine__queue_init(EngQueue *queue)
{
    if (uv_mutex_init(&queue->lock)) {
        return ST_NO_MEMORY;
    }
    if (uv_cond_init(&queue->room)) {
        uv_mutex_destroy(&queue->lock);
        return ST_NO_MEMORY;
    }
    return ST_OK;
}

static void batch_free(EngBatch *batch)
{
    if (batch) {
        buf_done(&batch->bytes);
        mem_free(batch->items);
        mem_free(batch);
    }
}

static void list_free(EngBatch *batch)
{
    while (batch) {
        EngBatch *next = batch->next;
        batch_free(batch);
        batch = next;
    }
}

void engine__queue_done(EngQueue *queue)
{
    list_free(queue->head);
    list_free(queue->spare);
    queue->head = queue->tail = queue->spare = NULL;
    uv_cond_destroy(&queue->room);
    uv_mutex_destroy(&queue->lock);
}

static EngBatch *batch_new(void)
{
    EngBatch *batch = mem_zalloc(1, sizeof(*batch));
    if (!batch) {
        return NULL;
    }
    batch->items = mem_zalloc(ENGINE_BATCH_ITEMS, sizeof(EngItem));
    buf_init(&batch->bytes, ENGINE_BATCH_BYTES + ENGINE_RECORD_BYTES + RT_PAD_BYTES);
    if (!batch->items) {
        batch_free(batch);
        return NULL;
    }
    return batch;
}

/* With the lock held: an empty batch at the end of the list, or NULL. */
static EngBatch *append(EngQueue *queue)
{
    EngBatch *batch = queue->spare;
    if (batch) {
        queue->spare = batch->next;
        queue->spares--;
        batch->next = NULL;
    } else if (!(batch = batch_new())) {
        return NULL;
    }
    if (queue->tail) {
        queue->tail->next = batch;
    } else {
        queue->head = batch;
    }
    queue->tail = batch;
    queue->batches++;
    return batch;
}

static void recycle(EngQueue *queue, EngBatch *batch)
{
    /* Two spares are enough for producer and shard; large ones give their memory back. */
    if (queue->spares >= 2 || batch->bytes.cap > 2 * ENGINE_BATCH_BYTES) {
        batch_free(batch);
        return;
    }
    buf_clear(&batch->bytes);
    batch->count = 0;
    batch->lines = batch->end = batch->tokens = false;
    batch->next = queue->spare;
    queue->spare = batch;
    queue->spares++;
}

/* The oldest batch that nobody waits for leaves. False: there is none. */
static bool drop_oldest(EngQueue *queue)
{
    EngBatch **at = &queue->head, *before = NULL;
    while (*at && ((*at)->tokens || (*at)->lines)) {
        before = *at;
        at = &(*at)->next;
    }
    EngBatch *batch = *at;
    if (!batch) {
        return false;
    }
    *at = batch->next;
    if (queue->tail == batch) {
        queue->tail = before;
    }
    queue->batches--;
    queue->dropped += batch->count;
    recycle(queue, batch);
    return true;
}

static bool fits(const EngBatch *batch, size_t bytes)
{
    return batch && !batch->lines && batch->count < ENGINE_BATCH_ITEMS &&
           (batch->count == 0 || batch->bytes.len + bytes <= ENGINE_BATCH_BYTES);
}

static Status put(EngQueue *queue, const EngRecord *record, EngToken token)
{
    Str headers = record->headers.len <= UINT16_MAX ? record->headers : STR_NONE;
    size_t bytes = record->payload.len + record->topic.len + record->key.len + headers.len;
    EngBatch *batch = queue->tail;
    if (!fits(batch, bytes)) {
        if (queue->batches >= ENGINE_QUEUE_BATCHES && token.kind == TOKEN_NONE &&
            !drop_oldest(queue)) {
            queue->dropped++;
            return ST_OK;
        }
        batch = append(queue);
        if (!batch) {
            return ST_NO_MEMORY;
        }
    }
    if (!buf_reserve(&batch->bytes, bytes + RT_PAD_BYTES)) {
        Status st = buf_status(&batch->bytes);
        batch->bytes.failed = ST_OK;
        return st;
    }
    batch->items[batch->count++] = (EngItem){.at = batch->bytes.len,
                                             .len = (uint32_t)record->payload.len,
                                             .topic_len = (uint32_t)record->topic.len,
                                             .key_len = (uint32_t)record->key.len,
                                             .headers_len = (uint16_t)headers.len,
                                             .received_ns = record->received_ns,
                                             .token = token};
    buf_str(&batch->bytes, record->payload);
    buf_str(&batch->bytes, record->topic);
    buf_str(&batch->bytes, record->key);
    buf_str(&batch->bytes, headers);
    batch->tokens |= token.kind != TOKEN_NONE;
    return ST_OK;
}

Status engine__queue_push(EngQueue *queue, const EngRecord *record, EngToken token, bool *ret_wake)
{
    if (record->payload.len > ENGINE_RECORD_BYTES ||
        record->topic.len + record->key.len > ENGINE_RECORD_BYTES / 2) {
        return ST_LIMIT;
    }
    uv_mutex_lock(&queue->lock);
    Status st = put(queue, record, token);
    bool wake = !st && !queue->woken;
    if (wake) {
        queue->woken = true;
    }
    uv_mutex_unlock(&queue->lock);
    *ret_wake = wake;
    return st;
}

bool engine__queue_push_lines(EngQueue *queue, uint8_t slot, Str lines, bool end, bool *ret_wake)
{
    *ret_wake = false;
    uv_mutex_lock(&queue->lock);
    while (queue->batches >= ENGINE_QUEUE_BATCHES && !queue->closed) {
        uv_cond_wait(&queue->room, &queue->lock);
    }
    EngBatch *batch = queue->closed ? NULL : append(queue);
    if (batch) {
        batch->lines = true;
        batch->end = end;
        batch->slot = slot;
        batch->received_ns = clock_wall_ns();
        buf_str(&batch->bytes, lines);
        if (!buf_reserve(&batch->bytes, RT_PAD_BYTES)) {
            buf_clear(&batch->bytes);
        }
        *ret_wake = !queue->woken;
        queue->woken = true;
    }
    uv_mutex_unlock(&queue->lock);
    return batch != NULL;
}

EngBatch *engine__queue_take(EngQueue *queue)
{
    uv_mutex_lock(&queue->lock);
    EngBatch *batch = queue->head;
    if (batch) {
        queue->head = batch->next;
        if (!queue->head) {
            queue->tail = NULL;
        }
        batch->next = NULL;
        queue->batches--;
        uv_cond_signal(&queue->room);
    } else {
        queue->woken = false;
    }
    uv_mutex_unlock(&queue->lock);
    return batch;
}

/* Items of both from the front that are the same record (bytes, topic, key, headers and arrival),
 * in `a` of the first source. */
static uint32_t same_items(const EngBatch *a, const EngBatch *b, const uint32_t *slot_source)
{
    uint32_t most = a->count < b->count ? a->count : b->count, same = 0;
    size_t bytes = 0;
    for (; same < most; same++) {
        const EngItem *x = &a->items[same], *y = &b->items[same];
        if (x->at != y->at || x->len != y->len || x->topic_len != y->topic_len ||
            x->key_len != y->key_len || x->headers_len != y->headers_len ||
            x->received_ns != y->received_ns || x->token.failed ||
            slot_source[x->token.slot] != 0) {
            break;
        }
        bytes = x->at + x->len + x->topic_len + x->key_len + x->headers_len;
    }
    return same && memcmp(a->bytes.ptr, b->bytes.ptr, bytes) == 0 ? same : 0;
}

uint32_t engine__queue_same(EngQueue *queue, const uint32_t *slot_source, const EngBatch *batch)
{
    uv_mutex_lock(&queue->lock);
    uint32_t same =
        queue->head && !queue->head->lines ? same_items(queue->head, batch, slot_source) : 0;
    uv_mutex_unlock(&queue->lock);
    return same;
}

static void note_tokens(EngBatch *batch)
{
    batch->tokens = false;
    for (uint32_t i = 0; i < batch->count; i++) {
        batch->tokens |= batch->items[i].token.kind != TOKEN_NONE;
    }
}

/* With the lock held: what is behind the first `count` items becomes a batch at the front. */
static bool split(EngQueue *queue, EngBatch *batch, uint32_t count)
{
    EngBatch *rest = queue->spare;
    size_t at = batch->items[count].at;
    if (rest) {
        queue->spare = rest->next;
        queue->spares--;
    } else if (!(rest = batch_new())) {
        return false;
    }
    buf_add(&rest->bytes, batch->bytes.ptr + at, batch->bytes.len - at);
    if (rest->bytes.failed || !buf_reserve(&rest->bytes, RT_PAD_BYTES)) {
        recycle(queue, rest);
        return false;
    }
    rest->count = batch->count - count;
    for (uint32_t i = 0; i < rest->count; i++) {
        rest->items[i] = batch->items[count + i];
        rest->items[i].at -= at;
    }
    batch->count = count;
    batch->bytes.len = at;
    note_tokens(rest);
    note_tokens(batch);
    rest->next = queue->head;
    queue->head = rest;
    queue->tail = queue->tail ? queue->tail : rest;
    queue->batches++;
    return true;
}

bool engine__queue_keep(EngQueue *queue, EngBatch *batch, uint32_t count)
{
    uv_mutex_lock(&queue->lock);
    bool kept = split(queue, batch, count);
    uv_mutex_unlock(&queue->lock);
    return kept;
}

EngBatch *engine__queue_take_some(EngQueue *queue, uint32_t count)
{
    EngBatch *batch = engine__queue_take(queue);
    if (batch && batch->count > count && !engine__queue_keep(queue, batch, count)) {
        uv_mutex_lock(&queue->lock);
        batch->next = queue->head;
        queue->head = batch;
        queue->tail = queue->tail ? queue->tail : batch;
        queue->batches++;
        uv_mutex_unlock(&queue->lock);
        return NULL;
    }
    return batch;
}

void engine__queue_give(EngQueue *queue, EngBatch *batch)
{
    uv_mutex_lock(&queue->lock);
    recycle(queue, batch);
    uv_mutex_unlock(&queue->lock);
}

bool engine__queue_wake(EngQueue *queue)
{
    uv_mutex_lock(&queue->lock);
    bool wake = queue->head && !queue->woken;
    if (wake) {
        queue->woken = true;
    }
    uv_mutex_unlock(&queue->lock);
    return wake;
}

void engine__queue_sleep(EngQueue *queue)
{
    uv_mutex_lock(&queue->lock);
    queue->woken = false;
    uv_mutex_unlock(&queue->lock);
}

void engine__queue_pause(EngQueue *queue, uint32_t ms)
{
    uv_mutex_lock(&queue->lock);
    (void)uv_cond_timedwait(&queue->room, &queue->lock, ms * (uint64_t)NS_PER_MS);
    uv_mutex_unlock(&queue->lock);
}

void engine__queue_close(EngQueue *queue)
{
    uv_mutex_lock(&queue->lock);
    queue->closed = true;
    uv_cond_broadcast(&queue->room);
    uv_mutex_unlock(&queue->lock);
}

bool engine__queue_empty(EngQueue *queue)
{
    uv_mutex_lock(&queue->lock);
    bool empty = !queue->head;
    uv_mutex_unlock(&queue->lock);
    return empty;
}
