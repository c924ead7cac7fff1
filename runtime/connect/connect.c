/* runtime/connect/connect.c: the list of drivers, and what all of them need. */
#include "connect/connect.h"

#define CONNECTOR(kind) extern const ConnectDriver connect_##kind;
#include "connect/connectors.def"
#undef CONNECTOR

static const ConnectDriver *const drivers[] = {
#define CONNECTOR(kind) &connect_##kind,
#include "connect/connectors.def"
#undef CONNECTOR
};

const char *connect_state_name(ConnectState state)
{
    static const char *const names[] = {"idle", "connecting", "connected", "degraded", "failed"};
    return names[state];
}

const ConnectDriver *connect_driver(Str kind)
{
    for (size_t i = 0; i < COUNT_OF(drivers); i++)
        if (str_is(kind, drivers[i]->kind)) return drivers[i];
    return NULL;
}

const ConnectDriver *connect_driver_at(size_t index)
{
    return index < COUNT_OF(drivers) ? drivers[index] : NULL;
}

Status connect_url(Str url, const char *scheme, uint16_t preset_port, Str *ret_host,
                   uint16_t *ret_port, Diag *diag)
{
    Str name = str_from(scheme);
    if (!str_starts(url, name) || !str_starts(str_skip(url, name.len), STR("://")))
        return diag_set(diag, ST_INVALID, "\"%.*s\" is not %s://host:port", STR_ARG(url), scheme);
    Str host = str_skip(url, name.len + 3);
    if (str_ends(host, STR("/"))) host.len--;
    int64_t port = preset_port;
    ptrdiff_t colon = str_find_char(host, ':');
    if (colon >= 0) {
        if (!str_to_i64(str_skip(host, (size_t)colon + 1), &port) || port < 1 || port > 65535)
            return diag_set(diag, ST_INVALID, "\"%.*s\" has no valid port", STR_ARG(url));
        host.len = (size_t)colon;
    }
    for (size_t i = 0; i < host.len; i++)
        if (host.ptr[i] == '/' || host.ptr[i] == '@' || host.ptr[i] <= ' ') host.len = 0;
    if (!host.len || host.len > 255)
        return diag_set(diag, ST_INVALID, "\"%.*s\" has no valid host name", STR_ARG(url));
    *ret_host = host;
    *ret_port = (uint16_t)port;
    return ST_OK;
}
