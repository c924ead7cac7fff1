/* compiler/parse/build_stage.c: stages, connectors and items out of loosely parsed words.
 *
 * The grammar takes words and values as they come; here they become options. The rule for a
 * connector: KIND, then a verb (if the word is a known one, or a text follows that cannot be its
 * option), the address, then pairs of option and value; flags are words of a fixed list. Which
 * options a kind really knows is checked later, with types. */
#include "compiler/parse/parser.h"

#include <string.h>

static bool one_of(Str word, const char *const *list)
{
    for (; *list; list++) {
        if (str_is(word, *list)) return true;
    }
    return false;
}

/* Options without a value (of connectors.def, and two of stages), kinds without an address, and
 * words before an address. */
#define FLAG_OF_FLAG(name) #name,
#define FLAG_OF_INT(name)
#define FLAG_OF_TEXT(name)
#define FLAG_OF_WORD(name)
#define FLAG_OF_DURATION(name)
#define FLAG_OF_KEYS(name)
#define FLAG_OF_MAPNAME(name)
#define FLAG_OF_SIZE(name)
#define FLAG_OF_PIECES(name)
#define FLAG_OF_MOMENT(name)
static const char *const flags[] = {
#define KIND(name, sides, address, format, doc)
#define OPTION(kind, side, name, type, needed, doc) FLAG_OF_##type(name)
#include "compiler/type/connectors.def"
#undef KIND
#undef OPTION
    "unordered", "reload", NULL};
static const char *const bare_kinds[] = {"stdin", "stdout", "stderr", "manual", "dead", NULL};
static const char *const verbs[] = {"get",   "post",      "put",    "patch",   "delete", "sql",
                                    "table", "select",    "read",   "write",   "call",   "browse",
                                    "exec",  "subscribe", "stream", "command", "reply",  NULL};

ParseAtom *parse__atom(Parser *p, AstName word, AstExpr *value, AstPick *by)
{
    ParseAtom *atom = NEW(p, ParseAtom);
    atom->word = word;
    atom->value = value;
    atom->by = by;
    atom->span = value ? value->span : by ? by->span : word.span;
    return atom;
}

static AstExpr *word_expr(Parser *p, AstName word)
{
    AstExpr *expr = parse__expr(p, AST_NAME, word.span);
    expr->as.name = word.text;
    return expr;
}

static bool is_list(const ParseAtom *atom)
{
    return atom && atom->value && atom->value->kind == AST_LIST;
}

static bool is_word(const ParseAtom *atom)
{
    return atom && !atom->value && !atom->by;
}

/* env("NAME"): a word with parentheses that is a call, not an option. */
static bool is_call(const ParseAtom *atom)
{
    return is_word(atom) && is_list(atom->next) &&
           (str_is(atom->word.text, "env") || str_is(atom->word.text, "secret"));
}

static AstExpr *call_expr(Parser *p, const ParseAtom *atom)
{
    ArgList args = {0};
    for (AstExpr *item = atom->next->value->as.items, *next; item; item = next) {
        next = item->next;
        AstArg *arg = NEW(p, AstArg);
        item->next = NULL;
        arg->value = item;
        arg->span = item->span;
        LIST_ADD(args, arg);
    }
    AstExpr *expr = parse__expr(p, AST_CALL, span_join(atom->span, atom->next->span));
    expr->as.call.name = atom->word;
    expr->as.call.args = args.first;
    expr->depth = atom->next->value->depth + 1;
    return expr;
}

static void add_option(Parser *p, AstConnector *c, AstName name, AstExpr *value)
{
    AstOption **end = &c->options;
    for (; *end; end = &(*end)->next) {
        if (!str_eq((*end)->name.text, name.text)) continue;
        Diagnostic *d =
            diag_error(p->diags, DIAG_P040, name.span, "`%.*s` is given twice", STR_ARG(name.text));
        diag_note(p->diags, d, (*end)->name.span, "first here");
        return;
    }
    AstOption *option = NEW(p, AstOption);
    option->name = name;
    option->value = value;
    option->span = value ? span_join(name.span, value->span) : name.span;
    *end = option;
}

/* A value without a name: either that or the value of the word before is missing, so all of it is
 * shown, from the last name that may have none. */
