/* examples/press-line/plant/presses.c: twelve simulated presses that publish over MQTT.
 *
 *   plant_presses [--broker HOST:PORT] [--rate HZ] [--machines N] [--seed N] [--for SECONDS]
 *                 [--qos 0|1] [--malformed PER_MILLE] [--faults on|off]
 *
 * Each press publishes one JSON object `rate` times a second to plant/press-NN/press. Physics: the
 * die warms up towards a level that depends on the stroke rate, pressure follows a slow oil drift
 * plus noise, and a small Markov chain moves between RUN, IDLE and FAULT. With faults on, press-05
 * is silent from second 20 to 35 of every minute, the clock of press-09 runs three hours ahead, and
 * now and then a message is malformed (cut, not JSON, or a value out of range).
 * The same seed gives the same values in the same order. This program is an example's peer, built
 * on libmosquitto so that the product is tested against foreign code. */
#include <mosquitto.h>

#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MACHINES_MAX = 99, TEXT_BYTES = 320 };

typedef enum State { RUN, IDLE, FAULT } State;
static const char *const state_names[] = {"RUN", "IDLE", "FAULT"};

typedef struct Press {
    double temp, pressure, oil, speed;
    int64_t seq;
    State state;
} Press;

typedef struct Options {
    char host[256];
    int port, machines, qos;
    double rate, seconds;
    uint64_t seed;
    unsigned malformed_per_mille;
    bool faults;
} Options;

static volatile sig_atomic_t stopping;
static uint64_t dice_state;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

/* xorshift64*: small, seeded, the same everywhere. */
static double dice(void)
{
    dice_state ^= dice_state >> 12;
    dice_state ^= dice_state << 25;
    dice_state ^= dice_state >> 27;
    return (double)(dice_state * 2685821657736338717u >> 11) / 9007199254740992.0;
}

static double noise(double width)
{
    return (dice() + dice() + dice() - 1.5) * width;
}

static State state_next(State state, double dt)
{
    double roll = dice() / dt;
    switch (state) {
    case RUN: return roll < 0.004 ? FAULT : roll < 0.024 ? IDLE : RUN;
    case IDLE: return roll < 0.12 ? RUN : IDLE;
    default: return roll < 0.06 ? IDLE : FAULT;
    }
}

static void press_step(Press *p, double dt)
{
    p->state = state_next(p->state, dt);
    double speed = p->state == RUN ? 1480.0 : 0.0;
    p->speed += (speed - p->speed) * fmin(1.0, dt * 1.5);
    double warm = 24.0 + p->speed * 0.033 + (p->state == FAULT ? 18.0 : 0.0);
    p->temp += (warm - p->temp) * dt * 0.02 + noise(0.15);
    p->oil += noise(0.004) - (p->oil - 3.4) * dt * 0.01;
    p->pressure = p->state == RUN ? p->oil + noise(0.05) : 0.4 + noise(0.02);
    if (p->pressure < 0) p->pressure = 0;
    p->seq++;
}

static void time_text(int64_t ms, char *to, size_t bytes)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    char day[32];
    gmtime_r(&seconds, &parts);
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(to, bytes, "%s.%03dZ", day, (int)(ms % 1000));
}

static int press_text(const Press *p, int number, int64_t now_ms, char *to)
{
    char ts[48];
    time_text(now_ms, ts, sizeof ts);
    return snprintf(to, TEXT_BYTES,
                    "{\"ts\":\"%s\",\"machine\":\"press-%02d\",\"line\":\"%c\",\"temp\":%.2f,"
                    "\"pressure\":%.3f,\"rpm\":%d,\"state\":\"%s\",\"seq\":%lld}",
                    ts, number, 'A' + (number - 1) / 4, p->temp, p->pressure, (int)lround(p->speed),
                    state_names[p->state], (long long)p->seq);
}

/* Damages a message in one of the ways real gateways do. */
static int text_damage(char *text, int len)
{
    switch ((int)(dice() * 3)) {
    case 0: return len / 2;
    case 1: return snprintf(text, TEXT_BYTES, "ERR 17 sensor bus timeout");
    default: {
        char *temp = strstr(text, "\"temp\":");
        if (temp) memcpy(temp + 7, "9", 1);
        if (temp) memcpy(temp + 8, "99", 2); /* 999.. degrees: out of range */
        return len;
    }
    }
}

