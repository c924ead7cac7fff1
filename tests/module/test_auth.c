/* tests/module/test_auth.c: signing in through the ops, and tokens that must not be believed.
 *
 * The forged tokens are made here by hand with libsodium's base64 and HMAC, not by the library
 * that checks them. */
#include "mod_bed.h"

#include "modules/auth/auth_int.h"

#include <sodium.h>

extern const ModuleDef auth_module;

static const ModuleDef *const only_auth[] = {&auth_module, NULL};
static const HostConf cheap[] = {
    {"auth", "hash_memory", "8KiB"}, {"auth", "hash_rounds", "1"}, {0}};
static const BusCaller here = {.address = {"127.0.0.1:5", 11}};
static const BusCaller away = {.address = {"192.0.2.1:5", 11}};
static char admin_id[64];
static const char good_login[] = "{\"name\":\"admin\",\"password\":\"correct horse\"}";

static void open_auth(ModBed *bed, const HostConf *conf)
{
    Diag diag = {0};
    Status st = bed_open(bed, only_auth, conf, &diag);
    if (st) print_error("%s\n", diag.text);
    CHECK_OK(st);
}

/* A host with the first administrator set; returns that session's secret in `secret`. */
static void begin(ModBed *bed, char *secret, size_t room)
{
    bed_begin(bed);
    open_auth(bed, cheap);
    CHECK_OK(bed_ask_as(bed, &here, "auth.setup", "{\"password\":\"correct horse\"}"));
    (void)snprintf(secret, room, "%.*s", STR_ARG(json_str(bed->json, "session", STR(""))));
    (void)snprintf(admin_id, sizeof admin_id, "%.*s",
                   STR_ARG(json_str(json_get(bed->json, "user"), "id", STR(""))));
    CHECK_INT(strlen(secret), 43);
}

static Status check_session(ModBed *bed, const char *secret)
{
    char body[128];
    (void)snprintf(body, sizeof body, "{\"session\":\"%s\"}", secret);
    return bed_ask(bed, "auth.check", body);
}

static Status check_token(ModBed *bed, const char *token)
{
    char body[8192];
    (void)snprintf(body, sizeof body, "{\"token\":\"%s\"}", token);
    return bed_ask(bed, "auth.check", body);
}

TEST(auth_first_administrator_is_set_once_and_on_the_machine)
{
    ModBed bed;
    bed_begin(&bed);
    open_auth(&bed, cheap);
    CHECK_OK(bed_ask_as(&bed, &away, "auth.state", ""));
    CHECK(json_bool(bed.json, "setup", false));
    CHECK_INT(bed_ask_as(&bed, &away, "auth.setup", "{\"password\":\"correct horse\"}"),
              ST_FORBIDDEN);
    CHECK_INT(bed_ask_as(&bed, &here, "auth.setup", "{\"password\":\"short\"}"), ST_INVALID);
    CHECK_INT(bed_ask_as(&bed, &here, "auth.login", good_login), ST_UNAUTHENTICATED);
    CHECK_OK(bed_ask_as(&bed, &here, "auth.setup", "{\"password\":\"correct horse\"}"));
    CHECK_STR(json_str(json_get(bed.json, "user"), "name", STR("")), "admin");
    CHECK_INT(json_get(json_get(bed.json, "user"), "roles")->count, 4);
    CHECK_INT(bed_ask_as(&bed, &here, "auth.setup", "{\"password\":\"correct horse\"}"),
              ST_CONFLICT);
    CHECK_OK(bed_ask_as(&bed, &away, "auth.state", ""));
    CHECK(!json_bool(bed.json, "setup", true));
    CHECK_INT(json_get(bed.json, "user")->type, JSON_NULL);
    bed_end(&bed);
}

TEST(auth_sessions_live_through_a_restart_and_end_by_logout)
{
    ModBed bed;
    char secret[64], body[128];
    begin(&bed, secret, sizeof secret);
    CHECK_OK(check_session(&bed, secret));
    CHECK_STR(json_str(json_get(bed.json, "user"), "id", STR("")), admin_id);
    bed_close_host(&bed);
    open_auth(&bed, cheap);
    CHECK_OK(check_session(&bed, secret));
    secret[5] = secret[5] == 'A' ? 'B' : 'A';
    CHECK_INT(check_session(&bed, secret), ST_UNAUTHENTICATED);
    CHECK_INT(check_session(&bed, ""), ST_UNAUTHENTICATED);
    CHECK_OK(bed_ask_as(&bed, &away, "auth.login", good_login));
    (void)snprintf(body, sizeof body, "{\"session\":\"%.*s\"}",
                   STR_ARG(json_str(bed.json, "session", STR(""))));
    CHECK_OK(bed_ask(&bed, "auth.check", body));
    CHECK_OK(bed_ask(&bed, "auth.logout", body));
    CHECK_INT(bed_ask(&bed, "auth.check", body), ST_UNAUTHENTICATED);
    bed_close_host(&bed);
    open_auth(&bed, cheap);
    CHECK_INT(bed_ask(&bed, "auth.check", body), ST_UNAUTHENTICATED);
    bed_end(&bed);
}

