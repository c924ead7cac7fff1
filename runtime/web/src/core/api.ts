// core/api.ts: the REST calls of docs/api-live.md, typed. One place for errors and for "the session
// has ended": a 401 sends the page to the sign-in form and keeps where the person was.
import type { Scalar } from "../live/frames";
import type { RawGraph } from "./graph";

export interface User {
    id: string;
    name: string;
    roles: string[];
}
export interface UnsNode {
    path: string;
    name: string;
    children: number;
    has_value: boolean;
    value?: Scalar;
    type?: "number" | "text" | "bool" | "null";
    quality?: "good" | "uncertain" | "bad";
    reason?: string | null;
    ts?: string | null;
    received?: number;
    age_ms?: number;
    stale?: boolean;
    count?: number;
    publisher?: string | null;
    first?: number;
    sampled?: boolean;
}
export interface UnsPage {
    nodes: UnsNode[];
    total: number;
    more: boolean;
}
export interface History {
    from: number;
    to: number;
    bucket_ms: number;
    raw: boolean;
    t: number[];
    min: (number | null)[];
    max: (number | null)[];
    last: (number | null)[];
    count: number[];
    bad: number[];
    before: number | null;
}
export interface UnsStats {
    paths: number;
    values: number;
    publishes: number;
    rejected_paths: number;
    stale: number;
    samples_written: number;
    samples_waiting: number;
    samples_dropped: number;
}
export interface Pipeline {
    name: string;
    state: "compiling" | "running" | "stopped" | "failed" | "draining";
    version: number;
    since: number;
    error: string | null;
    in: number;
    out: number;
    filtered: number;
    late: number;
    errors: number;
    held: number;
    in_rate: number;
    out_rate: number;
    error_rate: number;
}
export interface Problem {
    code: string;
    severity: "error" | "warning" | "note";
    line: number;
    column: number;
    end_line: number;
    end_column: number;
    text: string;
    help?: string | null;
}
export interface GraphNode {
    id: string;
    kind: string;
    label: string;
    line: number;
    end_line: number;
    fields: { name: string; type: string }[];
    /** why a record can fail here, by name */
    reasons: string[];
}
export interface GraphWire {
    id: string;
    from: string;
    port: string;
    to: string;
    type: "number" | "text" | "bool" | "record" | "event";
}
export interface PipelineGraph {
    name: string;
    nodes: GraphNode[];
    wires: GraphWire[];
}
export interface PipelineDetail extends Pipeline {
    text: string;
    graph: RawGraph | null;
    problems: Problem[];
}
export interface Connection {
    name: string;
    /** false: it stands in a program, and its name is that of a link */
    stored: boolean;
    kind: string;
    url: string;
    state: "idle" | "connecting" | "connected" | "degraded" | "failed";
    error?: string;
    next_try_ms?: number;
}
export interface LogLine {
    id: number;
    time: number;
    level: string;
    module: string;
    message: string;
    detail?: unknown;
}
export interface Widget {
    id: string;
    type: "value" | "trend" | "bar" | "table" | "state" | "text";
    title: string;
    paths: string[];
    unit?: string | null;
    x: number;
    y: number;
    w: number;
    h: number;
    options?: Record<string, unknown>;
}
export interface Dashboard {
    name: string;
    title: string;
    version: number;
    generated: boolean;
    definition: { columns: number; widgets: Widget[] };
}

export class ApiError extends Error {
    constructor(readonly status: number, readonly code: string, text: string) {
        super(text);
    }
}

let onSignedOut: () => void = () => undefined;
export const whenSignedOut = (fn: () => void): void => void (onSignedOut = fn);

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
    let response: Response;
    try {
        response = await fetch(`/api/v1/${path}`, {
            method,
            headers: body === undefined ? {} : { "Content-Type": "application/json" },
            body: body === undefined ? undefined : JSON.stringify(body),
        });
    } catch {
        throw new ApiError(0, "UNREACHABLE", "The server does not answer.");
    }
    const text = await response.text();
    let answer: unknown = null;
    try {
        answer = text ? JSON.parse(text) : null;
    } catch {
        throw new ApiError(response.status, "INVALID", "The server's answer is not JSON.");
    }
    if (response.ok) return answer as T;
    const error = (answer as { error?: { code?: string; text?: string } } | null)?.error;
    if (response.status === 401 && !path.startsWith("auth/")) onSignedOut();
    throw new ApiError(response.status, error?.code ?? "INTERNAL", error?.text ?? `The server answered ${response.status}.`);
}

const query = (params: Record<string, string | number | boolean | undefined>): string => {
    const text = new URLSearchParams();
    for (const [key, value] of Object.entries(params)) if (value !== undefined && value !== "") text.set(key, String(value));
    const out = text.toString();
    return out ? `?${out}` : "";
};
const inPath = (path: string): string => path.split("/").map(encodeURIComponent).join("/");

export const api = {
    authState: () => call<{ setup: boolean; user: User | null }>("GET", "auth/state"),
    setup: (password: string) => call<{ user: User }>("POST", "auth/setup", { password }),
    login: (name: string, password: string) => call<{ user: User }>("POST", "auth/login", { name, password }),
    logout: () => call<unknown>("POST", "auth/logout", {}),
    uns: (after?: string) =>
        call<UnsPage>("GET", "uns" + query({ depth: 0, limit: 5000, values: false, after })),
    unsValue: (path: string) => call<UnsNode>("GET", `uns/value/${inPath(path)}`),
    unsHistory: (path: string, from: string, pixels: number) =>
        call<History>("GET", `uns/history/${inPath(path)}` + query({ from, pixels })),
    unsSearch: (q: string, limit: number) => call<UnsPage>("GET", "uns/search" + query({ q, limit })),
    unsStats: () => call<UnsStats>("GET", "uns/stats"),
    pipelines: () => call<{ pipelines: Pipeline[] }>("GET", "pipelines"),
    pipeline: (name: string) => call<PipelineDetail>("GET", `pipelines/${encodeURIComponent(name)}`),
    pipelineDo: (name: string, verb: "start" | "stop") =>
        call<Pipeline>("POST", `pipelines/${encodeURIComponent(name)}/${verb}`, {}),
    connections: () => call<{ connections: Connection[] }>("GET", "connectors"),
    logs: (params: { q?: string; level?: string; module?: string; limit?: number; before?: number }) =>
        call<{ lines: LogLine[] }>("GET", "logs" + query(params)),
    dashboard: (name: string) => call<Dashboard>("GET", `dashboards/${encodeURIComponent(name)}`),
    modules: () => call<{ modules: { name: string; doc: string; state: string }[] }>("GET", "modules"),
};
