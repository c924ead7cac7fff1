// explore/history.tsx: history of one path: live from a ring of this page, or stored, reduced by the
// server to the width of the chart. The same numbers as a table for those who cannot see a chart.
import { useEffect, useRef, useState } from "preact/hooks";
import { api, type History } from "../core/api";
import { isoText, numberText, timeText } from "../core/format";
import { param, setParams } from "../core/router";
import { Ring } from "../live/ring";
import { serverNow } from "../live/socket";
import { cellOf } from "../live/values";
import { useLoad } from "../ui/hooks";
import { Failure } from "../ui/state";
import { Chart } from "./chart";
import { toColumns } from "./columns";

const LIVE_MS = 120_000;
const LIVE_POINTS = 1200;
const ranges = [
    { id: "live", label: "2 min live", ms: LIVE_MS },
    { id: "15m", label: "15 min", ms: 900_000 },
    { id: "1h", label: "1 h", ms: 3_600_000 },
    { id: "24h", label: "24 h", ms: 86_400_000 },
    { id: "7d", label: "7 d", ms: 604_800_000 },
];

/** Seeds from stored history, then follows the live values of the page. */
function LiveChart(props: { path: string }) {
    const ring = useRef(new Ring(LIVE_POINTS));
    const [, redraw] = useState(0);
    useEffect(() => {
        const cell = cellOf(props.path);
        let stop: () => void = () => undefined;
        let alive = true;
        void api
            .unsHistory(props.path, "-2m", LIVE_POINTS / 2)
            .then((h) => h.t.forEach((t, at) => h.last[at] !== null && ring.current.push(t / 1000, h.last[at]!)), () => undefined)
            .then(() => {
                if (!alive) return;
                let last = ring.current.length ? ring.current.times()[ring.current.length - 1]! : 0;
                stop = cell.sample.subscribe(({ value, at }) => {
                    if (typeof value !== "number" || at / 1000 <= last) return;
                    last = at / 1000;
                    ring.current.push(last, value);
                });
            });
        const timer = setInterval(() => !document.hidden && redraw((n) => n + 1), 250);
        return () => {
            alive = false;
            stop();
            clearInterval(timer);
        };
    }, [props.path]);
    const now = serverNow();
    const [t, v] = [ring.current.times(), ring.current.values()];
    return <Chart columns={[t, v, v, v]} label={nameOf(props.path)} from={now - LIVE_MS} to={now} />;
}

const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

function HistoryTable(props: { history: History }) {
    const { t, last, min, max, count } = props.history;
    const from = Math.max(0, t.length - 200);
    const number = (value: number | null | undefined): string => (value === null || value === undefined ? "–" : numberText(value, 3));
    return (
        <div class="history-table" tabIndex={0} role="region" aria-label="History as a table">
            <table class="table dense">
                <thead>
                    <tr>
                        <th scope="col">Time</th>
                        <th scope="col" class="right">Last</th>
                        <th scope="col" class="right">Min</th>
                        <th scope="col" class="right">Max</th>
                        <th scope="col" class="right">Samples</th>
                    </tr>
                </thead>
                <tbody>
                    {t.slice(from).map((time, at) => ({ time, at: at + from })).reverse().map(({ time, at }) => (
                        <tr key={time}>
                            <td class="num" title={isoText(time)}>{timeText(time)}</td>
                            <td class="num right">{number(last[at])}</td>
                            <td class="num right">{number(min[at])}</td>
                            <td class="num right">{number(max[at])}</td>
                            <td class="num right">{count[at]}</td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}

function Stored(props: { path: string; range: string; ms: number; table: boolean }) {
    const every = Math.min(30_000, Math.max(1000, props.ms / 400));
    const { data, error, reload } = useLoad(
        `history:${props.path}:${props.range}`,
        () => api.unsHistory(props.path, `-${props.range}`, 600),
        every,
    );
    if (error && !data) return <Failure error={error} retry={reload} />;
    if (!data) return <div class="chart-wait" aria-busy="true" />;
    if (data.t.length === 0) return <p class="quiet pad">Nothing was recorded in this range.</p>;
    if (props.table) return <HistoryTable history={data} />;
    return <Chart columns={toColumns(data)} label={nameOf(props.path)} from={data.from} to={data.to} />;
}

export function HistoryPanel(props: { path: string }) {
    const range = ranges.find((r) => r.id === param("range")) ?? ranges[0]!;
    const table = param("show") === "table";
    return (
        <section class="card history">
            <header class="card-head">
                <h3>History</h3>
                <div class="segments" role="group" aria-label="Range">
                    {ranges.map((r) => (
                        <button key={r.id} aria-pressed={r.id === range.id} onClick={() => setParams({ range: r.id === "live" ? null : r.id })}>
                            {r.label}
                        </button>
                    ))}
                </div>
                <div class="segments" role="group" aria-label="Form">
                    <button aria-pressed={!table} onClick={() => setParams({ show: null })}>Chart</button>
                    <button aria-pressed={table} onClick={() => setParams({ show: "table" })}>Table</button>
                </div>
            </header>
            {range.id === "live" && !table ? (
                <LiveChart path={props.path} />
            ) : (
                <Stored path={props.path} range={range.id === "live" ? "2m" : range.id} ms={range.ms} table={table} />
            )}
        </section>
    );
}
