// designer/layout.ts: where the nodes and wires of a pipeline are drawn.
//
// Top to bottom by dagre, in the order of the text: a pipeline reads like its program beside it.
// Pure, so that tests hold it. Ports: records leave at the bottom, what is late or failed leaves at
// the side, so that the main way is one straight line.
import dagre from "@dagrejs/dagre";
import type { GraphNode, GraphWire, PipelineGraph } from "../core/api";

export const NODE_WIDTH = 232;
export const NODE_HEIGHT = 52;
const GAP_RANK = 56;
const GAP_NODE = 64;

export interface Point {
    x: number;
    y: number;
}
export interface Placed {
    node: GraphNode;
    x: number;
    y: number;
    /** position in flow order, from 0: the order of the tab key */
    order: number;
}
export interface Drawn {
    wire: GraphWire;
    from: Point;
    to: Point;
    /** leaves at the left (-1) or right (1) side instead of the bottom (0) */
    side: -1 | 0 | 1;
    /** cubic curve from `from` to `to` */
    c1: Point;
    c2: Point;
    /** where its value is written */
    label: Point;
}
export interface Layout {
    nodes: Placed[];
    wires: Drawn[];
    width: number;
    height: number;
}

const isSide = (wire: GraphWire): boolean => wire.port !== "out" && wire.port !== "";

/** Nodes in the order records meet them; what is in a cycle or apart comes in text order. */
export function flowOrder(graph: PipelineGraph): GraphNode[] {
    const waiting = new Map<string, number>();
    for (const wire of graph.wires) waiting.set(wire.to, (waiting.get(wire.to) ?? 0) + 1);
    const byLine = [...graph.nodes].sort((a, b) => a.line - b.line);
    const out: GraphNode[] = [];
    const done = new Set<string>();
    while (out.length < byLine.length) {
        const next =
            byLine.find((node) => !done.has(node.id) && (waiting.get(node.id) ?? 0) === 0) ??
            byLine.find((node) => !done.has(node.id))!;
        done.add(next.id);
        out.push(next);
        for (const wire of graph.wires) if (wire.from === next.id) waiting.set(wire.to, waiting.get(wire.to)! - 1);
    }
    return out;
}

/** The value of a straight wire stands in its middle; of one that fans out near its end, where the
 * wires of one node are apart. */
function curve(from: Point, to: Point, side: number, fans: boolean): { c1: Point; c2: Point; label: Point } {
    const reach = Math.max(24, Math.abs(to.y - from.y) / 2);
    const c1 = side ? { x: to.x, y: from.y } : { x: from.x, y: from.y + reach };
    const c2 = { x: to.x, y: to.y - reach };
    const t = fans ? 0.78 : 0.5;
    const u = 1 - t;
    const at = (a: number, b: number, c: number, d: number): number =>
        u * u * u * a + 3 * u * u * t * b + 3 * u * t * t * c + t * t * t * d;
    return { c1, c2, label: { x: at(from.x, c1.x, c2.x, to.x), y: at(from.y, c1.y, c2.y, to.y) } };
}

export function layoutGraph(graph: PipelineGraph): Layout {
    const g = new dagre.graphlib.Graph({ multigraph: true });
    g.setGraph({ rankdir: "TB", nodesep: GAP_NODE, ranksep: GAP_RANK, marginx: 8, marginy: 8 });
    g.setDefaultEdgeLabel(() => ({}));
    const ordered = flowOrder(graph);
    for (const node of ordered) g.setNode(node.id, { width: NODE_WIDTH, height: NODE_HEIGHT });
    for (const wire of graph.wires) g.setEdge(wire.from, wire.to, { weight: isSide(wire) ? 1 : 8, minlen: 1 }, wire.id);
    dagre.layout(g);

    const nodes = ordered.map((node, order) => {
        const at = g.node(node.id);
        return { node, order, x: at.x - NODE_WIDTH / 2, y: at.y - NODE_HEIGHT / 2 };
    });
    const place = new Map(nodes.map((placed) => [placed.node.id, placed]));
    const wires: Drawn[] = [];
    for (const wire of graph.wires) {
        const a = place.get(wire.from);
        const b = place.get(wire.to);
        if (!a || !b) continue;
        // By the side only when the target lies beyond that side; else the curve would loop back.
        const apart = Math.abs(b.x - a.x) > NODE_WIDTH / 2 + 12;
        const side = isSide(wire) && apart ? (b.x < a.x ? -1 : 1) : 0;
        const from = side
            ? { x: side < 0 ? a.x : a.x + NODE_WIDTH, y: a.y + NODE_HEIGHT / 2 }
            : { x: a.x + NODE_WIDTH / 2, y: a.y + NODE_HEIGHT };
        const to = { x: b.x + NODE_WIDTH / 2, y: b.y };
        const fans = graph.wires.filter((other) => other.from === wire.from).length > 1;
        wires.push({ wire, from, to, side, ...curve(from, to, side, fans) });
    }
    const size = g.graph();
    return { nodes, wires, width: size.width ?? 0, height: size.height ?? 0 };
}

export const curvePath = (wire: Drawn): string =>
    `M${wire.from.x},${wire.from.y} C${wire.c1.x},${wire.c1.y} ${wire.c2.x},${wire.c2.y} ${wire.to.x},${wire.to.y}`;

/** The short text of the last record on a wire: its first fields, or the value itself. */
export function lastText(last: unknown, limit = 30): string {
    if (last === undefined || last === null) return "";
    let text: string;
    if (typeof last === "object" && !Array.isArray(last)) {
        const parts = Object.entries(last as Record<string, unknown>)
            .filter(([, value]) => typeof value !== "object" && !isTime(value)) // a time says little here
            .map(([key, value]) => `${key} ${short(value)}`);
        text = "";
        for (const part of parts) {
            if (text && text.length + part.length + 3 > limit) break;
            text = text ? `${text}  ${part}` : part;
        }
    } else text = short(last);
    return text.length > limit ? `${text.slice(0, limit - 1)}…` : text;
}

const isTime = (value: unknown): boolean => typeof value === "string" && /^\d{4}-\d\d-\d\dT/.test(value);

function short(value: unknown): string {
    if (typeof value === "number") return String(Number.isInteger(value) ? value : Number(value.toPrecision(5)));
    if (typeof value === "string" && isTime(value)) return value.slice(11, 19);
    return typeof value === "string" ? value : JSON.stringify(value);
}

/** What a stage is called where several have the same keyword: "into uns", "from mqtt". */
export function stageName(node: GraphNode | undefined, id: string): string {
    if (!node) return id;
    const first = node.label.split(/\s/)[0] ?? "";
    return /^(into|from|ask|on|late|error)/.test(node.kind) && first && first !== node.kind ? `${node.kind} ${first}` : node.kind;
}
