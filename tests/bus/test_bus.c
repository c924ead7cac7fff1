/* tests/bus/test_bus.c: the rules of bus.h, each run on the local bus, on NATS and on the sim.
 *
 * The NATS run starts its own nats-server on a free port and ends it by its process id. The sim
 * run here has delays only; loss and doubling are tested at the end with fixed seeds. */
#include "test.h"

#include "base/clock.h"
#include "base/mem.h"
#include "bus/bus.h"
#include "bus/bus_sim.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEADLINE_MS = 60000, NOTES = 64 };

typedef struct Bed {
    Loop *loop;
    Bus *bus;
    LoopTimer *deadline;
    bool late;
    int seen, answers, expected;
    int last[2]; /* sim: latest value of each subject */
    Status status;
    char notes[NOTES][128]; /* what arrived, in order */
    BusSub *sub;
    BusReq *kept;
    bool inside; /* a call to the bus is on the stack */
} Bed;

/* ---- a NATS server of our own ---- */

static pid_t server;
static char server_url[64];

static int free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
    close(fd);
    return ntohs(at.sin_port);
}

static void server_end(void)
{
    if (!server) return;
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    server = 0;
}

static bool answers_at(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes = connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
    close(fd);
    return yes;
}

static bool server_start(void)
{
    char port[16];
    int number = free_port();
    if (server) return true;
    (void)snprintf(port, sizeof port, "%d", number);
    server = fork();
    if (server == 0) {
        /* Dies with the test, however that ends, and keeps no pipe of the runner open. */
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (dup2(null, 0) == 0 && dup2(null, 1) == 1 && dup2(null, 2) == 2)
            execlp("nats-server", "nats-server", "-a", "127.0.0.1", "-p", port, (char *)NULL);
        _exit(127);
    }
    if (server < 0) {
        server = 0;
        return false;
    }
    atexit(server_end);
    (void)snprintf(server_url, sizeof server_url, "nats://127.0.0.1:%d", number);
    int64_t until = clock_monotonic_ns() + DEADLINE_MS * NS_PER_MS;
    while (!answers_at(number)) CHECK(clock_monotonic_ns() < until);
    return true;
}

/* ---- the bed: loop, bus, deadline ---- */

static void on_deadline(void *ctx)
{
    Bed *bed = ctx;
    bed->late = true;
    loop_stop(bed->loop);
}

static void bed_begin(Bed *bed)
{
    memset(bed, 0, sizeof *bed);
    CHECK_OK(loop_new(&bed->loop));
    CHECK_OK(loop_timer_start(bed->loop, DEADLINE_MS, 0, on_deadline, bed, &bed->deadline));
}

static void bed_end(Bed *bed)
{
    bus_close(bed->bus);
    loop_free(bed->loop);
}

static void run(Bed *bed)
{
    loop_run(bed->loop);
    CHECK(!bed->late);
}

typedef void RuleFn(Bed *bed);

static void on_each_bus(RuleFn *rule)
{
    static const BusFaults delays = {.seed = 7, .delay_turns_max = 5};
    Bed bed;
    Diag diag = {0};
    bed_begin(&bed);
    CHECK_OK(bus_local_open(bed.loop, &bed.bus));
    rule(&bed);
    bed_end(&bed);
    bed_begin(&bed);
    CHECK_OK(bus_sim_open(bed.loop, &delays, &bed.bus));
    rule(&bed);
    bed_end(&bed);
    CHECK(server_start());
    bed_begin(&bed);
    Status st = bus_nats_open(bed.loop, server_url, &bed.bus, &diag);
    if (st) print_error("%s\n", diag.text);
    CHECK_OK(st);
    rule(&bed);
    bed_end(&bed);
}

static void note(Bed *bed, Str a, Str b)
{
    CHECK(!bed->inside);
    if (bed->seen < NOTES)
        (void)snprintf(bed->notes[bed->seen], sizeof bed->notes[0], "%.*s %.*s", STR_ARG(a),
                       STR_ARG(b));
    if (++bed->seen == bed->expected) loop_stop(bed->loop);
}

static void on_event(void *ctx, const BusMsg *msg)
{
    CHECK(!msg->req);
    note(ctx, msg->subject, msg->body);
}

