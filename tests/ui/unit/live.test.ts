import { describe, expect, it } from "vitest";
import { Ring } from "@/live/ring";
import { backoff, WatchState, type ValuesFrame } from "@/live/frames";

describe("ring", () => {
    it("keeps the youngest samples, in order, in views without a gap", () => {
        const ring = new Ring(4);
        expect(ring.length).toBe(0);
        // 23 pushes cross the end of the double array several times.
        for (let i = 1; i <= 23; i++) {
            ring.push(i, i * 10);
            const from = Math.max(1, i - 3);
            const wanted = Array.from({ length: i - from + 1 }, (_, k) => from + k);
            expect([...ring.times()]).toEqual(wanted);
            expect([...ring.values()]).toEqual(wanted.map((t) => t * 10));
        }
        expect(ring.length).toBe(4);
    });
    it("allocates nothing while it runs", () => {
        const ring = new Ring(8);
        const buffer = ring.times().buffer;
        for (let i = 0; i < 1000; i++) ring.push(i, i);
        expect(ring.times().buffer).toBe(buffer);
    });
    it("takes older samples in front, and none that it has", () => {
        const ring = new Ring(4);
        ring.push(10, 100);
        ring.push(11, 110);
        ring.seed([7, 8, 9, 10, 12], [70, 80, 90, 1, 2]);
        expect([...ring.times()]).toEqual([8, 9, 10, 11]);
        expect([...ring.values()]).toEqual([80, 90, 100, 110]);
        const empty = new Ring(2);
        empty.seed([1, 2, 3], [10, 20, 30]);
        expect([...empty.values()]).toEqual([20, 30]);
    });
    it("is empty after clear, and refuses no capacity", () => {
        const ring = new Ring(2);
        ring.push(1, 1);
        ring.clear();
        expect(ring.length).toBe(0);
        expect(() => new Ring(0)).toThrow(RangeError);
    });
});

const frame = (over: Partial<ValuesFrame>): ValuesFrame => ({ ev: "values", id: 1, seq: 1, time: 1000, full: false, skipped: 0, v: [], ...over });

describe("frames", () => {
    it("follows the example of docs/api-live.md", () => {
        const state = new WatchState();
        const first = state.apply(frame({
            full: true, seq: 1, time: 1795478400000,
            add: [[0, "plant/press-01/temp"], [1, "plant/press-01/state"]],
            v: [[0, 71.25, 0, 12], [1, "RUN", 0, 340]],
        }));
        expect(first).toEqual([
            { path: "plant/press-01/temp", value: 71.25, quality: 0, at: 1795478399988, stale: 0 },
            { path: "plant/press-01/state", value: "RUN", quality: 0, at: 1795478399660, stale: 0 },
        ]);
        expect(state.apply(frame({ seq: 2, time: 2000, v: [[1, "IDLE", 1, 0]] }))).toEqual([
            { path: "plant/press-01/state", value: "IDLE", quality: 1, at: 2000, stale: 0 },
        ]);
    });
    it("adds paths as they appear", () => {
        const state = new WatchState();
        state.apply(frame({ full: true, add: [[0, "a"]], v: [[0, 1, 0, 0]] }));
        expect(state.apply(frame({ seq: 2, add: [[1, "b"]], v: [[1, 2, 0, 0]] }))).toEqual([{ path: "b", value: 2, quality: 0, at: 1000, stale: 0 }]);
    });
    it("tells a gap, and goes on after a full frame", () => {
        const state = new WatchState();
        state.apply(frame({ full: true, add: [[0, "a"]], v: [[0, 1, 0, 0]] }));
        expect(state.apply(frame({ seq: 3, v: [[0, 2, 0, 0]] }))).toBeNull();
        expect(state.apply(frame({ seq: 9, full: true, skipped: 5, add: [[4, "a"]], v: [[4, 3, 0, 0]] }))).toHaveLength(1);
        expect(state.skipped).toBe(5);
        expect(state.apply(frame({ seq: 10, v: [[4, 4, 0, 0]] }))).toHaveLength(1);
    });
    it("forgets indexes at a full frame", () => {
        const state = new WatchState();
        state.apply(frame({ full: true, add: [[0, "a"]], v: [] }));
        expect(state.apply(frame({ full: true, seq: 2, add: [[1, "a"]], v: [[0, 1, 0, 0]] }))).toEqual([]);
    });
    it("a value never seen has no time", () => {
        const own = new WatchState().apply(frame({ full: true, add: [[0, "a", 500]], v: [[0, 1, 0, 0]] }));
        expect(own?.[0]?.stale).toBe(500); // where it is not everybody's
        expect(new WatchState().apply(frame({ full: true, add: [[0, "a"]], v: [[0, null, 3, -1]] }))).toEqual([{ path: "a", value: null, quality: 3, at: 0, stale: 0 }]);
    });
    it("waits 0.5 s, doubling to 10 s, with jitter", () => {
        expect([0, 1, 2, 3, 4, 5, 20].map((n) => backoff(n, () => 0))).toEqual([500, 1000, 2000, 4000, 8000, 10000, 10000]);
        expect(backoff(0, () => 1)).toBe(375);
    });
});
