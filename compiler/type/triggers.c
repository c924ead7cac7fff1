/* compiler/type/triggers.c: sources that are no stream of messages: http paths, periods, schedules.
 */
#include "base/cron.h"
#include "compiler/type/flow.h"

enum { HTTP_BODY_MAX = 512 << 10, PERIOD_MIN_NS = 1000000 };

static void add_option(Check *c, IrSource *s, uint32_t *cap, IrOption option)
{
    s->options = check__grow(c, s->options, s->option_count, cap, sizeof(IrOption));
    s->options[s->option_count++] = option;
}

static const IrOption *option_of(const IrSource *s, const char *name)
{
    for (uint32_t i = 0; i < s->option_count; i++)
        if (str_is(s->options[i].name, name)) return &s->options[i];
    return NULL;
}

/* Paths that the server answers itself. */
static bool is_taken(Str path)
{
    static const char *const own[] = {"/api/", "/.well-known/"};
    static const char *const whole[] = {"/",       "/ws",      "/mqtt", "/healthz",
                                        "/readyz", "/metrics", "/api"};
    for (size_t i = 0; i < COUNT_OF(own); i++)
        if (str_starts(path, str_from(own[i]))) return true;
    for (size_t i = 0; i < COUNT_OF(whole); i++)
        if (str_is(path, whole[i])) return true;
    return false;
}

static bool http_path(Check *c, const AstConnector *at, IrSource *s)
{
    Str path = s->address;
    Span span = at->address ? at->address->span : at->kind.span;
    bool fine = path.len > 1 && path.len <= 256 && path.ptr[0] == '/';
    for (size_t i = 0; i < path.len && fine; i++) {
        char ch = path.ptr[i];
        fine = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
               ch == '/' || ch == '-' || ch == '_' || ch == '.' || ch == '~';
    }
    if (!path.len) return false; /* said already */
    if (!fine || is_taken(path)) {
        diag_error(c->diags, DIAG_S011, span,
                   fine ? "the server answers this path itself"
                        : "a path starts with `/` and has letters, digits, `-`, `_`, `.` and `~`");
        return false;
    }
    const IrOption *max = option_of(s, "max");
    if (max && (max->value.integer < 1 || max->value.integer > HTTP_BODY_MAX)) {
        diag_error(c->diags, DIAG_S011, ast_option(at, "max")->span, "a body has at most %d KiB",
                   HTTP_BODY_MAX >> 10);
        return false;
    }
    return true;
}

static bool schedule(Check *c, const AstConnector *at, IrSource *s)
{
    Cron cron;
    Diag why = {0};
    const Tz *tz;
    if (!s->address.len) return false; /* said already */
    if (cron_parse(s->address, &cron, &why)) {
        diag_error(c->diags, DIAG_S011, at->address->span, "%s", why.text);
        return false;
    }
    const IrOption *zone = option_of(s, "zone");
    if (zone && tz_load(c->arena, zone->value.text, &tz, &why)) {
        diag_error(c->diags, DIAG_S011, ast_option(at, "zone")->span, "%s", why.text);
        return false;
    }
    return true;
}

bool flow__trigger(Check *c, const AstConnector *at, IrSource *s, uint32_t *cap)
{
    if (str_is(s->kind, "http")) {
        add_option(c, s, cap, (IrOption){STR("method"), IR_STR, {.text = at->verb.text}});
        return http_path(c, at, s);
    }
    if (str_is(s->kind, "cron")) return schedule(c, at, s);
    if (!str_is(s->kind, "every")) return true;
    if (!at->address || at->address->kind != AST_DURATION) return false; /* said already */
    if (at->address->as.ns < PERIOD_MIN_NS) {
        diag_error(c->diags, DIAG_S011, at->address->span, "`every` is 1ms or more");
        return false;
    }
    add_option(c, s, cap, (IrOption){STR("every"), IR_DURATION, {.integer = at->address->as.ns}});
    return true;
}