static Status file_holds(StoreConn *conn, void *ctx, Diag *diag)
{
    StoreStmt *stmt = NULL;
    bool row = false;
    Status st = store_prepare(conn, "SELECT key,(SELECT hash FROM auth_users) FROM auth_sessions",
                              &stmt, diag);
    if (!st) st = store_step(stmt, &row, diag);
    if (st || !row) return ST_NOT_FOUND;
    bool plain = str_find(store_str(stmt, 0), str_from(ctx)) >= 0;
    bool argon = str_starts(store_str(stmt, 1), STR("$argon2id$"));
    return plain || !argon ? ST_INVALID : ST_OK;
}

TEST(auth_stores_hashes_only)
{
    ModBed bed;
    char secret[64], path[128];
    Store *store = NULL;
    begin(&bed, secret, sizeof secret);
    bed_close_host(&bed);
    (void)snprintf(path, sizeof path, "%s/tutti.db", bed.dir);
    CHECK_OK(store_sqlite_open(bed.loop, path, &store, NULL));
    CHECK_OK(store_run_now(store, file_holds, secret, NULL));
    store_close(store);
    bed_end(&bed);
}

TEST(auth_wrong_passwords_have_to_wait_longer_and_longer)
{
    static const char *const unknown = "{\"name\":\"nobody\",\"password\":\"wrong horse\"}";
    static const char *const wrong = "{\"name\":\"admin\",\"password\":\"wrong horse\"}";
    ModBed bed;
    char secret[64], first[128];
    begin(&bed, secret, sizeof secret);
    CHECK_INT(bed_ask_as(&bed, &away, "auth.login", unknown), ST_UNAUTHENTICATED);
    (void)snprintf(first, sizeof first, "%.*s", STR_ARG(bed.body));
    for (int i = 0; i < 4; i++) {
        CHECK_INT(bed_ask_as(&bed, &away, "auth.login", wrong), ST_UNAUTHENTICATED);
        CHECK_STR(bed.body, first); /* known and unknown names get the same words */
    }
    CHECK_INT(bed_ask_as(&bed, &away, "auth.login", wrong), ST_BUSY);
    CHECK_INT(bed_ask_as(&bed, &away, "auth.login", good_login), ST_BUSY);
    /* From elsewhere, and from another port of nowhere else, the user can still sign in. */
    CHECK_OK(bed_ask_as(&bed, &here, "auth.login", good_login));
    BusCaller other_port = {.address = STR("192.0.2.1:6")};
    CHECK_INT(bed_ask_as(&bed, &other_port, "auth.login", good_login), ST_BUSY);
    bed_end(&bed);
}

TEST(auth_idle_sessions_end)
{
    static const HostConf brief[] = {{"auth", "hash_memory", "8KiB"},
                                     {"auth", "hash_rounds", "1"},
                                     {"auth", "session", "1min"},
                                     {0}};
    ModBed bed;
    char secret[64];
    bed_begin(&bed);
    open_auth(&bed, brief);
    CHECK_OK(bed_ask_as(&bed, &here, "auth.setup", "{\"password\":\"correct horse\"}"));
    int64_t left = json_int(bed.json, "expires", 0) - auth__now_ms();
    CHECK(left > 50000 && left <= 60000);
    (void)snprintf(secret, sizeof secret, "%.*s", STR_ARG(json_str(bed.json, "session", STR(""))));
    CHECK_OK(check_session(&bed, secret));
    bed_end(&bed);
}

