/* compiler/parse/grammar.y: the shape of the language, for lemon. No conflicts are allowed: lemon
 * fails on one, and with it the build.
 *
 * The grammar is kept loose where words and values follow each other (connectors, options of `time`
 * and `window`): it takes a list of atoms, and build_stage.c sorts them and can then say in words
 * what is wrong. Some words are told apart before they come here, by looking further ahead than
 * LALR(1) may (feed.c): ARM_WHERE, ARM_KEEP, ARM_EACH and ELSE_ARM lead to `=>`; LABEL is a word
 * before ':'; FORMAT stands behind `as`. lemon's %fallback is not used for words that may also be
 * names: it comes before default reductions, so a stage keyword would be taken for an option of the
 * connector before it. feed.c does it instead, after asking whether the keyword itself fits. */
%name Grammar
%token_prefix T_
%token_type {ParseToken}
%default_type {ParseToken}
%extra_argument {Parser *p}
%stack_size 4000
%token COMMENT BAD SLIP ID.
// Words that lead a stage or an item, and others that may be names: in one row, see keywords.c.
%token FROM TIME WHERE LET KEEP DROP REQUIRE EACH SPLIT JOIN ASK WINDOW DEDUPE DEADBAND WHEN
    THROTTLE SAMPLE DELAY INTO REPLY ON DURABLE OVERFLOW PRIORITY SHARDS
    TYPE CONNECTION CONST FN UNIT PIPELINE TEST TABLE MAP EXTERN USE DEPLOY CHECK ALARM
    CLOCK EXPECT ENUM TAG STATE.

%include {
#include "base/mem.h"
#include "compiler/parse/parser.h"
#include "parse/grammar.h"
#include <assert.h>
}

// The feed asks what fits before it feeds, and reports itself (expect.c).
%syntax_error { (void)yyminor; }
%stack_overflow {
    if (!p->stop) {
        (void)diag_error(p->diags, DIAG_P004, p->now.span,
                         "this is nested too deeply");
    }
    p->stop = true;
}
%parse_failure { p->broken = true; }

%nonassoc LOWEST.
%nonassoc BECOMES.
%left OR.
%left AND.
%right NOT.
%nonassoc EQ NE LT LE GT GE IN STARTS_WITH ENDS_WITH CONTAINS MATCHES EXISTS.
%nonassoc DOTDOT.
%left COALESCE.
%left PLUS MINUS.
%left STAR SLASH PERCENT DIV.
%left TO.
%right UMINUS.
%left DOT LBRACKET LPAREN.

file ::= items(A). { p->items = A; }

%type items {ItemList}
%type item {AstItem *}
items(A) ::= . { A = (ItemList){0}; }
items(A) ::= items(A) item(B). { if (B) LIST_ADD(A, B); }
item(A) ::= error. { A = NULL; p->broken = true; p->item_broken = false; }

item(A) ::= TYPE(K) ID(N) ASSIGN type(T). {
    A = parse__item(p, AST_ITEM_TYPE, K, &N);
    A->as.type = T;
}
item(A) ::= CONNECTION(K) ID(N) ASSIGN connector(C). {
    A = parse__item(p, AST_ITEM_CONNECTION, K, &N);
    parse__connection(p, A, C);
}
item(A) ::= CONST(K) ID(N) ASSIGN expr(E). {
    A = parse__item(p, AST_ITEM_CONST, K, &N);
    A->as.constant.value = E;
}
item(A) ::= CONST(K) LABEL(N) COLON type(T) ASSIGN expr(E). {
    A = parse__item(p, AST_ITEM_CONST, K, &N);
    A->as.constant.type = T;
    A->as.constant.value = E;
}
item(A) ::= FN(K) ID(N) LPAREN params(P) RPAREN ARROW type(T) ASSIGN expr(E). {
    A = parse__item(p, AST_ITEM_FN, K, &N);
    A->as.fn.params = P.first;
    A->as.fn.result = T;
    A->as.fn.body = E;
}
item(A) ::= UNIT(K) ID(N) ASSIGN expr(E). {
    A = parse__item(p, AST_ITEM_UNIT, K, &N);
    A->as.unit.value = E;
}
item(A) ::= PIPELINE(K) ID(N) LBRACE(O) stages(S) RBRACE. {
    A = parse__item(p, AST_ITEM_PIPELINE, K, &N);
    A->as.pipeline.stages = S.first;
    A->as.pipeline.body = parse__from(p, O.span);
}
item(A) ::= TEST(K) ID(N) STR(X) LBRACE steps(S) RBRACE. {
    AstExpr *text = parse__string(p, X);
    A = parse__item(p, AST_ITEM_TEST, K, &N);
    (void)ast_string_text(text, &A->as.test.text);
    A->as.test.text_span = X.span;
    A->as.test.steps = S.first;
}
item(A) ::= TEST(K) ID(N) FROM string(F) testtables(T) EXPECT ID(W) string(E). {
    parse__expect_word(p, W, "file");
    A = parse__test_of_files(p, K, N, F, T, E);
}
item(A) ::= TABLE(K) ID(N) FROM connector(C) reload(R) COLON type(T). {
    A = parse__table(p, K, N, C, R, T);
}
item(A) ::= MAP(K) ID(N) ID(P) plainopts(O) LBRACE mapfields(F) RBRACE. {
    A = parse__item(p, AST_ITEM_MAP, K, &N);
    A->as.map.protocol = parse__name(P);
    A->as.map.options = parse__plain_options(p, O.first).first;
    A->as.map.fields = F.first;
}
item(A) ::= EXTERN(K) ID(L) string(F) LBRACE cfns(C) RBRACE. {
    A = parse__item(p, AST_ITEM_EXTERN, K, NULL);
    A->as.external.language = parse__name(L);
    A->as.external.path = F;
    A->as.external.fns = C.first;
}
item(A) ::= USE(K) string(F). {
    A = parse__item(p, AST_ITEM_USE, K, NULL);
    A->as.use.path = F;
}
item(A) ::= USE(K) string(F) AS ID(N). {
    A = parse__item(p, AST_ITEM_USE, K, NULL);
    A->as.use.path = F;
    A->as.use.as = parse__name(N);
}
item(A) ::= DEPLOY(K) ID(N) record(R). {
    A = parse__item(p, AST_ITEM_DEPLOY, K, NULL);
    A->as.deploy.target = parse__name(N);
    A->as.deploy.settings = R;
}
item(A) ::= ALARM(K) ID(N) record(R). {
    A = parse__item(p, AST_ITEM_ALARM, K, &N);
    A->as.alarm.fields = R;
}
item(A) ::= CHECK(K) ID(N) words(W). {
    A = parse__item(p, AST_ITEM_CHECK, K, &N);
    A->as.check.words = W.first;
}

