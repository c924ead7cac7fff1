// pages/home.tsx: the state of the plant at one look: four tiles, what needs attention (worst first,
// one sentence and one way to act), and the generated overview dashboard.
import { useEffect, useRef, useState } from "preact/hooks";
import "./pages.css";
import { api, ApiError, type UnsStats } from "../core/api";
import { numberText, plural, shortNumber } from "../core/format";
import { subscribe } from "../live/socket";
import { Icon } from "../ui/icon";
import { useLoad, useTitle } from "../ui/hooks";
import { Empty, Failure } from "../ui/state";
import { attention, type Attention, type Summary } from "./attention";
import { Widgets } from "./widgets";

/** A module that is not there is an empty list, not an error of the page. */
const orEmpty = async <T,>(load: Promise<T>, empty: T): Promise<T> =>
    load.catch((error: ApiError) => {
        if (error.status === 503 || error.status === 404) return empty;
        throw error;
    });

async function loadSummary(): Promise<Summary> {
    const [stats, pipelines, connections] = await Promise.all([
        orEmpty<UnsStats | null>(api.unsStats(), null),
        orEmpty(api.pipelines(), { pipelines: [] }),
        orEmpty(api.connections(), { connections: [] }),
    ]);
    return { stats, pipelines: pipelines.pipelines, connections: connections.connections, at: performance.now() };
}

function Tile(props: { label: string; value: string; unit?: string; note?: string; href: string; bad?: boolean }) {
    return (
        <a class={`tile card ${props.bad ? "tile-bad" : ""}`} href={props.href}>
            <span class="tile-label">{props.label}</span>
            <span class="tile-value num">
                {props.value}
                {props.unit && <small>{props.unit}</small>}
            </span>
            <span class="tile-note">
                {props.bad && <Icon name="triangle-alert" size={13} />}
                {props.note ?? " "}
            </span>
        </a>
    );
}

/** Publishes per second from two readings of the counter. */
function useRate(summary: Summary | null): number | null {
    const last = useRef<{ publishes: number; at: number; rate: number | null } | null>(null);
    if (!summary?.stats) return null;
    const { publishes } = summary.stats;
    const old = last.current;
    if (!old) last.current = { publishes, at: summary.at, rate: null };
    else if (summary.at > old.at + 500) {
        const rate = publishes >= old.publishes ? ((publishes - old.publishes) / (summary.at - old.at)) * 1000 : null;
        last.current = { publishes, at: summary.at, rate };
    }
    return last.current!.rate;
}

function Tiles(props: { summary: Summary; rate: number | null }) {
    const { stats, pipelines, connections } = props.summary;
    const failing = pipelines.filter((p) => p.state === "failed" || p.error || p.error_rate > 0).length;
    const running = pipelines.filter((p) => p.state === "running").length;
    const down = connections.filter((c) => c.state === "failed" || c.state === "degraded").length;
    const up = connections.filter((c) => c.state === "connected").length;
    return (
        <div class="tiles">
            <Tile label="Publishes" value={props.rate === null ? "–" : shortNumber(props.rate)} unit="/s" href="/uns"
                note={stats ? `${plural("path", stats.paths)}, ${numberText(stats.stale, 0)} stale` : undefined} />
            <Tile label="Pipelines running" value={`${running}`} unit={`of ${pipelines.length}`} href="/pipelines"
                bad={failing > 0} note={failing ? `${failing} with errors` : "no errors now"} />
            <Tile label="Connections up" value={`${up}`} unit={`of ${connections.length}`} href="/logs?module=connectors"
                bad={down > 0} note={down ? `${down} failing` : connections.length ? "all answer" : "none set up"} />
            <Tile label="History" value={stats ? shortNumber(stats.samples_written) : "–"} unit="samples" href="/uns"
                bad={(stats?.samples_dropped ?? 0) > 0}
                note={stats ? (stats.samples_dropped ? `${shortNumber(stats.samples_dropped)} dropped` : "since start, none dropped") : undefined} />
        </div>
    );
}

function AttentionList(props: { rows: Attention[] }) {
    return (
        <section class="card attention" aria-labelledby="attention">
            <header class="card-head">
                <h2 id="attention">Needs attention</h2>
                {props.rows.length > 0 && <span class="count num">{props.rows.length}</span>}
            </header>
            {props.rows.length === 0 ? (
                <p class="quiet pad calm"><Icon name="circle-check" /> Nothing. Everything that is set up works.</p>
            ) : (
                <ul class="rows">
                    {props.rows.slice(0, 12).map((row) => (
                        <li key={row.text}>
                            <Icon name={row.weight >= 4 ? "circle-x" : "triangle-alert"} class={row.weight >= 4 ? "is-bad" : "is-warn"} />
                            <span class="row-text">
                                {row.text}
                                {row.detail && <span class="quiet row-detail cut" title={row.detail}>{row.detail}</span>}
                            </span>
                            <a class="button small" href={row.href}>{row.action}</a>
                        </li>
                    ))}
                </ul>
            )}
        </section>
    );
}

export function Home() {
    useTitle("Home");
    const { data, error, reload } = useLoad("summary", loadSummary, 1000);
    const overview = useLoad("overview", () => orEmpty(api.dashboard("overview"), null as never), 5000);
    const rate = useRate(data);
    const [, tick] = useState(0);
    useEffect(() => {
        const sub = subscribe({ op: "events", subjects: ["engine.>", "connectors.>"] }, () => {
            reload();
            tick((n) => n + 1);
        });
        return () => sub.close();
    }, []);
    // The overview is made from the paths there are: new ones show at once, in the first seconds above all.
    const paths = data?.stats?.paths ?? 0;
    useEffect(overview.reload, [paths]);
    if (error && !data) return <Failure error={error} retry={reload} />;
    if (!data) return <div class="loading" aria-busy="true" />;
    const empty = data.pipelines.length === 0 && (data.stats?.paths ?? 0) === 0;
    const widgets = overview.data?.definition.widgets ?? [];
    return (
        <div class="page">
            <h1 class="sr-only">Home</h1>
            <Tiles summary={data} rate={rate} />
            {empty ? (
                <Empty title="Nothing is connected yet" icon="cable">
                    <p>Publish a value by MQTT, or run a pipeline:</p>
                    <pre>mosquitto_pub -h 127.0.0.1 -t plant/press-01/temp -m 71.25{"\n"}tutti run press.tutti</pre>
                </Empty>
            ) : (
                <>
                    <AttentionList rows={attention(data)} />
                    {widgets.length > 0 && <Widgets widgets={widgets} title={overview.data!.title} />}
                </>
            )}
        </div>
    );
}
