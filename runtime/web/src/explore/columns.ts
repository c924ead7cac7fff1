// explore/columns.ts: from the server's history to what the chart takes.
import type { History } from "../core/api";

/** Columns as uPlot wants them: seconds, last, min, max. */
export type Columns = [ArrayLike<number>, ArrayLike<number | null>, ArrayLike<number | null>, ArrayLike<number | null>];

/** Seconds and columns of an answer; a bucket whose samples are all bad becomes a gap. */
export function toColumns(history: History): Columns {
    const good = (column: (number | null)[]): (number | null)[] =>
        column.map((value, at) => (history.count[at]! > 0 && history.bad[at]! >= history.count[at]! ? null : value));
    return [history.t.map((ms) => ms / 1000), good(history.last), good(history.min), good(history.max)];
}
