// alarms/targets.tsx: who is told of alarms: targets with how they do, and routes to them.
import { useState } from "preact/hooks";
import { api, type AlarmRoute, type ShownTarget, type TargetState } from "../core/api";
import { ageText, isoText, plural, timeText } from "../core/format";
import { mayAdmin } from "../core/session";
import { serverNow } from "../live/socket";
import { useLoad } from "../ui/hooks";
import { Icon } from "../ui/icon";
import { Empty, Failure } from "../ui/state";
import { RouteEditor, TargetEditor } from "./target-form";
import { targetKinds, timesText, whereText } from "./target";

function Held(props: { state: TargetState }) {
    const { state } = props;
    const lost = state.dropped + state.expired + state.refused;
    return (
        <>
            <span class={`chip ${state.working ? "is-normal" : "is-bad"}`}>
                <Icon name={state.working ? "check" : "circle-x"} size={13} />
                {state.working ? "working" : "failing"}
            </span>
            {state.queued > 0 && state.oldest !== undefined && (
                <span class="alarm-message">{plural("notice", state.queued)} waiting, {ageText(Math.max(0, serverNow() - state.oldest))}</span>
            )}
            {!state.working && state.error && (
                <span class="alarm-message is-bad" title={isoText(state.last_error ?? 0)}>
                    {state.error}{state.next_try !== undefined && `; tried again at ${timeText(state.next_try)}`}
                </span>
            )}
            {lost > 0 && <span class="alarm-message is-bad">{plural("notice", lost)} never told</span>}
        </>
    );
}

function Test(props: { name: string; done: () => void }) {
    const [note, setNote] = useState<{ good: boolean; text: string } | null>(null);
    const [busy, setBusy] = useState(false);
    const send = async (): Promise<void> => {
        setBusy(true);
        setNote(null);
        try {
            const answer = await api.alarmTargetTest(props.name);
            setNote({ good: answer.delivered, text: answer.delivered ? `taken after ${answer.ms} ms` : (answer.error ?? "not taken") });
        } catch (problem) {
            setNote({ good: false, text: (problem as Error).message });
        }
        setBusy(false);
        props.done();
    };
    return (
        <>
            <button class="button small" disabled={busy} onClick={() => void send()}>{busy ? "Sending" : "Send a test"}</button>
            {note && <span class={`alarm-message ${note.good ? "" : "is-bad"}`} role="status">{note.text}</span>}
        </>
    );
}

