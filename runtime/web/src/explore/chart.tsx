// explore/chart.tsx: one series over time by uPlot: the last value as a line, min..max of each bucket
// as a band behind it, so that a spike is seen at any zoom.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { numberText } from "../core/format";
import type { Columns } from "./columns";
import { colour, themeVersion } from "../theme/theme";
import { useSize } from "../ui/hooks";

const font = "12px Inter Variable, system-ui, sans-serif";

function axisNumber(value: number, step: number): string {
    const decimals = Math.max(0, Math.min(6, Math.ceil(-Math.log10(step) - 1e-9)));
    return numberText(value, decimals);
}

/** Several series over one time, without bands: a trend on a dashboard. */
function manyOptions(width: number, height: number, labels: string[]): uPlot.Options {
    const one = options(width, height, "");
    const plain = (value: number | null): string => (value === null || value === undefined ? "–" : numberText(value, 2));
    return {
        ...one,
        bands: [],
        series: [
            one.series[0]!,
            ...labels.map((label, at) => ({
                label,
                stroke: colour(`series-${(at % 8) + 1}`),
                width: 1.5,
                dash: at >= 4 ? [6, 3] : undefined,
                spanGaps: true,
                points: { show: false },
                value: (_: uPlot, v: number | null) => plain(v),
            })),
        ],
    };
}

function options(width: number, height: number, label: string): uPlot.Options {
    const axis: uPlot.Axis = {
        stroke: colour("text-3"),
        grid: { stroke: colour("line"), width: 1 },
        ticks: { stroke: colour("line"), width: 1, size: 4 },
        font,
    };
    const band = { stroke: "transparent", width: 0, points: { show: false } };
    const number = (value: number | null): string => (value === null || value === undefined ? "–" : numberText(value, Math.abs(value) >= 1000 ? 1 : 3));
    return {
        width,
        height,
        cursor: { y: false, points: { size: 6 }, drag: { x: true, y: false } },
        legend: { live: true },
        scales: { x: { time: true } },
        axes: [
            { ...axis, space: 74, values: "{HH}:{mm}" as unknown as uPlot.Axis.Values },
            { ...axis, size: 64, values: (_, splits, __, ___, incr) => splits.map((v) => axisNumber(v, incr)) },
        ],
        series: [
            { label: "Time", value: (_, v) => (v === null ? "–" : new Date(v * 1000).toLocaleString()) },
            { label, stroke: colour("series-1"), width: 1.5, value: (_, v) => number(v), spanGaps: false, points: { size: 4 } },
            { label: "min", ...band, value: (_, v) => number(v) },
            { label: "max", ...band, value: (_, v) => number(v) },
        ],
        bands: [{ series: [3, 2], fill: colour("series-1") + "2e" }],
    };
}

const timeAxis: uPlot.Axis.Values = [
    [3600 * 24, "{YYYY}-{MM}-{DD}", null, null, null, null, null, null, 1],
    [3600, "{HH}:{mm}", "\n{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
    [60, "{HH}:{mm}", null, null, "\n{MM}-{DD}", null, null, null, 1],
    [1, "{HH}:{mm}:{ss}", null, null, "\n{MM}-{DD}", null, null, null, 1],
    [0.001, "{HH}:{mm}:{ss}.{fff}", null, null, null, null, null, null, 1],
];

export function TrendChart(props: { series: { label: string; t: number[]; v: (number | null)[] }[]; from: number; to: number; height: number }) {
    const [box, size] = useSize<HTMLDivElement>();
    const version = themeVersion.value;
    const labels = props.series.map((one) => one.label);
    const tables = props.series.map((one) => [one.t.map((ms) => ms / 1000), one.v] as uPlot.AlignedData);
    const plot = useRef<uPlot | null>(null);
    useEffect(() => {
        if (size.width === 0) return;
        const built = manyOptions(size.width, props.height - 30, labels);
        built.axes![0]!.values = timeAxis;
        plot.current = new uPlot(built, uPlot.join(tables), box.current!);
        return () => {
            plot.current?.destroy();
            plot.current = null;
        };
    }, [version, size.width, props.height, labels.join("\n")]);
    useEffect(() => {
        plot.current?.setData(uPlot.join(tables), false);
        plot.current?.setScale("x", { min: props.from / 1000, max: props.to / 1000 });
    });
    return <div ref={box} class="chart" role="img" aria-label={`Trend of ${labels.join(", ")}`} style={{ height: `${props.height}px` }} />;
}

export function Chart(props: { columns: Columns; label: string; from: number; to: number; height?: number }) {
    const [box, size] = useSize<HTMLDivElement>();
    const plot = useRef<uPlot | null>(null);
    const version = themeVersion.value;
    const height = props.height ?? 260;
    useEffect(() => {
        if (size.width === 0) return;
        const built = options(size.width, height - 34, props.label);
        built.axes![0]!.values = timeAxis;
        plot.current = new uPlot(built, props.columns as unknown as uPlot.AlignedData, box.current!);
        return () => {
            plot.current?.destroy();
            plot.current = null;
        };
    }, [version, size.width > 0, props.label, height]);
    useEffect(() => {
        if (size.width > 0) plot.current?.setSize({ width: size.width, height: height - 34 });
    }, [size.width, height]);
    useEffect(() => {
        const u = plot.current;
        if (!u) return;
        u.setData(props.columns as unknown as uPlot.AlignedData, false);
        u.setScale("x", { min: props.from / 1000, max: props.to / 1000 });
    });
    return <div ref={box} class="chart" role="img" aria-label={`Chart of ${props.label}. The table shows the same numbers.`} style={{ height: `${height}px` }} />;
}
