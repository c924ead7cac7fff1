/* runtime/modules/auth/guard.c: who failed must wait, longer each time.
 *
 * Counted per name and address together, so that nobody can lock a user out from elsewhere, and
 * more generously per address alone, against trying one password on many names. Unknown names are
 * counted like known ones: the waiting time tells nothing about who exists. */
#include "modules/auth/auth_int.h"

#include "base/mem.h"

#include <stdio.h>

enum {
    NAME_FREE = 3,     /* attempts without waiting */
    ADDRESS_FREE = 30, /* the same for one address and any name */
    WAIT_MAX_MS = 300000,
    FORGET_MS = 900000, /* after this long without a failure all is forgiven */
    KEY_BYTES = 400,
};

typedef struct Failure {
    char key[KEY_BYTES];
    int count, free;
    int64_t last_ms;
} Failure;

/* The address without its port: "192.0.2.1:99" and "[::1]:99" as HTTP gives them. */
static Str host_of(Str address)
{
    if (address.len && address.ptr[0] == '[') {
        ptrdiff_t end = str_find_char(address, ']');
        return end > 0 ? str_slice(address.ptr, (size_t)end + 1) : address;
    }
    ptrdiff_t colon = str_find_char(address, ':');
    bool only_one = colon >= 0 && str_find_char(str_skip(address, (size_t)colon + 1), ':') < 0;
    return only_one ? str_slice(address.ptr, (size_t)colon) : address;
}

static void key_of(char key[KEY_BYTES], Str name, Str address)
{
    Str host = host_of(address);
    (void)snprintf(key, KEY_BYTES, "%.*s|%.*s", (int)(name.len > 100 ? 100 : name.len),
                   name.len ? name.ptr : "", (int)(host.len > 100 ? 100 : host.len),
                   host.len ? host.ptr : "");
}

static int64_t wait_of(const Failure *failure, int64_t now)
{
    if (!failure || failure->count <= failure->free) return 0;
    int doublings = failure->count - failure->free - 1;
    int64_t wait = doublings > 18 ? WAIT_MAX_MS : (int64_t)1000 << doublings;
    if (wait > WAIT_MAX_MS) wait = WAIT_MAX_MS;
    int64_t left = failure->last_ms + wait - now;
    return left > 0 ? left : 0;
}

int64_t auth__guard_wait_ms(Auth *auth, Str name, Str address)
{
    char key[KEY_BYTES];
    int64_t now = auth__now_ms();
    key_of(key, name, address);
    int64_t by_name = wait_of(map_get(&auth->failures, str_from(key)), now);
    key_of(key, STR_NONE, address);
    int64_t by_address = wait_of(map_get(&auth->failures, str_from(key)), now);
    return by_name > by_address ? by_name : by_address;
}

static void forget_old(Auth *auth, int64_t now)
{
    MapSlot *slot;
    for (size_t at = 0; (slot = map_next(&auth->failures, &at));) {
        Failure *failure = slot->value;
        if (now - failure->last_ms < FORGET_MS) continue;
        (void)map_remove(&auth->failures, slot->key);
        mem_free(failure);
    }
}

static void count(Auth *auth, Str name, Str address, int free_attempts)
{
    char key[KEY_BYTES];
    int64_t now = auth__now_ms();
    key_of(key, name, address);
    Failure *failure = map_get(&auth->failures, str_from(key));
    if (failure && now - failure->last_ms >= FORGET_MS) failure->count = 0;
    if (!failure) {
        if (auth->failures.len >= auth->failures.count_max) forget_old(auth, now);
        failure = mem_zalloc(1, sizeof *failure);
        if (!failure) return;
        memcpy(failure->key, key, sizeof key);
        failure->free = free_attempts;
        /* A full table counts no newcomers; the bounded hash queue still slows them. */
        if (map_put(&auth->failures, str_from(failure->key), failure)) {
            mem_free(failure);
            return;
        }
    }
    failure->count++;
    failure->last_ms = now;
}

void auth__guard_failed(Auth *auth, Str name, Str address)
{
    count(auth, name, address, NAME_FREE);
    count(auth, STR_NONE, address, ADDRESS_FREE);
}

void auth__guard_passed(Auth *auth, Str name, Str address)
{
    char key[KEY_BYTES];
    key_of(key, name, address);
    mem_free(map_remove(&auth->failures, str_from(key)));
}
