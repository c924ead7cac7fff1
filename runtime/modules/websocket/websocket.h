/* runtime/modules/websocket/websocket.h: sockets, watches and events; private to the module.
 *
 * A socket is known by the number the gateway gave it; its bytes go over the bus. A watch belongs
 * to a socket and stands for a watch of the owner of the data (uns, engine), whose frames it wraps.
 */
#ifndef TUTTI_WEBSOCKET_H
#define TUTTI_WEBSOCKET_H

#include "module/module.h"

enum {
    LIVE_WATCHES_MAX = 32, /* per socket */
    LIVE_FILTERS_MAX = 16, /* subjects of one events watch */
    LIVE_FILTER_BYTES_MAX = 128,
    LIVE_PAGE_BYTES_MAX = 256,
    LIVE_NAME_BYTES_MAX = 64,
    LIVE_SOCKETS_MAX = 4096,
    LIVE_EVENT_SUBS_MAX = 64,
    LIVE_HZ_MAX = 10,
};

typedef enum LiveKind { LIVE_VALUES, LIVE_GRAPH, LIVE_EVENTS } LiveKind;

typedef struct LiveSocket LiveSocket;

typedef struct LiveWatch {
    LiveSocket *socket;
    struct LiveWatch *next; /* of the socket */
    int64_t id;             /* the client's number */
    uint64_t serial;        /* ours; answers that come late are told apart by it */
    LiveKind kind;
    char remote[24]; /* the owner's id; empty until it answered */
    double hz;
    uint64_t seq; /* of the last frame that was handed on */
    uint64_t skipped, lost;
    bool wants_full; /* frames are left out until a full one comes */
    char filters[LIVE_FILTERS_MAX][LIVE_FILTER_BYTES_MAX];
    uint32_t filter_count;
} LiveWatch;

struct LiveSocket {
    struct Live *live;
    LiveSocket *next, *prev;
    int64_t id;
    uint32_t roles, watch_count;
    char name[LIVE_NAME_BYTES_MAX];
    char page[LIVE_PAGE_BYTES_MAX];
    LiveWatch *watches;
    double hz_max; /* of all watches */
    bool slow;
};

typedef struct LiveConf {
    int64_t stale_ms;
} LiveConf;

typedef struct Live {
    const ModEnv *env;
    LiveSocket *sockets;
    uint32_t socket_count;
    uint64_t watch_serial, frames, frames_skipped, events_sent, events_lost;
    LoopTimer *lease_timer;
    BusSub *event_subs[LIVE_EVENT_SUBS_MAX];
    uint32_t event_sub_count;
} Live;

extern const BusCaller live__system;

/* To the page. A frame may be left out when the page is slow; other text never is. */
void live__send(LiveSocket *socket, bool frame, Str text);
void live__reply_error(LiveSocket *socket, int64_t re, Status status, const char *text);
void live__reply_ok(LiveSocket *socket, int64_t re, const char *more);
LiveSocket *live__socket(const Live *live, int64_t id);

/* live_watch.c */
void live__op_watch(LiveSocket *socket, int64_t re, const Json *message, LiveKind kind);
void live__op_events(LiveSocket *socket, int64_t re, const Json *message);
void live__op_unwatch(LiveSocket *socket, int64_t re);
void live__op_snapshot(LiveSocket *socket, int64_t re);
void live__op_rate(LiveSocket *socket, int64_t re, const Json *message);
void live__watch_end(LiveWatch *watch); /* tells the owner and frees it */
void live__drained(LiveSocket *socket);
void live__on_values(void *self, const BusMsg *msg);
void live__on_wires(void *self, const BusMsg *msg);
void live__on_event(void *ctx, const BusMsg *msg);
void live__renew(void *ctx);

#endif
