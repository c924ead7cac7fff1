// tests/tools/deploy.mjs: `tutti deploy` against a running server, both with sanitizers.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { folder, sanitized, test, tutti } from "./lib.mjs";

const dir = folder();
const password = "correct-horse-battery";
let server, url;

/** Starts a server on free ports and waits until the administrator can sign in. */
async function start() {
    const child = spawn(sanitized, ["serve", "--data", `${dir.path}/data`, "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--engine", "interp"], {
        cwd: dir.path, env: { ...process.env, TUTTI_ADMIN_PASSWORD: password }, stdio: ["ignore", "pipe", "pipe"] });
    process.on("exit", () => child.kill("SIGKILL"));
    child.said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (d) => (child.said += d));
    child.gone = new Promise((resolve) => child.on("exit", (code, signal) => resolve(code ?? signal)));
    const end = Date.now() + 60000;
    for (;;) {
        assert.ok(Date.now() < end && child.exitCode === null, `no server: ${child.said}`);
        await new Promise((r) => setTimeout(r, 20));
        const port = /http_port=(\d+)/.exec(child.said)?.[1];
        if (!port) continue;
        url = `http://127.0.0.1:${port}`;
        const login = await fetch(`${url}/api/v1/auth/login`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ name: "admin", password, bearer: true }) }).catch(() => null);
        if (login?.ok) return Object.assign(child, { token: (await login.json()).token });
    }
}

async function get(path) {
    const answer = await fetch(`${url}/api/v1/${path}`, { headers: { authorization: `Bearer ${server.token}` } });
    return answer.json();
}

const program = (extra = "", window = "10s") => `pipeline press {
  from mqtt "plant/press" as json { ts: time, machine: string(8), temp: f64 }
  time ts order 1s
  ${extra}
  window tumble ${window} by machine { n = count() }
  into uns "press/{machine}"
  on error into dead
}
`;

/** `env` as a script would set it; by default the right one. */
function deploy(args, { input = "", env = { TUTTI_PASSWORD: password } } = {}) {
    return tutti(["deploy", ...args], { input, cwd: dir.path, env: { PATH: process.env.PATH, TUTTI_URL: url, ...env } });
}

test("deploy: asks, and changes nothing without a yes", async () => {
    server = await start();
    dir.file("press.tutti", program());
    const no = deploy(["press.tutti"], { input: "n\n" });
    assert.equal(no.code, 3, no.err);
    assert.match(no.out, /press\.tutti, new there:\npipeline press: added\n/);
    assert.match(no.out, /nothing was changed/);
    const silent = deploy(["press.tutti"]);
    assert.equal(silent.code, 2);
    assert.match(silent.err, /say --yes/);
    assert.deepEqual((await get("pipelines")).pipelines, []);
    const yes = deploy(["press.tutti"], { input: "y\n" });
    assert.equal(yes.code, 0, yes.err);
    assert.match(yes.out, /\] press: version 1, running\n/);
    assert.equal((await get("pipelines/press")).version, 1);
});

test("deploy: says which state is kept and which is dropped, and --diff only says it", async () => {
    dir.file("press.tutti", program("where temp > 1"));
    const kept = deploy(["--diff", "press.tutti"]);
    assert.equal(kept.code, 0, kept.err);
    assert.match(kept.out, /press\.tutti over version 1:\n.*\n.*window.*: kept/);
    dir.file("press.tutti", program("", "20s"));
    const json = JSON.parse(deploy(["--diff", "--json", "press.tutti"]).out)[0];
    assert.equal(json.changes.pipelines[0].state[0].fate, "dropped");
    assert.equal(json.changes.pipelines[0].state[0].why, "its length changes from 10s to 20s");
    assert.deepEqual(json.deployed, []);
    assert.equal((await get("pipelines/press")).version, 1);
});

test("deploy: --yes deploys, the same text again changes nothing", async () => {
    const first = deploy(["--yes", "--json", "press.tutti"]);
    assert.equal(first.code, 0, first.err);
    assert.deepEqual(JSON.parse(first.out)[0].deployed, [{ pipeline: "press", state: "running", version: 2 }]);
    const again = deploy(["--yes", "press.tutti"]);
    assert.equal(again.code, 0);
    assert.match(again.out, /runs already, as version 2/);
    assert.equal((await get("pipelines/press")).version, 2);
});

test("deploy: files a program uses go along", async () => {
    dir.file("lib.tutti", "fn twice(x: f64) -> f64 = x * 2\n");
    dir.file("uses.tutti", 'use "lib.tutti"\npipeline uses {\n  from mqtt "u" as json { v: f64 }\n  let w = twice(v)\n  into uns "uses"\n  on error into dead\n}\n');
    const run = deploy(["--yes", "uses.tutti"]);
    assert.equal(run.code, 0, run.err);
    assert.equal((await get("pipelines/uses")).state, "running");
});

test("deploy: a stopped pipeline stays stopped", async () => {
    await fetch(`${url}/api/v1/pipelines/uses/stop`, { method: "POST", headers: { authorization: `Bearer ${server.token}`, "content-type": "application/json" }, body: "{}" });
    dir.file("uses.tutti", readFileSync(`${dir.path}/uses.tutti`, "utf8").replace("twice(v)", "twice(v) + 1"));
    const run = deploy(["--yes", "uses.tutti"]);
    assert.equal(run.code, 0, run.err);
    assert.match(run.out, /uses: version 2, stopped/);
});

test("deploy: wrong programs, names of others, and a pipeline that cannot run end with 1", () => {
    dir.file("bad.tutti", program("where nosuch > 1"));
    const bad = deploy(["--yes", "bad.tutti"]);
    assert.equal(bad.code, 1);
    assert.match(bad.err, /bad\.tutti:4:9/);
    dir.file("other.tutti", program());
    const taken = deploy(["--yes", "other.tutti"]);
    assert.equal(taken.code, 1);
    assert.match(taken.err, /pipeline press belongs to press\.tutti there/);
    dir.file("f.c", "double f(double x) { return x; }\n");
    dir.file("c.tutti", 'extern c "f.c" { pure fn f(x: f64) -> f64 }\npipeline c { from mqtt "c" as json { v: f64 } let w = f(v) into uns "c" on error into dead }\n');
    const c = deploy(["--yes", "c.tutti"]); // the server's compiler refuses what ours takes
    assert.equal(c.code, 1);
    assert.match(c.err, /c\.tutti:1:\d+: error C004/);
});

test("deploy: nobody signed in, a wrong password, no server, no sense: 2", () => {
    const without = deploy(["--yes", "press.tutti"], { env: {} });
    assert.equal(without.code, 2);
    assert.match(without.err, /TUTTI_TOKEN/);
    assert.equal(deploy(["--yes", "press.tutti"], { env: { TUTTI_PASSWORD: "no" } }).code, 2);
    assert.equal(deploy(["--yes", "press.tutti"], { env: { TUTTI_TOKEN: "no" } }).code, 2);
    assert.equal(deploy(["--yes", "press.tutti"], { env: { TUTTI_TOKEN: server.token } }).code, 0);
    assert.equal(deploy(["--yes", "--to", "http://127.0.0.1:9", "press.tutti"]).code, 2);
    assert.equal(deploy(["--yes", "--to", "127.0.0.1", "press.tutti"]).code, 2);
    assert.equal(deploy([]).code, 2);
    assert.equal(deploy(["--json", "press.tutti"]).code, 2);
});

test("deploy: the server ends clean", async () => {
    server.kill("SIGTERM");
    assert.equal(await server.gone, 0, server.said);
});