%type words {NameList}
words(A) ::= ID(N). {
    A = (NameList){0};
    parse__add_name(p, &A, N);
}
words(A) ::= words(A) ID(N). { parse__add_name(p, &A, N); }
words(A) ::= words(A) COMMA.

%type testtables {StepList}
testtables(A) ::= . { A = (StepList){0}; }
testtables(A) ::= testtables(A) TABLE(K) ID(N) string(F). {
    AstStep *step = parse__step(p, AST_STEP_TABLE, K, &N, F);
    LIST_ADD(A, step);
}
%type reload {bool}
reload(A) ::= . { A = false; }
reload(A) ::= ON ID(W). { parse__expect_word(p, W, "change"); A = true; }

%type cfns {CFnList}
cfns(A) ::= . { A = (CFnList){0}; }
cfns(A) ::= cfns(A) ID(M) FN ID(N) LPAREN params(P) RPAREN ARROW type(T). {
    AstCFn *node = NEW(p, AstCFn);
    node->mode = parse__name(M);
    node->name = parse__name(N);
    node->params = P.first;
    node->result = T;
    node->span = parse__from(p, M.span);
    LIST_ADD(A, node);
}
%type params {ParamList}
%type paramlist {ParamList}
%type param {AstParam *}
params(A) ::= . { A = (ParamList){0}; }
params(A) ::= paramlist(A).
params(A) ::= paramlist(A) COMMA.
paramlist(A) ::= param(B). { A = (ParamList){0}; LIST_ADD(A, B); }
paramlist(A) ::= paramlist(A) COMMA param(B). { LIST_ADD(A, B); }
param(A) ::= LABEL(N) COLON type(T). {
    A = NEW(p, AstParam);
    A->name = parse__name(N);
    A->type = T;
    A->span = parse__from(p, N.span);
}

%type mapfields {MapFieldList}
%type mapopts {AtomList}
%type mapdetail {TypeDetail}
mapfields(A) ::= . { A = (MapFieldList){0}; }
mapfields(A) ::= mapfields(A) LABEL(N) COLON ID(T) mapopts(O) mapdetail(D) mapq(Q) commaq. {
    AstMapField *node = parse__map_field(p, N, T, O, D, Q);
    LIST_ADD(A, node);
}
mapfields(A) ::= mapfields(A) LABEL(N) COLON TAG(K) ID(T) mapopts(O) mapdetail(D) mapq(Q) commaq. {
    AstMapField *node = parse__map_field(p, N, T, O, D, Q);
    node->tag = K.span;
    LIST_ADD(A, node);
}
%type mapq {bool}
mapq(A) ::= . { A = false; }
mapq(A) ::= QMARK. { A = true; }
mapopts(A) ::= . { A = (AtomList){0}; }
mapopts(A) ::= mapopts(A) ID(W). { parse__add_word(p, &A, W); }
mapopts(A) ::= mapopts(A) NUM(N). { parse__add_value(p, &A, parse__number(p, N, NULL)); }
mapopts(A) ::= mapopts(A) MINUS(M) NUM(N). {
    parse__add_value(p, &A, parse__unary(p, AST_NEG, M, parse__number(p, N, NULL)));
}
mapdetail(A) ::= typedetail(A).

%type plainopts {AtomList}
plainopts(A) ::= . { A = (AtomList){0}; }
plainopts(A) ::= plainopts(A) ID(W). { parse__add_word(p, &A, W); }
plainopts(A) ::= plainopts(A) bound(V). { parse__add_value(p, &A, V); }

