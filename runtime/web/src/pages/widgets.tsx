// pages/widgets.tsx: a dashboard for looking: plain CSS grid of twelve columns, one watch for all
// values, one component per widget type.
import { useEffect, useMemo, useState } from "preact/hooks";
import { api, type Widget } from "../core/api";
import { toColumns } from "../explore/columns";
import { go } from "../core/router";
import { cellOf, watchPaths, type Cell } from "../live/values";
import { Icon } from "../ui/icon";
import { Spark } from "../ui/spark";
import { useLoad } from "../ui/hooks";
import { ownPart } from "./own-part";

const link = (path: string): string => `/uns?path=${encodeURIComponent(path).replace(/%2F/g, "/")}`;
function Mark(props: { cell: Cell }) {
    const state = props.cell.state.value;
    if (state === "good" || state === "never") return null;
    return <Icon name={state === "bad" ? "circle-x" : state === "stale" ? "clock" : "triangle-alert"} size={13} label={state} />;
}

function ValueWidget(props: { widget: Widget }) {
    const cell = cellOf(props.widget.paths[0] ?? "");
    return (
        <a class={`value-link is-${cell.state.value}`} href={link(cell.path)}>
            <span class="tile-value num cut">
                {cell.text}
                {props.widget.unit && <small>{props.widget.unit}</small>}
            </span>
            <span class="widget-foot"><Spark cell={cell} /><Mark cell={cell} /><span class="quiet num">{cell.age}</span></span>
        </a>
    );
}

interface Row {
    label: string;
    path: string;
}

function Cells(props: { path: string; known: boolean }) {
    const cell = cellOf(props.path);
    if (!props.known) return <td />;
    return <td class={`num right cut is-${cell.state.value}`}><Mark cell={cell} /> {cell.text}</td>;
}

/** Machines as rows, their tags as columns. */
function MachineTable(props: { widget: Widget; rows: Row[]; columns: string[] }) {
    const known = new Set(props.widget.paths);
    return (
        <div class="table-box" tabIndex={0} role="region" aria-label={`${props.widget.title}, table`}>
            <table class="table dense machines">
                <thead>
                    <tr>
                        <th scope="col">Name</th>
                        {props.columns.map((column) => <th scope="col" class="right" key={column}>{column}</th>)}
                    </tr>
                </thead>
                <tbody>
                    {props.rows.map((row) => (
                        <tr key={row.path} onClick={() => go(link(row.path))}>
                            <th scope="row"><a href={link(row.path)}>{row.label}</a></th>
                            {props.columns.map((column) => <Cells key={column} path={`${row.path}/${column}`} known={known.has(`${row.path}/${column}`)} />)}
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}

function TableWidget(props: { widget: Widget }) {
    const { rows, columns } = (props.widget.options ?? {}) as { rows?: Row[]; columns?: string[] };
    if (rows && columns) return <MachineTable widget={props.widget} rows={rows} columns={columns} />;
    return (
        <table class="table dense">
            <tbody>
                {props.widget.paths.map((path) => {
                    const cell = cellOf(path);
                    return (
                        <tr key={path}>
                            <th scope="row" class="cut"><a href={link(path)} title={path}>{ownPart(path, props.widget.paths)}</a></th>
                            <td class="spark-cell"><Spark cell={cell} /></td>
                            <td class={`num right cut is-${cell.state.value}`}><Mark cell={cell} /> {cell.text}</td>
                        </tr>
                    );
                })}
            </tbody>
        </table>
    );
}

/** Bars share one scale: 0 (or the least value) to the greatest value in view. */
function BarWidget(props: { widget: Widget }) {
    const values = props.widget.paths.map((path) => {
        const value = cellOf(path).sample.value.value;
        return typeof value === "number" ? value : null;
    });
    const seen = values.filter((value): value is number => value !== null);
    const lo = Math.min(0, ...seen);
    const hi = Math.max(lo + 1e-9, ...seen);
    return (
        <div class="bars">
            {props.widget.paths.map((path, at) => {
                const cell = cellOf(path);
                const value = values[at];
                const share = value === null || value === undefined ? 0 : ((value - lo) / (hi - lo)) * 100;
                return (
                    <a key={path} class="bar" href={link(path)} title={path}>
                        <span class="cut">{ownPart(path, props.widget.paths)}</span>
                        <span class="bar-track"><span class="bar-fill" style={{ width: `${share}%` }} /></span>
                        <span class={`num right is-${cell.state.value}`}>{cell.text}</span>
                    </a>
                );
            })}
        </div>
    );
}

function TrendWidget(props: { widget: Widget }) {
    const { paths, options } = props.widget;
    const range = typeof options?.range === "string" ? options.range : "15m";
    const history = useLoad(
        `trend:${paths.join(" ")}:${range}`,
        () => Promise.all(paths.map((path) => api.unsHistory(path, `-${range}`, 300))),
        5000,
    );
    const [Chart, setChart] = useState<typeof import("../explore/chart").Chart | null>(null);
    useEffect(() => void import("../explore/chart").then((module) => setChart(() => module.Chart)), []);
    if (!history.data || !Chart) return <div class="chart-wait" />;
    const unit = props.widget.unit ?? "";
    const series = history.data.map((h, at) => ({ ...toColumns(h), label: ownPart(paths[at]!, paths), unit }));
    const [first] = history.data;
    if (!first || series.every((one) => one.t.length === 0)) return <p class="quiet pad">Nothing was recorded yet.</p>;
    return <Chart series={series} from={first.from} to={first.to} height={230} label={`Trend of ${series.map((one) => one.label).join(", ")}`} />;
}

function StateWidget(props: { widget: Widget }) {
    if (props.widget.paths.length === 1) return <ValueWidget {...props} />;
    return (
        <div class="states">
            {props.widget.paths.map((path) => {
                const cell = cellOf(path);
                return (
                    <a key={path} class={`state-cell is-${cell.state.value}`} href={link(path)} title={path}>
                        <span class="quiet cut">{ownPart(path, props.widget.paths)}</span>
                        <b class="cut"><Mark cell={cell} /> {cell.text}</b>
                    </a>
                );
            })}
        </div>
    );
}

function Body(props: { widget: Widget }) {
    switch (props.widget.type) {
        case "value":
            return <ValueWidget {...props} />;
        case "trend":
            return <TrendWidget {...props} />;
        case "bar":
            return <BarWidget {...props} />;
        case "table":
            return <TableWidget {...props} />;
        case "state":
            return <StateWidget {...props} />;
        case "text":
            return <p class="widget-text">{String(props.widget.options?.text ?? "")}</p>;
    }
}

export function Widgets(props: { widgets: Widget[]; title: string }) {
    const paths = useMemo(() => [...new Set(props.widgets.flatMap((widget) => widget.paths))].sort(), [props.widgets]);
    const key = paths.join("\n");
    useEffect(() => {
        const watch = watchPaths(paths, 5);
        return () => watch.close();
    }, [key]);
    return (
        <section aria-label={props.title}>
            <h2 class="section-title">{props.title}</h2>
            <div class="grid">
                {props.widgets.map((widget) => (
                    <article
                        key={widget.id}
                        class={`card widget widget-${widget.type}`}
                        aria-label={widget.title}
                        style={{ gridColumn: `${widget.x + 1} / span ${widget.w}`, gridRow: `${widget.y + 1} / span ${widget.h}` }}
                    >
                        <h3 class="cut">{widget.title}</h3>
                        <Body widget={widget} />
                    </article>
                ))}
            </div>
        </section>
    );
}