TEST(auth_users_are_added_changed_and_removed)
{
    ModBed bed;
    char secret[64], id[64], body[256], bobs[64];
    begin(&bed, secret, sizeof secret);
    BusCaller admin = {.user = str_from(admin_id), .roles = ROLE_ADMIN};
    static const char *const add =
        "{\"name\":\"bob\",\"password\":\"long enough\",\"roles\":[\"operate\"]}";
    CHECK_INT(bed_ask_as(&bed, &away, "auth.user_add", add), ST_UNAUTHENTICATED);
    CHECK_OK(bed_ask_as(&bed, &admin, "auth.user_add", add));
    (void)snprintf(id, sizeof id, "%.*s",
                   STR_ARG(json_str(json_get(bed.json, "user"), "id", STR(""))));
    CHECK_INT(json_get(json_get(bed.json, "user"), "roles")->count, 2);
    CHECK_INT(bed_ask_as(&bed, &admin, "auth.user_add", add), ST_CONFLICT);
    CHECK_INT(bed_ask_as(&bed, &admin, "auth.user_add",
                         "{\"name\":\"eve\",\"password\":\"long enough\",\"roles\":[\"root\"]}"),
              ST_INVALID);
    CHECK_OK(bed_ask_as(&bed, &admin, "auth.users", ""));
    CHECK_INT(json_get(bed.json, "users")->count, 2);
    CHECK_OK(
        bed_ask_as(&bed, &away, "auth.login", "{\"name\":\"bob\",\"password\":\"long enough\"}"));
    (void)snprintf(bobs, sizeof bobs, "%.*s", STR_ARG(json_str(bed.json, "session", STR(""))));
    /* A changed password needs the old one and ends the sessions. */
    BusCaller bob = {.user = str_from(id), .roles = ROLE_VIEW | ROLE_OPERATE};
    CHECK_INT(bed_ask_as(&bed, &bob, "auth.password",
                         "{\"old\":\"wrong one\",\"password\":\"even longer\"}"),
              ST_FORBIDDEN);
    CHECK_OK(check_session(&bed, bobs));
    CHECK_OK(bed_ask_as(&bed, &bob, "auth.password",
                        "{\"old\":\"long enough\",\"password\":\"even longer\"}"));
    CHECK_INT(check_session(&bed, bobs), ST_UNAUTHENTICATED);
    CHECK_OK(
        bed_ask_as(&bed, &away, "auth.login", "{\"name\":\"bob\",\"password\":\"even longer\"}"));
    (void)snprintf(body, sizeof body, "{\"id\":\"%s\",\"password\":\"taken over\"}", admin_id);
    CHECK_INT(bed_ask_as(&bed, &bob, "auth.password", body), ST_FORBIDDEN);
    /* The last administrator stays. */
    (void)snprintf(body, sizeof body, "{\"id\":\"%s\"}", admin_id);
    CHECK_INT(bed_ask_as(&bed, &admin, "auth.user_remove", body), ST_CONFLICT);
    (void)snprintf(body, sizeof body, "{\"id\":\"%s\",\"roles\":[\"view\"]}", admin_id);
    CHECK_INT(bed_ask_as(&bed, &admin, "auth.user_roles", body), ST_CONFLICT);
    (void)snprintf(body, sizeof body, "{\"id\":\"%s\"}", id);
    CHECK_OK(bed_ask_as(&bed, &admin, "auth.user_remove", body));
    CHECK_INT(
        bed_ask_as(&bed, &away, "auth.login", "{\"name\":\"bob\",\"password\":\"even longer\"}"),
        ST_UNAUTHENTICATED);
    bed_end(&bed);
}

static bool is_set;

static void on_set(void *ctx __attribute__((unused)), const BusMsg *msg __attribute__((unused)))
{
    is_set = true;
}

TEST(auth_takes_the_administrator_from_the_environment)
{
    ModBed bed;
    BusSub *sub = NULL;
    bed_begin(&bed);
    CHECK_OK(bus_subscribe(bed.bus, "auth.setup_done", NULL, 1, 0, on_set, &bed, &sub));
    CHECK_INT(setenv("TUTTI_ADMIN_PASSWORD", "from outside", 1), 0);
    open_auth(&bed, cheap);
    unsetenv("TUTTI_ADMIN_PASSWORD");
    CHECK_OK(bed_ask_as(&bed, &here, "auth.state", ""));
    CHECK(!json_bool(bed.json, "setup", true)); /* nobody can take it meanwhile */
    CHECK_INT(bed_ask_as(&bed, &here, "auth.setup", "{\"password\":\"correct horse\"}"),
              ST_CONFLICT);
    while (!is_set) (void)uv_run(loop_uv(bed.loop), UV_RUN_ONCE);
    CHECK(!bed.late);
    CHECK_OK(bed_ask_as(&bed, &away, "auth.login",
                        "{\"name\":\"admin\",\"password\":\"from outside\"}"));
    bed_end(&bed);
}

/* ---- tokens ---- */

