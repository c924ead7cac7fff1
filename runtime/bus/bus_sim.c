/* runtime/bus/bus_sim.c: holds messages back in front of a local bus.
 *
 * Each message gets a due turn; within a subject the due turn never goes backwards, so order there
 * is kept. Turns are counted by posts, not by time: a run depends on the seed only. Subscriptions
 * and answers are the inner local bus's own. See bus_sim.h. */
#include "bus/bus_sim.h"

#include "base/mem.h"
#include "bus/bus_core.h"

enum { LANES = 64 };

typedef struct Held {
    struct Held *next;
    uint64_t due, id; /* id 0 = event */
    BusMessage *msg;
} Held;

typedef struct SimBus {
    BusLocal local;
    BusFaults faults;
    uint64_t state, turn;
    uint64_t lane_due[LANES]; /* latest due turn by hash of the subject */
    Held *held;               /* by due turn, then by arrival */
    uv_idle_t *idle;          /* one call a turn while something is held; freed by its close */
    bool idle_runs;
} SimBus;

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t draw(SimBus *sim)
{
    uint64_t z = (sim->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* FNV-1a: hash_bytes differs from run to run, and a seed must be replayable. */
static size_t lane_of(Str subject)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < subject.len; i++)
        hash = (hash ^ (unsigned char)subject.ptr[i]) * 0x100000001b3u;
    return hash % LANES;
}

static void release(SimBus *sim, const Held *held)
{
    Bus *bus = &sim->local.bus;
    const BusMessage *msg = held->msg;
    BusCaller caller = {msg->user, msg->org, msg->roles, msg->address, msg->name};
    if (!held->id) {
        /* A failure here is one more dropped event. */
        (void)!bus__local_transport.publish(bus, msg->subject, msg->body);
        return;
    }
    Status st = bus__local_transport.request(bus, held->id, msg->subject, msg->body, &caller);
    if (st) bus__deliver_answer(bus, held->id, st, STR("lost in the simulation"));
}

static void free_held(Held *held)
{
    bus__message_unref(held->msg);
    mem_free(held);
}

static void on_idle(uv_idle_t *idle)
{
    SimBus *sim = idle->data;
    sim->turn++;
    while (sim->held && sim->held->due <= sim->turn) {
        Held *held = sim->held;
        sim->held = held->next;
        release(sim, held);
        free_held(held);
    }
    if (sim->held) return;
    (void)uv_idle_stop(idle);
    sim->idle_runs = false;
}

static Status hold(SimBus *sim, uint64_t id, Str subject, Str body, const BusCaller *caller)
{
    Held *held = mem_zalloc(1, sizeof *held);
    BusMessage *msg = bus__message(subject, body, caller, STR_NONE, id != 0);
    if (!held || !msg) {
        mem_free(held);
        bus__message_unref(msg);
        return ST_NO_MEMORY;
    }
    uint64_t due = sim->turn + 1 + draw(sim) % (sim->faults.delay_turns_max + 1);
    uint64_t *lane = &sim->lane_due[lane_of(subject)];
    if (due < *lane) due = *lane;
    *lane = due;
    *held = (Held){.due = due, .id = id, .msg = msg};
    Held **at = &sim->held;
    while (*at && (*at)->due <= due) at = &(*at)->next;
    held->next = *at;
    *at = held;
    if (!sim->idle_runs) (void)uv_idle_start(sim->idle, on_idle);
    sim->idle_runs = true;
    return ST_OK;
}

static Status sim_publish(Bus *bus, Str subject, Str body)
{
    SimBus *sim = (SimBus *)bus;
    uint64_t dice = draw(sim) % 100;
    if (dice < sim->faults.drop_percent) return ST_OK;
    Status st = hold(sim, 0, subject, body, NULL);
    if (!st && dice < sim->faults.drop_percent + sim->faults.double_percent)
        st = hold(sim, 0, subject, body, NULL);
    return st;
}

static Status sim_request(Bus *bus, uint64_t id, Str subject, Str body, const BusCaller *caller)
{
    return hold((SimBus *)bus, id, subject, body, caller);
}

static void idle_closed(uv_handle_t *handle)
{
    mem_free(handle);
}

static void sim_close(Bus *bus)
{
    SimBus *sim = (SimBus *)bus;
    for (Held *held = sim->held, *next; held; held = next) {
        next = held->next;
        free_held(held);
    }
    sim->held = NULL;
    uv_close((uv_handle_t *)sim->idle, idle_closed);
}

Status bus_sim_open(Loop *loop, const BusFaults *faults, Bus **ret_bus)
{
    static BusTransport transport;
    transport = bus__local_transport;
    transport.publish = sim_publish;
    transport.request = sim_request;
    transport.close = sim_close;
    SimBus *sim = mem_zalloc(1, sizeof *sim);
    uv_idle_t *idle = mem_zalloc(1, sizeof *idle);
    Status st = sim && idle ? bus__init(&sim->local.bus, &transport, loop) : ST_NO_MEMORY;
    if (st) {
        mem_free(sim);
        mem_free(idle);
        return st;
    }
    (void)uv_idle_init(loop_uv(loop), idle); /* cannot fail */
    idle->data = sim;
    sim->idle = idle;
    sim->faults = *faults;
    sim->state = faults->seed;
    bus__local_init(&sim->local);
    *ret_bus = &sim->local.bus;
    return ST_OK;
}
