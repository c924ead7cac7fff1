import { describe, expect, it } from "vitest";
import type { OutlineRow } from "@/core/api";
import { lastPath, Tree, treeKey } from "@/explore/tree";

const build = (...paths: string[]): Tree => {
    const tree = new Tree();
    for (const path of paths) tree.add(path, true);
    return tree;
};
const paths = (tree: Tree, open: string[], words: string[] = []): string[] => tree.rows(new Set(open), words).map((row) => row.node.path);

describe("tree", () => {
    it("shows only what is open, sorted by name", () => {
        const tree = build("b/y", "a/x", "b/x/deep");
        expect(paths(tree, [])).toEqual(["a", "b"]);
        expect(paths(tree, ["b"])).toEqual(["a", "b", "b/x", "b/y"]);
        expect(paths(tree, ["b", "b/x"])).toEqual(["a", "b", "b/x", "b/x/deep", "b/y"]);
    });
    it("a path can have a value and children at once", () => {
        const tree = build("a/b/c", "a/b");
        expect(tree.get("a/b")!.hasValue).toBe(true);
        expect(tree.get("a")!.hasValue).toBe(false);
        expect(tree.size).toBe(3);
    });
    it("filters by all words, keeps what is above, and opens it", () => {
        const tree = build("plant/press-01/temp", "plant/press-02/temp", "plant/press-02/rpm");
        expect(paths(tree, [], ["02", "temp"])).toEqual(["plant", "plant/press-02", "plant/press-02/temp"]);
        expect(paths(tree, [], ["TEMP".toLowerCase()])).toHaveLength(5);
        expect(paths(tree, [], ["nothing"])).toEqual([]);
    });
    it("keeps what fits by what is said about it, and its units", () => {
        const tree = new Tree([[0, "a", 0], [1, "t1", 1, { title: "Gear oil", unit: "degC" }], [1, "t2", 1]]);
        const fit = (words: string[], ...said: string[]): string[] => tree.rows(new Set(), words, undefined, new Set(said)).map((row) => row.node.path);
        expect(fit(["gear"])).toEqual([]);
        expect(fit(["gear"], "a/t1")).toEqual(["a", "a/t1"]);
        expect([tree.get("a/t1")!.unit, tree.get("a/t1")!.title, tree.get("a/t2")!.unit]).toEqual(["degC", "Gear oil", ""]);
    });
    it("is made of an outline, and told where the next page of one goes on", () => {
        const rows: OutlineRow[] = [[0, "a", 1], [1, "b", 1], [2, "c", 1], [2, "d", 0], [1, "e", 1], [0, "f", 1]];
        expect([lastPath(rows.slice(0, 3)), lastPath(rows.slice(0, 5)), lastPath(rows), lastPath([])]).toEqual(["a/b/c", "a/e", "f", ""]);
        const tree = new Tree(rows);
        expect(tree.size).toBe(6);
        expect([tree.root.width, tree.root.below, tree.get("a")!.width, tree.get("a")!.below, tree.get("a/b/c")!.below]).toEqual([2, 6, 2, 4, 0]);
        expect(paths(tree, ["a", "a/b"])).toEqual(["a", "a/b", "a/b/c", "a/b/d", "a/e", "f"]);
        expect(["a", "a/b/d", "a/e", "f", "a/x", "g"].map((path) => tree.get(path)?.hasValue)).toEqual([true, false, true, true, undefined, undefined]);
    });
    it("takes in names that come later, whatever was looked at before", () => {
        const rows: OutlineRow[] = [[0, "a", 0], [1, "b", 0], [2, "c", 1], [0, "f", 1]];
        for (const looked of [[], ["a"], ["a", "a/b"]]) {
            const tree = new Tree(rows);
            paths(tree, looked);
            tree.add("a/b/a", true);
            tree.add("a/b", true);
            tree.add("e/x", false);
            tree.add("a/b/c", false);
            expect(tree.size).toBe(7);
            expect([tree.root.below, tree.get("a/b")!.width, tree.get("a/b")!.hasValue, tree.get("a/b/c")!.hasValue]).toEqual([7, 2, true, true]);
            expect(paths(tree, ["a", "a/b", "e"])).toEqual(["a", "a/b", "a/b/a", "a/b/c", "e", "e/x", "f"]);
        }
    });
    it("finds names that the server's order of bytes puts elsewhere", () => {
        const tree = new Tree([[0, "\u{ff5e}", 1], [0, "\u{1f600}", 1]]); // in UTF-8 the first is less, in UTF-16 the second
        expect(tree.get("\u{ff5e}")!.hasValue && tree.get("\u{1f600}")!.hasValue).toBe(true);
    });
    it("counts positions for screen readers", () => {
        const rows = build("a/1", "a/2", "b").rows(new Set(["a"]));
        expect(rows.map((row) => [row.node.path, row.position, row.siblings])).toEqual([["a", 1, 2], ["a/1", 1, 2], ["a/2", 2, 2], ["b", 2, 2]]);
    });
    it("opens a small tree whole and a large one in part", () => {
        const tree = build("a/b/c", "a/b/d");
        expect(tree.rows(tree.firstExpanded(50))).toHaveLength(4);
        const large = new Tree();
        for (let i = 0; i < 100; i++) for (let j = 0; j < 10; j++) large.add(`site/m${String(i).padStart(3, "0")}/t${j}`, true);
        const shown = large.rows(large.firstExpanded(60));
        expect(shown.length).toBeLessThan(200);
        expect(shown.some((row) => row.node.hasValue)).toBe(true);
        const outline: OutlineRow[] = [[0, "site", 0]];
        for (let i = 0; i < 100; i++) outline.push([1, `m${String(i).padStart(3, "0")}`, 0], ...Array.from({ length: 10 }, (_, j): OutlineRow => [2, `t${j}`, 1]));
        const same = new Tree(outline);
        expect(same.rows(same.firstExpanded(60)).map((row) => row.node.path)).toEqual(shown.map((row) => row.node.path));
    });
    it("handles 10,000 paths within a frame or two", () => {
        const tree = new Tree();
        for (let i = 0; i < 10_000; i++) tree.add(`site/line-${i % 20}/machine-${i % 500}/tag-${i}`, true);
        tree.rows(new Set());
        // The least of many: on a busy machine most of them wait for the processor.
        let rows = tree.rows(new Set(), ["tag-99"]);
        let least = Infinity;
        for (let i = 0; i < 50 && least > 100; i++) {
            const start = performance.now();
            rows = tree.rows(new Set(), ["tag-99"]);
            least = Math.min(least, performance.now() - start);
        }
        expect(least).toBeLessThan(100);
        expect(rows.filter((row) => row.node.hasValue)).toHaveLength(111);
    });
    it("follows the keys of the ARIA tree pattern", () => {
        const tree = build("a/1", "a/2", "b");
        const open = tree.rows(new Set(["a"]));
        const shut = tree.rows(new Set());
        expect(treeKey("ArrowDown", open, "a", 10)).toEqual({ active: "a/1" });
        expect(treeKey("ArrowUp", open, "a", 10)).toEqual({ active: "a" });
        expect(treeKey("ArrowRight", shut, "a", 10)).toEqual({ toggle: "a" });
        expect(treeKey("ArrowRight", open, "a", 10)).toEqual({ active: "a/1" });
        expect(treeKey("ArrowLeft", open, "a/2", 10)).toEqual({ active: "a" });
        expect(treeKey("ArrowLeft", open, "a", 10)).toEqual({ toggle: "a" });
        expect(treeKey("End", open, "a", 10)).toEqual({ active: "b" });
        expect(treeKey("Home", open, "b", 10)).toEqual({ active: "a" });
        expect(treeKey("PageDown", open, "a", 2)).toEqual({ active: "a/2" });
        expect(treeKey("Enter", open, "b", 10)).toEqual({ select: "b" });
        expect(treeKey("ArrowDown", open, "", 10)).toEqual({ active: "a" });
        expect(treeKey("x", open, "a", 10)).toEqual({});
    });
});
