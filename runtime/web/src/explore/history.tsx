// explore/history.tsx: stored values of one path and of others beside it, reduced by the server to the width
// of the chart. Dragging zooms and asks again; what follows the time goes on with the live values of the
// page. The same numbers as a table for those who cannot see a chart.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { api, type History, type UnsNode } from "../core/api";
import { isoText, numberText, plural, timeText } from "../core/format";
import { param, params, setParams } from "../core/router";
import { serverNow } from "../live/socket";
import { cellOf, watchPaths } from "../live/values";
import { useLoad, useSize } from "../ui/hooks";
import { Icon } from "../ui/icon";
import { Failure } from "../ui/state";
import { Chart, seriesColour, type Plotted } from "./chart";
import { toColumns } from "./columns";
import { comparePath, SERIES_MAX } from "./compare";
import { droppedPath, takesPaths } from "./drag";
import { localMs, localText, moved, ranges, scaled, spanOf, viewOf, type View } from "./range";
import { Tail } from "./tail";
import { unitInSchema } from "./units";

const ROWS_MAX = 200;

interface One {
    path: string;
    unit: string;
    history: History | null;
    error: string;
}

/** The unit people gave the name, or the schema of its topic. */
async function unitOf(path: string): Promise<string> {
    const node = await api.unsValue(path);
    if (node.unit) return node.unit;
    return unitInSchema(await api.schemaOf(path).catch(() => null), path);
}

async function loadOne(path: string, view: View, pixels: number): Promise<One> {
    const [from, to] = spanOf(view, serverNow());
    const [named, history] = await Promise.allSettled([unitOf(path), api.unsHistory(path, Math.round(from), pixels, Math.round(to))]);
    const unit = named.status === "fulfilled" ? named.value : "";
    if (history.status === "fulfilled") return { path, unit, history: history.value, error: "" };
    return { path, unit, history: null, error: (history.reason as Error).message };
}

/** What the chart calls the paths: the shortest ends that differ. */
export function shortNames(paths: string[]): string[] {
    const parts = paths.map((path) => path.split("/"));
    for (let count = 1; ; count++) {
        const names = parts.map((part) => part.slice(-count).join("/"));
        if (new Set(names).size === names.length || parts.every((part) => part.length <= count)) return names;
    }
}

const show = (from: number, to: number): void => setParams({ from: String(from), to: String(to), range: null }, false);

function Ranges(props: { view: View; onOwn: () => void; own: boolean }) {
    return (
        <div class="segments" role="group" aria-label="Range">
            {ranges.map((one) => (
                <button key={one.id} aria-pressed={props.view.id === one.id} onClick={() => setParams({ range: one.id, from: null, to: null }, false)}>
                    {one.label}
                </button>
            ))}
            <button aria-pressed={props.view.from !== null} aria-expanded={props.own} onClick={props.onOwn}>Own</button>
        </div>
    );
}

function OwnRange(props: { view: View; done: () => void }) {
    const [from, to] = spanOf(props.view, serverNow());
    const [draft, setDraft] = useState({ from: localText(from), to: localText(to) });
    const [error, setError] = useState("");
    const save = (event: Event): void => {
        event.preventDefault();
        const [a, b] = [localMs(draft.from), localMs(draft.to)];
        if (!(a < b)) {
            setError("The end has to be after the beginning.");
            return;
        }
        show(a, b);
        props.done();
    };
    return (
        <form class="own-range" aria-label="Own range" onSubmit={save}>
            <label>From <input type="datetime-local" step="1" required value={draft.from} onInput={(event) => setDraft({ ...draft, from: event.currentTarget.value })} /></label>
            <label>to <input type="datetime-local" step="1" required value={draft.to} onInput={(event) => setDraft({ ...draft, to: event.currentTarget.value })} /></label>
            <button class="button small primary">Show</button>
            {error && <span class="is-bad" role="alert">{error}</span>}
        </form>
    );
}

/** What dragging does, for keys and fingers. */
function Steps(props: { view: View }) {
    const now = (): [number, number] => spanOf(props.view, serverNow());
    const step = (label: string, icon: string, to: () => [number, number]) => (
        <button class="icon-button" aria-label={label} title={label} onClick={() => show(...to())}><Icon name={icon} size={15} /></button>
    );
    return (
        <div class="steps" role="group" aria-label="Zoom and move">
            {step("Earlier", "chevron-left", () => moved(now(), -1))}
            {step("Later", "chevron-right", () => moved(now(), 1))}
            {step("Zoom in", "zoom-in", () => scaled(now(), 0.5))}
            {step("Zoom out", "zoom-out", () => scaled(now(), 2))}
            {props.view.from !== null && (
                <button class="button small" onClick={() => setParams({ from: null, to: null }, false)}>Now</button>
            )}
        </div>
    );
}

