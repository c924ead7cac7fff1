// tests/ui/dev/fake.mjs: a small stand-in of the server, only for working on pages before or without
// the real one. No test uses it. `node fake.mjs [PORT]`, serves runtime/web/dist and made-up data.
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { text, graph } from "./sample.mjs";

const port = Number(process.argv[2] ?? 8099);
const dist = new URL("../../../runtime/web/dist/", import.meta.url).pathname;
const started = Date.now();
let setup = true;
let signedIn = false;
const user = { id: "1", name: "admin", roles: ["view", "operate", "engineer", "admin"] };

const values = new Map();
const history = new Map();
const states = ["RUN", "RUN", "RUN", "IDLE", "FAULT"];
let publishes = 0;
function put(path, value, quality = 0) {
    values.set(path, { value, quality, at: Date.now(), seq: ++publishes });
    if (typeof value !== "number") return;
    const list = history.get(path) ?? [];
    list.push([Date.now(), value]);
    if (list.length > 5000) list.shift();
    history.set(path, list);
}
function step(n = 0) {
    for (let i = 1; i <= 12; i++) {
        if (n > 20 && (i === 11 || (n + i) % 3)) continue;
        const base = `plant/berlin/press-${String(i).padStart(2, "0")}`;
        put(`${base}/temp`, Math.round((70 + i + 4 * Math.sin(n / 20 + i) + Math.random()) * 100) / 100);
        put(`${base}/pressure`, Math.round((3 + Math.sin(n / 33 + i) * 0.4) * 1000) / 1000, i === 4 ? 1 : 0);
        put(`${base}/rpm`, 1480 + Math.round(20 * Math.sin(n / 9 + i)));
        put(`${base}/state`, states[(Math.floor(n / 50) + i) % 5], i === 7 ? 2 : 0);
        put(`acme/berlin/press-${String(i).padStart(2, "0")}/stats/avg`, 160 + i + Math.sin(n / 50));
    }
}
for (let n = 0; n < 20; n++) step(n);
for (const [path, list] of history) history.set(path, Array.from({ length: 600 }, (_, k) => [started - (600 - k) * 6000, list[0][1] + 3 * Math.sin(k / 30) + Math.random() + (k === 300 ? 40 : 0)]));
let tick = 21;
setInterval(() => step(tick++), 250);

const summary = (name, more = {}) => ({
    name, state: "running", version: 3, since: started, error: null, in: publishes, out: Math.floor(publishes * 0.7), filtered: 120, late: 3,
    errors: 0, held: 14, in_rate: 1204.5, out_rate: 12.1, error_rate: 0, ...more,
});
const pipelines = () => [
    summary("press_stats", { errors: 37, error_rate: 0.4 }), summary("press_units"), summary("energy_hourly", { in_rate: 3.2, out_rate: 0 }),
    summary("erp_orders", { state: "failed", error: "connection erp refused: no route to host", in_rate: 0, out_rate: 0 }), summary("archive", { state: "stopped", in_rate: 0, out_rate: 0 }),
];
const nodeOf = (path) => ({ path, name: path.split("/").pop(), children: 0, has_value: values.has(path) });
function full(path) {
    const v = values.get(path);
    return { ...nodeOf(path), value: v.value, type: typeof v.value === "number" ? "number" : "text", quality: ["good", "uncertain", "bad"][v.quality], reason: v.quality === 2 ? "sensor open" : null,
        ts: new Date(v.at).toISOString(), received: v.at, age_ms: Date.now() - v.at, stale: false, count: v.seq, publisher: "press-sim", first: started, sampled: typeof v.value === "number" };
}
const logs = () => Array.from({ length: 60 }, (_, i) => ({ id: 1000 - i, time: Date.now() - i * 2100, level: i % 9 === 4 ? "error" : i % 5 === 2 ? "warn" : "info", module: ["engine", "uns", "connectors", "mqtt"][i % 4], message: `record set aside: bad_json at byte ${i * 3}`, detail: { pipeline: "press_stats", line: i } }));
const widgets = [
    { id: "a", type: "state", title: "Machine states", paths: [...Array(12)].map((_, i) => `plant/berlin/press-${String(i + 1).padStart(2, "0")}/state`), x: 0, y: 0, w: 12, h: 2 },
    { id: "b", type: "trend", title: "Temperature press-01", paths: ["plant/berlin/press-01/temp"], unit: "degC", x: 0, y: 2, w: 6, h: 4 },
    { id: "c", type: "table", title: "Pressures", paths: [...Array(6)].map((_, i) => `plant/berlin/press-${String(i + 1).padStart(2, "0")}/pressure`), x: 6, y: 2, w: 3, h: 4 },
    { id: "d", type: "bar", title: "Speed", paths: [...Array(6)].map((_, i) => `plant/berlin/press-${String(i + 1).padStart(2, "0")}/rpm`), x: 9, y: 2, w: 3, h: 4 },
];

