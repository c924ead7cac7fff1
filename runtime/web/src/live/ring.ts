// live/ring.ts: the last N samples of one number, for charts and sparks.
//
// Double-length arrays: a sample is written once, and when the end is reached the younger half is
// moved to the front. So times() and values() are always contiguous views, nothing is allocated
// after construction, and a page open for days does not grow.

export class Ring {
    private readonly t: Float64Array;
    private readonly v: Float64Array;
    private end = 0;

    constructor(readonly capacity: number) {
        if (!(capacity > 0)) throw new RangeError("ring: capacity must be positive");
        this.t = new Float64Array(capacity * 2);
        this.v = new Float64Array(capacity * 2);
    }

    get length(): number {
        return Math.min(this.end, this.capacity);
    }

    push(time: number, value: number): void {
        if (this.end === this.capacity * 2) {
            this.t.copyWithin(0, this.capacity);
            this.v.copyWithin(0, this.capacity);
            this.end = this.capacity;
        }
        this.t[this.end] = time;
        this.v[this.end] = value;
        this.end++;
    }

    /** Puts older samples in front of what is there, as many as fit. Newer ones are left out. */
    seed(times: number[], values: number[]): void {
        const [t, v] = [this.times().slice(), this.values().slice()];
        const first = t.length ? t[0]! : Infinity;
        this.end = 0;
        times.forEach((time, at) => time < first && this.push(time, values[at]!));
        t.forEach((time, at) => this.push(time, v[at]!));
    }

    clear(): void {
        this.end = 0;
    }

    /** Views, valid until the next push. */
    times(): Float64Array {
        return this.t.subarray(this.end - this.length, this.end);
    }

    values(): Float64Array {
        return this.v.subarray(this.end - this.length, this.end);
    }
}
