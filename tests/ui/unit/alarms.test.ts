// alarms: conditions in words, the form's rule, what the filters leave. Expectations from docs/alarms.md.
import { describe, expect, test } from "vitest";
import { heard, shown } from "@/alarms/filter";
import { draftOf, originOf, ruleOf, whenText } from "@/alarms/rule";
import { errorAt, headersOf, routeDraft, routeOf, targetDraft, targetOf, timesText } from "@/alarms/target";
import type { Alarm, ShownTarget } from "@/core/api";

describe("rules", () => {
    test("a condition is told in words", () => {
        expect(whenText({ above: 80, hysteresis: 2, for_ms: 5000 })).toBe("above 80, hysteresis 2, for 5 s");
        expect(whenText({ falls: 5, within_ms: 60000, clear_ms: 500 })).toBe("falls 5, within 60 s, over after 0.5 s");
        expect(whenText({ is: ["FAULT", 3, true] })).toBe("is FAULT or 3 or true");
        expect(whenText({ stale_ms: 30000 })).toBe("no value for 30 s");
        expect(whenText({ quality: "bad" })).toBe("bad quality");
        expect(whenText({ above: 0 })).toBe("above 0");
    });
    const draft = {
        name: "a", on: "x/+", kind: "above" as const, limit: "80", within: "60", hysteresis: "0", wait: "0", clear: "0",
        priority: "high" as const, latch: false, message: "", action: "",
    };
    test("the form gives only what goes with its condition", () => {
        expect(ruleOf(draft)).toEqual({ name: "a", on: "x/+", when: { above: 80 }, priority: "high" });
        expect(ruleOf({ ...draft, kind: "rises", within: "1.5", hysteresis: "2" }).when).toEqual({ rises: 80, within_ms: 1500, hysteresis: 2 });
        expect(ruleOf({ ...draft, kind: "stale_ms", limit: "30", hysteresis: "2" }).when).toEqual({ stale_ms: 30000 });
        expect(ruleOf({ ...draft, kind: "is", limit: "FAULT, 3,true" }).when).toEqual({ is: ["FAULT", 3, true] });
        expect(ruleOf({ ...draft, kind: "quality", wait: "2", latch: true, action: "go" })).toEqual({
            name: "a", on: "x/+", when: { quality: "bad", for_ms: 2000 }, priority: "high", latch: true, action: "go",
        });
    });
});

test("origins: what may be changed where", () => {
    expect(originOf("")).toEqual({ kind: "people", name: "" });
    expect(originOf("program press line.tutti")).toEqual({ kind: "program", name: "press line.tutti" });
    expect(originOf("schema press")).toEqual({ kind: "schema", name: "press" });
});

test("several filters stay several", () => {
    const rule = { name: "a", on: ["x/+", "y/#/z"], when: { above: 1 }, priority: "low" as const };
    expect(ruleOf(draftOf(rule, ""))).toEqual(rule);
});

const alarm = (path: string, more: Partial<Alarm>): Alarm => ({
    rule: "r", path, state: "unacknowledged", priority: "high", active: true, since: 0, raised: 0, raised_value: 1, count: 1, ...more,
});

test("sound: what holds, is urgent and came after the last silence is heard, the most urgent first", () => {
    const list = [alarm("a", { priority: "critical", raised: 10 }), alarm("b", { raised: 20 }), alarm("c", { priority: "medium", raised: 30 })];
    expect(heard(list, 0)).toBe("critical");
    expect(heard(list, 10)).toBe("high");
    expect(heard(list, 20)).toBe(null);
    expect(heard([alarm("d", { priority: "critical", raised: 10, active: false })], 0)).toBe(null);
});

test("filters: what is put aside is shown only when asked for", () => {
    const list = [alarm("a/one", {}), alarm("a/two", { state: "shelved" }), alarm("b", { priority: "low", message: "Drive is FAULT" })];
    const paths = (filter: { priority?: string; state?: string; text?: string; aside?: boolean }): string[] =>
        shown(list, { priority: "", state: "", text: "", aside: false, ...filter }).map((each) => each.path);
    expect(paths({})).toEqual(["a/one", "b"]);
    expect(paths({ aside: true })).toEqual(["a/two"]);
    expect(paths({ state: "acknowledged" })).toEqual([]);
    expect(paths({ state: "unacknowledged" })).toEqual(["a/one", "b"]);
    expect(paths({ priority: "low" })).toEqual(["b"]);
    expect(paths({ text: "fault" })).toEqual(["b"]);
});

describe("who is told", () => {
    const route = { name: "r", on: "#", priorities: ["high" as const], when: ["raised" as const], to: ["x"] };
    test("says in words what a route does over time", () => {
        expect(timesText(route)).toBe("at once");
        expect(timesText({ ...route, delay_ms: 5000, repeat_ms: 600_000, repeat_max: 3, escalate_ms: 5_400_000, escalate_to: "boss" }))
            .toBe("after 5 s, again every 10 min, 3 times at most, boss after 90 min more");
    });
    test("gives back the route that the form was made of", () => {
        for (const more of [{}, { delay_ms: 1500, repeat_ms: 90_000, repeat_max: 2, escalate_ms: 60_000, escalate_to: "b", alarms: ["p*", "q"], off: true }])
            expect(routeOf(routeDraft({ ...route, ...more }))).toEqual({ ...route, ...more });
    });
    test("keeps secrets that nobody typed", () => {
        expect(headersOf("Authorization: Bearer a:b\n\nX-Plant:\nX-Old")).toEqual({ Authorization: "Bearer a:b", "X-Plant": null, "X-Old": null });
        const shown = { name: "w", kind: "webhook" as const, url: "https://x/", headers: { A: null }, group_ms: 0, signed: true } as ShownTarget;
        expect(targetOf(targetDraft(shown))).toEqual({ name: "w", kind: "webhook", url: "https://x/", headers: { A: null }, group_ms: 0 });
        expect(targetOf({ ...targetDraft(shown), unsigned: true }).secret).toBe("");
    });
    test("puts an error at its field", () => {
        const error = new Error("to_be: x");
        expect(errorAt(error, "to")).toBe("");
        expect(errorAt(new Error("to: `x` is no mail address"), "to")).toBe("to: `x` is no mail address");
        expect(errorAt(new Error("topic is wrong"), "to")).toBe("");
        expect(errorAt(null, "to")).toBe("");
    });
});
