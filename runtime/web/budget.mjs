// budget.mjs: what each page costs over the wire (gzip level 9, what panel PCs on plain http get).
// Prints the table and fails when a page is over its budget. Reads vite's manifest and removes it:
// it is not part of what is served.
import { readFileSync, readdirSync, renameSync } from "node:fs";
import { gzipSync } from "node:zlib";

const dist = new URL("dist/", import.meta.url).pathname;
const kept = new URL(".manifest.json", import.meta.url).pathname;
renameSync(dist + "manifest.json", kept);
const manifest = JSON.parse(readFileSync(kept, "utf8"));

const size = (file) => gzipSync(readFileSync(dist + file), { level: 9 }).length;

/** All files a chunk needs at once: itself, static imports, styles. */
function files(key, seen = new Set()) {
    const chunk = manifest[key];
    if (!chunk || seen.has(chunk.file)) return seen;
    seen.add(chunk.file);
    for (const css of chunk.css ?? []) seen.add(css);
    for (const other of chunk.imports ?? []) files(other, seen);
    return seen;
}
const sum = (set) => [...set].reduce((total, file) => total + size(file), 0);
const minus = (a, b) => new Set([...a].filter((file) => !b.has(file)));
const union = (...sets) => new Set(sets.flatMap((set) => [...set]));

/** The chunk of a source: by its name where it stands together with others. */
function keyOf(source) {
    if (manifest[source]) return source;
    const name = source.replace(/.*\//, "").replace(/\.tsx$/, "");
    const key = Object.keys(manifest).find((one) => manifest[one].isDynamicEntry && manifest[one].name === name);
    if (!key) throw new Error(`budget: no chunk for ${source}`);
    return key;
}
const entry = files("index.html");
const page = (name) => union(entry, files(keyOf(`src/${name}`)));
const designer = page("designer/designer.tsx");
const all = new Set(readdirSync(dist, { recursive: true }).map(String).filter((f) => /\.(js|css|html|woff2|svg)$/.test(f)));
const rows = [
    ["first paint", sum(union(entry, new Set(["index.html"]))), 60],
    ["home", sum(page("pages/home.tsx")), 110],
    ["explore", sum(page("explore/explore.tsx")), 110],
    ["explore, one path", sum(union(page("explore/explore.tsx"), files(keyOf("src/explore/detail.tsx")))), 110],
    ["dashboards", sum(page("pages/dashboards.tsx")), 110],
    ["pipelines", sum(page("pages/pipelines.tsx")), 70],
    ["logs", sum(page("pages/logs.tsx")), 70],
    ["sparkplug", sum(page("sparkplug/sparkplug.tsx")), 70],
    ["bridges", sum(page("bridges/bridges.tsx")), 70],
    ["designer", sum(designer), 170],
    ["new pipeline", sum(page("designer/new.tsx")), 170],
    ["designer's text, more", sum(minus(files(keyOf("src/designer/text.tsx")), designer)), 125],
    ["everything, font too", sum(all), 560],
];
let over = 0;
console.log("page                       KB gz   of");
for (const [name, bytes, limit] of rows) {
    const kb = bytes / 1000;
    if (kb > limit) over++;
    console.log(`${name.padEnd(24)} ${kb.toFixed(1).padStart(7)} ${String(limit).padStart(4)}${kb > limit ? "  OVER BUDGET" : ""}`);
}
if (over) {
    for (const file of [...all].sort((a, b) => size(b) - size(a))) console.log(`${file.padEnd(56)} ${(size(file) / 1000).toFixed(1)}`);
    process.exit(1);
}