static void on_answer(void *ctx, Status status, Str body)
{
    Bed *bed = ctx;
    bed->status = status;
    bed->answers++;
    note(bed, STR("answer"), body);
}

static void publish(Bed *bed, const char *subject, Str body)
{
    bed->inside = true;
    CHECK_OK(bus_publish(bed->bus, str_from(subject), body));
    bed->inside = false;
}

static void ask(Bed *bed, const char *subject, Str body, uint32_t timeout_ms)
{
    bed->inside = true;
    CHECK_OK(bus_request(bed->bus, str_from(subject), body, NULL, timeout_ms, on_answer, bed));
    bed->inside = false;
}

static BusSub *hear(Bed *bed, const char *filter, BusMsgFn *fn)
{
    BusSub *sub = NULL;
    CHECK_OK(bus_subscribe(bed->bus, filter, NULL, 1000, 0, fn, bed, &sub));
    return sub;
}

/* ---- rules ---- */

static void echo(void *ctx, const BusMsg *msg)
{
    Bed *bed = ctx;
    CHECK(!bed->inside);
    CHECK(msg->req);
    CHECK_INT(msg->caller.roles, BUS_ROLES_ALL);
    bus_answer(msg->req, ST_OK, msg->body);
}

static void rule_request(Bed *bed)
{
    static const char bytes[] = "a\0b\xff";
    (void)hear(bed, "uns.get", echo);
    bed->expected = 1;
    ask(bed, "uns.get", (Str){bytes, 4}, 5000);
    CHECK_INT(bed->seen, 0);
    run(bed);
    CHECK_OK(bed->status);
    CHECK_INT(memcmp(bed->notes[0], "answer a", 9), 0);
}

TEST(request_is_answered_later_never_inside_the_call)
{
    on_each_bus(rule_request);
}

static void rule_nobody(Bed *bed)
{
    bed->expected = 1;
    ask(bed, "no.body", STR("x"), 10 * DEADLINE_MS); /* waiting for that would be too late */
    run(bed);
    CHECK_INT(bed->status, ST_UNAVAILABLE);
}

TEST(request_nobody_listens_to_is_unavailable_at_once)
{
    on_each_bus(rule_nobody);
}

/* Never false where somebody would get it; local it is also true only then. */
static void rule_heard(Bed *bed)
{
    BusSub *one = hear(bed, "uns.recorded", on_event), *all = hear(bed, "data.>", on_event);
    CHECK(bus_heard(bed->bus, STR("uns.recorded")));
    CHECK(bus_heard(bed->bus, STR("data.line1.temp")));
    bus_unsubscribe(one);
    bus_unsubscribe(all);
}

TEST(what_somebody_listens_to_is_heard)
{
    Bed bed;
    on_each_bus(rule_heard);
    bed_begin(&bed);
    CHECK_OK(bus_local_open(bed.loop, &bed.bus));
    rule_heard(&bed);
    CHECK(!bus_heard(bed.bus, STR("uns.recorded")));
    CHECK(!bus_heard(bed.bus, STR("data.line1.temp")));
    bed_end(&bed);
}

static void keep(void *ctx, const BusMsg *msg)
{
    ((Bed *)ctx)->kept = msg->req;
}

static void rule_timeout(Bed *bed)
{
    (void)hear(bed, "slow.op", keep);
    bed->expected = 1;
    ask(bed, "slow.op", STR("x"), 150);
    run(bed);
    CHECK_INT(bed->status, ST_TIMEOUT);
    CHECK(bed->kept);
    bus_answer(bed->kept, ST_OK, STR("too late")); /* goes nowhere and hurts nobody */
    bed->expected = 2;
    ask(bed, "no.body", STR(""), 5000);
    run(bed);
    CHECK_INT(bed->answers, 2);
}

TEST(request_times_out_and_a_late_answer_is_ignored)
{
    on_each_bus(rule_timeout);
}

static void refuse(void *ctx __attribute__((unused)), const BusMsg *msg)
{
    bus_answer(msg->req, ST_FORBIDDEN, STR("not you"));
}

static void rule_status(Bed *bed)
{
    (void)hear(bed, "a.refuse", refuse);
    bed->expected = 1;
    ask(bed, "a.refuse", STR(""), 5000);
    run(bed);
    CHECK_INT(bed->status, ST_FORBIDDEN);
    CHECK_TEXT(bed->notes[0], "answer not you");
}