// ---- types ----------------------------------------------------------------------------------
%type type {AstType *}
%type basetype {AstType *}
%type typedetail {TypeDetail}
%type somedetail {TypeDetail}
type(A) ::= basetype(A).
type(A) ::= basetype(A) QMARK(Q). {
    A->optional = true;
    A->optional_span = Q.span;
    A->span = parse__from(p, A->span);
}
type(A) ::= basetype(A) QMARK(Q) somedetail(D). { parse__mark_first(p, A, Q, D); }
basetype(A) ::= ID(N) typedetail(D). { A = parse__named_type(p, N, D); }
basetype(A) ::= ID(N) LPAREN NUM(S) RPAREN typedetail(D). {
    A = parse__named_type(p, N, D);
    A->size = parse__integer(p, S, INT32_MAX);
}
basetype(A) ::= ID(N) LPAREN ID(S) RPAREN typedetail(D). {
    A = parse__named_type(p, N, D);
    A->param = parse__name(S);
}
basetype(A) ::= ENUM(K) LBRACE variants(V) RBRACE. {
    A = parse__type(p, AST_TYPE_ENUM, K.span);
    A->variants = V.first;
}
basetype(A) ::= LBRACE(O) typefields(F) RBRACE. {
    A = parse__type(p, AST_TYPE_RECORD, O.span);
    A->fields = F.first;
}
basetype(A) ::= LBRACKET(O) type(T) SEMI NUM(S) RBRACKET. {
    A = parse__type(p, AST_TYPE_ARRAY, O.span);
    A->of = T;
    A->size = parse__integer(p, S, INT32_MAX);
}
basetype(A) ::= TAG(K) basetype(T). {
    A = parse__type(p, AST_TYPE_TAG, K.span);
    A->of = T;
    A->depth = T->depth + 1;
}
basetype(A) ::= STATE(K) ID(N) LPAREN NUM(S) RPAREN. {
    A = parse__type(p, AST_TYPE_STATE, K.span);
    A->name = parse__name(N);
    A->size = parse__integer(p, S, INT32_MAX);
}
typedetail(A) ::= . { A = (TypeDetail){0}; }
typedetail(A) ::= somedetail(A).
somedetail(A) ::= unit(U). { A = (TypeDetail){.unit = U}; }
somedetail(A) ::= IN bound(L) DOTDOT bound(H). { A = (TypeDetail){.lo = L, .hi = H}; }
somedetail(A) ::= unit(U) IN bound(L) DOTDOT bound(H). {
    A = (TypeDetail){.unit = U, .lo = L, .hi = H};
}
%type variants {NameList}
variants(A) ::= . { A = (NameList){0}; }
variants(A) ::= variants(A) ID(N) commaq. { parse__add_name(p, &A, N); }
%type typefields {TypeFieldList}
typefields(A) ::= . { A = (TypeFieldList){0}; }
typefields(A) ::= typefields(A) LABEL(N) COLON type(T) commaq. {
    parse__add_type_field(p, &A, N, T);
}
typefields(A) ::= typefields(A) STR(N) COLON type(T) commaq. {
    parse__quoted_field(p, N);
    parse__add_type_field(p, &A, N, T);
}
commaq ::= .
commaq ::= COMMA.

%type unit {AstUnit *}
%type factors {FactorList}
%type factor {AstFactor *}
unit(A) ::= LBRACKET(O) factors(F) RBRACKET. { A = parse__unit(p, O, F); }
factors(A) ::= factor(B). { A = (FactorList){0}; LIST_ADD(A, B); }
factors(A) ::= factors(A) STAR factor(B). { LIST_ADD(A, B); }
factors(A) ::= factors(A) SLASH factor(B). { B->power = -B->power; LIST_ADD(A, B); }
factor(A) ::= ID(N). { A = parse__factor(p, N, NULL, false); }
factor(A) ::= NUM(N). { A = parse__factor(p, N, NULL, false); }
factor(A) ::= PERCENT(N). { A = parse__factor(p, N, NULL, false); }
factor(A) ::= ID(N) CARET NUM(X). { A = parse__factor(p, N, &X, false); }
factor(A) ::= ID(N) CARET MINUS NUM(X). { A = parse__factor(p, N, &X, true); }

// A literal where a bound or an option's value is wanted.
%type bound {AstExpr *}
bound(A) ::= NUM(N). { A = parse__number(p, N, NULL); }
bound(A) ::= NUM(N) unit(U). { A = parse__number(p, N, U); }
bound(A) ::= MINUS(M) NUM(N). { A = parse__unary(p, AST_NEG, M, parse__number(p, N, NULL)); }
bound(A) ::= MINUS(M) NUM(N) unit(U). {
    A = parse__unary(p, AST_NEG, M, parse__number(p, N, U));
}
bound(A) ::= DUR(N). { A = parse__leaf(p, AST_DURATION, N); }
bound(A) ::= SIZE(N). { A = parse__leaf(p, AST_SIZE, N); }
bound(A) ::= PCT(N). { A = parse__leaf(p, AST_PERCENT, N); }
bound(A) ::= INSTANT(N). { A = parse__leaf(p, AST_INSTANT, N); }

// ---- connectors -----------------------------------------------------------------------------
%type connector {AstConnector}
%type atoms {AtomList}
%type atom {ParseAtom *}
%type rest {AtomList}
connector(A) ::= ID(K) atoms(O). { A = parse__connector(p, K, O); }
atoms(A) ::= . { A = (AtomList){0}; }
atoms(A) ::= atoms(A) atom(B). { LIST_ADD(A, B); }
rest(A) ::= . { A = (AtomList){0}; }
rest(A) ::= ID(W) atoms(B). {
    ParseAtom *atom = parse__atom(p, parse__name(W), NULL, NULL);
    atom->next = B.first;
    A = (AtomList){atom, B.last ? B.last : atom};
}
atom(A) ::= ID(W). { A = parse__atom(p, parse__name(W), NULL, NULL); }
atom(A) ::= dotted(V). { A = parse__atom(p, (AstName){0}, V, NULL); }
atom(A) ::= bound(V). { A = parse__atom(p, (AstName){0}, V, NULL); }
atom(A) ::= string(V). { A = parse__atom(p, (AstName){0}, V, NULL); }
atom(A) ::= constant(V). { A = parse__atom(p, (AstName){0}, V, NULL); }
atom(A) ::= record(V). { A = parse__atom(p, (AstName){0}, V, NULL); }
atom(A) ::= LPAREN(O) exprs(L) RPAREN. {
    A = parse__atom(p, (AstName){0}, parse__list(p, O, L), NULL);
}

