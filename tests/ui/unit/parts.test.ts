import { describe, expect, it } from "vitest";
import { partsOf, placeOf } from "@/explore/parts";

const rowsOf = (text: string): string[] => text.split("\n").slice(1).filter(Boolean);

describe("a file of names in parts", () => {
    it("is one part when it is small, as it is", () => {
        expect(partsOf("path\na\n", "csv")).toEqual([{ text: "path\na\n", head: 0, line: 1, shift: 0, rows: 3 }]);
    });
    it("CSV: each part has the columns, rows are whole, lines are those of the file", () => {
        const text = 'path,description\na,"one\n""two"""\nb,5" pipe\nc,"x, y"\nd,z';
        const parts = partsOf(text, "csv", 600, 2);
        expect(parts.map((part) => part.text)).toEqual([
            'path,description\na,"one\n""two"""\nb,5" pipe\n',
            'path,description\nc,"x, y"\nd,z',
        ]);
        expect(parts.map((part) => part.rows)).toEqual([2, 2]);
        expect(placeOf(parts[1]!, 2, 3)).toEqual([5, 3]);
        expect(placeOf(parts[1]!, 3, 1)).toEqual([6, 1]);
        expect(placeOf(parts[1]!, 1, 6)).toEqual([1, 6]);
    });
    it("CSV: cells that begin behind a semicolon or a tab may have line ends, too", () => {
        for (const separator of [";", "\t"]) {
            const text = `path;title,\na;"one\ntwo"\nb;x\n`.replaceAll(";", separator);
            expect(partsOf(text, "csv", 600, 1).map((part) => part.rows + part.text.length)).toEqual([25, 17]);
        }
    });
    it("CSV: columns over two lines", () => {
        const parts = partsOf('path,"key.a\nb"\nx,1\ny,2\n', "csv", 600, 1);
        expect(parts.map((part) => part.head)).toEqual([2, 2]);
        expect(placeOf(parts[1]!, 3, 1)).toEqual([4, 1]);
    });
    it("JSON: nodes of the list, also of its member, with commas and brackets in texts", () => {
        for (const [before, after] of [["", ""], ['{"by": [1, {"nodes": 5}], "nodes": ', ', "more": {}}']] as const) {
            const text = `${before}[{"path":"a"},\n  {"path":"b","title":"],[ \\" \\\\"},\n\n {"path":"c",\n"keys":{"x":"{"}} ]${after}`;
            const parts = partsOf(text, "json", 600, 1);
            expect(parts.map((part) => JSON.parse(part.text)[0].path)).toEqual(["a", "b", "c"]);
            expect(JSON.parse(parts[1]!.text)[0].title).toBe('],[ " \\');
            expect(placeOf(parts[0]!, 1, 2)).toEqual([1, before.length + 2]);
            expect(placeOf(parts[1]!, 1, 2)).toEqual([2, 3]);
            expect(placeOf(parts[2]!, 1, 2)).toEqual([4, 2]);
            expect(placeOf(parts[2]!, 2, 1)).toEqual([5, 1]);
        }
    });
    it("holds bytes, in escapes and UTF-8, too", () => {
        const row = `a/${'ä"'.repeat(20)}`;
        const text = `path\n${Array.from({ length: 50 }, (_, i) => `${row}${i}`).join("\n")}\n`;
        const parts = partsOf(text, "csv", 1000);
        expect(parts.length).toBeGreaterThan(4);
        for (const part of parts) expect(new TextEncoder().encode(JSON.stringify(part.text)).length).toBeLessThan(1100);
        expect(parts.flatMap((part) => rowsOf(part.text))).toEqual(rowsOf(text));
    });
    it("says where a row has no end, and what is no list", () => {
        const long = "x".repeat(3000);
        expect(() => partsOf(`path\na\nb,"${long}\n${long}`, "csv", 1000)).toThrow(/Line 3: one row has more than 1000 bytes; a quotation mark/);
        expect(() => partsOf(`{"names":[\n"${long}"]}`, "json", 1000)).toThrow(/no list of nodes/);
        expect(() => partsOf(`[{"a":1},\n{"b":"${"y".repeat(800)}"},\n{"c":"${"y".repeat(800)}"`, "json", 1000)).toThrow(/Line 3: the file ends before/);
    });
});
