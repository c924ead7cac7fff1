// core/api.ts: the REST calls of docs/api-live.md, typed. One place for errors and for "the session
// has ended": a 401 sends the page to the sign-in form and keeps where the person was.
import type { Scalar } from "../live/frames";
import type { RawGraph } from "./graph";
import type { Bridge, BridgeConf } from "../bridges/bridge";

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
    kind?: string;
    title?: string;
    unit?: string;
    stale_ms?: number;
    stale_by?: "received" | "source";
    stale_at?: number;
    meta?: Meta;
}
/** All names, short: level, name, 1 with a value, and what people call it where they do. */
export type OutlineRow = [number, string, 0 | 1, { title?: string; unit?: string }?];
export interface Outline {
    rows: OutlineRow[];
    total: number;
    more: boolean;
}
/** What people say about a name. */
export interface Meta {
    kind?: string;
    title?: string;
    unit?: string;
    description?: string;
    owner?: string;
    stale_ms?: number;
    stale_by?: "received" | "source";
    keys?: Record<string, string>;
}
export interface End {
    kind: string;
    connection?: string;
    address: string;
}
export interface Lineage {
    topic: string;
    clients: { client: string; user: string; last: number }[];
    writes: { pipeline: string; running: boolean; by: string; from: End[] }[];
    reads: { pipeline: string; running: boolean; by: string; into: End[] }[];
    complete: boolean;
}
export interface ImportTable {
    dry: boolean;
    nodes: number;
    new: number;
    changed: number;
    same: number;
    /** new ones, and new ones above those */
    made: number;
    /** as many the tree still takes */
    room?: number;
    rows: { path: string; action: "new" | "change"; line?: number; fields: string[] }[];
    errors: { line: number; column: number; text: string }[];
    error_count: number;
    warning?: string;
}
export interface Template {
    name: string;
    title: string;
    description: string;
    tags: { name: string; type: string; unit: string; title: string }[];
}
/** A type as data. */
export interface Form {
    name?: string;
    type: string;
    optional?: boolean;
    unit?: string;
    lo?: number;
    hi?: number;
    max?: number;
    names?: string[];
    fields?: Form[];
}
export interface Binding {
    filter: string;
    schema: string;
    mode: "strict" | "soft";
    version: number;
    now: number;
    checked: number;
    violations: number;
    last: number;
}
export interface SchemaOf {
    topic?: string;
    binding?: Binding;
    root?: string;
    form?: Form;
}
export interface SchemaText {
    name: string;
    version: number;
    text: string;
    closed: boolean;
    versions: { version: number; at: number; by?: string }[];
}
export interface SchemaCheck {
    ok: boolean;
    version?: number;
    problems: Problem[];
    compatible?: boolean;
    changed?: boolean;
    changes?: { field: string; compatible: boolean; text: string }[];
}
export interface Violation {
    id: number;
    at: number;
    topic: string;
    schema: string;
    version: number;
    mode: "strict" | "soft";
    client: string;
    reason: string;
    message: string;
    field: string;
    head: string;
    bytes: number;
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
    gap: boolean[];
    before: number | null;
    source?: "points" | "minutes" | "hours";
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
    file: string;
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
export interface DashboardHead {
    name: string;
    title: string;
    version: number;
    generated: boolean;
    updated?: number;
}
export interface Dashboard extends DashboardHead {
    definition: { columns: number; widgets: Widget[] };
}
export type AlarmPriority = "critical" | "high" | "medium" | "low";
export type AlarmState =
    | "normal" | "unacknowledged" | "acknowledged" | "returned" | "latched-unacknowledged" | "latched-acknowledged"
    | "shelved" | "suppressed" | "out-of-service";
export type AlarmAct =
    | "acknowledge" | "reset" | "shelve" | "unshelve" | "suppress" | "unsuppress" | "remove-from-service" | "return-to-service";
export interface Alarm {
    rule: string;
    origin?: string;
    path: string;
    state: AlarmState;
    priority: AlarmPriority;
    active: boolean;
    since: number;
    raised: number;
    raised_value: number | null;
    count: number;
    shelved_until?: number;
    value?: Scalar;
    message?: string;
    action?: string;
}
export interface AlarmCounts {
    standing: Record<AlarmPriority, number>;
    states: Record<AlarmState, number>;
}
export interface AlarmWhen {
    above?: number;
    below?: number;
    rises?: number;
    falls?: number;
    is?: (string | number | boolean)[] | string | number | boolean;
    stale_ms?: number;
    quality?: "bad";
    within_ms?: number;
    hysteresis?: number;
    for_ms?: number;
    clear_ms?: number;
}
export interface AlarmRule {
    name: string;
    on: string | string[];
    when: AlarmWhen;
    priority: AlarmPriority;
    latch?: boolean;
    message?: string;
    action?: string;
}
export interface AlarmEntry {
    id: number;
    time: number;
    rule: string;
    path: string;
    priority: AlarmPriority;
    from: AlarmState;
    to: AlarmState;
    value: number | null;
    who: string;
    text: string;
    target?: string;
    delivered?: boolean;
}
export type TargetKind = "email" | "mqtt" | "webhook";
export interface TargetState {
    queued: number;
    oldest?: number;
    sending: boolean;
    tries: number;
    next_try?: number;
    working: boolean;
    last_success?: number;
    last_error?: number;
    error?: string;
    messages: number;
    delivered: number;
    grouped: number;
    failures: number;
    refused: number;
    dropped: number;
    expired: number;
}
/** Who can be told of alarms. A null in `headers`, and no `secret`, keep what is stored. */
export interface AlarmTarget {
    name: string;
    kind: TargetKind;
    to?: string;
    subject?: string;
    topic?: string;
    retain?: boolean;
    qos?: number;
    url?: string;
    ca?: string;
    headers?: Record<string, string | null>;
    secret?: string;
    group_ms?: number;
}
export type ShownTarget = AlarmTarget & { signed?: boolean; state: TargetState };
export type RouteWhen = "raised" | "cleared" | "acknowledged" | "reset" | "shelved" | "suppressed" | "out-of-service" | "restored";
export interface AlarmRoute {
    name: string;
    on: string;
    alarms?: string[];
    priorities: AlarmPriority[];
    when: RouteWhen[];
    to: string[];
    delay_ms?: number;
    repeat_ms?: number;
    repeat_max?: number;
    escalate_ms?: number;
    escalate_to?: string;
    off?: boolean;
}
export interface AlarmStats {
    per_hour: number[];
    worst: { rule: string; path: string; count: number }[];
    ten_minutes: number;
    flood: boolean;
    lost: number;
}

export class ApiError extends Error {
    constructor(readonly status: number, readonly code: string, text: string, readonly body: unknown = null) {
        super(text);
    }
}

let onSignedOut: () => void = () => undefined;
export const whenSignedOut = (fn: () => void): void => void (onSignedOut = fn);

/** Answers asked for before the code that needs them is there, by path: what a page opens with. */
interface Early {
    answer: Promise<unknown>;
    at: number;
}
const ahead = new Map<string, Early>();
const AHEAD_MS = 5000;
const fresh = (early?: Early): early is Early => early !== undefined && performance.now() - early.at < AHEAD_MS;

/** Asks, once until somebody took the answer. */
export function askAhead(path: string): void {
    if (fresh(ahead.get(path))) return;
    const answer = ask("GET", path);
    answer.catch(() => undefined); // whoever takes it over tells
    ahead.set(path, { answer, at: performance.now() });
}

export const forgetAhead = (): void => ahead.clear();

/** Whether the html of this page asked already (hints.ts): then the browser has the answer, or soon. */
export const askedByHtml = (path: string): boolean => document.head.querySelector(`link[rel=preload][href="/api/v1/${path}"]`) !== null;

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const early = method === "GET" ? ahead.get(path) : undefined;
    ahead.delete(path);
    return (await (fresh(early) ? early.answer : ask(method, path, body))) as T;
}

