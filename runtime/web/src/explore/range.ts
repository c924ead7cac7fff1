// explore/range.ts: which stretch of time the history shows. It is in the address: `range=1h` follows the
// time, `from=...&to=...` (ms) stands still: somebody zoomed or chose it. Pure.

export interface Range {
    id: string;
    label: string;
    ms: number;
}
export const ranges: Range[] = [
    { id: "15m", label: "15 min", ms: 900_000 },
    { id: "1h", label: "1 h", ms: 3_600_000 },
    { id: "8h", label: "8 h", ms: 28_800_000 },
    { id: "24h", label: "24 h", ms: 86_400_000 },
    { id: "7d", label: "7 d", ms: 604_800_000 },
];
const PRESET = ranges[0]!;
const LEAST_MS = 1000;
const MOST_MS = 20 * 365 * 86_400_000;

export interface View {
    /** null: it follows the time, `ms` long */
    from: number | null;
    to: number;
    ms: number;
    id: string;
}

/** What the address asks for; what is not understood is the first range. */
export function viewOf(range: string, from: string, to: string): View {
    const [a, b] = [Number(from), Number(to)];
    if (from !== "" && to !== "" && Number.isFinite(a) && Number.isFinite(b) && a > 0 && b - a >= 1 && b - a <= MOST_MS)
        return { from: a, to: b, ms: b - a, id: `${a}-${b}` };
    const found = ranges.find((one) => one.id === range) ?? PRESET;
    return { from: null, to: 0, ms: found.ms, id: found.id };
}

/** The stretch in ms as it is now. */
export const spanOf = (view: View, now: number): [number, number] => (view.from === null ? [now - view.ms, now] : [view.from, view.to]);

/** Grows or shrinks around the middle, by the share that is wanted; at least a second. */
export function scaled([from, to]: [number, number], by: number): [number, number] {
    const half = Math.min(MOST_MS, Math.max(LEAST_MS, (to - from) * by)) / 2;
    const middle = (from + to) / 2;
    return [Math.round(middle - half), Math.round(middle + half)];
}

/** Earlier (-1) or later (1) by half of what is seen. */
export function moved([from, to]: [number, number], way: number): [number, number] {
    const by = Math.round(((to - from) / 2) * way);
    return [from + by, to + by];
}

/** Local time for `<input type="datetime-local">`, to the second. */
export function localText(ms: number): string {
    const date = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
    return date.toISOString().slice(0, 19);
}
export const localMs = (text: string): number => new Date(text).getTime();
