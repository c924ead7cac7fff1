/* runtime/modules/auth/token.c: access tokens: JWT (RFC 7519) signed with ES256 by libcjose.
 *
 * What a token says about its own verification is not believed: the header must name ES256 and a
 * key id that is in our own table, and nothing else of it is used (no jku, jwk, x5u; crit is
 * refused). The payload is read by the strict JSON reader, so doubled claims are refused.
 * Keys rotate: the newest signs, older ones verify until the last token of theirs is over. */
#include "modules/auth/auth_int.h"

#include "base/mem.h"

#include <cjose/cjose.h>
#include <sodium.h>

enum { TOKEN_BYTES_MAX = 4096, SKEW_S = 60, JWK_BYTES_MAX = 1024, SIGNATURE_BYTES = 64 };

#define ISSUER "tutti"

Status auth__key_add(Auth *auth, Str kid, Str text, int64_t created_ms)
{
    cjose_err err;
    if (auth->key_count == AUTH_KEYS_MAX) return ST_LIMIT;
    if (kid.len >= AUTH_KID_BYTES) return ST_CORRUPT;
    cjose_jwk_t *jwk = cjose_jwk_import(text.ptr, text.len, &err);
    if (!jwk) return ST_CORRUPT;
    AuthKey *key = &auth->keys[auth->key_count++];
    *key = (AuthKey){.created_ms = created_ms, .jwk = jwk};
    memcpy(key->kid, kid.ptr, kid.len);
    return ST_OK;
}

void auth__keys_close(Auth *auth)
{
    for (size_t i = 0; i < auth->key_count; i++) (void)cjose_jwk_release(auth->keys[i].jwk);
    auth->key_count = 0;
}

static AuthKey *find_key(Auth *auth, const char *kid)
{
    for (size_t i = 0; i < auth->key_count; i++)
        if (strcmp(auth->keys[i].kid, kid) == 0) return &auth->keys[i];
    return NULL;
}

/* ---- making and forgetting keys ---- */

typedef struct KeyWrite {
    Auth *auth;
    char kid[AUTH_KID_BYTES], jwk[JWK_BYTES_MAX];
    int64_t created_ms, oldest_ms;
} KeyWrite;

static Status write_key(StoreConn *conn, void *ctx, Diag *diag)
{
    const KeyWrite *write = ctx;
    StoreStmt *stmt = NULL;
    bool row = false;
    Status st = store_prepare(conn, "DELETE FROM auth_keys WHERE created_ms<?1", &stmt, diag);
    if (st) return st;
    store_bind_int(stmt, 1, write->oldest_ms);
    st = store_step(stmt, &row, diag);
    if (!st)
        st = store_prepare(conn, "INSERT INTO auth_keys(kid,jwk,created_ms) VALUES(?1,?2,?3)",
                           &stmt, diag);
    if (st) return st;
    store_bind_str(stmt, 1, str_from(write->kid));
    store_bind_str(stmt, 2, str_from(write->jwk));
    store_bind_int(stmt, 3, write->created_ms);
    return store_step(stmt, &row, diag);
}

static void key_written(void *ctx, Status status, const Diag *diag)
{
    KeyWrite *write = ctx;
    if (status)
        log_error(write->auth->env->log, "auth", "a signing key was not stored", "error=%s",
                  diag->text);
    sodium_memzero(write, sizeof *write);
    mem_free(write);
}

static void forget_keys(Auth *auth, int64_t oldest_ms)
{
    while (auth->key_count && auth->keys[0].created_ms < oldest_ms) {
        (void)cjose_jwk_release(auth->keys[0].jwk);
        memmove(auth->keys, auth->keys + 1, --auth->key_count * sizeof *auth->keys);
    }
}

