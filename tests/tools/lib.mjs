// tests/tools/lib.mjs: runs the command, counts tests, finds programs.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const top = fileURLToPath(new URL("../..", import.meta.url));
const release = join(process.env.BUILD ?? join(top, "build"), "tutti");
export const sanitized = join(process.env.ASAN_BUILD ?? join(top, "build-asan"), "tutti");

const tests = [];
export function test(name, fn) {
    tests.push({ name, fn });
}

export async function runAll(only) {
    let passed = 0;
    let failed = 0;
    for (const { name, fn } of tests) {
        if (only && !name.includes(only)) continue;
        try {
            await fn();
            passed++;
        } catch (error) {
            failed++;
            console.log(`FAILED ${name}\n${error.stack}\n`);
        }
    }
    console.log(`${passed} passed, ${failed} failed`);
    return failed ? 1 : 0;
}

/** Runs `tutti ARGS`: { code, out, err }. The sanitized one, unless the native compiler has to run. */
export function tutti(args, { input = "", cwd, env, native = false } = {}) {
    const run = spawnSync(native ? release : sanitized, args, { input, cwd, env, encoding: "utf8", maxBuffer: 256 << 20 });
    if (run.error) throw run.error;
    if (run.signal || /AddressSanitizer|runtime error:/.test(run.stderr))
        throw new Error(`tutti ${args.join(" ")}: ${run.signal ?? ""}\n${run.stderr.slice(0, 4000)}`);
    return { code: run.status, out: run.stdout, err: run.stderr };
}

/** A folder of its own that goes with the process. */
export function folder() {
    const path = mkdtempSync(join(tmpdir(), "tutti-tools-"));
    process.on("exit", () => rmSync(path, { recursive: true, force: true }));
    return {
        path,
        file(name, text) {
            writeFileSync(join(path, name), text);
            return join(path, name);
        },
        read: (name) => readFileSync(join(path, name), "utf8"),
    };
}

/** The texts as files of a folder of their own, under their names. */
export function write(texts) {
    const root = folder().path;
    for (const [name, text] of texts) {
        mkdirSync(dirname(join(root, name)), { recursive: true });
        writeFileSync(join(root, name), text);
    }
    return root;
}

/** What `tutti fmt` makes of each text. Lines at its end go, so one that stays as it is does not parse. */
export function laidOut(texts) {
    const root = write([...texts].map(([name, text]) => [name, `${text}\n\n\n`]));
    tutti(["fmt", "."], { cwd: root });
    const laid = new Map();
    for (const [name, text] of texts) {
        const now = readFileSync(join(root, name), "utf8");
        if (now !== `${text}\n\n\n`) laid.set(name, now);
    }
    return laid;
}

/** All programs below folders of the tree, as { path, text }. */
export function programs(...folders) {
    const found = [];
    const walk = (at) => {
        for (const entry of readdirSync(join(top, at), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
            const path = `${at}/${entry.name}`;
            if (entry.isDirectory()) walk(path);
            else if (entry.name.endsWith(".tutti")) found.push({ path, text: readFileSync(join(top, path), "utf8") });
        }
    };
    folders.forEach(walk);
    return found;
}

/** Random numbers that come again with the same seed (xorshift32). */
export function random(seed) {
    let state = seed >>> 0 || 1;
    return (below) => {
        state ^= state << 13;
        state >>>= 0;
        state ^= state >>> 17;
        state ^= state << 5;
        state >>>= 0;
        return state % below;
    };
}