// message acme.Reading
%type dotted {AstExpr *}
dotted(A) ::= ID(N) DOT ID(F). { A = parse__field(p, parse__leaf(p, AST_NAME, N), F); }
dotted(A) ::= dotted(B) DOT ID(F). { A = parse__field(p, B, F); }

%type decode {DecodeRest}
decode(A) ::= . { A = (DecodeRest){0}; }
decode(A) ::= AS(K) FORMAT(F). {
    A = (DecodeRest){0};
    A.decode.format = parse__name(F);
    A.decode.span = parse__from(p, K.span);
}
decode(A) ::= AS(K) type(T) rest(R). {
    A = (DecodeRest){.atoms = R};
    A.decode.type = T;
    A.decode.span = span_join(K.span, T->span);
}
decode(A) ::= AS(K) FORMAT(F) type(T) rest(R). {
    A = (DecodeRest){.atoms = R};
    A.decode.format = parse__name(F);
    A.decode.type = T;
    A.decode.span = span_join(K.span, T->span);
}

%type sinks {SinkList}
%type sink {AstSink *}
sinks(A) ::= sink(B). { A = (SinkList){0}; LIST_ADD(A, B); }
sinks(A) ::= sinks(A) AND sink(B). { LIST_ADD(A, B); }
sink(A) ::= connector(C). { A = parse__sink(p, C, NULL, (AtomList){0}); }
sink(A) ::= connector(C) AS ID(F) rest(R). { A = parse__sink(p, C, &F, R); }

%type otherwise {AstElse}
otherwise(A) ::= . { A = (AstElse){0}; }
otherwise(A) ::= ELSE(K) NULL. { A = (AstElse){AST_ELSE_NULL, {0}, parse__from(p, K.span)}; }
otherwise(A) ::= ELSE(K) DROP. { A = (AstElse){AST_ELSE_DROP, {0}, parse__from(p, K.span)}; }
otherwise(A) ::= ELSE(K) ERROR ID(R). {
    A = (AstElse){AST_ELSE_ERROR, parse__name(R), parse__from(p, K.span)};
}

// ---- stages ---------------------------------------------------------------------------------
%type stages {StageList}
%type stage {AstStage *}
stages(A) ::= . { A = (StageList){0}; }
stages(A) ::= stages(A) stage(B). { if (B) LIST_ADD(A, B); }
stage(A) ::= error. { A = NULL; p->broken = p->item_broken = true; }

