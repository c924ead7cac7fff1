// live/seed.ts: gives sparks their past, so that a page shows a line at once and not after a minute.
//
// A spark asks when it is first drawn. A few questions are open at a time, and a path that scrolled
// away before its turn is not asked for.
import { api } from "../core/api";
import { SPARK_POINTS, type Cell } from "./values";
import { Ring } from "./ring";

const OPEN_MAX = 3;
const SPAN = "-5m";
const waiting: Cell[] = [];
const asked = new WeakSet<Cell>();
let open = 0;

async function ask(cell: Cell): Promise<void> {
    const history = await api.unsHistory(cell.path, SPAN, SPARK_POINTS);
    const times: number[] = [];
    const values: number[] = [];
    history.last.forEach((value, at) => {
        if (value === null) return;
        times.push(history.t[at]!);
        values.push(value);
    });
    if (!values.length) return;
    cell.spark ??= new Ring(SPARK_POINTS);
    cell.spark.seed(times, values);
    cell.dirty = true;
}

function next(): void {
    while (open < OPEN_MAX && waiting.length) {
        const cell = waiting.pop()!; // the last one asked for is most likely still in sight
        if (!cell.watchers) {
            asked.delete(cell);
            continue;
        }
        open++;
        void ask(cell)
            .catch(() => undefined) // no history, no past
            .finally(() => {
                open--;
                next();
            });
    }
}

/** Once for each cell that shows numbers. */
export function seed(cell: Cell): void {
    if (asked.has(cell) || typeof cell.sample.peek().value !== "number") return;
    asked.add(cell);
    waiting.push(cell);
    next();
}