static void nameless_value(Parser *p, const AstConnector *c, const ParseAtom *atom, Span from)
{
    Diagnostic *d = diag_error(p->diags, DIAG_P061, span_join(from, atom->span),
                               "a word or a value is missing here: options are written NAME value");
    if (c->kind.text.len)
        diag_note(p->diags, d, c->kind.span, "options of `%.*s`", STR_ARG(c->kind.text));
}

void parse__options(Parser *p, AstConnector *c, ParseAtom *atom)
{
    Span last = atom ? atom->span : c->span; /* of the name before */
    while (atom) {
        c->span = span_join(c->span, atom->span);
        if (atom->value && atom->value->kind == AST_RECORD && !atom->next) {
            add_option(p, c, (AstName){STR("settings"), atom->span}, atom->value);
            return;
        }
        if (!is_word(atom)) {
            nameless_value(p, c, atom, last);
            return;
        }
        AstName name = atom->word;
        last = atom->span;
        ParseAtom *value = atom->next;
        if (one_of(name.text, flags) || !value) {
            add_option(p, c, name, NULL);
            atom = value;
        } else if (is_call(value)) {
            add_option(p, c, name, call_expr(p, value));
            c->span = span_join(c->span, value->next->span);
            atom = value->next->next;
        } else {
            add_option(p, c, name, is_word(value) ? word_expr(p, value->word) : value->value);
            c->span = span_join(c->span, value->span);
            atom = value->next;
        }
    }
}

/* How many words stand in a row from here. */
static uint32_t word_run(const ParseAtom *atom)
{
    uint32_t count = 0;
    for (; is_word(atom); atom = atom->next) count++;
    return count;
}

AstConnector parse__connector(Parser *p, ParseToken kind, AtomList atoms)
{
    AstConnector c = {.kind = parse__name(kind), .span = kind.span};
    ParseAtom *at = atoms.first;

    bool bare = one_of(c.kind.text, bare_kinds);
    if (at && !bare && is_word(at) && !is_call(at) && at->next && one_of(at->word.text, verbs) &&
        (at->next->value || is_call(at->next)) && !is_list(at->next)) {
        c.verb = at->word;
        c.span = span_join(c.span, at->span);
        at = at->next;
    }
    if (at && !bare && is_call(at)) {
        c.address = call_expr(p, at);
        at = at->next->next;
    } else if (at && at->value && !is_list(at) && at->value->kind != AST_RECORD) {
        c.address = at->value;
        at = at->next;
    } else if (at && !bare && is_word(at) && !one_of(at->word.text, flags)) {
        /* A bare name is the address when what follows cannot be its value: nothing, a flag, or
         * another word that has a value itself (historian press_10s key (a)). */
        uint32_t run = word_run(at);
        const ParseAtom *next = at->next;
        bool flag_next = is_word(next) && one_of(next->word.text, flags);
        bool named = !next || flag_next || (run == 2 && next->next) || run >= 3;
        if (named) {
            c.address = word_expr(p, at->word);
            at = at->next;
        }
    }
    if (c.address) c.span = span_join(c.span, c.address->span);
    parse__options(p, &c, at);
    return c;
}

AstSink *parse__sink(Parser *p, AstConnector to, ParseToken *format, AtomList rest)
{
    AstSink *sink = NEW(p, AstSink);
    sink->to = to;
    if (format) sink->format = parse__name(*format);
    parse__options(p, &sink->to, rest.first);
    sink->span = parse__from(p, to.kind.span);
    return sink;
}

/* A word that the grammar takes as a name although only one fits. */
void parse__expect_word(Parser *p, ParseToken word, const char *wanted)
{
    if (str_is(word.text, wanted)) return;
    Diagnostic *d = diag_error(p->diags, DIAG_P042, word.span, "`%s` belongs here, not `%.*s`",
                               wanted, STR_ARG(word.text));
    diag_fix(p->diags, d, NULL, word.span, wanted);
    p->broken = p->item_broken = true;
}

/* ---- stages ------------------------------------------------------------------------------ */

void parse__add_word(Parser *p, AtomList *list, ParseToken word)
{
    ParseAtom *atom = parse__atom(p, parse__name(word), NULL, NULL);
    LIST_ADD(*list, atom);
}

