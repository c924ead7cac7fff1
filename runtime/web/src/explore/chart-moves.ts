// explore/chart-moves.ts: zooming and panning a chart by wheel, mouse, fingers and keys. While a gesture lasts
// only the chart moves; the page is told once, when it is over. Dragging without a key zooms and is uPlot's own.
//
//   shift and drag, middle button, one finger    pan
//   wheel with ctrl (a pinch on a touchpad too), two fingers    zoom around the pointer
//   wheel with shift, sideways    pan
//   arrow keys, + and -           pan and zoom
import type uPlot from "uplot";

const LEAST_MS = 1000;
const QUIET_MS = 250;

export type Stretch = [from: number, to: number];

/** Grows (by > 1) or shrinks around a place given as a share of the width; at least a second. */
export function zoomed([from, to]: Stretch, by: number, at: number): Stretch {
    const wide = Math.max(LEAST_MS, (to - from) * by);
    const pivot = from + (to - from) * at;
    return [pivot - wide * at, pivot + wide * (1 - at)];
}

export const panned = ([from, to]: Stretch, share: number): Stretch => [from + (to - from) * share, to + (to - from) * share];

/** What two places under fingers at shares a and b of the width become when the fingers are at c and d. */
export function pinched([from, to]: Stretch, [a, b]: Stretch, [c, d]: Stretch): Stretch {
    const [low, high] = [from + (to - from) * a, from + (to - from) * b];
    if (Math.abs(d - c) < 0.02) return [from, to];
    const wide = Math.max(LEAST_MS, (high - low) / (d - c));
    return [low - wide * c, low - wide * c + wide];
}

/** What a key does; null: nothing. */
export function keyed(now: Stretch, key: string): Stretch | null {
    switch (key) {
        case "ArrowLeft":
            return panned(now, -0.25);
        case "ArrowRight":
            return panned(now, 0.25);
        case "+":
        case "=":
            return zoomed(now, 0.5, 0.5);
        case "-":
            return zoomed(now, 2, 0.5);
        default:
            return null;
    }
}

export class Moves {
    /** what is seen while a gesture lasts; null: what the page says */
    view: Stretch | null = null;
    private fingers = new Map<number, number>();
    private start: { view: Stretch; at: Stretch } | null = null;
    private timer = 0;

    constructor(private readonly u: uPlot, private readonly seen: () => Stretch, private readonly done: (from: number, to: number) => void) {
        const over = u.over;
        over.style.touchAction = "pan-y";
        // Before uPlot's own, which would begin to select.
        over.addEventListener("mousedown", this.holdSelect, { capture: true });
        over.addEventListener("pointerdown", this.down);
        over.addEventListener("pointermove", this.move);
        over.addEventListener("pointerup", this.up);
        over.addEventListener("pointercancel", this.up);
        over.addEventListener("wheel", this.wheel, { passive: false });
    }

    end(): void {
        clearTimeout(this.timer);
    }

    private share(event: { clientX: number }): number {
        const box = this.u.over.getBoundingClientRect();
        return box.width > 0 ? (event.clientX - box.left) / box.width : 0;
    }

    private show(view: Stretch): void {
        this.view = view;
        this.u.setScale("x", { min: view[0] / 1000, max: view[1] / 1000 });
    }

    private tell(): void {
        clearTimeout(this.timer);
        const view = this.view;
        this.view = null;
        this.start = null;
        if (view) this.done(Math.round(view[0]), Math.round(view[1]));
    }

    private pans = (event: PointerEvent | MouseEvent): boolean => event.button === 1 || (event.button === 0 && event.shiftKey);

    private holdSelect = (event: MouseEvent): void => {
        if (this.pans(event) || this.fingers.size > 0) event.stopImmediatePropagation();
    };

    private down = (event: PointerEvent): void => {
        if (event.pointerType === "mouse" && !this.pans(event)) return;
        event.preventDefault();
        this.u.over.setPointerCapture(event.pointerId);
        this.fingers.set(event.pointerId, this.share(event));
        this.begin();
    };

    private begin(): void {
        const [a = 0, b = a] = [...this.fingers.values()];
        this.start = { view: this.view ?? this.seen(), at: [a, b] };
    }

    private move = (event: PointerEvent): void => {
        if (!this.start || !this.fingers.has(event.pointerId)) return;
        this.fingers.set(event.pointerId, this.share(event));
        const [c = 0, d = c] = [...this.fingers.values()];
        const { view, at } = this.start;
        if (this.fingers.size > 1) this.show(pinched(view, at, [c, d]));
        else if (Math.abs(c - at[0]) > 0.005 || this.view) this.show(panned(view, at[0] - c));
    };

    private up = (event: PointerEvent): void => {
        if (!this.fingers.delete(event.pointerId)) return;
        if (this.fingers.size > 0) this.begin();
        else this.tell();
    };

    private wheel = (event: WheelEvent): void => {
        const zoom = event.ctrlKey || event.metaKey;
        const side = event.shiftKey && !event.deltaX ? event.deltaY : event.deltaX;
        if (!zoom && Math.abs(side) <= Math.abs(event.shiftKey ? 0 : event.deltaY)) return; // the page scrolls
        event.preventDefault();
        const now = this.view ?? this.seen();
        this.show(zoom ? zoomed(now, Math.exp(Math.max(-1, Math.min(1, event.deltaY / 200))), this.share(event)) : panned(now, side / Math.max(200, this.u.over.clientWidth)));
        clearTimeout(this.timer);
        this.timer = window.setTimeout(() => this.tell(), QUIET_MS);
    };
}
