/* runtime/modules/uns/uns_quality.c: the quality of a whole branch becomes worse: who brings its
 * values is gone. The values stay, and so does their age: nothing was heard. */
#include "modules/uns/uns.h"
#include "modules/uns/uns_alarm.h"

typedef struct Mark {
    Uns *uns;
    UnsQuality quality;
    int64_t now_ns, until_ns; /* values that came later stay as they are */
    int64_t time_ns;          /* since when they are so; behind the value itself at least */
    uint32_t count;
} Mark;

static void mark_node(Mark *mark, UnsNode *node)
{
    char text[UNS_TEXT_BYTES_MAX];
    UnsValue value = uns_node_value(node);
    int64_t heard_ns = node->heard_ns;
    if (value.type == UNS_NONE || value.quality >= mark->quality) return;
    if (node->received_ns > mark->until_ns) return;
    if (value.type == UNS_TEXT && value.text.len) { /* it is copied into its own room */
        memcpy(text, value.text.ptr, value.text.len);
        value.text.ptr = text;
    }
    value.quality = mark->quality;
    value.ts_ns = value.ts_ns < mark->time_ns ? mark->time_ns : value.ts_ns + 1;
    if (uns_node_set(&mark->uns->tree, node, &value, mark->now_ns)) return;
    node->heard_ns = heard_ns;
    mark->count++;
    uns__keep_value(mark->uns, node);
    uns__alarm_value(mark->uns, node, false);
}

/* At most UNS_LEVELS_MAX deep. */
static void mark_branch(Mark *mark, UnsNode *node)
{
    mark_node(mark, node);
    for (uint32_t i = 0; i < uns_child_count(node); i++) mark_branch(mark, uns_child(node, i));
}

void uns__op_quality(void *self, Req *req)
{
    Uns *uns = self;
    Str word = json_str(req->in, "quality", STR_NONE), path = json_str(req->in, "path", STR_NONE);
    Mark mark = {.uns = uns, .now_ns = clock_wall_ns()};
    mark.until_ns = json_int(req->in, "until_ns", mark.now_ns);
    mark.time_ns = json_int(req->in, "time_ns", mark.until_ns);
    if (!str_is(word, "uncertain") && !str_is(word, "bad")) {
        req_fail(req, ST_INVALID, "quality is uncertain or bad");
        return;
    }
    mark.quality = str_is(word, "bad") ? UNS_BAD : UNS_UNCERTAIN;
    UnsNode *node = uns_tree_find(&uns->tree, path);
    if (node) mark_branch(&mark, node);
    Buf out;
    buf_init(&out, 64);
    buf_printf(&out, "{\"marked\":%u}", mark.count);
    req_answer_buf(req, &out);
}