void parse__add_value(Parser *p, AtomList *list, AstExpr *value)
{
    ParseAtom *atom = parse__atom(p, (AstName){0}, value, NULL);
    LIST_ADD(*list, atom);
}

AstStage *parse__stage(Parser *p, AstStageKind kind, ParseToken word)
{
    AstStage *stage = NEW(p, AstStage);
    stage->kind = kind;
    stage->keyword = word.span;
    stage->span = parse__from(p, word.span);
    return stage;
}

AstStage *parse__picks(Parser *p, AstStageKind kind, ParseToken word, PickList picks)
{
    AstStage *stage = parse__stage(p, kind, word);
    stage->as.picks = picks.first;
    return stage;
}

AstLet *parse__let(Parser *p, ParseToken name, AstExpr *value)
{
    AstLet *let = NEW(p, AstLet);
    let->name = parse__name(name);
    let->value = value;
    let->span = span_join(name.span, value->span);
    return let;
}

AstArm *parse__arm(Parser *p, AstArmKind kind, ParseToken word, StageList stages)
{
    AstArm *arm = NEW(p, AstArm);
    arm->kind = kind;
    arm->stages = stages.first;
    arm->span = parse__from(p, word.span);
    return arm;
}

AstStage *parse__from_stage(Parser *p, ParseToken word, AstConnector source, DecodeRest rest)
{
    AstStage *stage = parse__stage(p, AST_FROM, word);
    stage->as.from.source = source;
    stage->as.from.decode = rest.decode;
    parse__options(p, &stage->as.from.source, rest.atoms.first);
    return stage;
}

static bool duration_after(Parser *p, ParseAtom **at, AstName word, AstDuration *ret_value)
{
    ParseAtom *value = *at ? (*at)->next : NULL;
    if (value && value->value && value->value->kind == AST_DURATION) {
        if (AST_HAS(*ret_value)) {
            (void)diag_error(p->diags, DIAG_P040, word.span, "`%.*s` is given twice",
                             STR_ARG(word.text));
        }
        *ret_value = (AstDuration){value->value->as.ns, value->span};
        *at = value->next;
        return true;
    }
    Diagnostic *d = diag_error(p->diags, DIAG_P062, value ? value->span : word.span,
                               "a duration such as 10s belongs behind `%.*s`", STR_ARG(word.text));
    Span end = {word.span.file, word.span.end, word.span.end};
    if (!value)
        diag_fix_str(p->diags, d, arena_printf(p->arena, "%.*s 10s", STR_ARG(word.text)), end,
                     STR(" 10s"));
    *at = NULL;
    return false;
}

static void unknown_option(Parser *p, const ParseAtom *atom, const char *stage,
                           const char *const *known)
{
    Str best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    if (!is_word(atom)) {
        (void)diag_error(p->diags, DIAG_P061, atom->span,
                         "this value of `%s` has no option name before it", stage);
        return;
    }
    for (const char *const *k = known; *k; k++) {
        diag_suggest(atom->word.text, str_from(*k), &best, &distance);
    }
    /* The option is known, its second word is missing. */
    static const char *const whole[][2] = {{"early", "early every"},
                                           {"max", "max ahead"},
                                           {"ahead", "max ahead"},
                                           {"clock", "clock by"},
                                           {"using", "using good"}};
    for (size_t i = 0; distance == 0 && i < sizeof whole / sizeof *whole; i++) {
        if (!str_is(best, whole[i][0])) continue;
        Diagnostic *d = diag_error(p->diags, DIAG_P036, atom->span, "`%s` of `%s` is written `%s`",
                                   whole[i][0], stage, whole[i][1]);
        diag_fix(p->diags, d, NULL, atom->span, whole[i][1]);
        return;
    }
    Diagnostic *d = diag_error(p->diags, DIAG_P036, atom->span, "`%s` has no option `%.*s`", stage,
                               STR_ARG(atom->word.text));
    if (best.len) diag_fix_str(p->diags, d, STR_NONE, atom->span, best);
}

static bool at_word(const ParseAtom *atom, const char *word)
{
    return is_word(atom) && str_is(atom->word.text, word);
}

