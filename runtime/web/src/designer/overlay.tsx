// designer/overlay.tsx: the values on all wires, painted on one canvas at most once per frame and only
// when a frame of data came or the view moved. Hidden when zoomed out below 40 %, culled to the view.
import { useStoreApi } from "@xyflow/react";
import { useEffect, useRef } from "preact/hooks";
import { ageText, shortNumber } from "../core/format";
import type { GraphLive, WireLive } from "../live/graph";
import { link, staleMs } from "../live/socket";
import { colour, themeVersion } from "../theme/theme";
import { lastText, type Drawn } from "./layout";

const LEAST_ZOOM = 0.4;
const LINE = 15;

/** What is written on a wire; also what the outline reads out. */
export function wireText(wire: WireLive | undefined, age: number | null): { rate: string; value: string } {
    if (!wire) return { rate: "–", value: "" };
    const rate = `${shortNumber(wire.rate)}/s`;
    const value = wire.last !== undefined ? lastText(wire.last) : wire.last_text ? lastText(wire.last_text) : "";
    return { rate, value: value || (age !== null && wire.rate === 0 ? ageText(age) : "") };
}

export function Overlay(props: { wires: Drawn[]; live: GraphLive; shown: boolean }) {
    const canvas = useRef<HTMLCanvasElement>(null);
    const store = useStoreApi();
    useEffect(() => {
        let waiting = 0;
        const paintSoon = (): void => {
            waiting ||= requestAnimationFrame(() => {
                waiting = 0;
                paint();
            });
        };
        const paint = (): void => {
            const element = canvas.current;
            const context = element?.getContext("2d");
            if (!element || !context) return;
            const { transform, width, height } = store.getState();
            const scale = devicePixelRatio || 1;
            if (element.width !== Math.round(width * scale) || element.height !== Math.round(height * scale)) {
                element.width = Math.round(width * scale);
                element.height = Math.round(height * scale);
            }
            context.setTransform(1, 0, 0, 1, 0, 0);
            context.clearRect(0, 0, element.width, element.height);
            if (!props.shown || transform[2] < LEAST_ZOOM) return;
            context.setTransform(scale, 0, 0, scale, 0, 0);
            paintAll(context, transform, width, height, props.wires, props.live);
        };
        const stops = [
            store.subscribe(paintSoon),
            props.live.seq.subscribe(paintSoon),
            link.subscribe(paintSoon),
            themeVersion.subscribe(paintSoon),
        ];
        const timer = setInterval(paintSoon, 1000);
        paintSoon();
        return () => {
            stops.forEach((stop) => stop());
            clearInterval(timer);
            cancelAnimationFrame(waiting);
        };
    }, [props.wires, props.live, props.shown]);
    return <canvas ref={canvas} class="overlay" aria-hidden="true" />;
}

function paintAll(
    context: CanvasRenderingContext2D,
    [dx, dy, zoom]: [number, number, number],
    width: number,
    height: number,
    wires: Drawn[],
    live: GraphLive,
): void {
    const size = Math.max(9.5, Math.min(13, 12 * zoom));
    const line = (LINE * size) / 12;
    context.textBaseline = "middle";
    const up = link.peek().state === "up";
    for (const drawn of wires) {
        const x = drawn.label.x * zoom + dx;
        const y = drawn.label.y * zoom + dy;
        if (x < -200 || y < -40 || x > width + 200 || y > height + 40) continue;
        const data = live.wires[drawn.wire.id];
        const age = data ? live.age(data) : null;
        const { rate, value } = wireText(data, age);
        const stale = !up || (age !== null && age > staleMs.peek());
        const failing = (data?.errors ?? 0) > 0 || (drawn.wire.port === "error" && (data?.rate ?? 0) > 0);
        context.font = `550 ${size}px "Inter Variable", system-ui, sans-serif`;
        const rateWidth = context.measureText(rate).width;
        context.font = `400 ${size}px "Inter Variable", system-ui, sans-serif`;
        const valueWidth = value ? context.measureText(value).width + 8 : 0;
        const wide = rateWidth + valueWidth + 12;
        const left = x - wide / 2;
        context.beginPath();
        context.roundRect(left, y - line / 2 - 1, wide, line + 2, 4);
        context.fillStyle = colour("surface");
        context.fill();
        context.strokeStyle = failing ? colour("alarm-1") : colour("line");
        context.lineWidth = 1;
        context.stroke();
        context.fillStyle = failing ? colour("bad") : stale ? colour("text-3") : colour("text");
        context.font = `550 ${size}px "Inter Variable", system-ui, sans-serif`;
        context.fillText(rate, left + 6, y + 0.5);
        if (!value) continue;
        context.font = `400 ${size}px "Inter Variable", system-ui, sans-serif`;
        context.fillStyle = colour(stale ? "text-3" : "text-2");
        context.fillText(value, left + 6 + rateWidth + 8, y + 0.5);
    }
}
