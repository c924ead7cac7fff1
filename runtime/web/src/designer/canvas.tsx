// designer/canvas.tsx: the compiled graph drawn with xyflow, read-only: select, pan, zoom, fit.
// Node numbers are signals bound to text, so that frames of data do not re-render the graph.
import {
    Handle, Position, ReactFlow, ReactFlowProvider, useReactFlow,
    type Edge, type EdgeProps, type Node, type NodeProps,
} from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import { useComputed } from "@preact/signals";
import { options } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { numberText } from "../core/format";
import { handle } from "../core/keys";
import type { GraphNode } from "../core/api";
import type { GraphLive } from "../live/graph";
import { Icon } from "../ui/icon";
import { curvePath, layoutGraph, NODE_HEIGHT, NODE_WIDTH, type Drawn, type Layout } from "./layout";
import { Overlay } from "./overlay";
import { kindIcon } from "./kinds";

type StageNode = Node<{ node: GraphNode; live: GraphLive; problem: boolean; sink: boolean }, "stage">;
type WireEdge = Edge<{ drawn: Drawn }, "wire">;

function Stage(props: NodeProps<StageNode>) {
    const { data } = props;
    const { node, live, problem } = data;
    const state = live.node(node.id);
    const out = useComputed(() => (state.value ? numberText(state.value.out || (data.sink ? state.value.in : 0), 0) : "–"));
    const held = useComputed(() => (state.value?.held ? `${numberText(state.value.held, 0)} held` : ""));
    const errors = useComputed(() => state.value?.errors ?? 0);
    const bad = problem || errors.value > 0;
    return (
        <div class={`stage ${bad ? "has-errors" : ""} ${props.selected ? "is-selected" : ""}`}>
            <Handle type="target" position={Position.Top} isConnectable={false} />
            <span class="stage-icon"><Icon name={kindIcon(node.kind)} size={17} /></span>
            <span class="stage-text">
                <span class="stage-head">
                    <b>{node.kind}</b>
                    <span class="num stage-count">{out}</span>
                </span>
                <span class="stage-foot">
                    <span class="cut">{node.label}</span>
                    <span class="num quiet nowrap">{held}</span>
                </span>
            </span>
            {bad && (
                <span class="stage-bad num">
                    <Icon name="triangle-alert" size={12} label="errors" /> {errors.value > 0 ? numberText(errors.value, 0) : ""}
                </span>
            )}
            <Handle type="source" position={Position.Bottom} id="out" isConnectable={false} />
            <Handle type="source" position={Position.Left} id="left" isConnectable={false} />
            <Handle type="source" position={Position.Right} id="right" isConnectable={false} />
        </div>
    );
}

// Preact writes React's `tabIndex` into SVG as it is, where names count by case: wires could not be
// reached by the tab key. Only <g> is concerned: xyflow's edges.
const before = options.vnode;
options.vnode = (vnode) => {
    const props = vnode.props as Record<string, unknown>;
    if (vnode.type === ("g" as never) && "tabIndex" in props) {
        props.tabindex = props.tabIndex;
        delete props.tabIndex;
    }
    before?.(vnode);
};

const letters: Record<string, string> = { number: "N", text: "T", bool: "B", record: "R", event: "E" };

function Wire(props: EdgeProps<WireEdge>) {
    const drawn = props.data!.drawn;
    const { type, port } = drawn.wire;
    const path = curvePath(drawn);
    return (
        <g class={`wire wire-${type} ${port === "error" ? "wire-error" : ""} ${props.selected ? "is-selected" : ""}`}>
            <path class="wire-hit react-flow__edge-interaction" d={path} />
            {type === "record" ? (
                <>
                    <path class="wire-line wire-double" d={path} />
                    <path class="wire-core" d={path} />
                </>
            ) : (
                <path class="wire-line" d={path} />
            )}
            <text
                class="wire-letter"
                text-anchor={drawn.side < 0 ? "end" : "start"}
                x={drawn.from.x + (drawn.side ? drawn.side * 8 : 6)}
                y={drawn.from.y + (drawn.side ? -5 : 12)}
            >
                {port !== "out" ? port : letters[type] ?? "R"}
            </text>
        </g>
    );
}

