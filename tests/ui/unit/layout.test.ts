import { describe, expect, it } from "vitest";
import { flowOrder, lastText, layoutGraph, NODE_HEIGHT, NODE_WIDTH, stageName } from "@/designer/layout";
import type { GraphNode, GraphWire } from "@/core/api";

const node = (id: string, kind: string, line: number, label = ""): GraphNode => ({ id, kind, label, line, end_line: line, fields: [], reasons: [] });
const wire = (id: string, from: string, to: string, port = "out"): GraphWire => ({ id, from, to, port, type: "record" });
const graph = {
    name: "p",
    nodes: [node("n3", "into", 4), node("n1", "from", 2), node("n2", "where", 3), node("n4", "error", 5)],
    wires: [wire("w1", "n1", "n2"), wire("w2", "n2", "n3"), wire("w3", "n1", "n4", "error")],
};

describe("layout", () => {
    it("visits nodes in flow order, and ends with a cycle too", () => {
        expect(flowOrder(graph).map((n) => n.id)).toEqual(["n1", "n2", "n3", "n4"]);
        const loop = { name: "l", nodes: [node("a", "from", 1), node("b", "let", 2)], wires: [wire("x", "a", "b"), wire("y", "b", "a")] };
        expect(flowOrder(loop).map((n) => n.id)).toEqual(["a", "b"]);
    });
    it("places every node and wire once, top to bottom, nothing overlapping", () => {
        const { nodes, wires } = layoutGraph(graph);
        expect(nodes.map((n) => n.node.id).sort()).toEqual(["n1", "n2", "n3", "n4"]);
        expect(wires.map((w) => w.wire.id).sort()).toEqual(["w1", "w2", "w3"]);
        const at = (id: string) => nodes.find((n) => n.node.id === id)!;
        expect(at("n1").y).toBeLessThan(at("n2").y);
        expect(at("n2").y).toBeLessThan(at("n3").y);
        for (const a of nodes)
            for (const b of nodes)
                if (a !== b) expect(Math.abs(a.x - b.x) >= NODE_WIDTH || Math.abs(a.y - b.y) >= NODE_HEIGHT).toBe(true);
    });
    it("wires start at the bottom or a side of their node and end at the top of the other", () => {
        const { nodes, wires } = layoutGraph(graph);
        for (const w of wires) {
            const to = nodes.find((n) => n.node.id === w.wire.to)!;
            expect(w.to).toEqual({ x: to.x + NODE_WIDTH / 2, y: to.y });
            const from = nodes.find((n) => n.node.id === w.wire.from)!;
            if (w.side === 0) expect(w.from).toEqual({ x: from.x + NODE_WIDTH / 2, y: from.y + NODE_HEIGHT });
            else expect(w.from.y).toBe(from.y + NODE_HEIGHT / 2);
        }
    });
    it("writes values of wires of one node apart", () => {
        const fan = { name: "f", nodes: [node("a", "window", 1), ...[1, 2, 3].map((i) => node(`b${i}`, "into", i + 1))], wires: [1, 2, 3].map((i) => wire(`w${i}`, "a", `b${i}`)) };
        const xs = layoutGraph(fan).wires.map((w) => w.label.x).sort((a, b) => a - b);
        expect(xs[1]! - xs[0]!).toBeGreaterThan(200);
        expect(xs[2]! - xs[1]!).toBeGreaterThan(200);
    });
    it("a wire to a node that is not there is left out", () => {
        expect(layoutGraph({ name: "x", nodes: [node("a", "from", 1)], wires: [wire("w", "a", "gone")] }).wires).toEqual([]);
    });
    it("shortens the last record of a wire", () => {
        expect(lastText({ machine: "press-07", temp: 71.23456 })).toBe("machine press-07  temp 71.235");
        expect(lastText({ a: 1, b: "x".repeat(40) })).toBe("a 1");
        expect(lastText(3.5)).toBe("3.5");
        expect(lastText(null)).toBe("");
        expect(lastText("y".repeat(50))).toHaveLength(30);
    });
    it("names stages that share a keyword", () => {
        expect(stageName(node("n", "into", 1, 'uns "a/b"'), "n")).toBe("into uns");
        expect(stageName(node("n", "where", 1, "a == 1"), "n")).toBe("where");
        expect(stageName(undefined, "n9")).toBe("n9");
    });
});
