/* tests/module/test_access.c: rules about paths. Expectations are worked out by hand from MQTT 5.0
 * section 4.7 (what a filter matches) and the order of the rules. */
#include "test.h"

#include "module/access.h"
#include "module/module.h"

#include <stdio.h>
#include <string.h>

static Access *rules_of(const char *text)
{
    Arena *arena = arena_new(0, 0);
    const Json *json = NULL;
    Access *access = NULL;
    Diag diag = {0};
    CHECK_OK(json_read(arena, str_from(text), &json, &diag));
    Status st = access_read(json, &access, &diag);
    if (st) print_error("%s\n", diag.text);
    CHECK_OK(st);
    arena_free(arena);
    return access;
}

static void expect(const Access *access, AccessWho who, AccessAct act, const char *path,
                   bool allowed, uint32_t rule)
{
    AccessAnswer found = access_may(access, &who, act, str_from(path));
    if (found.allowed != allowed || found.rule != rule)
        print_error("%s for %.*s: %d by rule %u\n", path, STR_ARG(who.user), found.allowed,
                    found.rule);
    CHECK_INT(found.allowed, allowed);
    CHECK_INT(found.rule, rule);
}

static const AccessWho nobody = {0};

static AccessWho user(const char *name, uint32_t roles)
{
    return (AccessWho){.user = str_from(name), .client_id = STR("c1"), .roles = roles};
}

TEST(the_first_rule_that_fits_decides_and_none_means_no)
{
    Access *access =
        rules_of("[{\"who\":\"user:eve\",\"may\":\"read "
                 "write\",\"path\":\"plant/secret/#\",\"allow\":false},"
                 "{\"who\":\"role:view\",\"may\":\"read\",\"path\":\"plant/#\"},"
                 "{\"who\":\"role:operate\",\"may\":\"write\",\"path\":\"plant/+/set\"},"
                 "{\"who\":\"everyone\",\"may\":\"read\",\"path\":\"public\"},"
                 "{\"who\":\"anonymous\",\"may\":\"write\",\"path\":\"in\"}]");
    AccessWho eve = user("eve", ROLE_VIEW), bob = user("bob", ROLE_VIEW | ROLE_OPERATE);
    expect(access, eve, ACCESS_READ, "plant/secret/x", false, 1);
    expect(access, eve, ACCESS_READ, "plant/secret", false, 1); /* a/# is about a */
    expect(access, eve, ACCESS_READ, "plant/a", true, 2);
    expect(access, bob, ACCESS_READ, "plant/secret/x", true, 2);
    expect(access, bob, ACCESS_WRITE, "plant/a/set", true, 3);
    expect(access, bob, ACCESS_WRITE, "plant/a/b/set", false, 0);
    expect(access, eve, ACCESS_WRITE, "plant/a/set", false, 0);
    expect(access, nobody, ACCESS_READ, "public", true, 4);
    expect(access, bob, ACCESS_READ, "public", true, 4);
    expect(access, nobody, ACCESS_WRITE, "in", true, 5);
    expect(access, bob, ACCESS_WRITE, "in", false, 0);
    /* Roles without a name are nobody's. */
    expect(access, (AccessWho){.roles = ROLE_VIEW}, ACCESS_READ, "plant/a", false, 0);
    expect(NULL, bob, ACCESS_READ, "public", false, 0);
    access_free(access);
}