async function ask(method: string, path: string, body?: unknown): Promise<unknown> {
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
        if (response.status === 413) throw new ApiError(413, "LIMIT", "This is more than the server takes at once (1 MiB).");
        throw new ApiError(response.status, "INVALID", "The server's answer is not JSON.");
    }
    if (response.ok) return answer;
    const error = (answer as { error?: { code?: string; text?: string } } | null)?.error;
    if (response.status === 401 && !path.startsWith("auth/")) onSignedOut();
    throw new ApiError(response.status, error?.code ?? "INTERNAL", error?.text ?? `The server answered ${response.status}.`, answer);
}

const query = (params: Record<string, string | number | boolean | undefined>): string => {
    const text = new URLSearchParams();
    for (const [key, value] of Object.entries(params)) if (value !== undefined && value !== "") text.set(key, String(value));
    const out = text.toString();
    return out ? `?${out}` : "";
};
const inPath = (path: string): string => path.split("/").map(encodeURIComponent).join("/");

export type SparkplugState = "unheard" | "alive" | "dead";
export interface SparkplugUnit {
    path: string;
    state: SparkplugState;
    metrics: number;
    births: number;
    deaths: number;
    messages: number;
    born: number;
    died: number;
    heard: number;
}
export interface SparkplugNode extends SparkplugUnit {
    group: string;
    node: string;
    bdseq: number;
    seq: number;
    lost: number;
    reordered: number;
    rebirths: number;
    old_deaths: number;
    unknown: number;
    why: string;
    devices: (SparkplugUnit & { device: string })[];
}
/** Our own edge node; all but `on` only when it is. */
export interface SparkplugEdge {
    on: boolean;
    address: string;
    group: string;
    node: string;
    primary: string;
    state: "away" | "waiting" | "born";
    reason: string;
    bdseq: number;
    metrics: number;
    devices: number;
    devices_dead: number;
    values: number;
    kept_bytes: number;
    kept_lost: number;
}
export interface SparkplugAll {
    host: { id: string; on: boolean; metrics: number; bad: number; over_limit: number; refused: number };
    edge: SparkplugEdge;
    nodes: SparkplugNode[];
}

