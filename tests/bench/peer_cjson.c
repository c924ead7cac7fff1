/* tests/bench/peer_cjson.c: the work item with cJSON, one tree per record: the usual way in C. */
#include "limit_scan.h"

#include <cjson/cJSON.h>

static void run_line(Windows *w, Day *day, const char *line, size_t len)
{
    static char name[64];
    cJSON *json = cJSON_ParseWithLength(line, len);
    const cJSON *ts = cJSON_GetObjectItemCaseSensitive(json, "ts");
    const cJSON *machine = cJSON_GetObjectItemCaseSensitive(json, "machine");
    const cJSON *temp = cJSON_GetObjectItemCaseSensitive(json, "temp");
    const cJSON *pressure = cJSON_GetObjectItemCaseSensitive(json, "pressure");
    const cJSON *rpm = cJSON_GetObjectItemCaseSensitive(json, "rpm");
    const cJSON *state = cJSON_GetObjectItemCaseSensitive(json, "state");
    int64_t ms;
    w->in++;
    if (!cJSON_IsString(ts) || !cJSON_IsString(machine) || !cJSON_IsNumber(temp) ||
        !cJSON_IsNumber(pressure) || !cJSON_IsNumber(rpm) || !cJSON_IsString(state) ||
        strlen(ts->valuestring) != 24 || !scan_time(ts->valuestring, day, &ms)) {
        w->bad++;
    } else if (strcmp(state->valuestring, "RUN") == 0 && temp->valuedouble > -40.0) {
        size_t bytes = strlen(machine->valuestring);
        if (bytes > 32) bytes = 32;
        memcpy(name, machine->valuestring, bytes);
        windows_add(w, windows_key(w, name, (unsigned)bytes), ms, temp->valuedouble * 1.8 + 32.0,
                    pressure->valuedouble * rpm->valuedouble * 0.0167);
    }
    cJSON_Delete(json);
}

int main(void)
{
    static Windows w;
    static char line[65536];
    Day day = {0};
    windows_init(&w);
    while (fgets(line, sizeof line, stdin)) run_line(&w, &day, line, strlen(line));
    windows_flush(&w);
    return fflush(stdout) != 0;
}