const nodeTypes = { stage: Stage as never };
const edgeTypes = { wire: Wire as never };

interface Props {
    graph: Parameters<typeof layoutGraph>[0];
    live: GraphLive;
    selected: string;
    badLines: (node: GraphNode) => boolean;
    onSelect: (id: string) => void;
}

function toNodes(layout: Layout, props: Props): StageNode[] {
    return layout.nodes.map(({ node, x, y }) => ({
        id: node.id,
        type: "stage",
        position: { x, y },
        width: NODE_WIDTH,
        height: NODE_HEIGHT,
        data: { node, live: props.live, problem: props.badLines(node), sink: !props.graph.wires.some((wire) => wire.from === node.id) },
        selected: node.id === props.selected,
        ariaLabel: `${node.kind} ${node.label}`,
    }));
}

function toEdges(layout: Layout, selected: string): WireEdge[] {
    return layout.wires.map((drawn) => ({
        id: drawn.wire.id,
        type: "wire",
        source: drawn.wire.from,
        target: drawn.wire.to,
        sourceHandle: drawn.side < 0 ? "left" : drawn.side > 0 ? "right" : "out",
        data: { drawn },
        selected: drawn.wire.id === selected,
        ariaLabel: `wire ${drawn.wire.port} of type ${drawn.wire.type}`,
    }));
}

function Inner(props: Props) {
    const layout = useMemo(() => layoutGraph(props.graph), [props.graph]);
    const nodes = useMemo(() => toNodes(layout, props), [layout, props.selected, props.badLines, props.live]);
    const edges = useMemo(() => toEdges(layout, props.selected), [layout, props.selected]);
    const [values, setValues] = useState(true);
    const flow = useReactFlow();
    const fit = (): void => void flow.fitView({ padding: 0.06, maxZoom: 1, minZoom: 0.45, duration: 0 });
    useEffect(() => {
        const back = [handle("graph.fit", fit), handle("graph.values", () => setValues((on) => !on))];
        return () => back.forEach((undo) => undo());
    }, []);
    return (
        <ReactFlow
            nodes={nodes}
            edges={edges}
            nodeTypes={nodeTypes}
            edgeTypes={edgeTypes}
            nodesDraggable={false}
            nodesConnectable={false}
            nodesFocusable
            edgesFocusable
            deleteKeyCode={null}
            selectionKeyCode={null}
            multiSelectionKeyCode={null}
            zoomOnDoubleClick={false}
            minZoom={0.2}
            maxZoom={1.75}
            fitView
            fitViewOptions={{ padding: 0.06, maxZoom: 1, minZoom: 0.45 }}
            proOptions={{ hideAttribution: true }}
            onNodeClick={(_, node) => props.onSelect(node.id)}
            onEdgeClick={(_, edge) => props.onSelect(edge.id)}
            onPaneClick={() => props.onSelect("")}
            onNodesChange={(changes) => changes.forEach((c) => c.type === "select" && c.selected && props.onSelect(c.id))}
            onEdgesChange={(changes) => changes.forEach((c) => c.type === "select" && c.selected && props.onSelect(c.id))}
        >
            <Overlay wires={layout.wires} live={props.live} shown={values} />
            <div class="canvas-tools">
                <button class="icon-button" aria-label="Zoom in" title="Zoom in" onClick={() => void flow.zoomIn()}><Icon name="plus" /></button>
                <button class="icon-button" aria-label="Zoom out" title="Zoom out" onClick={() => void flow.zoomOut()}><Icon name="minus" /></button>
                <button class="icon-button" aria-label="Fit the graph" title="Fit the graph (f)" onClick={fit}><Icon name="maximize" /></button>
                <button class="icon-button" aria-pressed={values} aria-label="Values on wires" title="Values on wires (v)" onClick={() => setValues(!values)}>
                    <Icon name={values ? "eye" : "eye-off"} />
                </button>
            </div>
        </ReactFlow>
    );
}

export function Canvas(props: Props) {
    return (
        <ReactFlowProvider>
            <Inner {...props} />
        </ReactFlowProvider>
    );
}