function TargetRows(props: { targets: ShownTarget[]; edit: (target: ShownTarget) => void; drop: (name: string) => void; reload: () => void }) {
    return (
        <div class="card table-box">
            <table class="table dense" aria-label="Targets">
                <thead>
                    <tr>
                        <th scope="col">Target</th>
                        <th scope="col">Where</th>
                        <th scope="col">State</th>
                        <th scope="col">Last told</th>
                        <th scope="col">Told</th>
                        <th scope="col"><span class="sr-only">Change</span></th>
                    </tr>
                </thead>
                <tbody>
                    {props.targets.map((target) => (
                        <tr key={target.name}>
                            <th scope="row">{target.name}</th>
                            <td><span class="quiet">{targetKinds[target.kind]}</span> <span class="mono">{whereText(target)}</span>{target.signed && <span class="quiet"> signed</span>}</td>
                            <td><Held state={target.state} /></td>
                            <td class="num nowrap">{target.state.last_success ? timeText(target.state.last_success) : "never"}</td>
                            <td class="num nowrap" title={`${plural("message", target.state.messages)}, ${target.state.grouped} grouped`}>{target.state.delivered}</td>
                            <td>
                                {mayAdmin.value && (
                                    <>
                                        <button class="button small" onClick={() => props.edit(target)}>Change</button>{" "}
                                        <button class="button small" onClick={() => props.drop(target.name)}>Delete</button>{" "}
                                        <Test name={target.name} done={props.reload} />
                                    </>
                                )}
                            </td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}

function RouteRows(props: { routes: AlarmRoute[]; edit: (route: AlarmRoute) => void; drop: (name: string) => void }) {
    return (
        <div class="card table-box">
            <table class="table dense" aria-label="Routes">
                <thead>
                    <tr>
                        <th scope="col">Route</th>
                        <th scope="col">Alarms</th>
                        <th scope="col">On</th>
                        <th scope="col">When</th>
                        <th scope="col">To</th>
                        <th scope="col"><span class="sr-only">Change</span></th>
                    </tr>
                </thead>
                <tbody>
                    {props.routes.map((route) => (
                        <tr key={route.name} class={route.off ? "quiet" : ""}>
                            <th scope="row">{route.name}{route.off && " (off)"}</th>
                            <td>{route.priorities.length === 4 ? "all priorities" : route.priorities.join(", ")}{route.alarms && <span class="alarm-message">{route.alarms.join(", ")}</span>}</td>
                            <td class="mono">{route.on}</td>
                            <td>{route.when.join(", ")}<span class="alarm-message">{timesText(route)}</span></td>
                            <td>{route.to.join(", ")}</td>
                            <td class="nowrap">
                                {mayAdmin.value && (
                                    <>
                                        <button class="button small" onClick={() => props.edit(route)}>Change</button>{" "}
                                        <button class="button small" onClick={() => props.drop(route.name)}>Delete</button>
                                    </>
                                )}
                            </td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}

type Editing = { target: ShownTarget | null } | { route: AlarmRoute | null } | null;

export function Targets() {
    const targets = useLoad("alarm-targets", () => api.alarmTargets(), 3000);
    const routes = useLoad("alarm-routes", () => api.alarmRoutes());
    const [editing, setEditing] = useState<Editing>(null);
    const [error, setError] = useState<Error | null>(null);
    const reload = (): void => {
        targets.reload();
        routes.reload();
    };
    const saved = (): void => {
        setEditing(null);
        reload();
    };
    const drop = async (what: string, name: string, call: (name: string) => Promise<unknown>): Promise<void> => {
        if (!confirm(`Delete the ${what} ${name}?`)) return;
        setError(null);
        await call(name).catch((problem: unknown) => setError(problem as Error));
        reload();
    };
    const list = targets.data?.targets ?? [];
    const ways = routes.data?.routes ?? [];
    const failed = error ?? targets.error ?? routes.error;
    return (
        <>
            {mayAdmin.value && editing === null && (
                <div class="page-head">
                    <button class="button primary" onClick={() => setEditing({ target: null })}><Icon name="plus" size={14} />New target</button>
                    <button class="button" disabled={list.length === 0} onClick={() => setEditing({ route: null })}><Icon name="plus" size={14} />New route</button>
                </div>
            )}
            {editing && "target" in editing && <TargetEditor target={editing.target} close={() => setEditing(null)} saved={saved} />}
            {editing && "route" in editing && <RouteEditor route={editing.route} targets={list.map((each) => each.name)} close={() => setEditing(null)} saved={saved} />}
            {failed && <Failure error={failed} retry={reload} />}
            {targets.data && list.length === 0 && editing === null && (
                <Empty icon="bell" title="Nobody is told yet">A target is an address for mails, an MQTT topic or a web request; a route says which alarms go there.</Empty>
            )}
            {list.length > 0 && <TargetRows targets={list} edit={(target) => setEditing({ target })} reload={targets.reload}
                drop={(name) => void drop("target", name, api.alarmTargetDrop)} />}
            {list.length > 0 && routes.data && ways.length === 0 && editing === null && <p class="quiet">No route yet: these targets are told nothing.</p>}
            {ways.length > 0 && <RouteRows routes={ways} edit={(route) => setEditing({ route })} drop={(name) => void drop("route", name, api.alarmRouteDrop)} />}
        </>
    );
}
