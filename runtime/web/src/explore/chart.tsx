// explore/chart.tsx: series over time by uPlot. The last value of each bucket is a line; from its least to
// its greatest value goes a bar, so that a spike is seen at any zoom. Series of one unit share a scale.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { numberText } from "../core/format";
import { keyed, Moves } from "./chart-moves";
import { bounds, rowAt, type Columns } from "./columns";
import { colour, themeVersion } from "../theme/theme";
import { useSize } from "../ui/hooks";

export interface Plotted extends Columns {
    label: string;
    unit: string;
}
interface Props {
    series: Plotted[];
    from: number;
    to: number;
    height?: number;
    label: string;
    /** a stretch was dragged, ms */
    onZoom?: (from: number, to: number) => void;
}

const font = "12px Inter Variable, system-ui, sans-serif";
const LEGEND = 34;
/** More units than these are drawn to scales of their own, without an axis. */
const AXES_MAX = 3;
const STRIP = 5;

function axisNumber(value: number, step: number): string {
    const decimals = Math.max(0, Math.min(6, Math.ceil(-Math.log10(step) - 1e-9)));
    return numberText(value, decimals);
}

const timeAxis: uPlot.Axis.Values = [
    [3600 * 24, "{YYYY}-{MM}-{DD}", null, null, null, null, null, null, 1],
    [3600, "{HH}:{mm}", "\n{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
    [60, "{HH}:{mm}", null, null, "\n{MM}-{DD}", null, null, null, 1],
    [1, "{HH}:{mm}:{ss}", null, null, "\n{MM}-{DD}", null, null, null, 1],
    [0.001, "{HH}:{mm}:{ss}.{fff}", null, null, null, null, null, null, 1],
];

export const seriesColour = (at: number): string => `series-${(at % 8) + 1}`;
const scaleOf = (unit: string): string => `y ${unit}`;
const plain = (value: number): string => numberText(value, Math.abs(value) >= 1000 ? 1 : 3).replace(/([.,]\d*?)0+$/, "$1").replace(/[.,]$/, "");

/** What the legend says of a row: the last value, and from where to where when it moved. */
function legendText(one: Plotted | undefined, time: number | undefined, value: number | null | undefined): string {
    if (!one || value === null || value === undefined || time === undefined) return "–";
    const at = rowAt(one.t, time);
    const [min, max] = [one.min[at], one.max[at]];
    const unit = one.unit ? ` ${one.unit}` : "";
    return plain(value) + unit + (typeof min === "number" && typeof max === "number" && min < max ? `, ${plain(min)} to ${plain(max)}` : "");
}

/** Grey where no good value holds, and the bar of each bucket, below the lines. */
function drawUnder(u: uPlot, series: Plotted[]): void {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.fillStyle = colour("raised");
    for (const { from, to } of series[0]?.gaps ?? []) {
        const left = u.valToPos(from / 1000, "x", true);
        ctx.fillRect(left, bbox.top, u.valToPos(to / 1000, "x", true) - left, bbox.height);
    }
    const wide = Math.max(1, Math.round(devicePixelRatio || 1));
    series.forEach((one, at) => {
        ctx.fillStyle = colour(seriesColour(at)) + "80";
        for (let i = 0; i < one.t.length; i++) {
            const [min, max] = [one.min[i], one.max[i]];
            if (typeof min !== "number" || typeof max !== "number" || min === max) continue;
            const top = u.valToPos(max, scaleOf(one.unit), true);
            ctx.fillRect(Math.round(u.valToPos(one.t[i]!, "x", true)), top, wide, u.valToPos(min, scaleOf(one.unit), true) - top);
        }
    });
    ctx.restore();
}

/** A strip at the foot, one above the other for each series, where quality was not good. */
function drawOver(u: uPlot, series: Plotted[]): void {
    const { ctx, bbox } = u;
    const high = STRIP * (devicePixelRatio || 1);
    ctx.save();
    ctx.fillStyle = colour("alarm-1");
    series.forEach((one, at) => {
        for (const { from, to } of one.bad) {
            const left = Math.max(bbox.left, u.valToPos(from / 1000, "x", true));
            const right = Math.min(bbox.left + bbox.width, u.valToPos(to / 1000, "x", true));
            if (right >= left) ctx.fillRect(left, bbox.top + bbox.height - high * (at + 1), Math.max(2, right - left), high - 1);
        }
    });
    ctx.restore();
}

function options(width: number, height: number, now: () => Props): uPlot.Options {
    const { series } = now();
    const axis: uPlot.Axis = {
        stroke: colour("text-3"),
        grid: { stroke: colour("line"), width: 1 },
        ticks: { stroke: colour("line"), width: 1, size: 4 },
        font,
    };
    const units = [...new Set(series.map((one) => one.unit))];
    const scales: uPlot.Scales = { x: { time: true } };
    for (const unit of units)
        scales[scaleOf(unit)] = { range: () => bounds(now().series.filter((one) => one.unit === unit)) ?? [0, 1] };
    return {
        width,
        height,
        cursor: {
            y: false,
            points: { size: 6 },
            drag: { x: now().onZoom !== undefined, y: false, setScale: false },
            bind: { dblclick: () => null },
        },
        legend: { live: true },
        scales,
        axes: [
            { ...axis, space: 74, values: timeAxis },
            ...units.slice(0, AXES_MAX).map((unit, at) => ({
                ...axis,
                scale: scaleOf(unit),
                side: (at === 0 ? 3 : 1) as uPlot.Axis.Side,
                grid: at === 0 ? axis.grid : { show: false },
                size: 60,
                ...(unit ? { label: unit, labelSize: 20, labelFont: font } : {}),
                values: (_: uPlot, splits: number[], __: number, ___: number, step: number) => splits.map((v) => axisNumber(v, step)),
            })),
        ],
        series: [
            { label: "Time", value: (_, v) => (v === null || v === undefined ? "–" : new Date(v * 1000).toLocaleString()) },
            ...series.map((one, at) => ({
                label: one.label,
                scale: scaleOf(one.unit),
                stroke: colour(seriesColour(at)),
                width: 1.5,
                dash: at >= 4 ? [6, 3] : undefined,
                spanGaps: false,
                paths: uPlot.paths.stepped!({ align: 1 }), // a value holds until the next one
                points: { size: 4 },
                value: (u: uPlot, v: number | null, _: number, row: number | null) => legendText(now().series[at], row === null ? undefined : u.data[0][row], v),
            })),
        ],
        hooks: {
            drawAxes: [(u) => drawUnder(u, now().series)],
            draw: [(u) => drawOver(u, now().series)],
            setSelect: [
                (u) => {
                    if (u.select.width < 4) return;
                    const [from, to] = [u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")];
                    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
                    now().onZoom?.(Math.round(from * 1000), Math.round(to * 1000));
                },
            ],
        },
    };
}

function dataOf(series: Plotted[]): uPlot.AlignedData {
    if (series.length === 1) return [series[0]!.t, series[0]!.last] as unknown as uPlot.AlignedData;
    return uPlot.join(series.map((one) => [one.t, one.last] as unknown as uPlot.AlignedData));
}

export function Chart(props: Props) {
    const [box, size] = useSize<HTMLDivElement>();
    const plot = useRef<uPlot | null>(null);
    const moves = useRef<Moves | null>(null);
    const now = useRef(props);
    now.current = props;
    const height = props.height ?? 260;
    const shape = props.series.map((one) => `${one.label}\t${one.unit}`).join("\n");
    useEffect(() => {
        if (size.width === 0) return;
        plot.current = new uPlot(options(size.width, height - LEGEND, () => now.current), dataOf(props.series), box.current!);
        if (props.onZoom) moves.current = new Moves(plot.current, () => [now.current.from, now.current.to], (from, to) => now.current.onZoom?.(from, to));
        return () => {
            moves.current?.end();
            moves.current = null;
            plot.current?.destroy();
            plot.current = null;
        };
    }, [themeVersion.value, size.width > 0, shape, height, props.onZoom !== undefined]);
    useEffect(() => {
        if (size.width > 0) plot.current?.setSize({ width: size.width, height: height - LEGEND });
    }, [size.width, height]);
    useEffect(() => {
        const u = plot.current;
        if (!u) return;
        const [from, to] = moves.current?.view ?? [props.from, props.to];
        u.setData(dataOf(props.series), false);
        u.setScale("x", { min: from / 1000, max: to / 1000 });
    });
    const image = <div ref={box} class="chart" role="img" aria-label={props.label} style={{ height: `${height}px` }} />;
    if (!props.onZoom) return image;
    const onKey = (event: KeyboardEvent): void => {
        const view = event.ctrlKey || event.metaKey || event.altKey ? null : keyed([props.from, props.to], event.key);
        if (!view) return;
        event.preventDefault();
        props.onZoom?.(Math.round(view[0]), Math.round(view[1]));
    };
    return <div class="chart-keys" role="group" tabIndex={0} aria-label="Chart: arrow keys move, + and - zoom" onKeyDown={onKey}>{image}</div>;
}