TEST(answer_carries_its_status_and_text)
{
    on_each_bus(rule_status);
}

static void tell_caller(void *ctx __attribute__((unused)), const BusMsg *msg)
{
    char text[200];
    const BusCaller *c = &msg->caller;
    int len = snprintf(text, sizeof text, "%.*s|%.*s|%u|%.*s|%.*s", STR_ARG(c->user),
                       STR_ARG(c->org), c->roles, STR_ARG(c->address), STR_ARG(c->name));
    bus_answer(msg->req, ST_OK, (Str){text, (size_t)len});
}

static void rule_caller(Bed *bed)
{
    BusCaller stranger = {.address = STR("192.0.2.7")};
    BusCaller ann = {STR("u-7"), STR("plant1"), 5, STR("[::1]:99"), STR("ann \xc3\xa4")};
    BusCaller forger = {.user = STR("x\r\nTutti-Roles: 31")};
    (void)hear(bed, "who.ami", tell_caller);
    CHECK_INT(bus_request(bed->bus, STR("who.ami"), STR(""), &forger, 100, on_answer, bed),
              ST_INVALID);
    bed->expected = 1;
    CHECK_OK(
        bus_request(bed->bus, STR("who.ami"), STR(""), &stranger, DEADLINE_MS, on_answer, bed));
    run(bed);
    bed->expected = 2;
    CHECK_OK(bus_request(bed->bus, STR("who.ami"), STR(""), &ann, DEADLINE_MS, on_answer, bed));
    run(bed);
    CHECK_TEXT(bed->notes[0], "answer ||0|192.0.2.7|");
    CHECK_TEXT(bed->notes[1], "answer u-7|plant1|5|[::1]:99|ann \xc3\xa4");
}

TEST(caller_travels_with_the_request)
{
    on_each_bus(rule_caller);
}

static void rule_order(Bed *bed)
{
    char text[16], want[32];
    (void)hear(bed, "data.>", on_event);
    bed->expected = 40;
    for (int i = 0; i < 40; i++) {
        (void)snprintf(text, sizeof text, "%d", i);
        publish(bed, "data.line1.temp", str_from(text));
    }
    CHECK_INT(bed->seen, 0);
    run(bed);
    for (int i = 0; i < 40; i++) {
        (void)snprintf(want, sizeof want, "data.line1.temp %d", i);
        CHECK_TEXT(bed->notes[i], want);
    }
}

TEST(events_of_a_subject_keep_their_order)
{
    on_each_bus(rule_order);
}

static void rule_group(Bed *bed)
{
    static const char *const group = "workers";
    BusSub *sub = NULL;
    for (int i = 0; i < 3; i++)
        CHECK_OK(
            bus_subscribe(bed->bus, "job.new", group, 100, BUS_ONE_OF_GROUP, on_event, bed, &sub));
    (void)hear(bed, "job.*", on_event);
    bed->expected = 20; /* ten for the group, ten for the watcher */
    for (int i = 0; i < 10; i++) publish(bed, "job.new", STR("x"));
    run(bed);
    bed->expected = 21; /* nothing of a third or fourth copy came before this one */
    publish(bed, "job.last", STR("end"));
    run(bed);
    CHECK_TEXT(bed->notes[20], "job.last end");
}

TEST(one_of_a_group_gets_a_message)
{
    on_each_bus(rule_group);
}

static void rule_sizes(Bed *bed)
{
    char *big = mem_alloc(BUS_BODY_BYTES_MAX + 1);
    memset(big, 'x', BUS_BODY_BYTES_MAX + 1);
    (void)hear(bed, "uns.get", echo);
    CHECK_INT(bus_publish(bed->bus, STR("a.b"), (Str){big, BUS_BODY_BYTES_MAX + 1}), ST_LIMIT);
    CHECK_INT(bus_publish(bed->bus, STR("a b"), STR("")), ST_INVALID);
    CHECK_INT(bus_publish(bed->bus, STR("a.*"), STR("")), ST_INVALID);
    bed->expected = 1;
    ask(bed, "uns.get", (Str){big, BUS_BODY_BYTES_MAX}, 9000);
    run(bed);
    CHECK_OK(bed->status);
    mem_free(big);
}

