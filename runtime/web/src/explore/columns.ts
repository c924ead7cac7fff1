// explore/columns.ts: from the server's history to what the chart takes.
import type { History } from "../core/api";

/** Columns as uPlot wants them: seconds, last, min, max. */
export type Columns = [ArrayLike<number>, ArrayLike<number | null>, ArrayLike<number | null>, ArrayLike<number | null>];

/** Seconds and columns of an answer; a bucket whose samples are all bad becomes a gap, and so does the time between
 *  buckets behind one that ends with a bad sample. */
export function toColumns(history: History): Columns {
    const [t, last, min, max]: [number[], (number | null)[], (number | null)[], (number | null)[]] = [[], [], [], []];
    const put = (ms: number, at: number | null) => {
        t.push(ms / 1000);
        last.push(at === null ? null : history.last[at]!);
        min.push(at === null ? null : history.min[at]!);
        max.push(at === null ? null : history.max[at]!);
    };
    history.t.forEach((ms, at) => {
        const bad = history.count[at]! > 0 && history.bad[at]! >= history.count[at]!;
        put(ms, bad ? null : at);
        const end = ms + history.bucket_ms;
        if (history.gap[at] && !bad && at + 1 < history.t.length && history.t[at + 1]! > end) put(end, null);
    });
    return [t, last, min, max];
}