stage(A) ::= FROM(K) connector(C) decode(D). { A = parse__from_stage(p, K, C, D); }
stage(A) ::= TIME(K) path(F) timeopts(O). { A = parse__time(p, K, F, O); }
%type timeopts {AtomList}
timeopts(A) ::= . { A = (AtomList){0}; }
timeopts(A) ::= timeopts(A) ID(W). { parse__add_word(p, &A, W); }
timeopts(A) ::= timeopts(A) bound(V). { parse__add_value(p, &A, V); }
timeopts(A) ::= timeopts(A) BY keys(B). {
    ParseAtom *atom = parse__atom(p, (AstName){0}, NULL, B.first);
    LIST_ADD(A, atom);
}
stage(A) ::= WHERE(K) expr(E) otherwise(O). {
    A = parse__stage(p, AST_WHERE, K);
    A->as.where.cond = E;
    A->as.where.otherwise = O;
}
stage(A) ::= LET(K) lets(L). {
    A = parse__stage(p, AST_LET, K);
    A->as.lets = L.first;
}
stage(A) ::= KEEP(K) picks(L). { A = parse__picks(p, AST_KEEP, K, L); }
stage(A) ::= DROP(K) picks(L). { A = parse__picks(p, AST_DROP, K, L); }
stage(A) ::= REQUIRE(K) picks(L). { A = parse__picks(p, AST_REQUIRE, K, L); }
stage(A) ::= EACH(K) expr(E). {
    A = parse__stage(p, AST_EACH, K);
    A->as.each = E;
}
stage(A) ::= SPLIT(K) LBRACE arms(L) RBRACE. {
    A = parse__stage(p, AST_SPLIT, K);
    A->as.split.arms = L.first;
}
stage(A) ::= SPLIT(K) ID(W) LBRACE arms(L) RBRACE. {
    parse__expect_word(p, W, "all");
    A = parse__stage(p, AST_SPLIT, K);
    A->as.split.all = true;
    A->as.split.arms = L.first;
}
stage(A) ::= JOIN(K) ID(T) ON expr(E) joinrest(R). {
    A = parse__join(p, K, E, R);
    A->as.join.table = parse__name(T);
}
stage(A) ::= JOIN(K) ID(W) connector(C) decode(D) ON expr(E) joinrest(R). {
    parse__expect_word(p, W, "last");
    A = parse__join(p, K, E, R);
    A->as.join.last = true;
    A->as.join.source = C;
    A->as.join.decode = D.decode;
    parse__options(p, &A->as.join.source, D.atoms.first);
}
%type joinrest {JoinRest}
joinrest(A) ::= otherwise(O). { A = (JoinRest){.otherwise = O}; }
joinrest(A) ::= WITHIN DUR(D) otherwise(O). {
    A = (JoinRest){parse__duration(p, D), O};
}
stage(A) ::= ASK(K) ID(N) ASSIGN connector(C) decode(D) otherwise(O). {
    A = parse__ask(p, K, N, C, D, O);
}
stage(A) ::= WINDOW(K) ID(W) timeopts(O) LBRACE(B) aggregates(L) RBRACE. {
    A = parse__window(p, K, W, O, B, L);
}
%type aggregates {LetList}
aggregates(A) ::= . { A = (LetList){0}; }
aggregates(A) ::= lets(A).
aggregates(A) ::= lets(A) COMMA.
stage(A) ::= DEDUPE(K) BY keys(B) WITHIN DUR(D). {
    A = parse__stage(p, AST_DEDUPE, K);
    A->as.dedupe.by = B.first;
    A->as.dedupe.within = parse__duration(p, D);
}
stage(A) ::= DEADBAND(K) LPAREN args(L) RPAREN. {
    A = parse__stage(p, AST_DEADBAND, K);
    A->as.deadband.args = L.first;
}
stage(A) ::= DEADBAND(K) LPAREN args(L) RPAREN ID(M) ID(S) DUR(D). {
    parse__expect_word(p, M, "max");
    parse__expect_word(p, S, "silence");
    A = parse__stage(p, AST_DEADBAND, K);
    A->as.deadband.args = L.first;
    A->as.deadband.silence = parse__duration(p, D);
}
stage(A) ::= WHEN(K) expr(E). {
    A = parse__stage(p, AST_WHEN, K);
    A->as.where.cond = E;
}
stage(A) ::= THROTTLE(K) NUM(N) ID(W) DUR(D). {
    parse__expect_word(p, W, "per");
    A = parse__stage(p, AST_THROTTLE, K);
    A->as.throttle.count = parse__integer(p, N, INT32_MAX);
    A->as.throttle.per = parse__duration(p, D);
}
stage(A) ::= SAMPLE(K) ID(W) DUR(D). {
    parse__expect_word(p, W, "every");
    A = parse__stage(p, AST_SAMPLE, K);
    A->as.duration = parse__duration(p, D);
}
stage(A) ::= DELAY(K) DUR(D). {
    A = parse__stage(p, AST_DELAY, K);
    A->as.duration = parse__duration(p, D);
}
stage(A) ::= INTO(K) sinks(L). {
    A = parse__stage(p, AST_INTO, K);
    A->as.sinks = L.first;
}
stage(A) ::= REPLY(K) NUM(N). {
    A = parse__stage(p, AST_REPLY, K);
    A->as.reply.code = parse__integer(p, N, 999);
}
stage(A) ::= REPLY(K) NUM(N) expr(E). {
    A = parse__stage(p, AST_REPLY, K);
    A->as.reply.code = parse__integer(p, N, 999);
    A->as.reply.body = E;
}
stage(A) ::= ON(K) ID(W) INTO sinks(L) stop(S). {
    bool dead = L.first == L.last && parse__plain_dead(L.first);
    A = parse__on(p, K, W, dead ? AST_ON_DEAD : AST_ON_INTO, S);
    A->as.on.sinks = dead ? NULL : L.first;
}
stage(A) ::= ON(K) ID(W) DROP stop(S). { A = parse__on(p, K, W, AST_ON_DROP, S); }
stage(A) ::= ON(K) ID(W) ID(D) stop(S). { A = parse__on_word(p, K, W, D, S); }
stage(A) ::= ON(K) ID(W) REPLY NUM(N) stop(S). {
    A = parse__on(p, K, W, AST_ON_REPLY, S);
    A->as.on.code = parse__integer(p, N, 999);
}
stage(A) ::= ON(K) ID(W) REPLY NUM(N) expr(E) stop(S). {
    A = parse__on(p, K, W, AST_ON_REPLY, S);
    A->as.on.code = parse__integer(p, N, 999);
    A->as.on.body = E;
}
%type stop {StopRule}
stop(A) ::= . { A = (StopRule){0}; }
stop(A) ::= STOP(K) ID(W) PCT(N) IN DUR(D). {
    parse__expect_word(p, W, "above");
    A = (StopRule){true, parse__fraction(p, N), parse__duration(p, D), parse__from(p, K.span)};
}
stage(A) ::= DURABLE(K). { A = parse__stage(p, AST_DURABLE, K); }
stage(A) ::= DURABLE(K) ID(W) SIZE(N). {
    parse__expect_word(p, W, "max");
    A = parse__stage(p, AST_DURABLE, K);
    A->as.durable.max_bytes = parse__size(p, N);
    A->as.durable.max_span = N.span;
}
stage(A) ::= OVERFLOW(K) ID(W). {
    A = parse__stage(p, AST_OVERFLOW, K);
    A->as.overflow.policy = parse__name(W);
}
stage(A) ::= OVERFLOW(K) ID(W) SIZE(N). {
    parse__expect_word(p, W, "spill");
    A = parse__stage(p, AST_OVERFLOW, K);
    A->as.overflow.policy = parse__name(W);
    A->as.overflow.bytes = parse__size(p, N);
    A->as.overflow.bytes_span = N.span;
}
stage(A) ::= OVERFLOW(K) DROP(W) ID(O). {
    parse__expect_word(p, O, "oldest");
    A = parse__stage(p, AST_OVERFLOW, K);
    A->as.overflow.policy = parse__name(W);
}
stage(A) ::= PRIORITY(K) ID(W). {
    A = parse__stage(p, AST_PRIORITY, K);
    A->as.priority = parse__name(W);
}
stage(A) ::= SHARDS(K) NUM(N) BY keys(B). {
    A = parse__stage(p, AST_SHARDS, K);
    A->as.shards.count = parse__integer(p, N, 4096);
    A->as.shards.by = B.first;
}

