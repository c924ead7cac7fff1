// tests/ui/e2e/harness.mjs: starts the real program over the demo plant and a real browser, and runs
// tests one after the other. Everything is awaited with a deadline; nothing sleeps a fixed time.
//
// While working on pages, UI_URL=http://... takes a running server instead of starting one.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { chromium } from "playwright-core";
import { freePort } from "../../e2e/lib.mjs";

export const root = new URL("../../../", import.meta.url).pathname;
const build = new URL(`${process.env.BUILD ?? "build"}/`, `file://${root}`).pathname;
export const password = "correct horse battery staple";

/** Calls `check` until it gives something true; says what was awaited when the deadline passes. */
export async function until(what, check, ms = 60_000) {
    const end = performance.now() + ms;
    for (;;) {
        const found = await check();
        if (found) return found;
        if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
}

export const equal = (got, wanted, what) => {
    if (got !== wanted) throw new Error(`${what}: got ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`);
};
export const ok = (value, what) => {
    if (!value) throw new Error(what);
};

/** The real program with an empty data folder, the demo's programs on ports of its own, and its plant. */
export class Server {
    static async start() {
        const server = new Server();
        server.url = process.env.UI_URL;
        if (server.url) return server;
        server.folder = mkdtempSync(`${tmpdir()}/tutti-ui-`);
        [server.http, server.mqtt, server.modbus] = [await freePort(), await freePort(), await freePort()];
        server.url = `http://127.0.0.1:${server.http}`;
        mkdirSync(`${server.folder}/programs`);
        for (const file of readdirSync(`${root}examples/press-line`).filter((name) => name.endsWith(".tutti"))) {
            const text = readFileSync(`${root}examples/press-line/${file}`, "utf8");
            writeFileSync(`${server.folder}/programs/${file}`, text.replaceAll("127.0.0.1:1502", `127.0.0.1:${server.modbus}`));
        }
        server.plant = [];
        server.addPlant("plant_meter", "--listen", `127.0.0.1:${server.modbus}`);
        await server.run();
        server.addPlant("plant_presses", "--broker", `127.0.0.1:${server.mqtt}`);
        return server;
    }

    addPlant(name, ...args) {
        this.plant.push(spawn(`${build}plant/${name}`, args, { stdio: "ignore" }));
    }

    async run() {
        const args = ["run", `${this.folder}/programs`, "--data", `${this.folder}/data`, "--http", `127.0.0.1:${this.http}`, "--mqtt", `127.0.0.1:${this.mqtt}`];
        this.process = spawn(`${build}tutti`, args, { stdio: ["ignore", "pipe", "pipe"], cwd: this.folder, env: { ...process.env, TUTTI_SPARKPLUG_HOST: "tutti" } });
        this.log = "";
        const keep = (data) => (this.log = (this.log + data).slice(-20_000));
        this.process.stdout.on("data", keep);
        this.process.stderr.on("data", keep);
        const child = this.process;
        child.on("exit", (code, signal) => (child.ended = signal ?? code ?? 0));
        await until("the program is ready", async () => {
            if (child.ended !== undefined) throw new Error(`the program ended (${child.ended}):\n${this.log}`);
            return fetch(`${this.url}/readyz`).then((r) => r.ok, () => false);
        });
    }

    async end(signal) {
        const child = this.process;
        if (!child || child.ended !== undefined) return;
        child.kill(signal);
        await until("the program has ended", () => child.ended !== undefined);
    }

    publish(topic, payload) {
        const done = spawnSync("mosquitto_pub", ["-h", "127.0.0.1", "-p", String(this.mqtt), "-q", "1", "-t", topic, "-m", payload]);
        equal(done.status, 0, `mosquitto_pub ${topic}: ${done.stderr}`);
    }

    async stop() {
        if (!this.process) return;
        await this.end("SIGTERM").catch(() => this.process.kill("SIGKILL"));
        for (const child of this.plant) child.kill("SIGTERM");
        rmSync(this.folder, { recursive: true, force: true });
    }
}

/** One browser page that remembers everything that went wrong on it. */
export async function openBrowser() {
    const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find((path) => existsSync(path));
    ok(executablePath, "Chromium is missing (Debian package chromium)");
    const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"];
    const browser = await chromium.launch({ executablePath, args });
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-US" });
    context.setDefaultTimeout(60_000);
    const page = await context.newPage();
    const faults = [];
    page.on("console", (message) => message.type() === "error" && faults.push(`console: ${message.text()} ${message.location().url}`));
    page.on("pageerror", (error) => faults.push(`page: ${error.message}`));
    page.on("requestfailed", (request) => request.failure()?.errorText !== "net::ERR_ABORTED" && faults.push(`request: ${request.url()} ${request.failure()?.errorText}`));
    return { browser, page, faults };
}

const tests = [];
export const test = (name, run) => tests.push({ name, run });

/** Runs all tests in order; a test that finds faults on the page has failed. */
export async function runAll() {
    const start = performance.now();
    const server = await Server.start();
    const { browser, page, faults } = await openBrowser();
    const world = { server, page, faults, url: server.url, api: (path) => page.evaluate((p) => fetch(`/api/v1/${p}`).then((r) => r.json()), path) };
    const only = process.env.UI_ONLY;
    let passed = 0;
    let failed = 0;
    for (const { name, run } of tests) {
        if (only && !name.includes(only) && !name.startsWith("welcome")) continue;
        faults.length = 0;
        const began = performance.now();
        try {
            await run(world);
            if (faults.length) throw new Error(`the page complained:\n  ${faults.join("\n  ")}`);
            passed++;
            console.log(`ok    ${name} (${Math.round(performance.now() - began)} ms)`);
        } catch (error) {
            failed++;
            console.log(`FAIL  ${name}\n      ${error.message.split("\n").join("\n      ")}`);
            const shots = new URL("../shots/", import.meta.url).pathname;
            mkdirSync(shots, { recursive: true });
            await page.screenshot({ path: `${shots}failed-${failed}.png` }).catch(() => undefined);
        }
    }
    if (failed && server.log) console.log(`--- the program's last lines\n${server.log.slice(-600)}`);
    await browser.close();
    await server.stop();
    console.log(`(${Math.round((performance.now() - start) / 1000)} s)`);
    console.log(`${passed} passed, ${failed} failed`);
    process.exitCode = failed ? 1 : 0;
}
