/* tests/bench/gen.c: writes the records of the work item: N lines of about 160 bytes of JSON.
 *
 * 64 machines, 80 % RUN, times 1 ms apart and up to 500 ms out of order; seeded, so every run
 * writes the same bytes.  bench_gen [N] > records.ndjson */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t state = 88172645463325252u;

/* xorshift64 (Marsaglia, 2003) */
static uint32_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32);
}

int main(int argc, char **argv)
{
    static char buffer[1 << 20];
    static const char *const states[] = {"RUN", "RUN", "RUN", "RUN",  "RUN",
                                         "RUN", "RUN", "RUN", "IDLE", "FAULT"};
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 2000000;
    const long start_ms = 36000000; /* 10:00:00 */
    (void)setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    for (long i = 0; i < count; i++) {
        long ms = start_ms + i + (long)(next_random() % 1001) - 500;
        if (ms < start_ms) ms = start_ms;
        uint32_t machine = next_random() % 64;
        double temp = next_random() % 20000 / 100.0 - 45.0 + machine % 8;
        double pressure = next_random() % 1000 / 100.0;
        uint32_t rpm = 600 + next_random() % 2400;
        printf("{\"ts\":\"2026-11-23T%02ld:%02ld:%02ld.%03ldZ\",\"machine\":\"press-%02u\","
               "\"line\":\"%c\",\"temp\":%.2f,\"pressure\":%.2f,\"rpm\":%u,\"state\":\"%s\","
               "\"site\":\"leipzig\",\"q\":192,\"seq\":%ld}\n",
               ms / 3600000, ms / 60000 % 60, ms / 1000 % 60, ms % 1000, machine,
               "ABCD"[machine % 4], temp, pressure, rpm, states[next_random() % 10], i);
    }
    return fflush(stdout) != 0;
}