export const api = {
    authState: () => call<{ setup: boolean; user: User | null }>("GET", "auth/state"),
    setup: (password: string) => call<{ user: User }>("POST", "auth/setup", { password }),
    login: (name: string, password: string) => call<{ user: User }>("POST", "auth/login", { name, password }),
    logout: () => call<unknown>("POST", "auth/logout", {}),
    /** What is right below a path, with values. */
    unsBelow: (prefix: string) => call<UnsPage>("GET", "uns" + query({ prefix, depth: 1, limit: 5000, values: true })),
    unsOutline: (after?: string, limit?: number) => call<Outline>("GET", "uns/outline" + query({ after, limit })),
    unsValue: (path: string) => call<UnsNode>("GET", `uns/value/${inPath(path)}`),
    unsHistory: (path: string, from: string | number, pixels: number, to?: number) =>
        call<History>("GET", `uns/history/${inPath(path)}` + query({ from, to, pixels })),
    unsSearch: (q: string, limit: number) => call<UnsPage>("GET", "uns/search" + query({ q, limit })),
    /** Names that the path alone does not fit: the metadata does. */
    unsSaid: (q: string) => call<UnsPage>("GET", "uns/search" + query({ q, limit: 1000, values: false, meta: true })),
    /** Paths whose value became another one in the last seconds. */
    unsChanging: (seconds: number) => call<{ paths: string[]; total: number; more: boolean }>("GET", "uns/changing" + query({ seconds })),
    unsStats: () => call<UnsStats>("GET", "uns/stats"),
    metaSet: (path: string, meta: Meta) => call<UnsNode>("PUT", `uns/meta/${inPath(path)}`, meta),
    rename: (from: string, to: string) =>
        call<{ nodes: number; retained: number; retained_left: number }>("POST", "uns/rename", { from, to }),
    lineage: (path: string) => call<Lineage>("GET", `uns/lineage/${inPath(path)}`),
    importNames: (text: string, format: "csv" | "json", dry: boolean) => call<ImportTable>("POST", "uns/import", { text, format, dry }),
    templates: () => call<{ templates: Template[] }>("GET", "uns/templates"),
    instantiate: (name: string, body: { path: string; title?: string; bind?: string; dry?: boolean }) =>
        call<ImportTable>("POST", `uns/templates/${encodeURIComponent(name)}`, body),
    schemas: () => call<{ schemas: { name: string; version: number; root: string; bindings: number }[] }>("GET", "schemas"),
    schema: (name: string, version?: number) => call<SchemaText>("GET", `schemas/${encodeURIComponent(name)}` + query({ version })),
    schemaCheck: (name: string, text: string) => call<SchemaCheck>("POST", "schemas/check", { name, text }),
    schemaSave: (name: string, text: string, incompatible: boolean) =>
        call<SchemaCheck>("PUT", `schemas/${encodeURIComponent(name)}`, { text, incompatible }),
    schemaOf: (path: string) => call<SchemaOf>("GET", `schema-of/${inPath(path)}`),
    bindings: () => call<{ bindings: Binding[] }>("GET", "schema-bindings"),
    bind: (filter: string, schema: string, mode: string) => call<unknown>("PUT", "schema-bindings", { filter, schema, mode }),
    unbind: (filter: string) => call<unknown>("DELETE", "schema-bindings" + query({ filter })),
    violations: (topic: string, limit: number) =>
        call<{ violations: Violation[]; kept: number }>("GET", "schema-violations" + query({ topic, limit })),
    pipelines: () => call<{ pipelines: Pipeline[] }>("GET", "pipelines"),
    pipeline: (name: string) => call<PipelineDetail>("GET", `pipelines/${encodeURIComponent(name)}`),
    pipelineCheck: (text: string) => call<{ ok: boolean; problems: Problem[]; graph: RawGraph | null }>("POST", "pipelines/check", { text }),
    pipelineDeploy: (file: string, text: string) => call<{ deployed: string[]; problems: Problem[] }>("POST", "pipelines", { file, text }),
    pipelineDo: (name: string, verb: "start" | "stop") =>
        call<Pipeline>("POST", `pipelines/${encodeURIComponent(name)}/${verb}`, {}),
    connections: () => call<{ connections: Connection[] }>("GET", "connectors"),
    logs: (params: { q?: string; level?: string; module?: string; limit?: number; before?: number }) =>
        call<{ lines: LogLine[] }>("GET", "logs" + query(params)),
    dashboards: () => call<{ dashboards: DashboardHead[] }>("GET", "dashboards"),
    dashboardPut: ({ name, title, version, definition }: Dashboard) =>
        call<Dashboard>("PUT", `dashboards/${encodeURIComponent(name)}`, { title, version, definition }),
    dashboardDrop: (name: string) => call<unknown>("DELETE", `dashboards/${encodeURIComponent(name)}`),
    dashboardUses: (path: string) => call<{ dashboards: { name: string; title: string; widgets: number }[] }>("GET", `dashboard-uses/${inPath(path)}`),
    dashboard: (name: string) => call<Dashboard>("GET", `dashboards/${encodeURIComponent(name)}`),
    sparkplug: () => call<SparkplugAll>("GET", "sparkplug"),
    sparkplugRebirth: (group: string, node: string) => call<unknown>("POST", "sparkplug/rebirth", { group, node }),
    bridges: () => call<{ id: string; bridges: Bridge[] }>("GET", "bridges"),
    bridgePut: ({ name, ...bridge }: BridgeConf & { password?: string }) => call<unknown>("PUT", `bridges/${encodeURIComponent(name)}`, bridge),
    bridgeTest: ({ name, ...bridge }: BridgeConf & { password?: string }) =>
        call<{ connected: boolean; ms: number; error: string }>("POST", `bridges/${encodeURIComponent(name)}/test`, bridge),
    bridgeEnable: (name: string, enabled: boolean) => call<unknown>("POST", `bridges/${encodeURIComponent(name)}/enable`, { enabled }),
    bridgeDrop: (name: string) => call<unknown>("DELETE", `bridges/${encodeURIComponent(name)}`),
    modules: () => call<{ modules: { name: string; doc: string; state: string }[] }>("GET", "modules"),
    alarms: (params: { state?: string; priority?: string; limit?: number }) =>
        call<{ alarms: Alarm[]; total: number } & AlarmCounts>("GET", "alarms" + query(params)),
    alarmAct: (body: { act: AlarmAct; alarms: { rule: string; path: string }[]; text?: string; until?: number }) =>
        call<{ done: number; refused: { rule: string; path: string; reason: string }[] }>("POST", "alarms/act", body),
    alarmRules: () => call<{ rules: { origin: string; path?: string; alarm: AlarmRule }[] }>("GET", "alarms/rules"),
    alarmPut: ({ name, ...rule }: AlarmRule) => call<unknown>("PUT", `alarms/rules/${encodeURIComponent(name)}`, rule),
    alarmRename: (name: string, to: string) => call<unknown>("POST", `alarms/rules/${encodeURIComponent(name)}/rename`, { to }),
    alarmDrop: (name: string) => call<unknown>("DELETE", `alarms/rules/${encodeURIComponent(name)}`),
    alarmJournal: (params: { rule?: string; prefix?: string; from?: string; limit?: number; before?: number }) =>
        call<{ entries: AlarmEntry[]; more: boolean }>("GET", "alarms/journal" + query(params)),
    alarmStats: () => call<AlarmStats>("GET", "alarms/stats"),
    alarmTargets: () => call<{ targets: ShownTarget[]; calls: number; uncalled: number }>("GET", "alarms/targets"),
    alarmTargetPut: ({ name, ...target }: AlarmTarget) => call<unknown>("PUT", `alarms/targets/${encodeURIComponent(name)}`, target),
    alarmTargetDrop: (name: string) => call<unknown>("DELETE", `alarms/targets/${encodeURIComponent(name)}`),
    alarmTargetTest: (name: string) =>
        call<{ delivered: boolean; ms: number; error?: string }>("POST", `alarms/targets/${encodeURIComponent(name)}/test`, {}),
    alarmRoutes: () => call<{ routes: AlarmRoute[] }>("GET", "alarms/routes"),
    alarmRoutePut: ({ name, ...route }: AlarmRoute) => call<unknown>("PUT", `alarms/routes/${encodeURIComponent(name)}`, route),
    alarmRouteDrop: (name: string) => call<unknown>("DELETE", `alarms/routes/${encodeURIComponent(name)}`),
};