TEST(sizes_and_subjects_have_the_same_limits)
{
    on_each_bus(rule_sizes);
}

static void unsubscribe_self(void *ctx, const BusMsg *msg)
{
    Bed *bed = ctx;
    bus_unsubscribe(bed->sub);
    bed->sub = NULL;
    on_event(bed, msg);
}

static void rule_unsubscribe(Bed *bed)
{
    bed->sub = hear(bed, "t.x", unsubscribe_self);
    bed->expected = 1;
    for (int i = 0; i < 5; i++) publish(bed, "t.x", STR("x"));
    run(bed);
    bed->expected = 2;
    ask(bed, "t.x", STR(""), 5000);
    run(bed);
    CHECK_INT(bed->status, ST_UNAVAILABLE);
    CHECK_INT(bed->seen, 2);
}

TEST(handler_may_unsubscribe_itself_and_gets_nothing_more)
{
    on_each_bus(rule_unsubscribe);
}

static void rule_close(Bed *bed)
{
    (void)hear(bed, "slow.op", keep);
    ask(bed, "slow.op", STR("x"), 60000);
    bed->expected = -1;
    bus_close(bed->bus);
    bed->bus = NULL;
    CHECK_INT(bed->answers, 1);
    CHECK_INT(bed->status, ST_CANCELLED);
}

TEST(close_cancels_what_waits)
{
    on_each_bus(rule_close);
}

/* ---- only where the queue can be filled on purpose: the local bus ---- */

static void full_queue(uint32_t flags, const char *first, const char *last)
{
    Bed bed;
    BusSub *sub = NULL;
    char text[16];
    bed_begin(&bed);
    CHECK_OK(bus_local_open(bed.loop, &bed.bus));
    CHECK_OK(bus_subscribe(bed.bus, "d.x", NULL, 4, flags, on_event, &bed, &sub));
    for (int i = 0; i < 10; i++) {
        (void)snprintf(text, sizeof text, "%d", i);
        publish(&bed, "d.x", str_from(text));
    }
    bed.expected = 4;
    run(&bed);
    CHECK_TEXT(bed.notes[0], first);
    CHECK_TEXT(bed.notes[3], last);
    CHECK_INT(bus_dropped(sub), 6);
    bed_end(&bed);
}

TEST(full_queue_drops_by_policy_and_counts)
{
    full_queue(0, "d.x 0", "d.x 3");
    full_queue(BUS_LATEST_WINS, "d.x 6", "d.x 9");
}

TEST(request_dropped_by_a_full_queue_is_busy)
{
    Bed bed;
    BusSub *sub = NULL;
    bed_begin(&bed);
    CHECK_OK(bus_local_open(bed.loop, &bed.bus));
    CHECK_OK(bus_subscribe(bed.bus, "op.x", NULL, 1, 0, echo, &bed, &sub));
    ask(&bed, "op.x", STR("1"), 5000);
    ask(&bed, "op.x", STR("2"), 5000);
    bed.expected = 2;
    run(&bed);
    CHECK_INT(bus_dropped(sub), 1);
    CHECK_TEXT(bed.notes[0], "answer the queue of this subscription is full");
    CHECK_TEXT(bed.notes[1], "answer 1");
    bed_end(&bed);
}

TEST(local_bus_survives_an_empty_heap)
{
    Bed bed;
    BusSub *sub = NULL;
    bed_begin(&bed);
    for (uint64_t nth = 1; nth < 3; nth++) {
        bed.bus = NULL;
        mem_fail_at(nth);
        Status st = bus_local_open(bed.loop, &bed.bus);
        mem_fail_at(0);
        CHECK(st == ST_OK || st == ST_NO_MEMORY);
        if (!st) break;
    }
    for (uint64_t nth = 1; nth < 12; nth++) {
        sub = NULL;
        mem_fail_at(nth);
        Status st = bus_subscribe(bed.bus, "a.b", "g", 10, BUS_ONE_OF_GROUP, echo, &bed, &sub);
        mem_fail_at(0);
        CHECK(st == ST_OK || st == ST_NO_MEMORY);
        if (!st) bus_unsubscribe(sub);
        mem_fail_at(nth);
        st = bus_request(bed.bus, STR("a.b"), STR("x"), NULL, 50, on_answer, &bed);
        mem_fail_at(0);
        CHECK(st == ST_OK || st == ST_NO_MEMORY);
        if (!st) bed.expected++;
    }
    bed.expected += 1;
    ask(&bed, "a.b", STR(""), 50);
    run(&bed); /* each accepted request was answered exactly once */
    CHECK_INT(bed.answers, bed.expected);
    bed_end(&bed);
}