%type lets {LetList}
%type let {AstLet *}
lets(A) ::= let(B). { A = (LetList){0}; LIST_ADD(A, B); }
lets(A) ::= lets(A) let(B). { LIST_ADD(A, B); }
lets(A) ::= lets(A) COMMA let(B). { LIST_ADD(A, B); }
let(A) ::= ID(N) ASSIGN expr(E). { A = parse__let(p, N, E); }
let(A) ::= ID(N) ASSIGN expr(E) RESET ID(W) expr(R). {
    parse__expect_word(p, W, "at");
    A = parse__let(p, N, E);
    A->reset = R;
    A->span = span_join(N.span, R->span);
}
%type picks {PickList}
%type pick {AstPick *}
picks(A) ::= pick(B). { A = (PickList){0}; LIST_ADD(A, B); }
picks(A) ::= picks(A) COMMA pick(B). { LIST_ADD(A, B); }
pick(A) ::= path(E). { A = parse__pick(p, E, (AstName){0}); }
pick(A) ::= path(E) AS ID(N). { A = parse__pick(p, E, parse__name(N)); }

// Behind `by`: a key may be computed; a minus then goes on with it.
%type keys {PickList}
%type key {AstPick *}
keys(A) ::= key(B). { A = (PickList){0}; LIST_ADD(A, B); }
keys(A) ::= keys(A) COMMA key(B). { LIST_ADD(A, B); }
key(A) ::= expr(E). [LOWEST] { A = parse__pick(p, E, (AstName){0}); }
key(A) ::= expr(E) AS ID(N). { A = parse__pick(p, E, parse__name(N)); }

%type arms {ArmList}
%type arm {AstArm *}
arms(A) ::= . { A = (ArmList){0}; }
arms(A) ::= arms(A) SEMI.
arms(A) ::= arms(A) arm(B). { LIST_ADD(A, B); }
arm(A) ::= ARM_WHERE(K) expr(E) FAT stages(S). {
    A = parse__arm(p, AST_ARM_WHERE, K, S);
    A->cond = E;
}
arm(A) ::= ELSE_ARM(K) FAT stages(S). { A = parse__arm(p, AST_ARM_ELSE, K, S); }
arm(A) ::= ARM_EACH(K) ID(W) FAT stages(S). {
    parse__expect_word(p, W, "tag");
    A = parse__arm(p, AST_ARM_EACH_TAG, K, S);
}
arm(A) ::= ARM_KEEP(K) picks(L) FAT stages(S). {
    A = parse__arm(p, AST_ARM_KEEP, K, S);
    A->picks = L.first;
}

// ---- tests ----------------------------------------------------------------------------------
%type steps {StepList}
%type step {AstStep *}
%type given {AstExpr *}
%type beside {BesideList}
steps(A) ::= . { A = (StepList){0}; }
steps(A) ::= steps(A) step(B). { if (B) LIST_ADD(A, B); }
step(A) ::= error. { A = NULL; p->broken = p->item_broken = true; }
step(A) ::= IN(K) given(V) beside(B). { A = parse__in_step(p, K, NULL, V, B); }
step(A) ::= IN(K) ID(T) given(V) beside(B). { A = parse__in_step(p, K, &T, V, B); }
step(A) ::= IN(K) FROM string(F) beside(B). {
    A = parse__file_step(p, AST_STEP_IN, K, NULL, F);
    A->beside = B.first;
}
step(A) ::= IN(K) ID(T) FROM string(F) beside(B). {
    A = parse__file_step(p, AST_STEP_IN, K, &T, F);
    A->beside = B.first;
}
step(A) ::= TABLE(K) ID(T) given(V). { A = parse__step(p, AST_STEP_TABLE, K, &T, V); }
step(A) ::= CLOCK(K) bound(V). { A = parse__step(p, AST_STEP_CLOCK, K, NULL, V); }
step(A) ::= EXPECT(K) ID(T) given(V). { A = parse__step(p, AST_STEP_EXPECT, K, &T, V); }
step(A) ::= EXPECT(K) ID(T) FROM string(F). {
    A = parse__file_step(p, AST_STEP_EXPECT, K, &T, F);
}
step(A) ::= EXPECT(K) ID(T) ELSE. {
    parse__expect_word(p, T, "nothing");
    A = parse__step(p, AST_STEP_NOTHING, K, NULL, NULL);
}
given(A) ::= record(A).
given(A) ::= string(A).
beside(A) ::= . { A = (BesideList){0}; }
beside(A) ::= beside(A) ID(W) string(V). { parse__beside(p, &A, W, NULL, V); }
beside(A) ::= beside(A) ID(W) string(N) string(V). { parse__beside(p, &A, W, N, V); }

