// ui/spark.tsx: the 60x16 line beside a value. Painted on its own small canvas, at most four times
// a second and only when its cell has a new sample; one timer paints all of them.
import { useEffect, useRef } from "preact/hooks";
import { seed } from "../live/seed";
import type { Cell } from "../live/values";
import { colour, themeVersion } from "../theme/theme";

interface Painted {
    canvas: HTMLCanvasElement;
    cell: Cell;
}

const painted = new Set<Painted>();
const WIDTH = 60;
const HEIGHT = 16;

/** Nothing to paint, nothing painted: most are empty when a page opens, and each context costs as much as a row. */
function paint({ canvas, cell }: Painted): void {
    const ring = cell.spark;
    if ((!ring || ring.length < 2) && !canvas.dataset.painted) return;
    canvas.dataset.painted = "1";
    const scale = Math.min(2, devicePixelRatio || 1);
    if (canvas.width !== WIDTH * scale) {
        canvas.width = WIDTH * scale;
        canvas.height = HEIGHT * scale;
    }
    const context = canvas.getContext("2d");
    if (!context) return;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, WIDTH, HEIGHT);
    if (!ring || ring.length < 2) return;
    const values = ring.values();
    let lo = Infinity;
    let hi = -Infinity;
    for (const value of values) {
        if (value < lo) lo = value;
        if (value > hi) hi = value;
    }
    const span = hi - lo || 1;
    const step = (WIDTH - 2) / (ring.capacity - 1);
    const left = WIDTH - 1 - step * (values.length - 1);
    context.beginPath();
    for (let i = 0; i < values.length; i++) {
        const y = hi === lo ? HEIGHT / 2 : HEIGHT - 2 - ((values[i]! - lo) / span) * (HEIGHT - 4);
        if (i === 0) context.moveTo(left, y);
        else context.lineTo(left + i * step, y);
    }
    context.strokeStyle = colour("text-3");
    context.lineWidth = 1.2;
    context.lineJoin = "round";
    context.stroke();
}

setInterval(() => {
    if (document.hidden) return;
    for (const item of painted) {
        if (!item.cell.dirty) continue;
        item.cell.dirty = false;
        seed(item.cell);
        paint(item);
    }
}, 250);
themeVersion.subscribe(() => painted.forEach(paint));

export function Spark(props: { cell: Cell }) {
    const ref = useRef<HTMLCanvasElement>(null);
    useEffect(() => {
        const item = { canvas: ref.current!, cell: props.cell };
        painted.add(item);
        seed(item.cell);
        paint(item);
        return () => void painted.delete(item);
    }, [props.cell]);
    return <canvas ref={ref} class="spark" width={WIDTH} height={HEIGHT} aria-hidden="true" />;
}