/* ---- the sim: the seed decides, and the promised order stays ---- */

static void last_of_subject(void *ctx, const BusMsg *msg)
{
    Bed *bed = ctx;
    int *last = &bed->last[msg->subject.ptr[2] == 'a'];
    int value = (int)strtol(msg->body.ptr, NULL, 10);
    CHECK(value >= *last); /* doubles are equal, nothing goes back */
    *last = value;
    bed->seen++;
}

static int sim_run(uint64_t seed, char *notes, size_t room)
{
    BusFaults faults = {seed, 20, 20, 9};
    Bed bed;
    char text[16];
    bed_begin(&bed);
    CHECK_OK(bus_sim_open(bed.loop, &faults, &bed.bus));
    (void)hear(&bed, "d.*", last_of_subject);
    for (int i = 1; i <= 200; i++) {
        (void)snprintf(text, sizeof text, "%d", i);
        publish(&bed, i % 2 ? "d.a" : "d.b", str_from(text));
    }
    ask(&bed, "no.body", STR(""), 9000); /* requests are never lost */
    for (int turn = 0; turn < 400; turn++) (void)uv_run(loop_uv(bed.loop), UV_RUN_NOWAIT);
    (void)snprintf(notes, room, "%d %d", bed.seen, bed.answers);
    CHECK_INT(bed.status, ST_UNAVAILABLE);
    bed_end(&bed);
    return bed.seen;
}

TEST(sim_loses_and_doubles_by_its_seed)
{
    char first[64], again[64];
    int seen = sim_run(42, first, sizeof first);
    (void)sim_run(42, again, sizeof again);
    CHECK_TEXT(first, again);
    CHECK(seen > 150 && seen < 260); /* 200 less about 40 lost, more about 40 doubled */
}

/* ---- pure functions ---- */

TEST(match_follows_the_words)
{
    CHECK(bus_match(STR("a.b"), STR("a.b")));
    CHECK(!bus_match(STR("a.b"), STR("a.bc")));
    CHECK(!bus_match(STR("a.bc"), STR("a.b")));
    CHECK(bus_match(STR("a.*"), STR("a.b")));
    CHECK(!bus_match(STR("a.*"), STR("a.b.c")));
    CHECK(!bus_match(STR("a.*"), STR("a")));
    CHECK(bus_match(STR("a.>"), STR("a.b.c")));
    CHECK(!bus_match(STR("a.>"), STR("a")));
    CHECK(bus_match(STR(">"), STR("a")));
    CHECK(bus_match(STR("*.b.*"), STR("a.b.c")));
    CHECK(!bus_match(STR("*.b.*"), STR("a.c.c")));
    CHECK(!bus_match(STR("a.b.c"), STR("a.b")));
    CHECK(bus_filter_valid(STR("a.*.>")));
    CHECK(!bus_filter_valid(STR("a.>.b")));
    CHECK(!bus_filter_valid(STR("a*.b")));
    CHECK(!bus_filter_valid(STR("a..b")));
    CHECK(!bus_filter_valid(STR("")));
    CHECK(!bus_subject_valid(STR(".a")));
    CHECK(!bus_subject_valid(STR("a.")));
    CHECK(!bus_subject_valid(STR("a\nb")));
}

TEST(nats_bus_without_server_is_unavailable)
{
    Bed bed;
    Diag diag = {0};
    char url[64];
    bed_begin(&bed);
    (void)snprintf(url, sizeof url, "nats://127.0.0.1:%d", free_port());
    CHECK_INT(bus_nats_open(bed.loop, url, &bed.bus, &diag), ST_UNAVAILABLE);
    CHECK(strstr(diag.text, url));
    bed_end(&bed);
}