// ---- expressions ----------------------------------------------------------------------------
%type expr {AstExpr *}
%type path {AstExpr *}
%type place {AstExpr *}
%type target {AstExpr *}
%type string {AstExpr *}
%type constant {AstExpr *}
%type record {AstExpr *}
%type exprs {ExprList}
%type exprlist {ExprList}
%type args {ArgList}
%type arglist {ArgList}
%type arg {AstArg *}
%type fields {FieldList}
%type field {AstField *}
%type pieces {PartList}
%type cases {CaseList}
%type case {AstCase *}
%type patterns {ExprList}
%type pattern {AstExpr *}

expr(A) ::= expr(B) OR(O) expr(C). { A = parse__binary(p, AST_OR, O, B, C); }
expr(A) ::= expr(B) AND(O) expr(C). { A = parse__binary(p, AST_AND, O, B, C); }
expr(A) ::= NOT(O) expr(B). { A = parse__unary(p, AST_NOT, O, B); }
expr(A) ::= expr(B) EQ(O) expr(C). { A = parse__binary(p, AST_EQ, O, B, C); }
expr(A) ::= expr(B) NE(O) expr(C). { A = parse__binary(p, AST_NE, O, B, C); }
expr(A) ::= expr(B) LT(O) expr(C). { A = parse__binary(p, AST_LT, O, B, C); }
expr(A) ::= expr(B) LE(O) expr(C). { A = parse__binary(p, AST_LE, O, B, C); }
expr(A) ::= expr(B) GT(O) expr(C). { A = parse__binary(p, AST_GT, O, B, C); }
expr(A) ::= expr(B) GE(O) expr(C). { A = parse__binary(p, AST_GE, O, B, C); }
expr(A) ::= expr(B) IN(O) expr(C). { A = parse__binary(p, AST_IN, O, B, C); }
expr(A) ::= expr(B) STARTS_WITH(O) expr(C). { A = parse__binary(p, AST_STARTS_WITH, O, B, C); }
expr(A) ::= expr(B) ENDS_WITH(O) expr(C). { A = parse__binary(p, AST_ENDS_WITH, O, B, C); }
expr(A) ::= expr(B) CONTAINS(O) expr(C). { A = parse__binary(p, AST_CONTAINS, O, B, C); }
expr(A) ::= expr(B) MATCHES(O) expr(C). { A = parse__binary(p, AST_MATCHES, O, B, C); }
expr(A) ::= expr(B) BECOMES(O) target(C). { A = parse__becomes(p, O, B, C); }
expr(A) ::= expr(B) EXISTS(O). { A = parse__exists(p, B, O); }
expr(A) ::= expr(B) DOTDOT expr(C). { A = parse__range(p, B, C); }
expr(A) ::= expr(B) COALESCE(O) expr(C). { A = parse__binary(p, AST_COALESCE, O, B, C); }
expr(A) ::= expr(B) PLUS(O) expr(C). { A = parse__binary(p, AST_ADD, O, B, C); }
expr(A) ::= expr(B) MINUS(O) expr(C). { A = parse__binary(p, AST_SUB, O, B, C); }
expr(A) ::= expr(B) STAR(O) expr(C). { A = parse__binary(p, AST_MUL, O, B, C); }
expr(A) ::= expr(B) SLASH(O) expr(C). { A = parse__binary(p, AST_DIV, O, B, C); }
expr(A) ::= expr(B) PERCENT(O) expr(C). { A = parse__binary(p, AST_MOD, O, B, C); }
expr(A) ::= expr(B) DIV(O) expr(C). { A = parse__binary(p, AST_INT_DIV, O, B, C); }
expr(A) ::= expr(B) TO unit(U). { A = parse__convert(p, B, U, (AstName){0}, (AstInteger){0}); }
expr(A) ::= expr(B) TO ID(N). { A = parse__convert(p, B, NULL, parse__name(N), (AstInteger){0}); }
expr(A) ::= expr(B) TO ID(N) LPAREN NUM(S) RPAREN(R). {
    A = parse__convert(p, B, NULL, parse__name(N), parse__integer(p, S, INT32_MAX));
    A->span.end = R.span.end;
}
expr(A) ::= MINUS(O) expr(B). [UMINUS] { A = parse__unary(p, AST_NEG, O, B); }
expr(A) ::= IF(K) expr(C) THEN expr(Y) ELSE expr(N). [LOWEST] { A = parse__if(p, K, C, Y, N); }
expr(A) ::= TRY(K) expr(Y) ELSE expr(N). [LOWEST] { A = parse__try(p, K, Y, N); }
expr(A) ::= MATCH(K) expr(V) LBRACE cases(C) RBRACE. { A = parse__match(p, K, V, C); }
expr(A) ::= place(A).
expr(A) ::= NUM(N). { A = parse__number(p, N, NULL); }
expr(A) ::= NUM(N) unit(U). { A = parse__number(p, N, U); }
expr(A) ::= DUR(N). { A = parse__leaf(p, AST_DURATION, N); }
expr(A) ::= SIZE(N). { A = parse__leaf(p, AST_SIZE, N); }
expr(A) ::= PCT(N). { A = parse__leaf(p, AST_PERCENT, N); }
expr(A) ::= INSTANT(N). { A = parse__leaf(p, AST_INSTANT, N); }
expr(A) ::= string(A).
expr(A) ::= constant(A).
expr(A) ::= record(A).
expr(A) ::= LBRACKET(O) exprs(L) RBRACKET. { A = parse__list(p, O, L); }
// What something becomes: a single value, so that `and` behind it goes on.
target(A) ::= bound(A).
target(A) ::= string(A).
target(A) ::= constant(A).
target(A) ::= place(A).
constant(A) ::= TRUE(T). { A = parse__leaf(p, AST_BOOL, T); A->as.boolean = true; }
constant(A) ::= FALSE(T). { A = parse__leaf(p, AST_BOOL, T); }
constant(A) ::= NULL(T). { A = parse__leaf(p, AST_NULL, T); }

