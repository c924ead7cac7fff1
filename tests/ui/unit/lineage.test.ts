// The drawing of lineage: columns in the order of the data, nothing twice, no empty column.
import { describe, expect, it } from "vitest";
import type { Lineage } from "../../../runtime/web/src/core/api";
import { draw } from "../../../runtime/web/src/explore/lineage-draw";

const lineage = (change: Partial<Lineage>): Lineage => ({ topic: "a/b", clients: [], writes: [], reads: [], complete: true, ...change });

describe("lineage", () => {
    it("a topic alone is one box", () => {
        const { boxes, lines, columns, rows } = draw(lineage({}), 0);
        expect([boxes.length, lines.length, columns, rows]).toEqual([1, 0, 1, 1]);
    });

    it("goes from left to right, and says each end once", () => {
        const from = [{ kind: "modbus", connection: "plc", address: "" }];
        const { boxes, lines, columns, rows } = draw(lineage({
            clients: [{ client: "gw", user: "", last: 0 }],
            writes: [{ pipeline: "p", running: true, by: "a/{x}", from }, { pipeline: "q", running: false, by: "a/b", from }],
            reads: [{ pipeline: "p", running: true, by: "a/#", into: [{ kind: "uns", address: "c/d" }, { kind: "file", address: "f" }] }],
        }), 5000);
        const at = (title: string, column: number) => boxes.find((b) => b.title === title && b.column === column);
        expect([columns, rows]).toEqual([5, 3]);
        expect(boxes.filter((b) => b.note === "modbus · plc").length).toBe(1);
        expect(at("q", 1)?.note).toBe("stopped · a/b");
        expect(at("p", 3)?.href).toBe("/pipelines/p");
        expect(at("c/d", 4)?.href).toBe("/uns?path=c/d&tab=lineage");
        expect(at("f", 4)?.href).toBeUndefined();
        expect(lines.length).toBe(2 + 2 + 1 + 1 + 2);
        expect(new Set(boxes.map((b) => `${b.column}:${b.row}`)).size).toBe(boxes.length);
    });

    it("leaves out columns that nobody is in", () => {
        const { boxes, columns } = draw(lineage({ reads: [{ pipeline: "p", running: true, by: "a/b", into: [] }] }), 0);
        expect(columns).toBe(2);
        expect(boxes.map((b) => b.column).sort()).toEqual([0, 1]);
    });
});