function answer(method, path, query) {
    if (path === "auth/state") return { setup, user: signedIn ? user : null };
    if (path === "auth/setup" || path === "auth/login") { setup = false; signedIn = true; return { user, expires: 0 }; }
    if (path === "auth/logout") { signedIn = false; return {}; }
    if (!signedIn) return null;
    if (path === "uns") {
        const paths = new Set();
        for (const p of values.keys()) p.split("/").forEach((_, i, all) => paths.add(all.slice(0, i + 1).join("/")));
        return { prefix: "", nodes: [...paths].sort().map(nodeOf), total: paths.size, more: false };
    }
    if (path === "uns/stats") return { paths: values.size, values: values.size, publishes, rejected_paths: 0, stale: 5, samples_written: publishes, samples_waiting: 0, history_bytes: 18234567 };
    if (path === "uns/search") return { nodes: [...values.keys()].filter((p) => query.get("q").split(" ").every((w) => p.includes(w))).slice(0, 12).map(nodeOf), total: 1, more: false };
    if (path.startsWith("uns/value/")) return full(decodeURIComponent(path.slice(10)));
    if (path.startsWith("uns/history/")) {
        const list = history.get(decodeURIComponent(path.slice(12))) ?? [];
        return { path, from: Date.now() - 3600_000, to: Date.now(), bucket_ms: 6000, raw: false, before: null, t: list.map((p) => p[0]), min: list.map((p) => p[1] - 1), max: list.map((p) => p[1] + 1), last: list.map((p) => p[1]), count: list.map(() => 3), bad: list.map(() => 0) };
    }
    if (path === "pipelines") return { pipelines: pipelines() };
    const detail = /^pipelines\/([^/]+)$/.exec(path);
    if (detail) return { ...(pipelines().find((p) => p.name === detail[1]) ?? summary(detail[1])), text, graph, problems: [] };
    if (path === "connectors") return { connections: [{ name: "plc_north", kind: "modbus", url: "modbus://10.0.0.7:502", state: "failed", latency_ms: null, tags: 12, rate: 0, error: "no answer within 2 s", next_try: Date.now() + 4000 }, { name: "broker", kind: "mqtt", address: "127.0.0.1:1883", state: "connected", latency_ms: 1, tags: 40, rate: 120, last_error: null, next_try: null }] };
    if (path === "logs") return { lines: logs().filter((l) => l.message.includes(query.get("q") ?? "")) };
    if (path === "modules") return { modules: ["engine", "uns", "connectors"].map((name) => ({ name, doc: "", state: "up" })) };
    if (path === "dashboards/overview") return { name: "overview", title: "Overview", version: 1, generated: true, definition: { columns: 12, widgets } };
    return undefined;
}

const server = createServer((request, response) => {
    const url = new URL(request.url, "http://x");
    response.setHeader("Content-Security-Policy", "default-src 'self'; connect-src 'self' ws:; frame-ancestors 'none'");
    if (url.pathname.startsWith("/api/v1/")) {
        const body = answer(request.method, url.pathname.slice(8), url.searchParams);
        response.statusCode = body === null ? 401 : body === undefined ? 404 : 200;
        response.setHeader("Content-Type", "application/json");
        return response.end(JSON.stringify(body ?? { error: { code: "NOT_FOUND", text: "nothing there" } }));
    }
    const types = { js: "text/javascript", css: "text/css", svg: "image/svg+xml", woff2: "font/woff2" };
    const type = types[url.pathname.split(".").pop()];
    response.setHeader("Content-Type", type ?? "text/html; charset=utf-8");
    try { response.end(readFileSync(dist + (type ? url.pathname : "index.html"))); } catch { response.statusCode = 404; response.end(); }
});