/* time FIELD order D [idle D] [max ahead D] [clock by KEY] */
AstStage *parse__time(Parser *p, ParseToken word, AstExpr *field, AtomList atoms)
{
    static const char *const known[] = {"order", "idle", "max", "ahead", "clock", NULL};
    AstStage *stage = parse__stage(p, AST_TIME, word);
    stage->as.time.field = (AstName){source_text(p->source, field->span), field->span};
    if (atoms.first && atoms.first->value && one_of(stage->as.time.field.text, known)) {
        Span both = span_join(word.span, field->span);
        (void)diag_error(p->diags, DIAG_P005, both,
                         "the field that holds the time is missing before `%.*s`",
                         STR_ARG(stage->as.time.field.text));
        return stage;
    }
    for (ParseAtom *at = atoms.first; at;) {
        ParseAtom *next = at->next;
        if (at_word(at, "order")) {
            duration_after(p, &at, at->word, &stage->as.time.order);
        } else if (at_word(at, "idle")) {
            duration_after(p, &at, at->word, &stage->as.time.idle);
        } else if (at_word(at, "max") && at_word(next, "ahead")) {
            at = next;
            duration_after(p, &at, at->word, &stage->as.time.ahead);
        } else if (at_word(at, "clock") && next && next->by) {
            stage->as.time.clock_by = next->by;
            at = next->next;
        } else {
            unknown_option(p, at, "time", known);
            break;
        }
    }
    return stage;
}

static const char *const window_kinds[] = {"tumble", "hop", "session", "count", NULL};

static void window_kind(Parser *p, AstStage *stage, ParseToken kind)
{
    Str best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    for (int i = 0; window_kinds[i]; i++) {
        if (!str_is(kind.text, window_kinds[i])) continue;
        stage->as.window.kind = (AstWindowKind)i;
        return;
    }
    for (int i = 0; window_kinds[i]; i++)
        diag_suggest(kind.text, str_from(window_kinds[i]), &best, &distance);
    Diagnostic *d = diag_error(p->diags, DIAG_P037, kind.span,
                               "a window is `tumble`, `hop`, `session` or `count`, not `%.*s`",
                               STR_ARG(kind.text));
    if (str_is(kind.text, "tumbling")) best = STR("tumble");
    if (str_is(kind.text, "hopping") || str_is(kind.text, "sliding"))
        diag_hint(p->diags, d, "hop 10s every 1s");
    else if (best.len)
        diag_fix_str(p->diags, d, STR_NONE, kind.span, best);
}

/* One option of a window; gives what follows it, or NULL when it was wrong. */
static ParseAtom *window_option(Parser *p, AstStage *stage, ParseAtom *at)
{
    static const char *const known[] = {"every", "gap", "max", "using", "early", "by", NULL};
    ParseAtom *next = at->next;
    if (at->by) {
        stage->as.window.by = at->by;
        return next;
    }
    if (at->value && at->value->kind == AST_DURATION && !AST_HAS(stage->as.window.size)) {
        stage->as.window.size = (AstDuration){at->value->as.ns, at->span};
        return next;
    }
    if (at->value && at->value->kind == AST_NUMBER && stage->as.window.kind == AST_WINDOW_COUNT) {
        ParseToken token = {source_text(p->source, at->span), at->span, 0};
        stage->as.window.count = parse__integer(p, token, INT32_MAX);
        return next;
    }
    if (at_word(at, "using") && is_word(next)) {
        stage->as.window.use = next->word;
        return next->next;
    }
    if (at_word(at, "early") && at_word(next, "every")) {
        at = next;
        duration_after(p, &at, at->word, &stage->as.window.early);
    } else if (at_word(at, "every")) {
        duration_after(p, &at, at->word, &stage->as.window.every);
    } else if (at_word(at, "gap")) {
        duration_after(p, &at, at->word, &stage->as.window.size);
    } else if (at_word(at, "max")) {
        duration_after(p, &at, at->word, &stage->as.window.max);
    } else {
        unknown_option(p, at, "window", known);
        return NULL;
    }
    return at;
}

/* What may follow `by a, b`; any other word was meant as one more key. */
static const char *const after_keys[] = {"every", "gap", "max", "using", "early", NULL};