static void b64(const void *bytes, size_t len, char *out, size_t room)
{
    (void)sodium_bin2base64(out, room, bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

/* header.payload with an HMAC-SHA256 signature under `key`, or with none. */
static void forge(const char *header, const char *payload, const char *key, char *out, size_t room)
{
    char h[1024], p[1024], s[128] = "";
    unsigned char mac[32];
    b64(header, strlen(header), h, sizeof h);
    b64(payload, strlen(payload), p, sizeof p);
    (void)snprintf(out, room, "%s.%s", h, p);
    if (key) {
        crypto_auth_hmacsha256_state state;
        crypto_auth_hmacsha256_init(&state, (const unsigned char *)key, strlen(key));
        crypto_auth_hmacsha256_update(&state, (const unsigned char *)out, strlen(out));
        crypto_auth_hmacsha256_final(&state, mac);
        b64(mac, sizeof mac, s, sizeof s);
    }
    (void)snprintf(out, room, "%s.%s.%s", h, p, s);
}

static void login_token(ModBed *bed, char *token, size_t room)
{
    CHECK_OK(bed_ask_as(bed, &here, "auth.login",
                        "{\"name\":\"admin\",\"password\":\"correct horse\",\"bearer\":true}"));
    CHECK(!json_get(bed->json, "session"));
    (void)snprintf(token, room, "%.*s", STR_ARG(json_str(bed->json, "token", STR(""))));
    CHECK(token[0]);
}

TEST(auth_token_is_believed_through_restart_until_the_user_changes)
{
    ModBed bed;
    char secret[64], token[2048], body[256];
    begin(&bed, secret, sizeof secret);
    login_token(&bed, token, sizeof token);
    CHECK_OK(check_token(&bed, token));
    CHECK_STR(json_str(json_get(bed.json, "user"), "id", STR("")), admin_id);
    bed_close_host(&bed);
    open_auth(&bed, cheap);
    CHECK_OK(check_token(&bed, token));
    BusCaller admin = {.user = str_from(admin_id), .roles = ROLE_ADMIN};
    (void)snprintf(body, sizeof body, "{\"old\":\"correct horse\",\"password\":\"new password\"}");
    CHECK_OK(bed_ask_as(&bed, &admin, "auth.password", body));
    CHECK_INT(check_token(&bed, token), ST_UNAUTHENTICATED);
    bed_end(&bed);
}

TEST(auth_token_edited_anywhere_is_refused)
{
    ModBed bed;
    char secret[64], token[2048], edited[2048];
    begin(&bed, secret, sizeof secret);
    login_token(&bed, token, sizeof token);
    size_t len = strlen(token);
    for (size_t i = 0; i + 1 < len; i++) { /* the last character has bits that mean nothing */
        memcpy(edited, token, len + 1);
        edited[i] = token[i] == 'A' ? 'B' : token[i] == '.' ? '-' : 'A';
        if (!check_token(&bed, edited)) print_error("accepted with byte %zu changed\n", i);
        CHECK_INT(bed.status, ST_UNAUTHENTICATED);
    }
    for (size_t cut = 0; cut < len; cut += 7) {
        memcpy(edited, token, len + 1);
        edited[cut] = '\0';
        CHECK(check_token(&bed, edited) != ST_OK);
    }
    bed_end(&bed);
}

/* The text of a token is its only spelling: RFC 7515, 7.1 and RFC 4648, 3.5. */
static void refuse_spelling(ModBed *bed, const char *edited, const char *how, size_t at)
{
    bool refused = check_token(bed, edited) == ST_UNAUTHENTICATED;
    if (!refused) print_error("not refused: %s at %zu\n", how, at);
    CHECK(refused);
}

TEST(auth_token_of_another_spelling_is_refused)
{
    static const char some[] = "AQ_-=.+/ ";
    ModBed bed;
    char secret[64], token[2048], edited[2048];
    begin(&bed, secret, sizeof secret);
    login_token(&bed, token, sizeof token);
    size_t len = strlen(token);
    for (size_t i = 0; i <= len; i++) {
        memcpy(edited, token, i);
        if (i < len) memcpy(edited + i, token + i + 1, len - i);
        if (i < len) refuse_spelling(&bed, edited, "deleted", i);
        /* Where a part ends is where decoders are generous: everything printable goes there. */
        bool edge = i == len || token[i] == '.' || (i && token[i - 1] == '.') || i + 1 == len;
        for (int c = '!'; c <= '~'; c++) {
            if (c == '"' || c == '\\' || (!edge && !strchr(some, c))) continue;
            memcpy(edited, token, i);
            edited[i] = (char)c;
            memcpy(edited + i + 1, token + i, len - i + 1);
            refuse_spelling(&bed, edited, "inserted", i);
            if (i == len || token[i] == c) continue;
            memcpy(edited + i + 1, token + i + 1, len - i);
            refuse_spelling(&bed, edited, "changed", i);
        }
    }
    CHECK_OK(check_token(&bed, token));
    bed_end(&bed);
}

TEST(auth_token_forged_is_refused)
{
    ModBed bed;
    char secret[64], token[2048], forged[4096], payload[512], header[1024], kid[64] = "",
                                                                            public_key[1024];
    begin(&bed, secret, sizeof secret);
    login_token(&bed, token, sizeof token);
    CHECK_OK(bed_ask(&bed, "auth.jwks", ""));
    const Json *key = json_at(json_get(bed.json, "keys"), 0);
    CHECK_STR(json_str(key, "kty", STR("")), "EC");
    CHECK_STR(json_str(key, "crv", STR("")), "P-256");
    CHECK(!json_get(key, "d")); /* no private part */
    (void)snprintf(kid, sizeof kid, "%.*s", STR_ARG(json_str(key, "kid", STR(""))));
    (void)snprintf(public_key, sizeof public_key, "%.*s", STR_ARG(key->raw));
    (void)snprintf(payload, sizeof payload,
                   "{\"iss\":\"tutti\",\"aud\":\"tutti\",\"sub\":\"%s\",\"iat\":1,"
                   "\"exp\":99999999999,\"ver\":1}",
                   admin_id);
    static const char *const algs[] = {"none",  "None",  "NONE",  "",      "HS256", "HS384",
                                       "RS256", "PS256", "ES256", "ES384", "es256"};
    static const char *const extras[] = {"", ",\"jku\":\"http://192.0.2.1/k\"",
                                         ",\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}",
                                         ",\"crit\":[\"x\"]"};
    static const char *const kids[] = {NULL, "", "../../x", "' OR 1=1 --", "other"};
    const char *const keys[] = {NULL, "", public_key, kid};
    int tried = 0;
    for (size_t a = 0; a < COUNT_OF(algs); a++)
        for (size_t e = 0; e < COUNT_OF(extras); e++)
            for (size_t k = 0; k < COUNT_OF(kids); k++)
                for (size_t s = 0; s < COUNT_OF(keys); s++, tried++) {
                    (void)snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"%s\"%s}",
                                   algs[a], kids[k] ? kids[k] : kid, extras[e]);
                    forge(header, payload, keys[s], forged, sizeof forged);
                    if (!check_token(&bed, forged)) print_error("accepted: %s\n", header);
                    CHECK_INT(bed.status, ST_UNAUTHENTICATED);
                }
    CHECK(tried > 150);
    /* The true signature under another payload, and the payload twice. */
    const char *dot = strchr(token, '.'), *last = strrchr(token, '.');
    char p[1024];
    b64(payload, strlen(payload), p, sizeof p);
    (void)snprintf(forged, sizeof forged, "%.*s.%s%s", (int)(dot - token), token, p, last);
    CHECK_INT(check_token(&bed, forged), ST_UNAUTHENTICATED);
    (void)snprintf(forged, sizeof forged, "%s.%s", token, p);
    CHECK_INT(check_token(&bed, forged), ST_UNAUTHENTICATED);
    bed_end(&bed);
}

TEST(auth_token_expires_and_keys_rotate)
{
    static const HostConf brief[] = {{"auth", "hash_memory", "8KiB"},
                                     {"auth", "hash_rounds", "1"},
                                     {"auth", "token", "1s"},
                                     {"auth", "key", "1s"},
                                     {0}};
    ModBed bed;
    char secret[64], token[2048], second[2048];
    begin(&bed, secret, sizeof secret);
    bed_close_host(&bed);
    open_auth(&bed, brief);
    do login_token(&bed, token, sizeof token);
    while (check_token(&bed, token));   /* a second may be over sooner than we look */
    while (!check_token(&bed, token)) { /* about a second; the bed has the deadline */
    }
    CHECK_INT(bed.status, ST_UNAUTHENTICATED);
    /* The header names the key: it changes once the key is a second old. */
    size_t header_bytes = (size_t)(strchr(token, '.') - token);
    do login_token(&bed, second, sizeof second);
    while (strncmp(token, second, header_bytes) == 0 || check_token(&bed, second));
    CHECK_OK(bed_ask(&bed, "auth.jwks", ""));
    CHECK(json_get(bed.json, "keys")->count >= 1);
    bed_end(&bed);
}
