/* runtime/module/secret.h: what a module keeps and shows to nobody: passwords, tokens.
 *
 * One key per module and data directory, made when the first secret is stored, in a file of mode
 * 0600 that is synced before anything is sealed with it. Whoever has the database alone has
 * nothing. */
#ifndef TUTTI_MODULE_SECRET_H
#define TUTTI_MODULE_SECRET_H

#include "base/arena.h"

enum { SECRET_KEY_BYTES = 32 };

typedef struct SecretKey {
    unsigned char bytes[SECRET_KEY_BYTES];
    bool there;
} SecretKey;

/* Reads or makes data_dir/file, unless the key is there. */
MUST Status secret_key_load(SecretKey *key, const char *data_dir, const char *file, Diag *diag);
void secret_key_wipe(SecretKey *key);
/* Nonce and box, in `arena`. */
MUST Status secret_seal(const SecretKey *key, Arena *arena, Str text, Str *ret_sealed);
MUST Status secret_unseal(const SecretKey *key, Arena *arena, Str sealed, Str *ret_text);
void secret_wipe(Str text);

#endif