static void key_comma(Parser *p, const ParseAtom *by)
{
    const AstPick *last = by->by;
    while (last->next) last = last->next;
    Str word = by->next->word.text;
    Diagnostic *d = diag_error(p->diags, DIAG_P048, span_join(last->span, by->next->span),
                               "a comma is missing before `%.*s`", STR_ARG(word));
    diag_fix(p->diags, d, ",", (Span){last->span.file, last->span.end, last->span.end}, ",");
    p->broken = p->item_broken = true;
}

AstStage *parse__window(Parser *p, ParseToken word, ParseToken kind, AtomList atoms,
                        ParseToken open, LetList lets)
{
    AstStage *stage = parse__stage(p, AST_WINDOW, word);
    uint32_t errors = p->diags->error_count;
    window_kind(p, stage, kind);
    for (ParseAtom *at = atoms.first; at;) {
        if (at->by && is_word(at->next) && !one_of(at->next->word.text, after_keys)) {
            key_comma(p, at);
            break;
        }
        at = window_option(p, stage, at);
    }
    stage->as.window.aggregates = lets.first;
    stage->as.window.body = parse__from(p, open.span);
    if (errors != p->diags->error_count) return stage;

    Span end = {kind.span.file, kind.span.end, kind.span.end};
    bool counts = stage->as.window.kind == AST_WINDOW_COUNT;
    if (counts ? !AST_HAS(stage->as.window.count) : !AST_HAS(stage->as.window.size)) {
        Diagnostic *d = diag_error(p->diags, DIAG_P041, kind.span, "`window %.*s` needs %s",
                                   STR_ARG(kind.text), counts ? "a number of records" : "a length");
        bool gap = stage->as.window.kind == AST_WINDOW_SESSION;
        diag_fix(p->diags, d,
                 counts ? "count 100"
                 : gap  ? "session gap 30s"
                        : "tumble 10s",
                 end,
                 counts ? " 100"
                 : gap  ? " gap 30s"
                        : " 10s");
    } else if (stage->as.window.kind == AST_WINDOW_HOP && !AST_HAS(stage->as.window.every)) {
        Span after = {kind.span.file, stage->as.window.size.span.end,
                      stage->as.window.size.span.end};
        Diagnostic *d = diag_error(p->diags, DIAG_P041, kind.span,
                                   "`window hop` needs `every` and how often a window starts");
        diag_fix(p->diags, d, "every 10s", after, " every 10s");
    }
    return stage;
}

AstStage *parse__join(Parser *p, ParseToken word, AstExpr *on, JoinRest rest)
{
    AstStage *stage = parse__stage(p, AST_JOIN, word);
    stage->as.join.on = on;
    stage->as.join.within = rest.within;
    stage->as.join.otherwise = rest.otherwise;
    return stage;
}

/* Takes an option out of the list; NULL when it is not there. */
static AstOption *take_option(AstConnector *c, const char *name)
{
    for (AstOption **at = &c->options; *at; at = &(*at)->next) {
        if (!str_is((*at)->name.text, name)) continue;
        AstOption *option = *at;
        *at = option->next;
        option->next = NULL;
        return option;
    }
    return NULL;
}

static void take_duration(Parser *p, AstConnector *c, const char *name, AstDuration *ret_value)
{
    const AstOption *option = take_option(c, name);
    if (!option) return;
    if (option->value && option->value->kind == AST_DURATION) {
        *ret_value = (AstDuration){option->value->as.ns, option->value->span};
        return;
    }
    (void)diag_error(p->diags, DIAG_P062, option->span,
                     "a duration such as 10s belongs behind `%s`", name);
}

static void take_integer(Parser *p, AstConnector *c, const char *name, AstInteger *ret_value)
{
    const AstOption *option = take_option(c, name);
    if (!option) return;
    if (option->value && option->value->kind == AST_NUMBER) {
        ParseToken token = {source_text(p->source, option->value->span), option->value->span, 0};
        *ret_value = parse__integer(p, token, 1000000);
        return;
    }
    (void)diag_error(p->diags, DIAG_P062, option->span, "a whole number belongs behind `%s`", name);
}

