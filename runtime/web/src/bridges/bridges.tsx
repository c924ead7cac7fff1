// bridges/bridges.tsx: bridges to other brokers: state, what waits and went over, the last error; made, changed,
// switched and removed by administrators.
import { useState } from "preact/hooks";
import "../pages/pages.css";
import "../alarms/alarms.css";
import "./bridges.css";
import { api } from "../core/api";
import { ageText, bytesText, isoText, numberText, plural, timeText } from "../core/format";
import { mayAdmin } from "../core/session";
import { serverNow } from "../live/socket";
import { useLoad, useTitle } from "../ui/hooks";
import { Icon } from "../ui/icon";
import { Empty, Failure, RunState } from "../ui/state";
import { droppedSum, droppedText, type Bridge } from "./bridge";
import { BridgeEditor } from "./bridge-form";

const POLL_MS = 1000;
const ways = { in: "←", out: "→", both: "↔" } as const;
const wayWords = { in: "in", out: "out", both: "both ways" } as const;

function State(props: { bridge: Bridge }) {
    const { bridge } = props;
    const since = bridge.since_ms ? ageText(Math.max(0, serverNow() - bridge.since_ms)) : "";
    return (
        <>
            <RunState state={bridge.state} />
            {since && bridge.state !== "disabled" && <span class="alarm-message quiet" title={isoText(bridge.since_ms)}>for {since}</span>}
            {bridge.round_trip_ms !== null && <span class="alarm-message quiet">{numberText(bridge.round_trip_ms, 1)} ms there and back</span>}
            {bridge.next_try_ms > 0 && bridge.state === "waiting" && <span class="alarm-message quiet">next try at {timeText(bridge.next_try_ms)}</span>}
        </>
    );
}

function Row(props: { bridge: Bridge; edit: () => void; act: (work: Promise<unknown>) => void }) {
    const { bridge } = props;
    const lost = droppedSum(bridge.dropped);
    const remove = (): void => {
        const waits = bridge.queued > 0 ? ` ${plural("message", bridge.queued)} that wait to go out are lost.` : "";
        if (confirm(`Remove the bridge ${bridge.name}?${waits}`)) props.act(api.bridgeDrop(bridge.name));
    };
    return (
        <tr>
            <th scope="row">{bridge.name}</th>
            <td class="mono">
                {bridge.host}:{bridge.port}
                <span class="alarm-message quiet">{bridge.tls ? "TLS, " : ""}MQTT {bridge.version}{bridge.user && `, as ${bridge.user}`}{bridge.secret && ", password stored"}</span>
            </td>
            <td>
                <State bridge={bridge} />
                {bridge.error && bridge.state !== "connected" && <span class="alarm-message is-bad" title={bridge.error_ms ? isoText(bridge.error_ms) : ""}>{bridge.error}</span>}
                {bridge.error && bridge.state === "connected" && (
                    <span class="alarm-message quiet">before: {bridge.error}{bridge.error_ms > 0 && `, ${ageText(Math.max(0, serverNow() - bridge.error_ms))} ago`}</span>
                )}
            </td>
            <td>
                <ul>
                    {bridge.topics.slice(0, 6).map((topic, at) => (
                        <li key={at} class="mono nowrap" title={wayWords[topic.direction]}>
                            <span aria-hidden="true">{ways[topic.direction]}</span> <span class="sr-only">{wayWords[topic.direction]}</span> {topic.local_prefix}{topic.filter}
                            {topic.remote_prefix !== topic.local_prefix && <span class="quiet"> there {topic.remote_prefix}{topic.filter}</span>}
                        </li>
                    ))}
                    {bridge.topics.length > 6 && <li class="quiet">{bridge.topics.length - 6} more</li>}
                </ul>
            </td>
            <td class="num right nowrap" title={bytesText(bridge.queued_bytes)}>{numberText(bridge.queued, 0)}</td>
            <td class="num right nowrap">{numberText(bridge.sent, 0)}</td>
            <td class="num right nowrap">{numberText(bridge.received, 0)}</td>
            <td class={`num right ${lost > 0 ? "is-bad" : ""}`} title={droppedText(bridge.dropped)}>
                {numberText(lost, 0)}
                {lost > 0 && <span class="alarm-message">{droppedText(bridge.dropped)}</span>}
            </td>
            {mayAdmin.value && (
                <td class="nowrap">
                    <button class="button small" aria-label={`Change ${bridge.name}`} onClick={props.edit}>Change</button>{" "}
                    <button class="button small" aria-label={`${bridge.enabled ? "Disable" : "Enable"} ${bridge.name}`} onClick={() => props.act(api.bridgeEnable(bridge.name, !bridge.enabled))}>
                        {bridge.enabled ? "Disable" : "Enable"}
                    </button>{" "}
                    <button class="button small" aria-label={`Remove ${bridge.name}`} onClick={remove}>Remove</button>
                </td>
            )}
        </tr>
    );
}

export function Bridges() {
    useTitle("Bridges");
    const { data, error, reload } = useLoad("bridges", api.bridges, POLL_MS);
    const [editing, setEditing] = useState<Bridge | null | "new">(null);
    const [failed, setFailed] = useState<Error | null>(null);
    if (error && !data) return <Failure error={error} retry={reload} />;
    if (!data) return <div class="loading" aria-busy="true" />;
    const act = (work: Promise<unknown>): void => {
        setFailed(null);
        void work.then(reload, (problem: unknown) => setFailed(problem as Error));
    };
    const bridges = [...data.bridges].sort((a, b) => (a.name < b.name ? -1 : 1));
    const up = bridges.filter((bridge) => bridge.state === "connected").length;
    return (
        <div class="page">
            <header class="page-head">
                <h1>Bridges</h1>
                {bridges.length > 0 && <span class="quiet num">{up} of {bridges.length} connected</span>}
                {mayAdmin.value && editing === null && (
                    <button class="button primary bridge-new" onClick={() => setEditing("new")}><Icon name="plus" size={14} />New bridge</button>
                )}
            </header>
            {failed && <Failure error={failed} retry={() => setFailed(null)} />}
            {editing !== null && (
                <BridgeEditor key={editing === "new" ? "" : editing.name} bridge={editing === "new" ? null : editing} close={() => setEditing(null)}
                    saved={() => { setEditing(null); reload(); }} />
            )}
            {bridges.length === 0 && editing === null && (
                <Empty title="No bridges yet" icon="waypoints">
                    <p>A bridge joins this broker with another one. What goes out waits on the disk while the other one is away.</p>
                </Empty>
            )}
            {bridges.length > 0 && (
                <div class="card table-box" tabIndex={0} role="region" aria-label="Bridges">
                    <table class="table dense">
                        <thead>
                            <tr>
                                <th scope="col">Name</th>
                                <th scope="col">Other broker</th>
                                <th scope="col">State</th>
                                <th scope="col">Topics</th>
                                <th scope="col" class="right">Waits</th>
                                <th scope="col" class="right">Sent</th>
                                <th scope="col" class="right">Received</th>
                                <th scope="col" class="right">Dropped</th>
                                {mayAdmin.value && <th scope="col"><span class="sr-only">Change</span></th>}
                            </tr>
                        </thead>
                        <tbody>{bridges.map((bridge) => <Row key={bridge.name} bridge={bridge} edit={() => setEditing(bridge)} act={act} />)}</tbody>
                    </table>
                </div>
            )}
        </div>
    );
}
