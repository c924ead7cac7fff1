// live/graph.ts: live wires and nodes of one pipeline (`watch_graph`). Always complete, latest wins.
// Nodes and the toolbar read signals; the wires' values are painted from `wires` by the overlay,
// which looks at `seq` to know that something is new.
import { signal, type Signal } from "@preact/signals";
import { serverNow, subscribe } from "./socket";

export interface WireLive {
    rate: number;
    total: number;
    errors: number;
    last?: unknown;
    last_text?: string;
    age_ms?: number;
}
export interface NodeLive {
    in: number;
    out: number;
    errors: number;
    error?: string | null;
    held?: number;
}
interface GraphFrame {
    seq: number;
    time: number;
    pipeline: string;
    state: string;
    version: number;
    wires: Record<string, WireLive>;
    nodes: Record<string, NodeLive>;
}

export class GraphLive {
    wires: Record<string, WireLive> = {};
    /** server time of the last frame, ms */
    time = 0;
    readonly seq = signal(0);
    readonly state = signal("");
    readonly version = signal(0);
    readonly ended = signal("");
    private readonly nodes = new Map<string, Signal<NodeLive | null>>();
    private readonly close: () => void;

    /** Without a pipeline it stands still: a graph that does not run yet. */
    constructor(pipeline: string, hz: number) {
        if (pipeline === "") {
            this.close = () => undefined;
            return;
        }
        const sub = subscribe(
            { op: "watch_graph", pipeline, hz },
            (message) => this.apply(message as unknown as GraphFrame),
            (reason) => (this.ended.value = reason),
        );
        this.close = () => sub.close();
    }

    private apply(frame: GraphFrame): void {
        this.wires = frame.wires ?? {};
        this.time = frame.time;
        this.state.value = frame.state;
        this.version.value = frame.version;
        for (const [id, node] of Object.entries(frame.nodes ?? {})) this.node(id).value = node;
        this.seq.value = frame.seq;
    }

    node(id: string): Signal<NodeLive | null> {
        let node = this.nodes.get(id);
        if (!node) this.nodes.set(id, (node = signal<NodeLive | null>(null)));
        return node;
    }

    /** age of the last record of a wire now, ms; null when none was seen */
    age(wire: WireLive): number | null {
        if (wire.age_ms === undefined || wire.age_ms === null || wire.age_ms < 0) return null;
        return wire.age_ms + Math.max(0, serverNow() - this.time);
    }

    stop(): void {
        this.close();
    }
}