AstStage *parse__ask(Parser *p, ParseToken word, ParseToken name, AstConnector source,
                     DecodeRest rest, AstElse otherwise)
{
    AstStage *stage = parse__stage(p, AST_ASK, word);
    stage->as.ask.name = parse__name(name);
    stage->as.ask.source = source;
    stage->as.ask.decode = rest.decode;
    stage->as.ask.otherwise = otherwise;
    AstConnector *c = &stage->as.ask.source;
    parse__options(p, c, rest.atoms.first);
    take_duration(p, c, "timeout", &stage->as.ask.timeout);
    take_duration(p, c, "backoff", &stage->as.ask.backoff);
    take_integer(p, c, "retry", &stage->as.ask.retry);
    take_integer(p, c, "limit", &stage->as.ask.limit);
    stage->as.ask.unordered = take_option(c, "unordered") != NULL;
    return stage;
}

static void check_port(Parser *p, ParseToken port)
{
    if (str_is(port.text, "late") || str_is(port.text, "error")) return;
    Diagnostic *d =
        diag_error(p->diags, DIAG_P042, port.span,
                   "`on` is followed by `late` or `error`, not `%.*s`", STR_ARG(port.text));
    Str best = STR_NONE;
    uint32_t distance = UINT32_MAX;
    diag_suggest(port.text, STR("late"), &best, &distance);
    diag_suggest(port.text, STR("error"), &best, &distance);
    diag_fix_str(p->diags, d, STR_NONE, port.span, best.len ? best : STR("error"));
    p->broken = p->item_broken = true;
}

AstStage *parse__on(Parser *p, ParseToken word, ParseToken port, AstOnAction action, StopRule stop)
{
    AstStage *stage = parse__stage(p, AST_ON, word);
    check_port(p, port);
    stage->as.on.port = parse__name(port);
    stage->as.on.action = action;
    stage->as.on.stops = stop.present;
    stage->as.on.stop_above = stop.above;
    stage->as.on.stop_in = stop.in;
    stage->as.on.stop_span = stop.span;
    return stage;
}

bool parse__plain_dead(const AstSink *sink)
{
    return str_is(sink->to.kind.text, "dead") && !sink->to.address && !sink->to.options &&
           !sink->format.text.len;
}

AstStage *parse__on_word(Parser *p, ParseToken word, ParseToken port, ParseToken action,
                         StopRule stop)
{
    bool update = str_is(action.text, "update");
    if (!update && !str_is(action.text, "dead")) {
        Diagnostic *d = diag_error(
            p->diags, DIAG_P042, action.span, "`into`, `drop`, `%s` belongs here, not `%.*s`",
            str_is(port.text, "late") ? "update" : "dead", STR_ARG(action.text));
        diag_fix(p->diags, d, NULL, action.span, "into dead");
        diag_fix(p->diags, d, NULL, action.span, "drop");
        p->broken = p->item_broken = true;
    }
    return parse__on(p, word, port, update ? AST_ON_UPDATE : AST_ON_DEAD, stop);
}

/* ---- items ------------------------------------------------------------------------------- */

AstItem *parse__item(Parser *p, AstItemKind kind, ParseToken word, ParseToken *name)
{
    AstItem *item = NEW(p, AstItem);
    item->kind = kind;
    item->keyword = word.span;
    item->span = parse__from(p, word.span);
    if (name) item->name = parse__name(*name);
    item->broken = p->item_broken || p->diags->error_count != p->item_errors;
    p->item_broken = false;
    return item;
}

AstStep *parse__step(Parser *p, AstStepKind kind, ParseToken word, ParseToken *target,
                     AstExpr *value)
{
    AstStep *step = NEW(p, AstStep);
    step->kind = kind;
    if (target) step->target = parse__name(*target);
    step->value = value;
    step->span = parse__from(p, word.span);
    return step;
}

AstStep *parse__file_step(Parser *p, AstStepKind kind, ParseToken word, ParseToken *target,
                          AstExpr *path)
{
    AstStep *step = parse__step(p, kind, word, target, path);
    step->from_file = true;
    return step;
}

AstStep *parse__in_step(Parser *p, ParseToken word, ParseToken *target, AstExpr *value,
                        BesideList beside)
{
    AstStep *step = parse__step(p, AST_STEP_IN, word, target, value);
    step->beside = beside.first;
    return step;
}