/** Another topic beside this one: found as it is typed. */
function Compare(props: { full: boolean }) {
    const [text, setText] = useState("");
    const wanted = text.trim();
    const search = (): Promise<UnsNode[]> => (wanted ? api.unsSearch(wanted, 12).then((r) => r.nodes.filter((node) => node.has_value)) : Promise.resolve([]));
    const found = useLoad(`compare:${wanted}`, search);
    /** Enter may come before the list does: it asks for itself, and takes what fits whole before the first. */
    const enter = async (event: Event): Promise<void> => {
        event.preventDefault();
        const nodes = await search().catch(() => []);
        const first = nodes.find((node) => node.path === wanted) ?? nodes[0];
        if (!first) return;
        comparePath(first.path);
        setText((now) => (now.trim() === wanted ? "" : now));
    };
    if (props.full) return <span class="quiet">{SERIES_MAX} at most</span>;
    return (
        <form class="compare" onSubmit={enter}>
            <input type="text" list="compare-paths" aria-label="Compare with" placeholder="Compare with" value={text}
                onInput={(event) => {
                    const value = event.currentTarget.value;
                    const chosen = found.data?.some((node) => node.path === value);
                    if (chosen) comparePath(value);
                    setText(chosen ? "" : value);
                }} />
            <datalist id="compare-paths">{found.data?.map((node) => <option key={node.path} value={node.path} />)}</datalist>
        </form>
    );
}

function SeriesList(props: { all: One[]; names: string[]; span: [number, number] }) {
    const [from, to] = props.span.map(Math.round) as [number, number];
    return (
        <ul class="series" aria-label="Shown topics">
            {props.all.map((one, at) => (
                <li key={one.path}>
                    <span class="series-mark" style={{ background: `var(--${seriesColour(at)})` }} aria-hidden="true" />
                    <span class="cut" title={one.path}>{props.names[at]}{one.unit && <small> {one.unit}</small>}</span>
                    {one.error && <span class="is-bad">{one.error}</span>}
                    <a href={`/api/v1/historian/export?filter=${encodeURIComponent(one.path)}&from=${from}&to=${to}`}
                        download={`${one.path.replaceAll("/", "_")}.csv`} aria-label={`CSV of ${one.path}`}>CSV</a>
                    {at > 0 && (
                        <button class="icon-button" aria-label={`Without ${one.path}`} title="Take it away"
                            onClick={() => setParams({ with: params("with").filter((path) => path !== one.path) }, false)}>
                            <Icon name="x" size={13} />
                        </button>
                    )}
                </li>
            ))}
        </ul>
    );
}

