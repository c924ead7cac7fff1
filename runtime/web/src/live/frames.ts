// live/frames.ts: what a `values` frame of the WebSocket means (docs/api-live.md section 5).
// Pure: no socket, no clock, so that it is tested alone.

export type Scalar = number | string | boolean | null;
/** 0 good, 1 uncertain, 2 bad, 3 never seen */
export type Quality = 0 | 1 | 2 | 3;

export interface ValuesFrame {
    ev: "values";
    id: number;
    seq: number;
    time: number;
    full: boolean;
    skipped: number;
    /** index, path, and where it is not everybody's: ms after which its value is stale */
    add?: [number, string, number?][];
    v: [number, Scalar, Quality, number][];
}

export interface Change {
    path: string;
    value: Scalar;
    quality: Quality;
    /** server time of the value, ms since 1970; 0 when never seen */
    at: number;
    /** ms after which it is stale; 0: everybody's */
    stale: number;
}

/** One watch: which index is which path, and which frame comes next. */
export class WatchState {
    private paths = new Map<number, string>();
    private limits = new Map<number, number>();
    private seq = 0;
    skipped = 0;

    /** Changes of the frame, or null when a frame is missing and a full one must be asked for. */
    apply(frame: ValuesFrame): Change[] | null {
        if (frame.full) {
            this.paths.clear();
            this.limits.clear();
        } else if (frame.seq !== this.seq + 1) return null;
        this.seq = frame.seq;
        this.skipped = frame.skipped ?? 0;
        for (const [index, path, limit] of frame.add ?? []) {
            this.paths.set(index, path);
            if (limit) this.limits.set(index, limit);
        }
        const changes: Change[] = [];
        for (const [index, value, quality, age] of frame.v) {
            const path = this.paths.get(index);
            if (path === undefined) continue;
            changes.push({ path, value, quality, at: quality === 3 ? 0 : frame.time - age, stale: this.limits.get(index) ?? 0 });
        }
        return changes;
    }
}

/** Wait before try n (0 is the first), ms: 0.5 s, doubling to 10 s, with up to 25 % jitter. */
export function backoff(tries: number, random: () => number = Math.random): number {
    const base = Math.min(10_000, 500 * 2 ** Math.min(tries, 10));
    return Math.round(base * (1 - 0.25 * random()));
}
