/* compiler/pass/panes.c: hop windows that overlap count each record once.
 *
 * Time is cut wherever such a window begins or ends; a record is counted in one of these panes, and
 * a window that closes puts its panes together (runtime/flow/pane.c). That holds for aggregates
 * whose bytes are the same however records are grouped (ir_agg_shares); the others are marked: each
 * window counts them by itself, in cells side by side. A window is left as it is when it gives rows
 * early or again (`early`, `on late update`): then each one must know what it has told already.
 * A hop as long as its step is a tumbling window, for which there is faster code. */
#include "compiler/pass/pass.h"

Status pass_panes(IrProgram *program)
{
    for (uint32_t p = 0; p < program->pipeline_count; p++)
        for (uint32_t i = 0; i < program->pipelines[p].window_count; i++) {
            IrWindow *w = &program->pipelines[p].windows[i];
            if (w->kind != WINDOW_HOP) continue;
            if (w->every_ns == w->size_ns) {
                w->kind = WINDOW_TUMBLE;
                w->every_ns = 0;
                continue;
            }
            w->panes = !w->early_ns && !w->keep_ns;
            for (uint32_t a = 0; w->panes && a < w->agg_count; a++)
                w->aggs[a].each = !ir_agg_shares(w->aggs[a].kind);
        }
    return ST_OK;
}
