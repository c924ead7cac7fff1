// What the menu of a path makes: a widget and its place on a dashboard, the first text of a pipeline; its keys.
import { describe, expect, it, vi } from "vitest";
import type { Widget } from "../../../runtime/web/src/core/api";
import { draftText, pipelineName } from "../../../runtime/web/src/core/draft";
import { nameOf, placeFor, widgetFor, withWidget } from "../../../runtime/web/src/core/widget";

vi.mock("virtual:icons", () => ({ default: {} }));

const box = (x: number, y: number, w: number, h: number): Widget => ({ id: `${x}.${y}`, type: "value", title: "", paths: [`${x}/${y}`], x, y, w, h });

describe("widget", () => {
    it("fits the type: a number is a trend with its unit, a word one cell, a branch a table", () => {
        expect(widgetFor({ path: "a/b/temp", type: "number", unit: "degC", has_value: true }, [])).toMatchObject({ type: "trend", title: "b temp", unit: "degC", paths: ["a/b/temp"] });
        expect(widgetFor({ path: "a/b/state", type: "text", has_value: true }, [])).toMatchObject({ type: "state", title: "state" });
        expect(widgetFor({ path: "a/b", has_value: false }, ["a/b/x", "a/b/y"])).toMatchObject({ type: "table", title: "a b", paths: ["a/b/x", "a/b/y"] });
        expect(widgetFor({ path: "a/b/temp", type: "number", title: "Gear oil", has_value: true }, []).title).toBe("Gear oil");
    });

    it("goes to the first place that is free, and never over another", () => {
        expect(placeFor([], 6, 4)).toEqual({ x: 0, y: 0 });
        expect(placeFor([box(0, 0, 6, 4)], 6, 4)).toEqual({ x: 6, y: 0 });
        expect(placeFor([box(0, 0, 7, 4)], 6, 4)).toEqual({ x: 0, y: 4 });
        expect(placeFor([box(0, 0, 12, 2), box(0, 3, 12, 1)], 3, 1)).toEqual({ x: 0, y: 2 });
    });

    it("is put once, with an id of its own", () => {
        const widget = widgetFor({ path: "a/b", type: "number", has_value: true }, []);
        const once = withWidget([{ ...box(0, 0, 1, 1), id: "w2" }], widget)!;
        expect(once.map((one) => one.id)).toEqual(["w2", "w3"]);
        expect(withWidget(once, widget)).toBeNull();
    });

    it("names of dashboards come from their titles", () => {
        expect([nameOf("Press line 1"), nameOf("Öfen & Co."), nameOf("—")]).toEqual(["press-line-1", "ofen-co", ""]);
    });
});

describe("draft", () => {
    const seen = { topic: "a/b", tag: false, fields: [] };
    it("reads a number, a tag, a text, a record", () => {
        expect(draftText({ ...seen, value: 1 }, "p")).toContain('from uns "a/b" as text\n  let value = parse_float(text)\n  keep value\n');
        expect(draftText({ ...seen, value: 1, tag: true }, "p")).toContain('from uns "a/b" as json tag f64\n');
        expect(draftText({ ...seen, value: "RUN" }, "p")).toContain('from uns "a/b" as text\n  into');
        expect(draftText({ ...seen, fields: [{ name: "t", value: 1 }, { name: "on", value: true }, { name: "x-y", value: 1 }] }, "p"))
            .toContain("as json {\n    t: f64?\n    on: bool?\n  }\n");
    });
    it("writes quotes as the language wants them, and a name nobody has", () => {
        expect(draftText({ ...seen, topic: 'a"b', value: 1 }, "p")).toContain('from uns "a\\"b"');
        expect(pipelineName("acme/press-01/temp", ["from_press_01_temp"])).toBe("from_press_01_temp_2");
    });
});

describe("keys of a menu", () => {
    it("go round, to the ends, and to a letter", async () => {
        const { popupKey } = await import("../../../runtime/web/src/ui/popup");
        const labels = ["Copy path", "History", "Compare"];
        expect(["ArrowDown", "ArrowUp", "Home", "End", "h", "c", "z", "Shift"].map((key) => popupKey(key, labels, 0))).toEqual([1, 2, 0, 2, 1, 2, null, null]);
        expect(popupKey("ArrowDown", labels, 2)).toBe(0);
    });
});
