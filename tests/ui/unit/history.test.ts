// What the history chart is made of: columns with gaps, the range in the address, the live edge.
import { describe, expect, it } from "vitest";
import type { History } from "../../../runtime/web/src/core/api";
import { bounds, rowAt, toColumns } from "../../../runtime/web/src/explore/columns";
import { moved, scaled, spanOf, viewOf } from "../../../runtime/web/src/explore/range";
import { Tail } from "../../../runtime/web/src/explore/tail";

const history = (change: Partial<History>): History => ({
    from: 0, to: 100_000, bucket_ms: 1000, raw: false, before: null, source: "points", gap: change.t?.map(() => false) ?? [],
    t: [], min: [], max: [], last: [], count: [], bad: [], ...change,
});
const flat = (t: number[], v: number[], bad = t.map(() => 0)) => history({ t, last: v, min: v, max: v, count: t.map(() => 1), bad });

describe("columns", () => {
    it("are seconds, in the order they came", () => {
        const { t, last, gaps, bad } = toColumns({ ...flat([1000, 2000, 3000], [1, 2, 3]), to: 3000 });
        expect([[...t as number[]], [...last as number[]], gaps, bad]).toEqual([[1, 2, 3], [1, 2, 3], [], []]);
    });

    it("hold a value: from before the range, and up to now but not into the future", () => {
        const { t, last } = toColumns({ ...flat([3000], [7]), from: 1000, to: 9000, before: 5 }, 6000);
        expect([[...t as number[]], [...last as number[]]]).toEqual([[1, 3, 6], [5, 7, 7]]);
        expect([...toColumns({ ...flat([], []), from: 1000, to: 9000, before: 5 }).last as number[]]).toEqual([5, 5]);
    });

    it("break behind a bucket that ends with a bad sample, until the next value", () => {
        const { t, last, gaps, bad } = toColumns({ ...flat([1000, 2000, 12_000], [1, 2, 3], [0, 1, 0]), count: [1, 5, 1], gap: [false, true, false], to: 12_000 });
        expect([[...t as number[]], [...last as (number | null)[]]]).toEqual([[1, 2, 3, 12], [1, 2, null, 3]]);
        expect([gaps, bad]).toEqual([[{ from: 3000, to: 12_000 }], [{ from: 2000, to: 12_000 }]]);
    });

    it("of single samples break at the bad one; what is constant is no gap", () => {
        const { last, gaps } = toColumns({ ...flat([0, 60_000, 70_000], [1, 1, 4], [0, 1, 0]), raw: true, gap: [false, true, false], to: 70_000 });
        expect([...last as (number | null)[]]).toEqual([1, null, 4]);
        expect(gaps).toEqual([{ from: 60_000, to: 70_000 }]);
    });

    it("break in a bucket whose samples are all bad, and tell each stretch that is not good once", () => {
        const mixed = history({ t: [0, 1000, 2000, 3000], last: [1, 2, 3, 4], min: [1, 2, 3, 4], max: [1, 2, 3, 4], count: [2, 2, 2, 2], bad: [0, 2, 1, 0], to: 3000 });
        const { last, bad, gaps } = toColumns(mixed);
        expect([...last as (number | null)[]]).toEqual([1, null, 3, 4]);
        expect([bad, gaps]).toEqual([[{ from: 1000, to: 3000 }], [{ from: 1000, to: 2000 }]]);
    });

    it("have bounds with room, of the least and the greatest, and none when there is no number", () => {
        expect(bounds([{ last: [5], min: [0], max: [100] }, { last: [50], min: [-100], max: [50] }])).toEqual([-112, 112]);
        expect(bounds([{ last: [null], min: [null], max: [null] }])).toBeNull();
        const [lo, hi] = bounds([{ last: [7], min: [7], max: [7] }])!;
        expect(lo < 7 && hi > 7).toBe(true);
    });

    it("are found by their time", () => {
        expect([1, 4, 9].map((wanted) => rowAt([1, 4, 9], wanted))).toEqual([0, 1, 2]);
        expect([rowAt([1, 4, 9], 5), rowAt([], 5)]).toEqual([-1, -1]);
    });
});

describe("range", () => {
    it("follows the time, or stands still when the address has two times", () => {
        expect(spanOf(viewOf("8h", "", ""), 100_000_000)).toEqual([71_200_000, 100_000_000]);
        expect(spanOf(viewOf("8h", "5000", "6000"), 100_000_000)).toEqual([5000, 6000]);
        for (const [from, to] of [["x", "6"], ["9", "8"], ["-5", "8"], ["5", ""]]) expect(viewOf("", from!, to!).id).toBe("15m");
    });

    it("is zoomed around its middle, to a second at least, and moved by a half", () => {
        expect(scaled([10_000, 20_000], 2)).toEqual([5000, 25_000]);
        expect(scaled([10_000, 10_400], 0.5)).toEqual([9700, 10_700]);
        expect([moved([10_000, 20_000], 1), moved([10_000, 20_000], -1)]).toEqual([[15_000, 25_000], [5000, 15_000]]);
    });
});

describe("tail", () => {
    it("goes on after the answer, and forgets what the next answer has", () => {
        const tail = new Tail();
        [[1000, 1], [2000, 2], [2000, 9], [3000, null]].forEach(([at, value]) => tail.push(at!, value as number | null));
        const first = tail.after(toColumns({ ...flat([500, 1000], [0, 1]), to: 1000 }), 1500);
        expect([[...first.t as number[]], [...first.last as (number | null)[]]]).toEqual([[0.5, 1, 2, 3], [0, 1, 2, null]]);
        const next = toColumns({ ...flat([500, 1000, 2000, 3000], [0, 1, 2, 3]), to: 3000 });
        expect(tail.after(next, 3500)).toBe(next);
    });

    it("does not grow without end", () => {
        const tail = new Tail();
        for (let at = 1; at <= 10_000; at++) tail.push(at, at);
        const { t } = tail.after(toColumns(flat([], [])), 0);
        expect(t.length).toBeLessThanOrEqual(4000);
        expect(t[t.length - 1]).toBe(10);
    });
});
