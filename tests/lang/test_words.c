/* tests/lang/test_words.c: every word is explained, and no example is wrong. */
#include "compiler/ast/ast.h"
#include "compiler/bundle.h"
#include "compiler/compile.h"
#include "compiler/words/words.h"
#include "test.h"

#include <stdio.h>

TEST(every_stage_and_declaration_has_its_row)
{
    for (int kind = 0; kind < AST_STAGE__COUNT; kind++)
        CHECK(word_find(WORD_KIND_STAGE, str_from(ast_stage_word((AstStageKind)kind))));
    for (int kind = 0; kind < AST_ITEM__COUNT; kind++)
        CHECK(word_find(WORD_KIND_DECL, str_from(ast_item_word((AstItemKind)kind))));
}

/* Words whose form this version does not even read, so that another code than A stands there. */
static const char *const odd[] = {"when", "distinct", "hysteresis"};

/* An example compiles, or all that is wrong with it is that this version does not have the word. */
TEST(an_example_is_only_refused_for_not_being_available)
{
    int wrong = 0;
    for (uint32_t i = 0; i < word_count; i++) {
        SourceSet set;
        DiagList diags;
        Source *source;
        IrProgram *program = NULL;
        AUTO_BUF Buf text, out;
        buf_init(&text, 1 << 16);
        buf_init(&out, 1 << 20);
        word_program(&words[i], &text);
        if (!text.len) continue;
        Arena *arena = arena_new(0, 0);
        source_set_init(&set, arena);
        diag_list_init(&diags, arena, &set);
        CHECK_OK(source_add(&set, str_from(words[i].name), buf_view(&text), &source, NULL));
        CHECK_OK(bundle_open(source, NULL));
        CHECK_OK(compile_source(arena, source, &diags, NULL, &program));
        bool not_available = false;
        for (const Diagnostic *d = diags.first; d; d = d->next)
            not_available = not_available || diag_code_info(d->code)->id[0] == 'A';
        for (size_t o = 0; o < COUNT_OF(odd); o++)
            not_available = not_available || (!program && str_is(str_from(words[i].name), odd[o]));
        if (!program != not_available || word_available(&words[i]) != !!program) {
            diag_print(&diags, &out);
            (void)printf("%s: %.*s\n", words[i].name, STR_ARG(buf_view(&out)));
            wrong++;
        }
        arena_free(arena);
    }
    CHECK_INT(wrong, 0);
}

TEST(names_are_explained)
{
    AUTO_BUF Buf out;
    buf_init(&out, 1 << 20);
    CHECK(word_explain(STR("where"), &out));
    CHECK(word_explain(STR("sqrt"), &out));
    CHECK(word_explain(STR("div_zero"), &out));
    CHECK(word_explain(STR("mqtt"), &out));
    buf_clear(&out);
    CHECK(word_explain(STR("degC"), &out));
    /* 1.8 and 32 are the definition of the Fahrenheit scale. */
    CHECK(str_find(buf_view(&out), STR("x [degC] to [degF] is x * 1.8 + 32\n")) >= 0);
    CHECK(str_find(buf_view(&out), STR("x [degC] to [K] is x * 1 + 273.15\n")) >= 0);
    CHECK(!word_explain(STR("nonsense"), &out));
    buf_clear(&out);
    CHECK(word_explain(STR("retain"), &out));
    CHECK(str_find(buf_view(&out), STR("into mqtt: the broker keeps the last one")) >= 0);
    buf_clear(&out);
    CHECK(word_explain(STR("idle"), &out));
    CHECK(str_find(buf_view(&out), STR("`idle` is a word of `time`")) >= 0);
    CHECK_STR(word_suggest(STR("wehre")), "where");
}

/* The usage that people see names the arguments as a call may: by the names of checked.def. */
TEST(usages_show_the_names_of_arguments)
{
    uint32_t rows = 0;
    for (uint32_t i = 0; i < word_count; i++) {
        const Word *word = &words[i];
        bool function = word->kind == WORD_KIND_AGGREGATE || word->kind == WORD_KIND_FUNCTION ||
                        word->kind == WORD_KIND_MEMORY;
        bool found = false;
        for (uint32_t k = 0; function && k < checked_info_count; k++) {
            const CheckedInfo *info = &checked_infos[k];
            if (!str_is(str_from(word->name), info->name)) continue;
            found = true;
            rows++;
            AUTO_BUF Buf first, named;
            buf_init(&first, 256);
            buf_init(&named, 256);
            buf_printf(&first, "%s(%s", info->name, info->params);
            bool shown = str_find(str_from(word->usage), buf_view(&first)) >= 0;
            buf_printf(&named, "%s(x, on: HIGH, off: LOW", info->name); /* as people call it */
            shown |= str_is(str_from(info->params), "x, on, off") &&
                     str_find(str_from(word->usage), buf_view(&named)) >= 0;
            if (!shown) (void)printf("%s: %s\n", word->name, word->usage);
            CHECK(shown);
        }
        if (function && !found) (void)printf("%s has no row in checked.def\n", word->name);
        CHECK(!function || found);
    }
    CHECK_INT(rows, checked_info_count - 1); /* deadband is a stage */
}
