/* runtime/modules/mqtt/door.c: who may connect.
 *
 * A client with a name is a user of auth: its password is checked there, beside the loop, and a
 * password that was right is remembered for some minutes as a keyed hash, so that a plant that
 * reconnects does not hash a thousand times. A password that is an access token is checked as one.
 * A name that no user has counts as no name where the anonymous may come in: nothing is gained by
 * it, and devices with a fixed name work before somebody made users. */
#include "modules/mqtt/mqtt_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <sodium.h>
#include <stdio.h>

enum { VERIFY_MS = 30000, PROOF_S = 600, PROOFS_MAX = 10000, ASK_BYTES_MAX = 128 * 1024 };

typedef struct Proof {
    char key[DOOR_KEY_BYTES];
    int64_t ends_ns;
} Proof;

/* One connection that waits for auth. */
typedef struct Knock {
    Asking asking;
    uint64_t id;
    char key[DOOR_KEY_BYTES], user[65];
} Knock;

/* ---- passwords that were right ---- */

static void key_of(const Door *door, const MqttAuthAsk *ask, char key[DOOR_KEY_BYTES])
{
    crypto_generichash_state state;
    unsigned char hash[32];
    uint64_t len = ask->user.len;
    (void)crypto_generichash_init(&state, door->secret, sizeof door->secret, sizeof hash);
    (void)crypto_generichash_update(&state, (const unsigned char *)&len, sizeof len);
    (void)crypto_generichash_update(&state, (const unsigned char *)ask->user.ptr, ask->user.len);
    (void)crypto_generichash_update(&state, (const unsigned char *)ask->password.ptr,
                                    ask->password.len);
    (void)crypto_generichash_final(&state, hash, sizeof hash);
    (void)sodium_bin2hex(key, DOOR_KEY_BYTES, hash, sizeof hash);
}

void door__forget_proofs(Door *door)
{
    MapSlot *slot;
    for (size_t at = 0; (slot = map_next(&door->proven, &at));) mem_free(slot->value);
    map_done(&door->proven);
    map_init(&door->proven, PROOFS_MAX);
}

static bool is_proven(const Door *door, const char *key)
{
    const Proof *proof = map_get(&door->proven, str_from(key));
    return proof && proof->ends_ns > clock_monotonic_ns();
}

static void remember(Door *door, const char *key)
{
    int64_t ends_ns = clock_monotonic_ns() + PROOF_S * NS_PER_S;
    Proof *proof = map_get(&door->proven, str_from(key));
    if (proof) {
        proof->ends_ns = ends_ns;
        return;
    }
    if (door->proven.len >= PROOFS_MAX) door__forget_proofs(door);
    proof = mem_zalloc(1, sizeof *proof);
    if (!proof) return;
    (void)snprintf(proof->key, sizeof proof->key, "%s", key);
    proof->ends_ns = ends_ns;
    if (map_put(&door->proven, str_from(proof->key), proof)) mem_free(proof);
}

/* ---- asking auth ---- */

static void on_verified(void *ctx, Status status, Str body)
{
    Knock *knock = ctx;
    Door *door = door__asking_end(&knock->asking);
    if (!door) {
        mem_free(knock);
        return;
    }
    Arena *arena = arena_new(0, 0);
    const Json *json = NULL;
    Str name = STR_NONE;
    if (!status && arena && !json_read(arena, body, &json, NULL))
        name = json_str(json_get(json, "user"), "name", STR_NONE);
    bool fits = name.len && (!knock->user[0] || str_is(name, knock->user));
    if (fits && knock->key[0]) remember(door, knock->key);
    if (status == ST_BUSY)
        log_warn(door->env->log, "mqtt", "too many wrong passwords, or too many at once",
                 "user=%s error=%.*s", knock->user, STR_ARG(body));
    mqtt_broker_auth_answer(door->env->broker, knock->id, fits, name);
    arena_free(arena);
    mem_free(knock);
}

static bool is_token(Str password)
{
    uint32_t dots = 0;
    for (size_t i = 0; i < password.len; i++) dots += password.ptr[i] == '.';
    return dots == 2 && str_starts(password, STR("ey"));
}

static MqttAuth ask_auth(Door *door, const MqttAuthAsk *ask, const char *key)
{
    Knock *knock = door__asking_new(door, sizeof *knock);
    if (!knock) return MQTT_AUTH_DENY;
    bool token = is_token(ask->password);
    knock->id = ask->id;
    (void)snprintf(knock->user, sizeof knock->user, "%.*s", STR_ARG(ask->user));
    if (!token) (void)snprintf(knock->key, sizeof knock->key, "%s", key);
    Buf body;
    JsonOut out;
    buf_init(&body, ASK_BYTES_MAX);
    json_out_init(&out, &body);
    json_begin_object(&out);
    if (token) {
        json_field_str(&out, "token", ask->password);
    } else {
        json_field_str(&out, "name", ask->user);
        json_field_str(&out, "password", ask->password);
        json_field_str(&out, "address", ask->address);
    }
    json_end(&out);
    Status st = buf_status(&body);
    if (!st)
        st = bus_request(door->env->bus, token ? STR("auth.check") : STR("auth.verify"),
                         buf_view(&body), NULL, VERIFY_MS, on_verified, knock);
    sodium_memzero(body.ptr, body.cap);
    buf_done(&body);
    if (!st) return MQTT_AUTH_LATER;
    (void)door__asking_end(&knock->asking);
    mem_free(knock);
    return MQTT_AUTH_DENY;
}

static bool anonymous_may(const Door *door, const MqttAuthAsk *ask)
{
    return str_is(door->conf->anonymous, "any") ||
           (ask->loopback && str_is(door->conf->anonymous, "loopback"));
}

MqttAuth door__knock(void *ctx, const MqttAuthAsk *ask, Str *ret_user)
{
    Door *door = ctx;
    char key[DOOR_KEY_BYTES];
    if (!door->people_read || !door->access) return MQTT_AUTH_DENY;
    /* The certificate was checked in the handshake: its owner needs no password. */
    if (ask->cert_name.len && map_get(&door->people, ask->cert_name) &&
        (!ask->user.len || str_eq(ask->user, ask->cert_name))) {
        *ret_user = ask->cert_name;
        return MQTT_AUTH_ALLOW;
    }
    bool token = ask->has_password && is_token(ask->password);
    bool named = ask->has_user && ask->user.len;
    if (!token && (!named || !map_get(&door->people, ask->user))) {
        *ret_user = STR_NONE;
        if (anonymous_may(door, ask)) return MQTT_AUTH_ALLOW;
        if (!named || !ask->has_password) return MQTT_AUTH_DENY;
        /* An unknown name costs the same time as a known one. */
    }
    if (!ask->has_password || ask->user.len > 64) return MQTT_AUTH_DENY;
    key_of(door, ask, key);
    if (!token && is_proven(door, key)) {
        *ret_user = ask->user;
        return MQTT_AUTH_ALLOW;
    }
    return ask_auth(door, ask, key);
}
