/* runtime/ask/ask.h: answers of databases and servers, for FlowHost.ask.
 *
 * One asker belongs to one instance and one thread. Several questions at once are asked by threads
 * of its own, each with an asker of its own. */
#ifndef TUTTI_ASK_ASK_H
#define TUTTI_ASK_ASK_H

#include "flow/instance.h"

typedef struct Asker Asker;

/* `historian`: path of the historian's file, or NULL; `halting` (may be NULL): give up early. */
MUST Status asker_new(const char *historian, bool (*halting)(void *ctx), void *ctx,
                      Asker **ret_asker);
void asker_free(Asker *asker); /* accepts NULL */
/* A FlowAskFn; ctx: an Asker. Tries as often as the question says. */
MUST Status asker_ask(void *asker, const RtAskInfo *ask, const RtValue *values, const u8 *has,
                      u32 count, Buf *out, Diag *diag);
/* The functions of FlowHost for several at once. */
void *asker_begin(void *asker, const RtAskInfo *ask, const RtValue *values, const u8 *has,
                  u32 count);
MUST Status asker_end(void *asker, void *question, Buf *out, Diag *diag);
void *asker_first(void *asker, u32 asks);

#endif