path(A) ::= ID(N). { A = parse__leaf(p, AST_NAME, N); }
path(A) ::= path(B) DOT ID(N). { A = parse__field(p, B, N); }
path(A) ::= path(B) LBRACKET expr(I) RBRACKET. { A = parse__index(p, B, I); }
place(A) ::= ID(N). { A = parse__leaf(p, AST_NAME, N); }
place(A) ::= ID(N) LPAREN args(L) RPAREN. { A = parse__call(p, N, L); }
place(A) ::= LPAREN(O) expr(E) RPAREN. {
    A = E;
    A->span = parse__from(p, O.span);
}
place(A) ::= place(B) DOT ID(N). { A = parse__field(p, B, N); }
place(A) ::= place(B) LBRACKET expr(I) RBRACKET. { A = parse__index(p, B, I); }

exprs(A) ::= . { A = (ExprList){0}; }
exprs(A) ::= exprlist(A).
exprs(A) ::= exprlist(A) COMMA.
exprlist(A) ::= expr(B). { A = (ExprList){0}; LIST_ADD(A, B); }
exprlist(A) ::= exprlist(A) COMMA expr(B). { LIST_ADD(A, B); }

args(A) ::= . { A = (ArgList){0}; }
args(A) ::= arglist(A).
args(A) ::= arglist(A) COMMA.
arglist(A) ::= arg(B). { A = (ArgList){0}; LIST_ADD(A, B); }
arglist(A) ::= arglist(A) COMMA arg(B). { LIST_ADD(A, B); }
arg(A) ::= expr(E). { A = parse__arg(p, AST_ARG_PLAIN, E->span, E); }
arg(A) ::= LABEL(N) COLON expr(E). {
    A = parse__arg(p, AST_ARG_PLAIN, N.span, E);
    A->name = parse__name(N);
}
arg(A) ::= WITHIN(K) expr(E). { A = parse__arg(p, AST_ARG_WITHIN, K.span, E); }
arg(A) ::= WHERE(K) expr(E). { A = parse__arg(p, AST_ARG_WHERE, K.span, E); }

record(A) ::= LBRACE(O) fields(F) RBRACE. { A = parse__record(p, O, F); }
fields(A) ::= . { A = (FieldList){0}; }
fields(A) ::= fields(A) field(B) commaq. { LIST_ADD(A, B); }
field(A) ::= LABEL(N) COLON expr(E). { A = parse__record_field(p, N, E); }
field(A) ::= LABEL(N) COLON expr(E) TILDE bound(T). {
    A = parse__record_field(p, N, E);
    A->tolerance = T;
    A->span = span_join(N.span, T->span);
}
field(A) ::= STR(N) COLON expr(E). {
    parse__quoted_field(p, N);
    A = parse__record_field(p, N, E);
}
field(A) ::= SPREAD(K) expr(E). {
    A = NEW(p, AstField);
    A->spread = true;
    A->value = E;
    A->span = span_join(K.span, E->span);
}

string(A) ::= STR(T). { A = parse__string(p, T); }
string(A) ::= STR_HEAD(T) pieces(L) STR_TAIL(E). {
    PartList all = {0};
    parse__string_piece(p, &all, T);
    if (all.last) all.last->next = L.first;
    else all.first = L.first;
    all.last = L.last;
    parse__string_piece(p, &all, E);
    A = parse__string_end(p, T, all);
}
pieces(A) ::= expr(E). { A = (PartList){0}; parse__string_expr(p, &A, E); }
pieces(A) ::= pieces(A) STR_MID(T) expr(E). {
    parse__string_piece(p, &A, T);
    parse__string_expr(p, &A, E);
}

cases(A) ::= . { A = (CaseList){0}; }
cases(A) ::= cases(A) case(B) commaq. { LIST_ADD(A, B); }
case(A) ::= patterns(L) FAT expr(E). [LOWEST] { A = parse__case(p, L.first->span, L, E); }
case(A) ::= ELSE_ARM(K) FAT expr(E). [LOWEST] { A = parse__case(p, K.span, (ExprList){0}, E); }
patterns(A) ::= pattern(B). { A = (ExprList){0}; LIST_ADD(A, B); }
patterns(A) ::= patterns(A) OR pattern(B). { LIST_ADD(A, B); }
pattern(A) ::= ID(N). { A = parse__leaf(p, AST_NAME, N); }
pattern(A) ::= STR(T). { A = parse__string(p, T); }
pattern(A) ::= constant(A).
pattern(A) ::= bound(A).
pattern(A) ::= bound(B) DOTDOT bound(C). { A = parse__range(p, B, C); }

// What would fit here: told from the tables that lemon writes into this file.
%code {
#include "compiler/parse/probe.inc"
}
