/* runtime/flow/proto_json.h: a record as JSON has it, as a message, for tests. */
#ifndef TUTTI_FLOW_PROTO_JSON_H
#define TUTTI_FLOW_PROTO_JSON_H

#include "base/json.h"
#include "flow/abi.h"

/* Into room for ITEM_BYTES_MAX (pack_json.c) times the text's length. */
char *flow__proto_of_json(RtPipe *pipe, char *w, const RtProto *proto, const RtSchema *schema,
                          const Json *json);

#endif