function HistoryTable(props: { all: One[]; names: string[] }) {
    const number = (value: number | null | undefined): string => (value === null || value === undefined ? "–" : numberText(value, 3));
    const many = props.all.length > 1;
    const rows = props.all
        .flatMap((one, series) => (one.history?.t ?? []).map((time, at) => ({ time, at, series, h: one.history! })))
        .sort((a, b) => b.time - a.time || a.series - b.series);
    return (
        <>
            <div class="history-table" tabIndex={0} role="region" aria-label="History as a table">
                <table class="table dense">
                    <thead>
                        <tr>
                            <th scope="col">Time</th>
                            {many && <th scope="col">Topic</th>}
                            <th scope="col" class="right">Last</th>
                            <th scope="col" class="right">Min</th>
                            <th scope="col" class="right">Max</th>
                            <th scope="col" class="right">Samples</th>
                            <th scope="col" class="right">Not good</th>
                        </tr>
                    </thead>
                    <tbody>
                        {rows.slice(0, ROWS_MAX).map(({ time, at, series, h }) => (
                            <tr key={`${time} ${series}`}>
                                <td class="num nowrap" title={isoText(time)}>{timeText(time)}</td>
                                {many && <td class="cut" title={props.all[series]!.path}>{props.names[series]}</td>}
                                <td class="num right">{number(h.last[at])}</td>
                                <td class="num right">{number(h.min[at])}</td>
                                <td class="num right">{number(h.max[at])}</td>
                                <td class="num right">{h.count[at]}</td>
                                <td class={`num right ${h.bad[at] ? "is-bad" : "quiet"}`}>{h.bad[at]}</td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            </div>
            {rows.length > ROWS_MAX && <p class="quiet pad">The newest {ROWS_MAX} of {plural("row", rows.length)}; the CSV has every sample.</p>}
        </>
    );
}

/** What a chart shows that is not a line, in words. */
function Notes(props: { series: Plotted[] }) {
    const gaps = props.series[0]?.gaps.length ?? 0;
    const bad = props.series.some((one) => one.bad.length > 0);
    return (
        <p class="quiet chart-notes" role="status">
            {bad && <span class="is-bad"><Icon name="circle-x" size={12} /> Red at the foot: quality was not good. </span>}
            {gaps > 0 && <span>Grey: no good value, {gaps === 1 ? "once" : `${gaps} times`}.</span>}
        </p>
    );
}

/** Everything shown as it is at this moment: what was stored and, at the live edge, what came since. */
function plotted(all: One[], names: string[], tails: Map<string, Tail>): Plotted[] {
    return all.map((one, at) => {
        const base = one.history ? toColumns(one.history, serverNow()) : { t: [], last: [], min: [], max: [], gaps: [], bad: [] };
        const columns = tails.get(one.path)?.after(base, one.history?.to ?? 0) ?? base;
        return { ...columns, label: names[at]!, unit: one.unit };
    });
}

/** Redraws and collects while the range follows the time. */
function useLiveEdge(paths: string[], on: boolean): Map<string, Tail> {
    const tails = useRef(new Map<string, Tail>());
    const [, redraw] = useState(0);
    const key = paths.join("\n");
    useEffect(() => {
        tails.current = new Map();
        if (!on) return;
        const watch = watchPaths(paths, 5);
        const stops = paths.map((path) => {
            const tail = new Tail();
            tails.current.set(path, tail);
            return cellOf(path).sample.subscribe(({ value, quality, at }) => tail.push(at, quality === 2 || typeof value !== "number" ? null : value));
        });
        const timer = setInterval(() => !document.hidden && redraw((n) => n + 1), 500);
        return () => {
            watch.close();
            stops.forEach((stop) => stop());
            clearInterval(timer);
        };
    }, [key, on]);
    return tails.current;
}

export function HistoryPanel(props: { path: string }) {
    const others = params("with");
    const paths = [props.path, ...others.filter((path) => path !== props.path)].slice(0, SERIES_MAX);
    const names = shortNames(paths);
    const view = viewOf(param("range"), param("from"), param("to"));
    const table = param("show") === "table";
    const [own, setOwn] = useState(false);
    const [over, setOver] = useState(false);
    const [box, size] = useSize<HTMLDivElement>();
    // The width in steps, so that a scrollbar that comes and goes is no new question.
    const pixels = Math.min(4000, Math.max(300, Math.ceil(size.width / 100) * 100));
    const live = view.from === null;
    const every = live ? Math.min(30_000, Math.max(1000, view.ms / 400)) : 0;
    const { data, error, reload } = useLoad(
        `history:${paths.join("\n")}:${view.id}:${pixels}`,
        () => (size.width === 0 ? Promise.resolve(null) : Promise.all(paths.map((path) => loadOne(path, view, pixels)))),
        every,
    );
    const kept = useRef<One[] | null>(null);
    if (data) kept.current = data;
    const all = data ?? (kept.current?.map((one) => one.path).join("\n") === paths.join("\n") ? kept.current : null);
    const tails = useLiveEdge(paths, live);
    const span = spanOf(view, serverNow());
    const series = useMemo(() => (all ? plotted(all, names, new Map()) : []), [all, names.join("\n")]);
    const drawn = live && all ? plotted(all, names, tails) : series;
    const empty = all !== null && drawn.every((one) => one.t.length === 0);
    return (
        <section
            class={`card history ${over ? "is-over" : ""}`}
            aria-label="History"
            onDragOver={(event) => takesPaths(event) && setOver(true)}
            onDragLeave={() => setOver(false)}
            onDrop={(event) => {
                setOver(false);
                const path = droppedPath(event);
                if (path) comparePath(path);
            }}
        >
            <header class="card-head">
                <Ranges view={view} own={own} onOwn={() => setOwn(!own)} />
                <Steps view={view} />
                <div class="segments" role="group" aria-label="Form">
                    <button aria-pressed={!table} onClick={() => setParams({ show: null })}>Chart</button>
                    <button aria-pressed={table} onClick={() => setParams({ show: "table" })}>Table</button>
                </div>
                <Compare full={paths.length >= SERIES_MAX} />
            </header>
            {own && <OwnRange view={view} done={() => setOwn(false)} />}
            {all && <SeriesList all={all} names={names} span={span} />}
            <div ref={box} class="history-box" aria-busy={all === null}>
                {error && !all ? <Failure error={error} retry={reload} />
                    : !all ? <div class="chart-wait" />
                    : empty ? <p class="quiet pad">Nothing was recorded in this range.</p>
                    : table ? <HistoryTable all={all} names={names} />
                    : <Chart series={drawn} from={span[0]} to={span[1]} height={320} onZoom={show}
                        label={`History of ${names.join(", ")}. Drag to zoom, with shift to move. The table shows the same numbers.`} />}
            </div>
            {!table && !empty && <Notes series={drawn} />}
            {live && !table && <span class="sr-only">The chart follows the time.</span>}
        </section>
    );
}
