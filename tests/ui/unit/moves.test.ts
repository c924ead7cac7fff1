// Zooming and panning of a chart, and units that schemas know. Expectations by hand.
import { describe, expect, it } from "vitest";
import { keyed, panned, pinched, zoomed } from "@/explore/chart-moves";
import { topicOf, unitInSchema } from "@/explore/units";

describe("moves of a chart", () => {
    it("zoom keeps what is under the pointer", () => {
        expect(zoomed([0, 100_000], 0.5, 0.25)).toEqual([12_500, 62_500]); // 25,000 stays at a quarter
        expect(zoomed([0, 100_000], 2, 0)).toEqual([0, 200_000]);
        expect(zoomed([0, 1500], 0.1, 0.5)).toEqual([250, 1250]); // a second at least
    });
    it("pan moves by a share of the width", () => expect(panned([0, 1000], -0.25)).toEqual([-250, 750]));
    it("two fingers keep what is under them", () => {
        // 40,000 and 60,000 under the fingers; spread over the whole width they are its ends.
        expect(pinched([0, 100_000], [0.4, 0.6], [0, 1])).toEqual([40_000, 60_000]);
        expect(pinched([0, 100_000], [0.4, 0.6], [0.5, 0.7]).map(Math.round)).toEqual([-10_000, 90_000]); // moved together
        expect(pinched([0, 100_000], [0.4, 0.6], [0.5, 0.5])).toEqual([0, 100_000]); // one above the other: nothing
    });
    it("keys", () => {
        expect(keyed([0, 100_000], "ArrowLeft")).toEqual([-25_000, 75_000]);
        expect(keyed([0, 100_000], "ArrowRight")).toEqual([25_000, 125_000]);
        expect(keyed([0, 100_000], "+")).toEqual([25_000, 75_000]);
        expect(keyed([0, 100_000], "-")).toEqual([-50_000, 150_000]);
        expect(keyed([0, 100_000], "x")).toBe(null);
    });
});

describe("units of schemas", () => {
    it("the topic is the path or what is above it", () => {
        expect(topicOf("plant/a/press/temp", ["plant/+/press"])).toBe("plant/a/press");
        expect(topicOf("plant/a", ["plant/+"])).toBe("plant/a");
        expect(topicOf("plant/a/b/c", ["plant/#"])).toBe("plant/a/b/c");
        expect(topicOf("other/a", ["plant/#", "x"])).toBe(null);
    });
    it("the unit is that of the field, however deep", () => {
        const form = { type: "record", fields: [{ name: "temp", type: "f64", unit: "degC" }, { name: "in", type: "record", fields: [{ name: "p", type: "f64", unit: "bar" }] }] };
        const schema = { topic: "plant/a", form };
        expect(unitInSchema(schema, "plant/a/temp")).toBe("degC");
        expect(unitInSchema(schema, "plant/a/in/p")).toBe("bar");
        expect(unitInSchema(schema, "plant/a/other")).toBe("");
        expect(unitInSchema({ topic: "plant/t", form: { type: "f64", unit: "K" } }, "plant/t")).toBe("K");
        expect(unitInSchema(null, "plant/a")).toBe("");
    });
});
