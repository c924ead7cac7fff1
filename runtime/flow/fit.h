/* runtime/flow/fit.h: whether a text fits a type, by the scanner that pipelines read with.
 *
 * For hosts that look at messages without running a pipeline. One FlowFit per type, used by one
 * thread; it keeps its memory, so that in steady state nothing is allocated per text. */
#ifndef TUTTI_FLOW_FIT_H
#define TUTTI_FLOW_FIT_H

#include "base/status.h"
#include "base/str.h"
#include "flow/abi.h"

typedef struct FlowFit FlowFit;

/* What is wrong with a text; lent until the next one is looked at. */
typedef struct FlowUnfit {
    const char *reason;  /* "range", as on the error port */
    const char *message; /* "the number is outside the range", for people */
    const char *path;    /* of the field: "temp", "lines[3].x"; "" = the whole text */
} FlowUnfit;

/* The root's child and names, when it has some, must outlive the FlowFit; its leaves are numbered
 * from 0. A root that is no record is one JSON value. `closed`: members that no field names are
 * refused. ST_LIMIT: more than RT_LEAVES_MAX leaves. */
MUST Status flow_fit_new(const RtField *root, bool closed, FlowFit **ret_fit);
void flow_fit_free(FlowFit *fit); /* accepts NULL */
/* True: it fits. Texts above FLOW_FIT_BYTES_MAX do not. */
bool flow_fit(FlowFit *fit, Str text, FlowUnfit *ret_unfit);

enum { FLOW_FIT_BYTES_MAX = 16 << 20 };

/* The words of a reason that was kept by its name; "unknown" when this version has no such one. */
FlowUnfit flow_unfit_of(Str reason);

#endif
