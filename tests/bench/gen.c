/* tests/bench/gen.c: writes the records of the work item: N lines of about 160 bytes of JSON.
 *
 * 64 machines, 80 % RUN, times 1 ms apart and up to 500 ms out of order; seeded, so every run
 * writes the same bytes.  bench_gen [N] [shuffled | moved | spaced | rare] > records.ndjson
 * `shuffled`: the members of every record stand in another order; `moved`, `spaced`: after the
 * first thousand records, all stand in one other order, or with spaces. `rare`: one in ten is kept,
 * and what decides it stands first. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 88172645463325252u;

/* xorshift64 (Marsaglia, 2003) */
static uint32_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32);
}

/* One record's members, in the order of the declaration. */
enum { MEMBERS = 10 };

static void members(char text[MEMBERS][64], long i, int rare)
{
    static const char *const usual[] = {"RUN", "RUN", "RUN", "RUN",  "RUN",
                                        "RUN", "RUN", "RUN", "IDLE", "FAULT"};
    static const char *const seldom[] = {"IDLE", "IDLE", "IDLE", "IDLE",  "RUN",
                                         "IDLE", "IDLE", "IDLE", "FAULT", "FAULT"};
    const char *const *states = rare ? seldom : usual;
    const long start_ms = 36000000; /* 10:00:00 */
    long ms = start_ms + i + (long)(next_random() % 1001) - 500;
    if (ms < start_ms) ms = start_ms;
    uint32_t machine = next_random() % 64;
    double temp = next_random() % 20000 / 100.0 - 45.0 + machine % 8;
    double pressure = next_random() % 1000 / 100.0;
    uint32_t rpm = 600 + next_random() % 2400;
    (void)snprintf(text[0], 64, "\"ts\":\"2026-11-23T%02ld:%02ld:%02ld.%03ldZ\"", ms / 3600000,
                   ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
    (void)snprintf(text[1], 64, "\"machine\":\"press-%02u\"", machine);
    (void)snprintf(text[2], 64, "\"line\":\"%c\"", "ABCD"[machine % 4]);
    (void)snprintf(text[3], 64, "\"temp\":%.2f", temp);
    (void)snprintf(text[4], 64, "\"pressure\":%.2f", pressure);
    (void)snprintf(text[5], 64, "\"rpm\":%u", rpm);
    (void)snprintf(text[6], 64, "\"state\":\"%s\"", states[next_random() % 10]);
    (void)snprintf(text[7], 64, "\"site\":\"leipzig\"");
    (void)snprintf(text[8], 64, "\"q\":192");
    (void)snprintf(text[9], 64, "\"seq\":%ld", i);
}

int main(int argc, char **argv)
{
    static char buffer[1 << 20], text[MEMBERS][64];
    static const uint8_t other_order[MEMBERS] = {7, 8, 9, 6, 2, 5, 0, 4, 3, 1};
    static const uint8_t first_order[MEMBERS] = {0, 6, 3, 1, 2, 4, 5, 7, 8, 9};
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 2000000;
    const char *how = argc > 2 ? argv[2] : "";
    int shuffled = strcmp(how, "shuffled") == 0, moved = strcmp(how, "moved") == 0;
    int spaced = strcmp(how, "spaced") == 0, rare = strcmp(how, "rare") == 0;
    (void)setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    for (long i = 0; i < count; i++) {
        uint8_t order[MEMBERS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
        members(text, i, rare);
        if (rare) memcpy(order, first_order, sizeof order);
        for (uint32_t k = MEMBERS; shuffled && k-- > 1;) {
            uint32_t other = next_random() % (k + 1);
            uint8_t swap = order[k];
            order[k] = order[other];
            order[other] = swap;
        }
        if (moved && i >= 1000) memcpy(order, other_order, sizeof order);
        for (int k = 0; k < MEMBERS; k++) {
            char *member = text[order[k]], *value = strchr(member, ':') + 1;
            if (spaced && i >= 1000)
                printf("%s%.*s %s", k ? ", " : "{", (int)(value - member), member, value);
            else
                printf("%c%s", k ? ',' : '{', member);
        }
        (void)fputs("}\n", stdout);
    }
    return fflush(stdout) != 0;
}
