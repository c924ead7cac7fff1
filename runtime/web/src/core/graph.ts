// core/graph.ts: from the compiler's graph (`tutti graph --json`, compiler/ir/graph_json.c) to what is
// drawn. There nodes and wires count from 0 and have spans and whole types; live values call them
// n0, n1, ... and w0, w1, ...
import type { GraphNode, GraphWire, PipelineGraph } from "./api";

interface RawField {
    name: string;
    type: string;
    optional?: boolean;
    unit?: string;
    bytes?: number;
    lo?: number;
    hi?: number;
    names?: string[];
    fields?: RawField[];
}
interface RawNode {
    id: number;
    kind: string;
    label: string;
    span: { line: number; column: number; end_line: number; end_column: number };
    type: RawField[] | null;
    reasons?: string[];
}
interface RawWire {
    id: number;
    from: number;
    to: number;
    port: string;
    type: RawField[] | null;
}
export interface RawGraph {
    pipelines: { name: string; nodes: RawNode[]; wires: RawWire[] }[];
}

/** A field's type as one writes it in a program. */
export function typeText(field: RawField): string {
    let text = field.type;
    if (field.names) text += ` { ${field.names.join(", ")} }`;
    else if (field.fields) text = `{ ${field.fields.map((inner) => inner.name).join(", ")} }`;
    else if (field.bytes) text += `(${field.bytes})`;
    if (field.optional) text += "?";
    if (field.unit) text += ` [${field.unit}]`;
    if (field.lo !== undefined && field.hi !== undefined) text += ` in ${field.lo}..${field.hi}`;
    return text;
}

const scalars: Record<string, GraphWire["type"]> = { bool: "bool", string: "text", bytes: "text", enum: "text", json: "text", time: "text" };

/** A wire of one scalar looks like that scalar; what leaves by the error port is an event. */
function wireType(wire: RawWire): GraphWire["type"] {
    if (wire.port === "error") return "event";
    if (wire.type?.length !== 1) return "record";
    const only = wire.type[0]!.type;
    return scalars[only] ?? (only === "record" ? "record" : "number");
}

export function toGraph(raw: RawGraph | null, name: string): PipelineGraph | null {
    const found = raw?.pipelines.find((pipeline) => pipeline.name === name);
    if (!found) return null;
    const nodes: GraphNode[] = found.nodes.map((node) => ({
        id: `n${node.id}`,
        kind: node.kind,
        // The label of some stages begins with their keyword, which is shown beside it.
        label: node.label.startsWith(`${node.kind} `) ? node.label.slice(node.kind.length + 1) : node.label,
        line: node.span.line,
        // An end at the start of a line belongs to the line before.
        end_line: node.span.end_column <= 1 ? Math.max(node.span.line, node.span.end_line - 1) : node.span.end_line,
        fields: (node.type ?? []).map((field) => ({ name: field.name, type: typeText(field) })),
        reasons: node.reasons ?? [],
    }));
    const wires: GraphWire[] = found.wires.map((wire) => ({
        id: `w${wire.id}`,
        from: `n${wire.from}`,
        to: `n${wire.to}`,
        port: wire.port,
        type: wireType(wire),
    }));
    return { name, nodes, wires };
}
