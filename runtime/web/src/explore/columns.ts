// explore/columns.ts: from the server's history to what the chart draws: columns, gaps, bad stretches.
import type { History } from "../core/api";

/** A stretch of time, ms. */
export interface Span {
    from: number;
    to: number;
}
/** One series for the chart: columns of equal length, times in seconds as uPlot wants them. */
export interface Columns {
    t: ArrayLike<number>;
    last: ArrayLike<number | null>;
    min: ArrayLike<number | null>;
    max: ArrayLike<number | null>;
    /** no good value holds */
    gaps: Span[];
    /** samples came, and not all of them were good */
    bad: Span[];
}

const sourceMs: Record<string, number> = { points: 0, minutes: 60_000, hours: 3_600_000 };

function addSpan(list: Span[], from: number, to: number): void {
    const last = list[list.length - 1];
    if (to <= from) return;
    if (last && from <= last.to) last.to = Math.max(last.to, to);
    else list.push({ from, to });
}

/**
 * Columns of an answer. A value holds until the next one: from before the range, and to `untilMs` behind
 * the last one. A bucket whose samples are all bad is a gap, and so is the time behind one that ends with
 * a bad sample.
 */
export function toColumns(history: History, untilMs = history.to): Columns {
    const step = history.raw ? 0 : Math.max(history.bucket_ms, sourceMs[history.source ?? "points"] ?? 0);
    const out = { t: [] as number[], last: [] as (number | null)[], min: [] as (number | null)[], max: [] as (number | null)[] };
    const gaps: Span[] = [];
    const bad: Span[] = [];
    const end = Math.min(untilMs, history.to);
    const put = (ms: number, last: number | null, min = last, max = last): void => {
        out.t.push(ms / 1000);
        out.last.push(last);
        out.min.push(min);
        out.max.push(max);
    };
    const first = history.t[0];
    if (history.before !== null && (first === undefined || first > history.from)) put(history.from, history.before);
    history.t.forEach((ms, at) => {
        const all = history.count[at]! > 0 && history.bad[at]! >= history.count[at]!;
        const next = history.t[at + 1] ?? end;
        const over = Math.min(ms + step, next);
        if (all) put(ms, null);
        else put(ms, history.last[at]!, history.min[at]!, history.max[at]!);
        if (all) addSpan(gaps, ms, over);
        if (history.bad[at]! > 0) addSpan(bad, ms, over);
        if (!history.gap[at]) return;
        if (!all && next > over) put(over > ms ? over : (ms + next) / 2, null);
        addSpan(gaps, over, next);
        addSpan(bad, over, next);
    });
    const last = out.last[out.last.length - 1];
    if (typeof last === "number" && out.t[out.t.length - 1]! * 1000 < end) put(end, last);
    return { ...out, gaps, bad };
}

/** Least and greatest of several series, with room around; null when there is no number. */
export function bounds(series: readonly Pick<Columns, "last" | "min" | "max">[]): [number, number] | null {
    let lo = Infinity;
    let hi = -Infinity;
    for (const { min, max } of series)
        for (let i = 0; i < min.length; i++) {
            const [least, most] = [min[i], max[i]];
            if (least !== null && least !== undefined && least < lo) lo = least;
            if (most !== null && most !== undefined && most > hi) hi = most;
        }
    if (lo > hi) return null;
    const room = (hi - lo) * 0.06 || Math.abs(hi) * 0.05 || 1;
    return [lo - room, hi + room];
}

/** The row at a time in seconds, or -1. Times rise. */
export function rowAt(t: ArrayLike<number>, wanted: number): number {
    let lo = 0;
    let hi = t.length - 1;
    while (lo < hi) {
        const middle = (lo + hi) >> 1;
        if (t[middle]! < wanted) lo = middle + 1;
        else hi = middle;
    }
    return t[lo] === wanted ? lo : -1;
}