static Status new_key(Auth *auth, int64_t now)
{
    cjose_err err;
    unsigned char random[12];
    KeyWrite *write = mem_zalloc(1, sizeof *write);
    cjose_jwk_t *jwk = write ? cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, &err) : NULL;
    char *text = NULL;
    Status st = jwk ? ST_OK : ST_NO_MEMORY;
    if (!st) {
        randombytes_buf(random, sizeof random);
        (void)sodium_bin2base64(write->kid, sizeof write->kid, random, sizeof random,
                                sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        if (cjose_jwk_set_kid(jwk, write->kid, strlen(write->kid), &err))
            text = cjose_jwk_to_json(jwk, true, &err);
        if (!text || strlen(text) >= sizeof write->jwk) st = ST_INTERNAL;
    }
    if (!st) {
        memcpy(write->jwk, text, strlen(text) + 1);
        write->auth = auth;
        write->created_ms = now;
        write->oldest_ms = now - auth->conf->key_ms - auth->conf->token_ms;
        forget_keys(auth, write->oldest_ms);
        st = auth__key_add(auth, str_from(write->kid), str_from(text), now);
    }
    /* Were the key lost before it is on disk, its tokens would only be refused after a restart. */
    if (!st) st = store_write(auth->env->store, write_key, key_written, write);
    if (st) mem_free(write);
    if (text) sodium_memzero(text, strlen(text));
    cjose_get_dealloc()(text);
    (void)cjose_jwk_release(jwk);
    return st;
}

/* The key that signs now. The first is made when first needed: starting up stays quick. */
static Status signing_key(Auth *auth, AuthKey **ret_key)
{
    int64_t now = auth__now_ms();
    AuthKey *newest = auth->key_count ? &auth->keys[auth->key_count - 1] : NULL;
    if (!newest || now - newest->created_ms >= auth->conf->key_ms) {
        Status st = new_key(auth, now);
        if (st && !newest) return st;
        newest = &auth->keys[auth->key_count - 1];
    }
    *ret_key = newest;
    return ST_OK;
}

/* ---- tokens ---- */

static void put_claims(Buf *buf, const User *user, int64_t now_s, int64_t expires_s)
{
    JsonOut out;
    json_out_init(&out, buf);
    json_begin_object(&out);
    json_field_text(&out, "iss", ISSUER);
    json_field_text(&out, "aud", ISSUER);
    json_field_text(&out, "sub", user->id);
    json_field_int(&out, "iat", now_s);
    json_field_int(&out, "exp", expires_s);
    json_field_int(&out, "ver", user->version);
    json_end(&out);
}

static cjose_header_t *new_header(const AuthKey *key)
{
    cjose_err err;
    cjose_header_t *header = cjose_header_new(&err);
    if (header && cjose_header_set(header, CJOSE_HDR_ALG, CJOSE_HDR_ALG_ES256, &err) &&
        cjose_header_set(header, CJOSE_HDR_KID, key->kid, &err))
        return header;
    cjose_header_release(header);
    return NULL;
}

Status auth__token_make(Auth *auth, const User *user, Arena *arena, Str *ret_token,
                        int64_t *ret_expires_ms)
{
    cjose_err err;
    AuthKey *key = NULL;
    Status st = signing_key(auth, &key);
    if (st) return st;
    int64_t now_s = auth__now_ms() / 1000, expires_s = now_s + auth->conf->token_ms / 1000;
    Buf claims;
    const char *text = NULL;
    buf_init(&claims, TOKEN_BYTES_MAX);
    put_claims(&claims, user, now_s, expires_s);
    cjose_header_t *header = new_header(key);
    cjose_jws_t *jws =
        header && !buf_status(&claims)
            ? cjose_jws_sign(key->jwk, header, (const uint8_t *)claims.ptr, claims.len, &err)
            : NULL;
    if (jws && cjose_jws_export(jws, &text, &err)) *ret_token = arena_str(arena, str_from(text));
    if (!text || !ret_token->ptr)
        st = ST_NO_MEMORY;
    else
        *ret_expires_ms = expires_s * 1000;
    cjose_jws_release(jws);
    cjose_header_release(header);
    buf_done(&claims);
    return st;
}