function frameOf(message) {
    const data = Buffer.from(JSON.stringify(message));
    const head = data.length < 126 ? Buffer.from([0x81, data.length]) : data.length < 65536 ? Buffer.from([0x81, 126, data.length >> 8, data.length & 255]) : Buffer.from([0x81, 127, 0, 0, 0, 0, ...new Uint8Array(new Uint32Array([data.length]).buffer).reverse()]);
    return Buffer.concat([head, data]);
}
function* messages(buffer) {
    let at = 0;
    while (at + 6 <= buffer.length) {
        let length = buffer[at + 1] & 127, head = 2;
        if (length === 126) { length = buffer.readUInt16BE(at + 2); head = 4; }
        const mask = buffer.subarray(at + head, at + head + 4);
        const data = Buffer.from(buffer.subarray(at + head + 4, at + head + 4 + length)).map((b, i) => b ^ mask[i % 4]);
        if ((buffer[at] & 15) === 1) yield JSON.parse(data.toString());
        at += head + 4 + length;
    }
}
function startWatch(send, m) {
    const index = new Map(); const sent = new Map(); let seq = 0;
    const run = () => {
        const wanted = [...values.keys()].filter((p) => m.paths.some((w) => w === p || w === "#" || (w.endsWith("/#") && p.startsWith(w.slice(0, -1)))));
        const add = [], v = [];
        for (const path of wanted) {
            const value = values.get(path);
            if (sent.get(path) === value.seq) continue;
            if (!index.has(path)) { index.set(path, index.size); add.push([index.get(path), path]); }
            sent.set(path, value.seq);
            v.push([index.get(path), value.value, value.quality, Date.now() - value.at]);
        }
        if (v.length || seq === 0) send({ ev: "values", id: m.id, seq: ++seq, time: Date.now(), full: seq === 1, skipped: 0, add, v });
    };
    run();
    return setInterval(run, 1000 / m.hz);
}
function startGraph(send, m) {
    let seq = 0;
    const run = () => {
        const g = graph.pipelines[0]; const wires = {}, nodes = {};
        g.wires.forEach((w, i) => (wires[w.id] = { rate: w.port === "error" ? 0.4 : 1204 / (i + 1), total: publishes, last: { machine: "press-07", temp: 71.2 + Math.random(), pressure: 3.41, rpm: 1480 }, age_ms: 12, errors: 0 }));
        g.nodes.forEach((n, i) => (nodes[n.id] = { in: publishes, out: publishes - i * 10, errors: i === 0 ? 37 : 0, error: i === 0 ? "bad_json: a value ends at byte 12 of the record" : null, held: n.kind === "window" ? 12 : 0 }));
        send({ ev: "graph", id: m.id, seq: ++seq, time: Date.now(), pipeline: m.pipeline, state: "running", version: 3, wires, nodes });
    };
    run();
    return setInterval(run, 1000 / m.hz);
}
server.on("upgrade", (request, socket) => {
    const accept = createHash("sha1").update(request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    const timers = new Map();
    const send = (m) => socket.writable && socket.write(frameOf(m));
    send({ ev: "hello", time: Date.now(), user, stale_ms: 10000, hz_max: 10, conn: "1" });
    socket.on("data", (data) => {
        for (const m of messages(data)) {
            if (m.op === "watch" || m.op === "watch_graph" || m.op === "unwatch") clearInterval(timers.get(m.id));
            if (m.op === "watch") timers.set(m.id, startWatch(send, m));
            if (m.op === "watch_graph") timers.set(m.id, startGraph(send, m));
            send({ re: m.id, ok: true });
        }
    });
    const end = () => timers.forEach((t) => clearInterval(t));
    socket.on("close", end); socket.on("error", end);
});
server.listen(port, "127.0.0.1", () => console.log(`http://127.0.0.1:${port}`));
