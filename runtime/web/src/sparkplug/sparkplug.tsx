// sparkplug/sparkplug.tsx: edge nodes and devices of Sparkplug B: who is alive, what got lost, and a
// rebirth for those who may; our own edge node on another broker.
import { useEffect, useRef, useState } from "preact/hooks";
import "../pages/pages.css";
import "./sparkplug.css";
import { api, type SparkplugEdge, type SparkplugNode, type SparkplugState, type SparkplugUnit } from "../core/api";
import { ageText, bytesText, isoText, numberText, plural } from "../core/format";
import { handle } from "../core/keys";
import { param, place, setParams } from "../core/router";
import { mayOperate } from "../core/session";
import { serverNow } from "../live/socket";
import { Icon } from "../ui/icon";
import { matches, words } from "../ui/menu";
import { Empty, Failure } from "../ui/state";
import { useLoad, useTitle } from "../ui/hooks";

const POLL_MS = 1000;
const looks: Record<SparkplugState, { icon: string; tone: string }> = {
    alive: { icon: "check", tone: "normal" },
    unheard: { icon: "clock", tone: "warn" },
    dead: { icon: "unplug", tone: "bad" },
};
const need: Record<SparkplugState, number> = { dead: 2, unheard: 1, alive: 0 };

/** Who is dead first, then by group and name. */
export function byNeed(a: SparkplugNode, b: SparkplugNode): number {
    const [left, right] = [`${a.group}/${a.node}`, `${b.group}/${b.node}`];
    return need[b.state] - need[a.state] || (left < right ? -1 : left > right ? 1 : 0);
}

/** Since when it is dead stands beside it: what was heard last may be older than its death. */
function Life(props: { unit: SparkplugUnit }) {
    const { state, died } = props.unit;
    const { icon, tone } = looks[state];
    return (
        <span class={`chip is-${tone}`} title={state === "dead" && died ? `since ${isoText(died)}` : undefined}>
            <Icon name={icon} size={13} />{state}{state === "dead" && died ? ` · ${ageText(Math.max(0, serverNow() - died))}` : ""}
        </span>
    );
}

const Ago = (props: { at: number }) =>
    props.at ? <span title={isoText(props.at)}>{ageText(Math.max(0, serverNow() - props.at))}</span> : <span>–</span>;

function Rebirth(props: { node: SparkplugNode; done: () => void; fail: (error: Error) => void }) {
    const [busy, setBusy] = useState(false);
    const { group, node } = props.node;
    const act = async (): Promise<void> => {
        setBusy(true);
        try {
            await api.sparkplugRebirth(group, node);
        } catch (error) {
            props.fail(error as Error);
        }
        setBusy(false);
        props.done();
    };
    const label = `Request a rebirth of ${group}/${node}`;
    return (
        <button class="icon-button" disabled={busy} aria-label={label} title={label} onClick={() => void act()}>
            <Icon name="rotate-cw" size={15} />
        </button>
    );
}

function Counts(props: { unit: SparkplugUnit }) {
    const { unit } = props;
    return (
        <>
            <td><Life unit={unit} /></td>
            <td class="num right">{unit.state === "unheard" ? "–" : numberText(unit.metrics, 0)}</td>
            <td class="num right"><Ago at={unit.heard} /></td>
            <td class="num right hide-narrow">{numberText(unit.births, 0)}</td>
            <td class="num right hide-narrow">{numberText(unit.deaths, 0)}</td>
            <td class="num right hide-narrow">{numberText(unit.messages, 0)}</td>
        </>
    );
}

function NodeRows(props: { node: SparkplugNode; done: () => void; fail: (error: Error) => void }) {
    const n = props.node;
    return (
        <>
            <tr class="sparkplug-node">
                <th scope="row">
                    <a class="cut" href={`/uns?path=${encodeURIComponent(n.path)}`}>{n.group}/{n.node}</a>
                    {n.rebirths > 0 && n.why && <span class="sparkplug-why cut" title={n.why}>rebirth requested: {n.why}</span>}
                </th>
                <Counts unit={n} />
                <td class={`num right ${n.lost > 0 ? "is-bad" : ""}`}>
                    {n.lost > 0 && <Icon name="triangle-alert" size={12} label="messages were lost" />} {numberText(n.lost, 0)}
                </td>
                <td class="num right hide-narrow">{numberText(n.rebirths, 0)}</td>
                <td class="num right hide-narrow">{n.bdseq < 0 ? "–" : n.bdseq}</td>
                <td class="num right hide-narrow">{n.births ? n.seq : "–"}</td>
                {mayOperate.value && <td class="right"><Rebirth {...props} /></td>}
            </tr>
            {n.devices.map((device) => (
                <tr key={device.device} class="sparkplug-device">
                    <th scope="row"><a class="cut" href={`/uns?path=${encodeURIComponent(device.path)}`}>{device.device}</a></th>
                    <Counts unit={device} />
                    <td colSpan={mayOperate.value ? 5 : 4} />
                </tr>
            ))}
        </>
    );
}

