// explore/tail.ts: what came after the last answer of the server: the live edge of a chart. Bounded.
import type { Columns } from "./columns";

const POINTS_MAX = 4000;

export class Tail {
    private t: number[] = [];
    private v: (number | null)[] = [];

    /** Times in ms; those that do not rise are left out. */
    push(at: number, value: number | null): void {
        if (this.t.length > 0 && at <= this.t[this.t.length - 1]!) return;
        if (this.t.length >= POINTS_MAX) {
            this.t.splice(0, POINTS_MAX / 2);
            this.v.splice(0, POINTS_MAX / 2);
        }
        this.t.push(at);
        this.v.push(value);
    }

    /** The columns with what came after them; what the answer already has is forgotten. */
    after(columns: Columns, toMs: number): Columns {
        const lastMs = Math.max(toMs, columns.t.length ? columns.t[columns.t.length - 1]! * 1000 : 0);
        const keep = this.t.findIndex((at) => at > lastMs);
        const cut = keep < 0 ? this.t.length : keep;
        this.t.splice(0, cut);
        this.v.splice(0, cut);
        if (this.t.length === 0) return columns;
        const more = <T,>(list: ArrayLike<T>, tail: T[]): T[] => [...Array.from(list), ...tail];
        return {
            ...columns,
            t: more(columns.t, this.t.map((at) => at / 1000)),
            last: more(columns.last, this.v),
            min: more(columns.min, this.v),
            max: more(columns.max, this.v),
        };
    }
}
