// pages/pipelines.tsx: all pipelines: state, rates, errors; start and stop for those who may.
import { useEffect, useRef, useState } from "preact/hooks";
import "./pages.css";
import { api, type Pipeline } from "../core/api";
import { ageText, isoText, numberText, shortNumber } from "../core/format";
import { handle } from "../core/keys";
import { param, place, setParams } from "../core/router";
import { mayOperate } from "../core/session";
import { serverNow, subscribe } from "../live/socket";
import { Icon } from "../ui/icon";
import { matches, words } from "../ui/menu";
import { Empty, Failure, RunState } from "../ui/state";
import { useLoad, useTitle } from "../ui/hooks";

const POLL_MS = 1000;

/** Failed first, then with errors, then by name: what needs a look is on top. */
export function byNeed(a: Pipeline, b: Pipeline): number {
    const need = (p: Pipeline): number => (p.state === "failed" ? 2 : p.error_rate > 0 ? 1 : 0);
    return need(b) - need(a) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

function StartStop(props: { pipeline: Pipeline; done: () => void; fail: (error: Error) => void }) {
    const [busy, setBusy] = useState(false);
    const { name, state } = props.pipeline;
    const verb = state === "running" || state === "compiling" ? "stop" : "start";
    const act = async (): Promise<void> => {
        setBusy(true);
        try {
            await api.pipelineDo(name, verb);
        } catch (error) {
            props.fail(error as Error);
        }
        setBusy(false);
        props.done();
    };
    const label = `${verb === "stop" ? "Stop" : "Start"} ${name}`;
    return (
        <button class="icon-button" disabled={busy} aria-label={label} title={label} onClick={() => void act()}>
            <Icon name={verb === "stop" ? "square" : "play"} size={15} />
        </button>
    );
}

function Row(props: { pipeline: Pipeline; done: () => void; fail: (error: Error) => void }) {
    const p = props.pipeline;
    return (
        <tr>
            <th scope="row">
                <a class="cut" href={`/pipelines/${encodeURIComponent(p.name)}`}>{p.name}</a>
                {p.error && <span class="row-error cut" title={p.error}>{p.error}</span>}
            </th>
            <td><RunState state={p.state} /></td>
            <td class="num right">{shortNumber(p.in_rate)}</td>
            <td class="num right">{shortNumber(p.out_rate)}</td>
            <td class={`num right ${p.error_rate > 0 ? "is-bad" : ""}`}>
                {p.error_rate > 0 && <Icon name="triangle-alert" size={12} label="failing now" />} {numberText(p.errors, 0)}
            </td>
            <td class="num right hide-narrow">{numberText(p.in, 0)}</td>
            <td class="num right hide-narrow">{numberText(p.filtered, 0)}</td>
            <td class="num right hide-narrow">{numberText(p.late, 0)}</td>
            <td class="num right hide-narrow">{p.version}</td>
            <td class="num right hide-narrow" title={p.since ? isoText(p.since) : ""}>{p.since ? ageText(Math.max(0, serverNow() - p.since)) : "–"}</td>
            {mayOperate.value && <td class="right"><StartStop {...props} /></td>}
        </tr>
    );
}

export function Pipelines() {
    useTitle("Pipelines");
    void place.value;
    const { data, error, reload } = useLoad("pipelines", api.pipelines, POLL_MS);
    const [failed, setFailed] = useState<Error | null>(null);
    const input = useRef<HTMLInputElement>(null);
    useEffect(() => handle("search", () => input.current?.select()), []);
    useEffect(() => {
        const sub = subscribe({ op: "events", subjects: ["engine.>"] }, () => reload());
        return () => sub.close();
    }, []);
    if (error && !data) return <Failure error={error} retry={reload} />;
    if (!data) return <div class="loading" aria-busy="true" />;
    if (data.pipelines.length === 0)
        return (
            <Empty title="No pipelines yet" icon="workflow">
                <p>Write one, check it, and send it to this server:</p>
                <pre>tutti run press.tutti</pre>
            </Empty>
        );
    const filter = param("q");
    const wanted = words(filter);
    const shown = data.pipelines.filter((p) => matches(`${p.name} ${p.state}`, wanted)).sort(byNeed);
    const running = data.pipelines.filter((p) => p.state === "running").length;
    return (
        <div class="page">
            <header class="page-head">
                <h1>Pipelines</h1>
                <span class="quiet num">{running} of {data.pipelines.length} running</span>
                <div class="filter">
                    <Icon name="filter" size={14} />
                    <input ref={input} type="search" aria-label="Filter pipelines" placeholder="Filter" value={filter}
                        onInput={(event) => setParams({ q: event.currentTarget.value })} />
                    <kbd aria-hidden="true">/</kbd>
                </div>
            </header>
            {failed && <Failure error={failed} retry={() => setFailed(null)} />}
            <div class="card table-box" tabIndex={0} role="region" aria-label="Pipelines">
                <table class="table">
                    <thead>
                        <tr>
                            <th scope="col">Name</th>
                            <th scope="col">State</th>
                            <th scope="col" class="right">In/s</th>
                            <th scope="col" class="right">Out/s</th>
                            <th scope="col" class="right">Errors</th>
                            <th scope="col" class="right hide-narrow">In</th>
                            <th scope="col" class="right hide-narrow">Filtered</th>
                            <th scope="col" class="right hide-narrow">Late</th>
                            <th scope="col" class="right hide-narrow">Version</th>
                            <th scope="col" class="right hide-narrow">Since</th>
                            {mayOperate.value && <th scope="col"><span class="sr-only">Start or stop</span></th>}
                        </tr>
                    </thead>
                    <tbody>
                        {shown.map((pipeline) => (
                            <Row key={pipeline.name} pipeline={pipeline} done={reload} fail={setFailed} />
                        ))}
                    </tbody>
                </table>
                {shown.length === 0 && <p class="quiet pad">No pipeline contains “{filter}”.</p>}
            </div>
        </div>
    );
}
