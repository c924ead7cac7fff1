import { beforeAll, describe, expect, it, vi } from "vitest";

// The modules read the address and listen on the page at load; node has neither.
beforeAll(() => {
    const listen = { addEventListener: () => undefined };
    vi.stubGlobal("location", { pathname: "/", search: "", protocol: "http:", host: "x" });
    vi.stubGlobal("history", { pushState: () => undefined, replaceState: () => undefined });
    vi.stubGlobal("document", { ...listen, hidden: false });
    vi.stubGlobal("matchMedia", () => ({ ...listen, matches: false }));
    vi.stubGlobal("addEventListener", () => undefined);
});

describe("keys", () => {
    it("every action has its own key, a label, and no key hides a longer one", async () => {
        const { actions } = await import("@/core/keys");
        const keys = actions.map((action) => action.keys);
        expect(new Set(keys).size).toBe(keys.length);
        expect(new Set(actions.map((action) => action.id)).size).toBe(actions.length);
        for (const action of actions) {
            expect(action.label.length).toBeGreaterThan(2);
            const first = action.keys.split(" ")[0]!;
            if (first !== action.keys) expect(keys).not.toContain(first);
        }
    });
    it("reads single keys, keys with ctrl, and two keys one after the other", async () => {
        const { KeyReader, keyName } = await import("@/core/keys");
        const reader = new KeyReader();
        const id = (name: string, now: number) => {
            const found = reader.read(name, now);
            return found && found !== "prefix" ? found.id : found;
        };
        expect(id("ctrl-k", 0)).toBe("menu");
        expect(id("g", 10)).toBe("prefix");
        expect(id("u", 20)).toBe("go.uns");
        expect(id("u", 30)).toBeNull();
        expect(id("g", 40)).toBe("prefix");
        expect(id("p", 5000)).toBe("logs.pause"); // too late for "g p"
        const event = { key: "K", ctrlKey: false, metaKey: true, shiftKey: false, altKey: false };
        expect(keyName(event)).toBe("ctrl-k");
        expect(keyName({ ...event, key: "?", metaKey: false, shiftKey: true })).toBe("?");
        expect(keyName({ ...event, key: "L", shiftKey: true })).toBe("ctrl-shift-l");
    });
    it("the last handler wins and can be taken back; an unknown action is refused", async () => {
        const { available, handle, run } = await import("@/core/keys");
        const ran: string[] = [];
        const back = handle("search", () => ran.push("page"));
        const inner = handle("search", () => ran.push("inner"));
        run("search");
        inner();
        run("search");
        expect(available().map((a) => a.id)).toContain("search");
        back();
        expect(run("search")).toBe(false);
        expect(ran).toEqual(["inner", "page"]);
        expect(() => handle("no.such", () => undefined)).toThrow();
    });
});

describe("format", () => {
    it("ages and sizes as people read them", async () => {
        const { ageText, bytesText, shortNumber, numberText, valueText } = await import("@/core/format");
        expect([0, 999, 1000, 59_999, 60_000, 3_600_000, 90_000_000].map(ageText)).toEqual(["now", "now", "1 s", "59 s", "1 min", "1 h", "1 d"]);
        expect([0, 999, 1500, 18_234_567, 2e12].map(bytesText)).toEqual(["0 B", "999 B", "1.5 KB", "18.2 MB", "2.0 TB"]);
        expect([0, 3.21, 1204.5, 12_400, 881_234, 3_100_000].map(shortNumber)).toEqual(["0", "3.2", "1,205", "12.4k", "881k", "3.1M"]);
        expect(numberText(1e-9, 3)).toBe("1.000e-9");
        expect(valueText(null, 0)).toBe("–");
        expect(valueText(true, 0)).toBe("true");
        expect(valueText(71, 2)).toBe("71.00");
    });
});

describe("pages' logic", () => {
    it("state of a value: bad before stale, stale when the link is lost or it is old", async () => {
        const { stateOf } = await import("@/live/values");
        const sample = { value: 1, quality: 0 as const, at: 1000 };
        expect(stateOf(sample, 2000, 30_000, true)).toBe("good");
        expect(stateOf(sample, 31_001, 30_000, true)).toBe("stale");
        expect(stateOf(sample, 2000, 30_000, false)).toBe("stale");
        expect(stateOf({ ...sample, quality: 1 }, 2000, 30_000, true)).toBe("uncertain");
        expect(stateOf({ ...sample, quality: 2 }, 99_000, 30_000, false)).toBe("bad");
        expect(stateOf({ ...sample, quality: 3 }, 2000, 30_000, true)).toBe("never");
    });
    it("labels of a widget leave out the levels that all paths share", async () => {
        const { ownPart } = await import("@/pages/own-part");
        const all = ["plant/a/press-01/rpm", "plant/a/press-02/rpm"];
        expect(all.map((path) => ownPart(path, all))).toEqual(["press-01", "press-02"]);
        expect(ownPart("a/b", ["a/b"])).toBe("b");
        expect(ownPart("a/x/1", ["a/x/1", "a/y/2"])).toBe("x/1");
    });
    it("strength of a password grows with length and variety", async () => {
        const { strength } = await import("@/core/strength");
        expect(strength("short")).toBe(0);
        expect(strength("aaaaaaaaaaaa")).toBe(1);
        expect(strength("Correct-Horse-42-battery")).toBe(4);
        expect(strength("abcdefgh")).toBeLessThan(strength("abcdefgh-IJKL-1234"));
    });
});

describe("what needs attention", () => {
    it("names a connection of a program by its address, and a pipeline that waits", async () => {
        const { attention } = await import("@/pages/attention");
        const link = { name: "meter-0-1", stored: false, kind: "modbus", url: "modbus://10.0.0.7:502", state: "failed" as const, error: "timed out" };
        const pipeline = { name: "copy", state: "running", error: "cannot write out.ndjson: No space left on device", error_rate: 0 };
        const rows = attention({ stats: null, connections: [link, { ...link, name: "plc", stored: true, state: "degraded" }], pipelines: [pipeline as never] });
        expect(rows.map((r) => r.text)).toEqual([
            "The connection to modbus://10.0.0.7:502 has no link.",
            "Pipeline copy waits.",
            "Connection plc answers only in part.",
        ]);
        expect(rows[1]!.detail).toBe(pipeline.error);
    });
});