function Own(props: { edge: SparkplugEdge }) {
    const e = props.edge;
    if (!e.on) return null;
    const state = e.state === "born" ? "publishing" : e.state === "waiting" ? `waiting for ${e.primary}` : "not connected";
    return (
        <section class="card sparkplug-own" aria-label="Own edge node">
            <h2>{e.group}/{e.node} on {e.address}</h2>
            <span class={`chip is-${e.state === "born" ? "normal" : "warn"}`}><Icon name={e.state === "born" ? "check" : "unplug"} size={13} />{state}</span>
            {e.reason && <span class="quiet">{e.reason}</span>}
            <span class="quiet num">
                {plural("metric", e.metrics)}{e.devices > 0 && `, ${plural("device", e.devices)}`}{e.devices_dead > 0 && ` (${numberText(e.devices_dead, 0)} dead)`}, {plural("value", e.values)} sent, bdSeq {e.bdseq < 0 ? "–" : e.bdseq}
                {e.kept_bytes > 0 && `, ${bytesText(e.kept_bytes)} wait`}{e.kept_lost > 0 && `, ${plural("value", e.kept_lost)} dropped`}
            </span>
        </section>
    );
}

export function Sparkplug() {
    useTitle("Sparkplug");
    void place.value;
    const { data, error, reload } = useLoad("sparkplug", api.sparkplug, POLL_MS);
    const [failed, setFailed] = useState<Error | null>(null);
    const input = useRef<HTMLInputElement>(null);
    useEffect(() => handle("search", () => input.current?.select()), []);
    if (error && !data) return <Failure error={error} retry={reload} />;
    if (!data) return <div class="loading" aria-busy="true" />;
    if (!data.host.on && !data.edge.on)
        return (
            <Empty title="Sparkplug is off" icon="radio">
                <p>Give this host an id, and edge nodes that publish to its broker are shown here:</p>
                <pre>TUTTI_SPARKPLUG_HOST=scada tutti serve</pre>
            </Empty>
        );
    const filter = param("q");
    const wanted = words(filter);
    const shown = data.nodes.filter((n) => matches(`${n.group}/${n.node} ${n.state} ${n.devices.map((d) => d.device).join(" ")}`, wanted)).sort(byNeed);
    const alive = data.nodes.filter((n) => n.state === "alive").length;
    return (
        <div class="page">
            <header class="page-head">
                <h1>Sparkplug</h1>
                {data.host.on && <span class="chip is-normal" title={`Published, retained: spBv1.0/STATE/${data.host.id}`}><Icon name="check" size={13} />STATE online</span>}
                {data.host.on && <span class="quiet num">host {data.host.id}: {alive} of {plural("edge node", data.nodes.length)} alive, {plural("metric", data.host.metrics)}</span>}
                {data.host.bad + data.host.over_limit + data.host.refused > 0 && (
                    <a class="is-bad" href="/logs?module=sparkplug">
                        <Icon name="triangle-alert" size={13} /> {plural("message", data.host.bad + data.host.over_limit)} and {plural("value", data.host.refused)} refused
                    </a>
                )}
                <div class="filter">
                    <Icon name="filter" size={14} />
                    <input ref={input} type="search" aria-label="Filter edge nodes" placeholder="Filter" value={filter}
                        onInput={(event) => setParams({ q: event.currentTarget.value })} />
                    <kbd aria-hidden="true">/</kbd>
                </div>
            </header>
            {failed && <Failure error={failed} retry={() => setFailed(null)} />}
            <Own edge={data.edge} />
            {data.host.on && (
                <div class="card table-box" tabIndex={0} role="region" aria-label="Edge nodes">
                    <table class="table">
                        <thead>
                            <tr>
                                <th scope="col">Edge node, device</th>
                                <th scope="col">State</th>
                                <th scope="col" class="right">Metrics</th>
                                <th scope="col" class="right">Heard</th>
                                <th scope="col" class="right hide-narrow">Births</th>
                                <th scope="col" class="right hide-narrow">Deaths</th>
                                <th scope="col" class="right hide-narrow">Messages</th>
                                <th scope="col" class="right">Lost</th>
                                <th scope="col" class="right hide-narrow">Rebirths</th>
                                <th scope="col" class="right hide-narrow">bdSeq</th>
                                <th scope="col" class="right hide-narrow">seq</th>
                                {mayOperate.value && <th scope="col"><span class="sr-only">Request a rebirth</span></th>}
                            </tr>
                        </thead>
                        <tbody>
                            {shown.map((node) => <NodeRows key={`${node.group}/${node.node}`} node={node} done={reload} fail={setFailed} />)}
                        </tbody>
                    </table>
                    {shown.length === 0 && data.nodes.length > 0 && <p class="quiet pad">No edge node contains “{filter}”.</p>}
                    {data.nodes.length === 0 && (
                        <div class="quiet pad">
                            <p>No edge node has been heard yet. Connect one to the MQTT broker of this program; it appears here with its birth:</p>
                            <pre>spBv1.0/GROUP/NBIRTH/NODE</pre>
                            <p>Nodes that wait for a primary host want this one's id: {data.host.id}.</p>
                        </div>
                    )}
                </div>
            )}
        </div>
    );
}
