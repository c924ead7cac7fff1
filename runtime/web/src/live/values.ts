// live/values.ts: the last value of every path somebody on this page looks at.
//
// A Cell is one path. Its signal is bound to text nodes, so a value that changes ten times a second
// never re-renders a component. Cells live while a watch holds them, and a bounded number after.
import { computed, signal, type ReadonlySignal } from "@preact/signals";
import { WatchState, type Change, type Quality, type Scalar, type ValuesFrame } from "./frames";
import { Ring } from "./ring";
import { link, serverNow, staleMs, subscribe, type Subscription } from "./socket";
import { ageText, valueText } from "../core/format";

export type State = "good" | "uncertain" | "stale" | "bad" | "never";
export interface Sample {
    value: Scalar;
    quality: Quality;
    at: number;
}

const NEVER: Sample = { value: null, quality: 3, at: 0 };
export const SPARK_POINTS = 60;
const CELLS_KEPT = 6000;

/** Server time, once a second: ages and staleness count on without frames. */
export const clock = signal(serverNow());
setInterval(() => (clock.value = serverNow()), 1000);

export class Cell {
    readonly sample = signal<Sample>(NEVER);
    readonly state: ReadonlySignal<State>;
    readonly text: ReadonlySignal<string>;
    readonly age: ReadonlySignal<string>;
    spark: Ring | null = null;
    /** set on every new sample; the painter of sparks clears it */
    dirty = false;
    /** ms after which its value is stale; 0: everybody's */
    readonly staleAfter = signal(0);
    watchers = 0;
    /** of its value, once somebody knows it */
    readonly unit = signal("");
    private decimals = 0;

    constructor(readonly path: string) {
        this.state = computed(() => stateOf(this.sample.value, clock.value, this.staleAfter.value || staleMs.value, link.value.state === "up"));
        this.text = computed(() => valueText(this.sample.value.value, this.decimals));
        this.age = computed(() => {
            const { at, quality } = this.sample.value;
            return quality === 3 ? "" : ageText(Math.max(0, clock.value - at));
        });
    }

    set(value: Scalar, quality: Quality, at: number): void {
        // Two watches of this page may both bring the same sample.
        const old = this.sample.peek();
        if (old.value === value && old.quality === quality && Math.abs(old.at - at) < 3) return;
        if (typeof value === "number") {
            // As many decimals as the value ever needed (3 at most), so that it does not jump in width.
            if (this.decimals < 3 && !Number.isInteger(value)) this.decimals = Math.max(this.decimals, decimalsOf(value));
            this.spark ??= new Ring(SPARK_POINTS);
            this.spark.push(at, value);
        }
        this.dirty = true;
        this.sample.value = { value, quality, at };
    }
}

function decimalsOf(value: number): number {
    for (let d = 1; d < 3; d++) if (Math.abs(value * 10 ** d - Math.round(value * 10 ** d)) < 1e-6) return d;
    return 3;
}

export function stateOf(sample: Sample, now: number, stale: number, up: boolean): State {
    if (sample.quality === 3) return "never";
    if (sample.quality === 2) return "bad";
    if (!up || now - sample.at > stale) return "stale";
    return sample.quality === 1 ? "uncertain" : "good";
}

const cells = new Map<string, Cell>();

export function cellOf(path: string): Cell {
    let cell = cells.get(path);
    if (!cell) {
        if (cells.size >= CELLS_KEPT) for (const [key, old] of cells) if (old.watchers === 0) cells.delete(key);
        cell = new Cell(path);
        cells.set(path, cell);
    }
    return cell;
}

export interface Watch {
    update(paths: string[]): void;
    close(): void;
}

/** Keeps the cells of these paths live. onChange is called once a frame with what changed. */
export function watchPaths(paths: string[], hz: number, onChange?: (changes: Change[]) => void): Watch {
    let state = new WatchState();
    let held: Cell[] = [];
    let sub: Subscription | null = null;
    let current = "";

    const hold = (list: string[]): void => {
        const old = held;
        held = list.filter((path) => !path.endsWith("#")).map(cellOf);
        for (const cell of held) cell.watchers++;
        for (const cell of old) cell.watchers--;
    };
    const frame = (message: unknown): void => {
        const changes = state.apply(message as ValuesFrame);
        if (!changes) {
            sub?.snapshot();
            return;
        }
        for (const { path, value, quality, at, stale } of changes) {
            const cell = cellOf(path);
            cell.staleAfter.value = stale;
            cell.set(value, quality, at);
        }
        onChange?.(changes);
    };
    const update = (list: string[]): void => {
        const key = list.join("\n");
        if (key === current) return;
        current = key;
        hold(list);
        state = new WatchState();
        if (list.length === 0) {
            sub?.close();
            sub = null;
        } else if (sub) {
            sub.update({ op: "watch", paths: list, hz });
        } else {
            sub = subscribe({ op: "watch", paths: list, hz }, frame);
        }
    };
    update(paths);
    return {
        update,
        close() {
            hold([]);
            sub?.close();
            sub = null;
        },
    };
}
