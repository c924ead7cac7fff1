/* tests/module/test_dashboards.c: stored definitions, versions, bounds, and the generated overview.
 */
#include "mod_bed.h"

#include "mqtt/broker.h"

extern const ModuleDef uns_module;
extern const ModuleDef dashboards_module;
static const ModuleDef *const both[] = {&uns_module, &dashboards_module, NULL};

#define WIDGET(id, x, w)                                                                           \
    "{\"id\":\"" id "\",\"type\":\"value\",\"title\":\"t\",\"paths\":[\"a\"],\"x\":" #x            \
    ",\"y\":0,\"w\":" #w ",\"h\":2}"
#define PUT(name, version, widgets)                                                                \
    "{\"name\":\"" name "\",\"title\":\"T\",\"version\":" #version                                 \
    ",\"definition\":{\"columns\":12,\"widgets\":[" widgets "]}}"

TEST(definitions_are_stored_with_versions)
{
    ModBed bed;
    Diag diag = {0};
    bed_begin(&bed);
    CHECK_OK(bed_open(&bed, both, NULL, &diag));
    CHECK_OK(bed_ask(&bed, "dashboards.put", PUT("line-1", 0, WIDGET("a", 0, 6))));
    CHECK_INT((int)json_int(bed.json, "version", 0), 1);
    CHECK_INT(bed_ask(&bed, "dashboards.put", PUT("line-1", 0, WIDGET("a", 0, 6))), ST_CONFLICT);
    CHECK_OK(bed_ask(&bed, "dashboards.put", PUT("line-1", 1, WIDGET("b", 6, 6))));
    CHECK_OK(bed_ask(&bed, "dashboards.get", "{\"name\":\"line-1\"}"));
    const Json *widgets = json_get(json_get(bed.json, "definition"), "widgets");
    CHECK_STR(json_str(json_at(widgets, 0), "id", STR_NONE), "b");
    CHECK_OK(bed_ask(&bed, "dashboards.list", "{}"));
    CHECK_INT((int)json_get(bed.json, "dashboards")->count, 2);
    CHECK_STR(json_str(json_at(json_get(bed.json, "dashboards"), 0), "name", STR_NONE), "overview");

    CHECK_INT(bed_ask(&bed, "dashboards.put", PUT("x", 0, WIDGET("a", 7, 6))), ST_INVALID);
    CHECK_INT(bed_ask(&bed, "dashboards.put", PUT("x", 0, WIDGET("a", 0, 6) "," WIDGET("a", 6, 6))),
              ST_INVALID);
    CHECK_INT(bed_ask(&bed, "dashboards.put", PUT("overview", 0, "")), ST_INVALID);
    CHECK_INT(bed_ask(&bed, "dashboards.put", PUT("A B", 0, "")), ST_INVALID);
    BusCaller viewer = {.user = STR("7"), .roles = ROLE_VIEW};
    CHECK_INT(bed_ask_as(&bed, &viewer, "dashboards.delete", "{\"name\":\"line-1\"}"),
              ST_FORBIDDEN);
    CHECK_OK(bed_ask(&bed, "dashboards.delete", "{\"name\":\"line-1\"}"));
    CHECK_INT(bed_ask(&bed, "dashboards.delete", "{\"name\":\"line-1\"}"), ST_NOT_FOUND);
    CHECK_INT(bed_ask(&bed, "dashboards.get", "{\"name\":\"line-1\"}"), ST_NOT_FOUND);
    bed_end(&bed);
}

TEST(uses_names_dashboards_that_show_a_path_or_what_is_below_it)
{
    ModBed bed;
    Diag diag = {0};
    bed_begin(&bed);
    CHECK_OK(bed_open(&bed, both, NULL, &diag));
#define SHOWS(id, path)                                                                            \
    "{\"id\":\"" id "\",\"type\":\"value\",\"title\":\"t\",\"paths\":[" path "],\"x\":0,\"y\":0,"  \
    "\"w\":2,\"h\":2}"
    CHECK_OK(bed_ask(&bed, "dashboards.put",
                     PUT("one", 0, SHOWS("a", "\"p/x\",\"p/y\"") "," SHOWS("b", "\"p/x\""))));
    CHECK_OK(bed_ask(&bed, "dashboards.put", PUT("two", 0, SHOWS("a", "\"p/xx\",\"q\""))));
    CHECK_OK(bed_ask(&bed, "dashboards.uses", "{\"path\":\"p/x\"}"));
    const Json *found = json_get(bed.json, "dashboards");
    CHECK_INT((int)found->count, 1); /* not two: p/xx is not below p/x */
    CHECK_STR(json_str(json_at(found, 0), "name", STR_NONE), "one");
    CHECK_INT((int)json_int(json_at(found, 0), "widgets", 0), 2);
    CHECK_OK(bed_ask(&bed, "dashboards.uses", "{\"path\":\"p\"}"));
    CHECK_INT((int)json_get(bed.json, "dashboards")->count, 2);
    CHECK_OK(bed_ask(&bed, "dashboards.uses", "{\"path\":\"nothing\"}"));
    CHECK_INT((int)json_get(bed.json, "dashboards")->count, 0);
    bed_end(&bed);
}

/* Sister machines: one table, tags as columns, and trends of its numbers. A value without sisters
 * is a tile. Names and times are left out. */
TEST(overview_groups_what_belongs_together)
{
    ModBed bed;
    Diag diag = {0};
    bed_begin(&bed);
    CHECK_OK(bed_open(&bed, both, NULL, &diag));
    static const char *const values[] = {
        "press-01/temp\",\"value\":1",        "press-02/temp\",\"value\":2",
        "press-02/rpm\",\"value\":3",         "press-01/rpm\",\"value\":3",
        "press-01/state\",\"value\":\"RUN\"", "press-02/state\",\"value\":\"IDLE\"",
        "press-01/line\",\"value\":\"A\"",    "press-02/line\",\"value\":\"A\"",
        "energy/meter/power\",\"value\":9"};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        char body[100];
        (void)snprintf(body, sizeof body, "{\"path\":\"plant/%s}", values[i]);
        CHECK_OK(bed_ask(&bed, "uns.publish", body));
    }
    CHECK_OK(bed_ask(&bed, "dashboards.overview", "{}"));
    const Json *widgets = json_get(json_get(bed.json, "definition"), "widgets");
    CHECK_INT((int)widgets->count, 4);
    CHECK_STR(json_str(json_at(widgets, 0), "type", STR_NONE), "value");
    CHECK_STR(json_str(json_at(widgets, 0), "title", STR_NONE), "meter/power");
    const Json *table = json_at(widgets, 1), *options = json_get(table, "options");
    CHECK_STR(json_str(table, "type", STR_NONE), "table");
    CHECK_STR(json_str(table, "title", STR_NONE), "plant");
    CHECK_INT((int)json_get(table, "paths")->count, 6);
    CHECK_INT((int)json_get(options, "columns")->count, 3);
    CHECK_INT((int)json_get(options, "rows")->count, 2);
    CHECK_STR(json_str(json_at(json_get(options, "rows"), 1), "path", STR_NONE), "plant/press-02");
    CHECK_STR(json_str(json_at(widgets, 2), "title", STR_NONE), "plant: rpm");
    CHECK_STR(json_str(json_at(widgets, 3), "title", STR_NONE), "plant: temp");
    CHECK_INT((int)json_get(json_at(widgets, 3), "paths")->count, 2);
    bed_end(&bed);
}
