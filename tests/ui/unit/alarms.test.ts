// alarms: conditions in words, the form's rule, what the filters leave. Expectations from docs/alarms.md.
import { describe, expect, test } from "vitest";
import { shown } from "@/alarms/filter";
import { ruleOf, whenText } from "@/alarms/rule";
import type { Alarm } from "@/core/api";

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

test("filters: what is put aside is shown only when asked for", () => {
    const alarm = (path: string, more: Partial<Alarm>): Alarm => ({
        rule: "r", path, state: "unacknowledged", priority: "high", active: true, since: 0, raised: 0, raised_value: 1, count: 1, ...more,
    });
    const list = [alarm("a/one", {}), alarm("a/two", { state: "shelved" }), alarm("b", { priority: "low", message: "Drive is FAULT" })];
    const paths = (filter: { priority?: string; text?: string; aside?: boolean }): string[] =>
        shown(list, { priority: "", text: "", aside: false, ...filter }).map((each) => each.path);
    expect(paths({})).toEqual(["a/one", "b"]);
    expect(paths({ aside: true })).toEqual(["a/two"]);
    expect(paths({ priority: "low" })).toEqual(["b"]);
    expect(paths({ text: "fault" })).toEqual(["b"]);
});