/* The key a token's header names, if the header asks for nothing but what we do. */
static AuthKey *key_of_header(Auth *auth, cjose_jws_t *jws)
{
    cjose_err err;
    cjose_header_t *header = cjose_jws_get_protected(jws);
    const char *alg = header ? cjose_header_get(header, CJOSE_HDR_ALG, &err) : NULL;
    const char *kid = header ? cjose_header_get(header, CJOSE_HDR_KID, &err) : NULL;
    if (!alg || !kid || strcmp(alg, CJOSE_HDR_ALG_ES256) != 0) return NULL;
    char *crit = cjose_header_get_raw(header, "crit", &err);
    if (crit) {
        cjose_get_dealloc()(crit);
        return NULL;
    }
    return find_key(auth, kid);
}

static const User *user_of_claims(Auth *auth, Arena *arena, Str payload, int64_t *ret_expires_ms)
{
    const Json *claims = NULL;
    int64_t now_s = auth__now_ms() / 1000;
    payload = arena_str(arena, payload);
    if (!payload.ptr || json_read(arena, payload, &claims, NULL)) return NULL;
    int64_t expires = json_int(claims, "exp", 0), issued = json_int(claims, "iat", INT64_MAX);
    if (!str_is(json_str(claims, "iss", STR_NONE), ISSUER) ||
        !str_is(json_str(claims, "aud", STR_NONE), ISSUER))
        return NULL;
    if (now_s >= expires || issued > now_s + SKEW_S) return NULL;
    const User *user = auth__user(auth, json_str(claims, "sub", STR_NONE));
    if (!user || json_int(claims, "ver", -1) != user->version) return NULL;
    *ret_expires_ms = expires > INT64_MAX / 1000 ? INT64_MAX : expires * 1000;
    return user;
}

/* Exactly the compact form of RFC 7515, 7.1: three parts in base64url without padding (RFC 4648,
 * 5), unused bits zero, 64 bytes of signature. cjose decodes more than that (bytes after the
 * padding are dropped), and one token with many spellings cannot be revoked or logged by its text.
 */
static bool is_compact(Str token)
{
    unsigned char bytes[TOKEN_BYTES_MAX];
    const char *at = token.ptr, *end = token.ptr + token.len;
    size_t count = 0;
    for (int part = 0; part < 3; part++) {
        const char *dot = part < 2 ? memchr(at, '.', (size_t)(end - at)) : end;
        if (!dot || dot == at ||
            sodium_base642bin(bytes, sizeof bytes, at, (size_t)(dot - at), NULL, &count, NULL,
                              sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
            return false;
        at = dot + (part < 2);
    }
    return count == SIGNATURE_BYTES;
}

const User *auth__token_check(Auth *auth, Arena *arena, Str token, int64_t *ret_expires_ms)
{
    cjose_err err;
    const User *user = NULL;
    uint8_t *payload = NULL;
    size_t bytes = 0;
    if (!token.len || token.len > TOKEN_BYTES_MAX || !is_compact(token)) return NULL;
    cjose_jws_t *jws = cjose_jws_import(token.ptr, token.len, &err);
    AuthKey *key = jws ? key_of_header(auth, jws) : NULL;
    if (key && cjose_jws_verify(jws, key->jwk, &err) &&
        cjose_jws_get_plaintext(jws, &payload, &bytes, &err))
        user = user_of_claims(auth, arena, (Str){(const char *)payload, bytes}, ret_expires_ms);
    cjose_jws_release(jws);
    return user;
}

Status auth__jwks(Auth *auth, Buf *buf)
{
    cjose_err err;
    JsonOut out;
    AuthKey *key = NULL;
    Status st = signing_key(auth, &key);
    if (st) return st;
    json_out_init(&out, buf);
    json_begin_object(&out);
    json_key(&out, "keys");
    json_begin_array(&out);
    for (size_t i = 0; i < auth->key_count; i++) {
        char *text = cjose_jwk_to_json(auth->keys[i].jwk, false, &err);
        if (text) json_put_raw(&out, str_from(text));
        cjose_get_dealloc()(text);
    }
    json_end(&out);
    json_end(&out);
    return buf_status(buf);
}
