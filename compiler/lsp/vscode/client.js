// client.js: JSON-RPC with `tutti lsp` over its pipes. No packages: the protocol is a header and JSON.
"use strict";
const { spawn } = require("node:child_process");

const HEAD_MAX = 8192;
const STARTS_MAX = 5; // in STARTS_MS: more crashes than that and it stays down
const STARTS_MS = 180000;

class Client {
    /**
     * @param {() => string} command the path of `tutti`, asked at each start
     * @param {{ notice(method: string, params: any): void, ready(): void, down(reason: string): void }} host
     */
    constructor(command, host) {
        this.command = command;
        this.host = host;
        this.starts = [];
        this.closed = false;
    }

    start() {
        const now = Date.now();
        this.starts = this.starts.filter((at) => now - at < STARTS_MS);
        if (this.starts.length >= STARTS_MAX) {
            this.host.down(`it ended ${STARTS_MAX} times in a row`);
            return;
        }
        this.starts.push(now);
        this.waiting = new Map();
        this.last = 0;
        this.input = Buffer.alloc(0);
        this.ready = false;
        const child = spawn(this.command(), ["lsp"], { stdio: ["pipe", "pipe", "pipe"] });
        this.child = child;
        this.errors = "";
        child.stdout.on("data", (data) => this.take(data));
        child.stderr.on("data", (data) => (this.errors = (this.errors + data).slice(-2000)));
        child.stdin.on("error", () => {});
        child.on("error", (error) => this.gone(child, error.message));
        child.on("exit", (code, signal) => this.gone(child, this.errors.trim() || `it ended with ${signal ?? code}`));
        this.request("initialize", {
            processId: process.pid, rootUri: null, capabilities: { general: { positionEncodings: ["utf-16"] } },
        }).then(() => {
            this.notify("initialized", {});
            this.ready = true;
            this.host.ready();
        }, () => {});
    }

    gone(child, reason) {
        if (this.child !== child) return;
        this.child = undefined;
        this.ready = false;
        for (const { fail } of this.waiting.values()) fail(new Error(reason));
        this.waiting.clear();
        if (this.closed) return;
        if (reason.includes("ENOENT")) this.host.down(reason);
        else this.start();
    }

    take(data) {
        this.input = this.input.length ? Buffer.concat([this.input, data]) : data;
        for (;;) {
            const end = this.input.indexOf("\r\n\r\n");
            if (end < 0) {
                if (this.input.length > HEAD_MAX) this.child?.kill();
                return;
            }
            const length = Number(/content-length: *(\d+)/i.exec(this.input.subarray(0, end).toString())?.[1]);
            if (!Number.isSafeInteger(length)) {
                this.child?.kill();
                return;
            }
            if (this.input.length < end + 4 + length) return;
            const body = this.input.subarray(end + 4, end + 4 + length).toString();
            this.input = this.input.subarray(end + 4 + length);
            this.message(JSON.parse(body));
        }
    }

    message(message) {
        if (message.id === undefined) {
            this.host.notice(message.method, message.params);
            return;
        }
        const one = this.waiting.get(message.id);
        if (!one) return;
        this.waiting.delete(message.id);
        if (message.error) one.fail(new Error(message.error.message));
        else one.done(message.result);
    }

    send(message) {
        if (!this.child) return;
        const body = Buffer.from(JSON.stringify({ jsonrpc: "2.0", ...message }));
        this.child.stdin.write(`Content-Length: ${body.length}\r\n\r\n`);
        this.child.stdin.write(body);
    }

    /** @returns {Promise<any>} */
    request(method, params) {
        if (!this.child) return Promise.reject(new Error("the language server does not run"));
        const id = ++this.last;
        return new Promise((done, fail) => {
            this.waiting.set(id, { done, fail });
            this.send({ id, method, params });
        });
    }

    notify(method, params) {
        this.send({ method, params });
    }

    async stop() {
        this.closed = true;
        const child = this.child;
        if (!child) return;
        const ended = new Promise((done) => child.once("exit", done));
        const late = setTimeout(() => child.kill(), 2000);
        await this.request("shutdown").catch(() => {});
        this.notify("exit");
        await ended;
        clearTimeout(late);
    }

    restart() {
        this.starts = [];
        if (this.child) this.child.kill(); // gone() starts it again
        else this.start();
    }
}

module.exports = { Client };