TEST(a_filter_is_allowed_when_a_rule_covers_all_of_it)
{
    static const struct {
        const char *rule, *filter;
        bool covered;
    } rows[] = {
        {"plant/#", "plant/#", true},
        {"plant/#", "plant", true},
        {"plant/#", "plant/+/a", true},
        {"plant/#", "plant/+/#", true},
        {"plant/#", "#", false},
        {"plant/#", "+/a", false},
        {"plant/#", "plants/a", false},
        {"plant/+", "plant/+", true},
        {"plant/+", "plant/a", true},
        {"plant/+", "plant/#", false},
        {"plant/+", "plant", false},
        {"plant/+", "plant/a/b", false},
        {"plant/+/#", "plant/a/#", true},
        {"plant/+/#", "plant/a", true},
        {"plant/+/#", "plant/#", false},
        {"+/a", "+/a", true},
        {"+/a", "x/a", true},
        {"+/a", "+/+", false},
        {"#", "#", true},
        {"#", "$SYS/#", false},
        {"+/x", "$SYS/x", false},
        {"$SYS/#", "$SYS/broker", true},
        {"a//b", "a//b", true},
        {"a/+/b", "a//b", true},
        {"a/b", "a/+", false},
        {"a/b/", "a/b", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[200];
        (void)snprintf(text, sizeof text,
                       "[{\"who\":\"everyone\",\"may\":\"read\",\"path\":\"%s\"}]", rows[i].rule);
        Access *access = rules_of(text);
        expect(access, nobody, ACCESS_READ, rows[i].filter, rows[i].covered, rows[i].covered);
        access_free(access);
    }
}

/* CVE-2017-7650: a client that calls itself + or # must not match everything. */
TEST(names_in_paths_never_become_wildcards)
{
    Access *access = rules_of("[{\"who\":\"everyone\",\"may\":\"read\",\"path\":\"home/%u/#\"},"
                              "{\"who\":\"everyone\",\"may\":\"write\",\"path\":\"dev/%c\"}]");
    expect(access, user("ann", 0), ACCESS_READ, "home/ann/x", true, 1);
    expect(access, user("ann", 0), ACCESS_READ, "home/bob/x", false, 0);
    expect(access, user("+", 0), ACCESS_READ, "home/bob/x", false, 0);
    expect(access, user("+", 0), ACCESS_READ, "home/+/x", false, 0);
    expect(access, user("#", 0), ACCESS_READ, "home/#", false, 0);
    expect(access, user("a/b", 0), ACCESS_READ, "home/a/b", false, 0);
    expect(access, nobody, ACCESS_READ, "home//x", false, 0);
    expect(access, user("ann", 0), ACCESS_WRITE, "dev/c1", true, 2);
    expect(access, user("ann", 0), ACCESS_WRITE, "dev/c2", false, 0);
    access_free(access);
}

TEST(everything_may_be_remembered_when_nothing_is_cut_out)
{
    AccessWho ann = user("ann", ROLE_VIEW);
    Access *access =
        rules_of("[{\"who\":\"user:bob\",\"may\":\"read\",\"path\":\"x\",\"allow\":false},"
                 "{\"who\":\"role:view\",\"may\":\"read\",\"path\":\"#\"}]");
    AccessWho bob = user("bob", ROLE_VIEW);
    CHECK(access_all(access, &ann, ACCESS_READ));
    CHECK(!access_all(access, &bob, ACCESS_READ));
    CHECK(!access_all(access, &ann, ACCESS_WRITE));
    CHECK(!access_all(access, &nobody, ACCESS_READ));
    access_free(access);
}

TEST(a_wrong_rule_is_named)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"{}", "not a list"},
        {"[1]", "rule 1 is not an object"},
        {"[{\"who\":\"everyone\",\"may\":\"read\",\"path\":\"a\"},{\"who\":\"all\",\"may\":"
         "\"read\",\"path\":\"a\"}]",
         "rule 2 is about \"all\""},
        {"[{\"who\":\"role:boss\",\"may\":\"read\",\"path\":\"a\"}]",
         "rule 1 is about \"role:boss\""},
        {"[{\"who\":\"user:\",\"may\":\"read\",\"path\":\"a\"}]", "rule 1 is about"},
        {"[{\"who\":\"everyone\",\"may\":\"own\",\"path\":\"a\"}]", "may \"own\""},
        {"[{\"who\":\"everyone\",\"may\":\"read\",\"path\":\"a/#/b\"}]", "no topic filter"},
        {"[{\"who\":\"everyone\",\"may\":\"read\"}]", "no topic filter"},
        {"[{\"who\":\"everyone\",\"may\":\"read\",\"path\":\"a\",\"allow\":1}]", "true or false"},
        {"[{\"who\":\"everyone\",\"may\":\"read\",\"path\":\"a\",\"deny\":true}]", "has \"deny\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Arena *arena = arena_new(0, 0);
        const Json *json = NULL;
        Access *access = NULL;
        Diag diag = {0};
        CHECK_OK(json_read(arena, str_from(rows[i].text), &json, &diag));
        CHECK_INT(access_read(json, &access, &diag), ST_INVALID);
        if (!strstr(diag.text, rows[i].says)) print_error("%s\n", diag.text);
        CHECK(strstr(diag.text, rows[i].says));
        CHECK(!access);
        arena_free(arena);
    }
}