static bool is_silent(const Options *o, int number, double second)
{
    double at = fmod(second, 60.0);
    return o->faults && number == 5 && at >= 20.0 && at < 35.0;
}

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void publish_all(struct mosquitto *client, const Options *o, Press *presses, double second)
{
    for (int i = 0; i < o->machines; i++) {
        char topic[64], text[TEXT_BYTES];
        press_step(&presses[i], 1.0 / o->rate);
        bool broken = o->faults && dice() * 1000.0 < o->malformed_per_mille;
        if (is_silent(o, i + 1, second)) continue;
        int64_t ahead_ms = o->faults && i + 1 == 9 ? 3 * 3600 * 1000 : 0;
        int len = press_text(&presses[i], i + 1, wall_ms() + ahead_ms, text);
        if (broken) len = text_damage(text, len);
        snprintf(topic, sizeof topic, "plant/press-%02d/press", i + 1);
        mosquitto_publish(client, NULL, topic, len, text, o->qos, false);
    }
}

static void run(struct mosquitto *client, const Options *o)
{
    static Press presses[MACHINES_MAX];
    for (int i = 0; i < o->machines; i++)
        presses[i] = (Press){
            .temp = 24 + 50 * dice(), .oil = 3.2 + 0.4 * dice(), .speed = 1480, .state = RUN};
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    double step = 1.0 / o->rate;
    for (int64_t tick = 0; !stopping; tick++) {
        double second = (double)tick * step;
        if (o->seconds > 0 && second >= o->seconds) break;
        publish_all(client, o, presses, second);
        next.tv_nsec += (long)(step * 1e9) % 1000000000;
        next.tv_sec += (time_t)step + next.tv_nsec / 1000000000;
        next.tv_nsec %= 1000000000;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
}

static int usage(void)
{
    fprintf(stderr, "plant_presses [--broker HOST:PORT] [--rate HZ] [--machines N] [--seed N]\n"
                    "              [--for SECONDS] [--qos 0|1] [--malformed PER_MILLE] "
                    "[--faults on|off]\n");
    return 2;
}

static bool broker_read(Options *o, const char *text)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : strlen(text);
    if (!len || len >= sizeof o->host) return false;
    memcpy(o->host, text, len);
    o->host[len] = '\0';
    o->port = colon ? (int)strtol(colon + 1, NULL, 10) : 1883;
    return o->port > 0 && o->port < 65536;
}

static bool options_read(int argc, char **argv, Options *o)
{
    for (int i = 1; i < argc; i += 2) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!value) return false;
        if (!strcmp(name, "--broker")) {
            if (!broker_read(o, value)) return false;
        } else if (!strcmp(name, "--rate"))
            o->rate = strtod(value, NULL);
        else if (!strcmp(name, "--machines"))
            o->machines = (int)strtol(value, NULL, 10);
        else if (!strcmp(name, "--seed"))
            o->seed = strtoull(value, NULL, 10);
        else if (!strcmp(name, "--for"))
            o->seconds = strtod(value, NULL);
        else if (!strcmp(name, "--qos"))
            o->qos = (int)strtol(value, NULL, 10);
        else if (!strcmp(name, "--malformed"))
            o->malformed_per_mille = (unsigned)strtoul(value, NULL, 10);
        else if (!strcmp(name, "--faults"))
            o->faults = !strcmp(value, "on");
        else
            return false;
    }
    return o->rate > 0 && o->rate <= 10000 && o->machines > 0 && o->machines <= MACHINES_MAX &&
           o->qos >= 0 && o->qos <= 1;
}

int main(int argc, char **argv)
{
    Options o = {.host = "127.0.0.1",
                 .port = 1883,
                 .machines = 12,
                 .qos = 1,
                 .rate = 10,
                 .seed = 1,
                 .malformed_per_mille = 2,
                 .faults = true};
    if (!options_read(argc, argv, &o)) return usage();
    dice_state = o.seed * 0x9e3779b97f4a7c15u + 1;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    mosquitto_lib_init();
    struct mosquitto *client = mosquitto_new("plant-presses", true, NULL);
    if (!client) return 1;
    mosquitto_max_inflight_messages_set(client, 200);
    mosquitto_reconnect_delay_set(client, 1, 5, true);
    /* The first connect may come before the broker listens: the loop thread tries again. */
    int bad = mosquitto_connect_async(client, o.host, o.port, 30);
    if (bad && bad != MOSQ_ERR_ERRNO)
        fprintf(stderr, "plant_presses: %s\n", mosquitto_strerror(bad));
    if (mosquitto_loop_start(client)) return 1;
    run(client, &o);
    mosquitto_disconnect(client);
    mosquitto_loop_stop(client, false);
    mosquitto_destroy(client);
    mosquitto_lib_cleanup();
    return 0;
}