void parse__beside(Parser *p, BesideList *list, ParseToken word, AstExpr *name, AstExpr *value)
{
    AstBeside *beside = NEW(p, AstBeside);
    beside->word = parse__name(word);
    beside->name = name;
    beside->value = value;
    beside->span = parse__from(p, word.span);
    LIST_ADD(*list, beside);
}

AstItem *parse__test_of_files(Parser *p, ParseToken word, ParseToken name, AstExpr *in,
                              StepList tables, AstExpr *out)
{
    AstItem *item = parse__item(p, AST_ITEM_TEST, word, &name);
    AstStep *feed = parse__file_step(p, AST_STEP_IN, word, NULL, in);
    AstStep *want = parse__file_step(p, AST_STEP_EXPECT, word, NULL, out);
    feed->span = in->span;
    want->span = out->span;
    (void)ast_string_text(in, &item->as.test.text);
    item->as.test.text_span = in->span;
    LIST_ADD(tables, feed);
    LIST_ADD(tables, want);
    item->as.test.steps = tables.first;
    return item;
}

void parse__connection(Parser *p, AstItem *item, AstConnector to)
{
    (void)p;
    AstOption *settings = take_option(&to, "settings");
    if (settings) item->as.connection.settings = settings->value;
    item->as.connection.to = to;
}

AstItem *parse__table(Parser *p, ParseToken word, ParseToken name, AstConnector from, bool reload,
                      AstType *type)
{
    AstItem *item = parse__item(p, AST_ITEM_TABLE, word, &name);
    /* In `reload on change` the first word was taken for a flag. */
    bool flagged = take_option(&from, "reload") != NULL;
    const AstOption *key = take_option(&from, "key");
    if (reload != flagged) {
        (void)diag_error(p->diags, DIAG_P042, item->keyword, "it reads `reload on change`");
    }
    if (key && key->value && key->value->kind == AST_NAME) {
        item->as.table.key = (AstName){key->value->as.name, key->value->span};
    }
    item->as.table.from = from;
    item->as.table.reload = reload;
    item->as.table.type = type;
    return item;
}

OptionList parse__plain_options(Parser *p, ParseAtom *atoms)
{
    AstConnector c = {0};
    OptionList list = {0};
    if (atoms) c.span = atoms->span;
    parse__options(p, &c, atoms);
    list.first = c.options;
    return list;
}

/* u: f32 be at holding 40001 scale 0.1 offset 5 [V] in 0..500 */
AstMapField *parse__map_field(Parser *p, ParseToken name, ParseToken type, AtomList atoms,
                              TypeDetail detail, bool optional)
{
    static const char *const orders[] = {"be", "le", "be_swap", "le_swap", NULL};
    static const char *const known[] = {"be", "le", "at", "scale", "offset", NULL};
    AstMapField *field = NEW(p, AstMapField);
    field->name = parse__name(name);
    field->span = parse__from(p, name.span);
    field->type = parse__type(p, AST_TYPE_NAMED, type.span);
    field->type->span = type.span;
    field->type->name = parse__name(type);
    field->type->unit = detail.unit;
    field->type->lo = detail.lo;
    field->type->hi = detail.hi;
    field->type->optional = optional;
    for (ParseAtom *at = atoms.first; at;) {
        ParseAtom *next = at->next;
        if (is_word(at) && one_of(at->word.text, orders)) {
            field->order = at->word;
            at = next;
        } else if (at_word(at, "at") && is_word(next) && next->next && next->next->value) {
            ParseToken number = {source_text(p->source, next->next->span), next->next->span, 0};
            field->area = next->word;
            field->address = parse__integer(p, number, 465536);
            at = next->next->next;
        } else if (at_word(at, "at")) {
            (void)diag_error(p->diags, DIAG_P005, next ? span_join(at->span, next->span) : at->span,
                             "`at` is followed by an area and a number: at holding 40001");
            break;
        } else if (at_word(at, "scale") && next && next->value) {
            field->scale = next->value;
            at = next->next;
        } else if (at_word(at, "offset") && next && next->value) {
            field->offset = next->value;
            at = next->next;
        } else {
            unknown_option(p, at, "map", known);
            break;
        }
    }
    return field;
}
