/* examples/press-line/plant/meter.c: a simulated energy meter as a Modbus TCP server.
 *
 *   plant_meter [--listen HOST:PORT] [--unit N] [--seed N] [--for SECONDS]
 *
 * Registers, all values big-endian (order ABCD), addresses as on the wire:
 *   holding 0-1  voltage, f32, V          holding 6-7  energy total, u32, Wh
 *   holding 2-3  current, f32, A          holding 8    frequency, u16, 0.01 Hz
 *   holding 4-5  power, f32, kW           holding 9    temperature, i16, 0.1 degC
 *   input 0-9    the same values          coil 0       lamp (writable)
 *   discrete 0   cabinet door open
 * One thread, several clients, built on libmodbus so that the product meets foreign code. */
#include <modbus/modbus.h>

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS_MAX = 16, REGISTERS = 10, STEP_MS = 100 };

static volatile sig_atomic_t stopping;
static uint64_t dice_state;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

static double dice(void)
{
    dice_state ^= dice_state >> 12;
    dice_state ^= dice_state << 25;
    dice_state ^= dice_state >> 27;
    return (double)(dice_state * 2685821657736338717u >> 11) / 9007199254740992.0;
}

/* By hand: modbus_set_float_abcd of libmodbus 3.1.6 puts the bytes in another order on the wire. */
static void put_f32(modbus_mapping_t *map, int at, double value)
{
    float single = (float)value;
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    map->tab_registers[at] = map->tab_input_registers[at] = (uint16_t)(bits >> 16);
    map->tab_registers[at + 1] = map->tab_input_registers[at + 1] = (uint16_t)bits;
}

static void put_u16(modbus_mapping_t *map, int at, unsigned value)
{
    map->tab_registers[at] = map->tab_input_registers[at] = (uint16_t)value;
}

static void meter_step(modbus_mapping_t *map, double second, double *energy_wh)
{
    double voltage = 230.0 + 4.0 * sin(second / 37.0) + (dice() - 0.5) * 0.6;
    double current = 42.0 + 18.0 * sin(second / 11.0) + (dice() - 0.5) * 3.0;
    double power = voltage * current * 1.732 * 0.92 / 1000.0;
    *energy_wh += power * 1000.0 * STEP_MS / 3600000.0;
    uint32_t total = (uint32_t)*energy_wh;
    put_f32(map, 0, voltage);
    put_f32(map, 2, current);
    put_f32(map, 4, power);
    put_u16(map, 6, total >> 16);
    put_u16(map, 7, total & 0xffff);
    put_u16(map, 8, (unsigned)lround(5000.0 + (dice() - 0.5) * 6.0));
    put_u16(map, 9, (unsigned)(uint16_t)(int16_t)lround(284.0 + 20.0 * sin(second / 200.0)));
    if (dice() < 0.004) map->tab_input_bits[0] ^= 1;
}

static void serve_one(modbus_t *ctx, struct pollfd *fds, int *count, int i, modbus_mapping_t *map)
{
    uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
    modbus_set_socket(ctx, fds[i].fd);
    int len = modbus_receive(ctx, query);
    if (len > 0 && modbus_reply(ctx, query, len, map) >= 0) return;
    if (len == 0) return; /* meant for another unit */
    close(fds[i].fd);
    fds[i] = fds[--*count];
}

static void accept_one(modbus_t *ctx, struct pollfd *fds, int *count)
{
    int server = fds[0].fd;
    int fd = modbus_tcp_accept(ctx, &server);
    if (fd < 0) return;
    if (*count == CLIENTS_MAX + 1) {
        close(fd);
        return;
    }
    fds[(*count)++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void run(modbus_t *ctx, int listener, modbus_mapping_t *map, double seconds)
{
    struct pollfd fds[CLIENTS_MAX + 1] = {{.fd = listener, .events = POLLIN}};
    int count = 1;
    double start = now_s(), due = start, energy_wh = 1234567.0;
    while (!stopping && (seconds <= 0 || now_s() - start < seconds)) {
        for (; due <= now_s(); due += STEP_MS / 1000.0) meter_step(map, due - start, &energy_wh);
        int ready = poll(fds, (nfds_t)count, STEP_MS);
        if (ready < 0 && errno != EINTR) break;
        if (ready <= 0) continue;
        for (int i = count - 1; i > 0; i--)
            if (fds[i].revents) serve_one(ctx, fds, &count, i, map);
        if (fds[0].revents & POLLIN) accept_one(ctx, fds, &count);
    }
    for (int i = 1; i < count; i++) close(fds[i].fd);
}

int main(int argc, char **argv)
{
    char host[64] = "127.0.0.1";
    int port = 1502, unit = 1;
    double seconds = 0;
    uint64_t seed = 1;
    for (int i = 1; i + 1 < argc + 1; i += 2) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        const char *colon = value ? strrchr(value, ':') : NULL;
        if (value && !strcmp(name, "--listen") && colon && (size_t)(colon - value) < sizeof host) {
            snprintf(host, sizeof host, "%.*s", (int)(colon - value), value);
            port = (int)strtol(colon + 1, NULL, 10);
        } else if (value && !strcmp(name, "--unit"))
            unit = (int)strtol(value, NULL, 10);
        else if (value && !strcmp(name, "--seed"))
            seed = strtoull(value, NULL, 10);
        else if (value && !strcmp(name, "--for"))
            seconds = strtod(value, NULL);
        else {
            fprintf(stderr,
                    "plant_meter [--listen HOST:PORT] [--unit N] [--seed N] [--for SECONDS]\n");
            return 2;
        }
    }
    dice_state = seed * 0x9e3779b97f4a7c15u + 1;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    modbus_t *ctx = modbus_new_tcp(host, port);
    modbus_mapping_t *map = modbus_mapping_new(1, 1, REGISTERS, REGISTERS);
    int listener = ctx && map ? modbus_tcp_listen(ctx, CLIENTS_MAX) : -1;
    if (listener < 0) {
        fprintf(stderr, "plant_meter: cannot listen on %s:%d: %s\n", host, port,
                modbus_strerror(errno));
        return 1;
    }
    modbus_set_slave(ctx, unit);
    run(ctx, listener, map, seconds);
    close(listener);
    modbus_mapping_free(map);
    modbus_free(ctx);
    return 0;
}
