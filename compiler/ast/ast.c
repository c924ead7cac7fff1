/* compiler/ast/ast.c: small helpers over the tree. */
#include "compiler/ast/ast.h"

static const char *const op_texts[] = {
    [AST_OR] = "or",
    [AST_AND] = "and",
    [AST_NOT] = "not",
    [AST_EQ] = "==",
    [AST_NE] = "!=",
    [AST_LT] = "<",
    [AST_LE] = "<=",
    [AST_GT] = ">",
    [AST_GE] = ">=",
    [AST_IN] = "in",
    [AST_STARTS_WITH] = "starts_with",
    [AST_ENDS_WITH] = "ends_with",
    [AST_CONTAINS] = "contains",
    [AST_MATCHES] = "matches",
    [AST_BECOMES] = "becomes",
    [AST_COALESCE] = "??",
    [AST_ADD] = "+",
    [AST_SUB] = "-",
    [AST_MUL] = "*",
    [AST_DIV] = "/",
    [AST_INT_DIV] = "div",
    [AST_MOD] = "%",
    [AST_NEG] = "-",
};
static const char *const stage_words[] = {
    "from", "time",  "where",  "let",     "keep",     "drop",     "require",  "each",   "split",
    "join", "ask",   "window", "dedupe",  "deadband", "when",     "throttle", "sample", "delay",
    "into", "reply", "on",     "durable", "overflow", "priority", "shards",
};
static const char *const item_words[] = {
    "type",  "connection", "const",  "fn",  "unit",   "pipeline", "test",
    "table", "map",        "extern", "use", "deploy", "check",    "alarm",
};
_Static_assert(COUNT_OF(op_texts) == AST_OP__COUNT, "one text per operator");
_Static_assert(COUNT_OF(stage_words) == AST_STAGE__COUNT, "one word per stage");
_Static_assert(COUNT_OF(item_words) == AST_ITEM__COUNT, "one word per item");

const char *ast_op_text(AstOp op)
{
    return op_texts[op];
}

const char *ast_stage_word(AstStageKind kind)
{
    return stage_words[kind];
}

const char *ast_item_word(AstItemKind kind)
{
    return item_words[kind];
}

const AstOption *ast_option(const AstConnector *connector, const char *name)
{
    for (const AstOption *option = connector->options; option; option = option->next) {
        if (str_is(option->name.text, name)) return option;
    }
    return NULL;
}

bool ast_string_text(const AstExpr *expr, Str *ret_text)
{
    if (!expr || expr->kind != AST_STRING) return false;
    const AstPart *part = expr->as.string.parts;
    if (part && (part->expr || part->next)) return false;
    *ret_text = part ? part->text : STR("");
    return true;
}
