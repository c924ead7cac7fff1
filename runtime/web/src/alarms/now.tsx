// alarms/now.tsx: the alarms that stand, and what an operator does to them.
import { useEffect, useMemo, useState } from "preact/hooks";
import { api, type Alarm, type AlarmAct } from "../core/api";
import { ageText, isoText, plural, timeText, valueText } from "../core/format";
import { handle } from "../core/keys";
import { param, setParams } from "../core/router";
import { mayEngineer, mayOperate } from "../core/session";
import { serverNow } from "../live/socket";
import { Icon } from "../ui/icon";
import { Empty, Failure } from "../ui/state";
import { shown, statesOf } from "./filter";
import { PriorityMark, stateWords } from "./mark";
import { Origin } from "./origin";
import { alarms, failure, keyOf, listMax, needsAck, priorities, refresh, total } from "./store";

const shelves = [[15, "15 min"], [60, "1 h"], [240, "4 h"], [480, "8 h"]] as const;

function Shelve(props: { count: number; done: (minutes: number, reason: string) => void; close: () => void }) {
    const [minutes, setMinutes] = useState(60);
    const [reason, setReason] = useState("");
    return (
        <form class="alarm-form card pad" aria-label="Shelve"
            onSubmit={(event) => { event.preventDefault(); props.done(minutes, reason); }}>
            <label>
                Put {plural("alarm", props.count)} aside for
                <select value={minutes} onChange={(event) => setMinutes(Number(event.currentTarget.value))}>
                    {shelves.map(([value, text]) => <option key={value} value={value}>{text}</option>)}
                </select>
            </label>
            <label class="grow">
                Reason
                <input required maxLength={500} value={reason} autoFocus onInput={(event) => setReason(event.currentTarget.value)} />
            </label>
            <button class="button primary" disabled={!reason.trim()}>Shelve</button>
            <button type="button" class="button" onClick={props.close}>Cancel</button>
        </form>
    );
}

function Row(props: { alarm: Alarm; chosen: boolean; choose: (on: boolean) => void }) {
    const { alarm } = props;
    return (
        <tr class={`${needsAck(alarm.state) ? "alarm-new" : ""} ${alarm.active ? "" : "alarm-over"}`} aria-selected={props.chosen}>
            <td><input type="checkbox" checked={props.chosen} aria-label={`Choose ${alarm.rule} at ${alarm.path}`}
                onChange={(event) => props.choose(event.currentTarget.checked)} /></td>
            <td class="nowrap"><PriorityMark priority={alarm.priority} /> {alarm.priority}</td>
            <td class="nowrap num" title={isoText(alarm.raised || alarm.since)}>{timeText(alarm.raised || alarm.since)}</td>
            <td class="grow">
                <a href={`/uns?path=${encodeURIComponent(alarm.path)}`}>{alarm.path}</a>
                <span class="alarm-message">{alarm.message ?? alarm.rule}</span>
                <span class="alarm-message alarm-narrow" aria-hidden="true">{stateWords[alarm.state]}{alarm.value === undefined ? "" : `, ${valueText(alarm.value, Number.isInteger(alarm.value) ? 0 : 2)}`}</span>
                {alarm.origin && <span class="quiet alarm-message">{alarm.rule}, from <Origin origin={alarm.origin} path={alarm.path} /></span>}
                {alarm.action && alarm.active && <span class="quiet alarm-message">{alarm.action}</span>}
            </td>
            <td class="num nowrap">{alarm.value === undefined ? "" : valueText(alarm.value, Number.isInteger(alarm.value) ? 0 : 2)}</td>
            <td class="nowrap">
                {stateWords[alarm.state]}
                {alarm.shelved_until !== undefined && <span class="quiet"> until {timeText(alarm.shelved_until)}</span>}
            </td>
            <td class="num nowrap hide-narrow">{ageText(Math.max(0, serverNow() - alarm.since))}</td>
            <td class="num hide-narrow">{alarm.count}</td>
        </tr>
    );
}

function useActs(chosen: Alarm[], comment: string, clear: () => void) {
    const [note, setNote] = useState("");
    const act = async (name: AlarmAct, more: { text?: string; until?: number } = {}, which = chosen): Promise<void> => {
        if (which.length === 0) return;
        try {
            const answer = await api.alarmAct({ act: name, alarms: which.map(({ rule, path }) => ({ rule, path })), text: comment.trim(), ...more });
            const first = answer.refused[0];
            setNote(first ? `${plural("alarm", answer.refused.length)} left as it was: ${first.reason}` : "");
            clear();
        } catch (error) {
            setNote((error as Error).message);
        }
        refresh();
    };
    return { act, note };
}

/**
 * The alarms to choose from. More stand than the page holds: then what is filtered by priority or state is
 * asked for, so that nobody reads "none" where there are some further down.
 */
function useListed(priority: string, state: string, aside: boolean): { alarms: Alarm[]; total: number } {
    const all = alarms.value;
    const own = total.value > listMax && (priority !== "" || state !== "" || aside);
    const [found, setFound] = useState<{ key: string; alarms: Alarm[]; total: number } | null>(null);
    const key = `${priority} ${state} ${aside}`;
    useEffect(() => {
        if (!own) return;
        let alive = true;
        const states = state ? [state] : aside ? statesOf(true) : [""];
        void Promise.all(states.map((one) => api.alarms({ limit: listMax, priority: priority || undefined, state: one || undefined }))).then(
            (answers) => alive && setFound({ key, alarms: answers.flatMap((one) => one.alarms), total: answers.reduce((sum, one) => sum + one.total, 0) }),
            () => undefined, // the list itself says what is wrong
        );
        return () => void (alive = false);
    }, [key, own, all]);
    return own && found?.key === key ? found : { alarms: all, total: total.value };
}

export function Now(props: { aside: boolean }) {
    const filter = { priority: param("priority"), state: param("state"), text: param("q"), aside: props.aside };
    const of = useListed(filter.priority, filter.state, props.aside);
    const list = useMemo(() => shown(of.alarms, filter), [of.alarms, filter.priority, filter.state, filter.text, filter.aside]);
    const [chosenKeys, setChosen] = useState<Set<string>>(new Set());
    const [shelving, setShelving] = useState(false);
    const chosen = list.filter((alarm) => chosenKeys.has(keyOf(alarm)));
    const [comment, setComment] = useState("");
    const { act, note } = useActs(chosen, comment, () => {
        setChosen(new Set());
        setComment("");
    });
    const choose = (alarm: Alarm, on: boolean): void =>
        setChosen((old) => {
            const next = new Set(old);
            if (on) next.add(keyOf(alarm));
            else next.delete(keyOf(alarm));
            return next;
        });
    useEffect(() => handle("alarms.ack", () => {
        const first = list.find((alarm) => needsAck(alarm.state));
        void act("acknowledge", {}, chosen.length > 0 ? chosen : first ? [first] : []);
    }), [list, chosen.length, comment]);
    const shelve = (minutes: number, text: string): void => {
        setShelving(false);
        void act("shelve", { text, until: serverNow() + minutes * 60_000 });
    };
    const none = chosen.length === 0;
    const filtered = filter.priority + filter.state + filter.text !== "";
    return (
        <>
            <div class="page-head alarm-tools">
                <select aria-label="Priority" value={filter.priority} onChange={(event) => setParams({ priority: event.currentTarget.value })}>
                    <option value="">all priorities</option>
                    {priorities.map((name) => <option key={name}>{name}</option>)}
                </select>
                <select aria-label="State" value={filter.state} onChange={(event) => setParams({ state: event.currentTarget.value })}>
                    <option value="">all states</option>
                    {statesOf(props.aside).map((name) => <option key={name} value={name}>{stateWords[name]}</option>)}
                </select>
                {mayOperate.value && !props.aside && (
                    <>
                        <button class="button primary" disabled={none} onClick={() => void act("acknowledge")}>
                            <Icon name="check" size={14} />Acknowledge{none ? "" : ` (${chosen.length})`}
                        </button>
                        <button class="button" disabled={none} onClick={() => setShelving(true)}>
                            <Icon name="clock" size={14} />Shelve
                        </button>
                        <button class="button" disabled={none} onClick={() => void act("reset")}>Reset</button>
                    </>
                )}
                {mayOperate.value && props.aside && (
                    <button class="button" disabled={none} onClick={() => void act("unshelve")}>Take back</button>
                )}
                {mayEngineer.value && (props.aside ? (
                    <>
                        <button class="button" disabled={none} onClick={() => void act("unsuppress")}>End suppression</button>
                        <button class="button" disabled={none} onClick={() => void act("return-to-service")}>Return to service</button>
                    </>
                ) : (
                    <>
                        <button class="button" disabled={none} onClick={() => void act("suppress")}>Suppress</button>
                        <button class="button" disabled={none} onClick={() => void act("remove-from-service")}>Out of service</button>
                    </>
                ))}
                {mayOperate.value && (
                    <input class="alarm-comment" aria-label="Comment" placeholder="Comment for the journal" maxLength={500} value={comment} disabled={none}
                        onInput={(event) => setComment(event.currentTarget.value)} />
                )}
                <span class="quiet" role="status">{note}</span>
            </div>
            {shelving && !none && <Shelve count={chosen.length} done={shelve} close={() => setShelving(false)} />}
            {failure.value && <Failure error={failure.value} retry={refresh} />}
            {of.total > of.alarms.length && (
                <p class="quiet" role="status">
                    These are the {of.alarms.length} most urgent of {of.total} alarms{filter.text && ", and only they were searched"}.
                </p>
            )}
            {list.length === 0 && !failure.value && filtered && (
                <Empty icon="search" title="No alarm fits">
                    <button class="button" onClick={() => setParams({ priority: null, state: null, q: null })}>Without filters</button>
                </Empty>
            )}
            {list.length === 0 && !failure.value && !filtered && (
                <Empty icon="shield-check" title={props.aside ? "Nothing is put aside" : "No alarms"}>
                    {props.aside ? "Shelved and suppressed alarms, and those out of service, stand here." : "Everything that has a rule is normal."}
                </Empty>
            )}
            {list.length > 0 && (
                <div class="card table-box" tabIndex={0} role="region" aria-label="Alarms, the most urgent first">
                    <table class="table dense alarm-table">
                        <thead>
                            <tr>
                                <th scope="col"><input type="checkbox" aria-label="Choose all" checked={chosen.length === list.length}
                                    onChange={(event) => setChosen(event.currentTarget.checked ? new Set(list.map(keyOf)) : new Set())} /></th>
                                <th scope="col">Priority</th>
                                <th scope="col">Raised</th>
                                <th scope="col">What</th>
                                <th scope="col">Value</th>
                                <th scope="col">State</th>
                                <th scope="col" class="hide-narrow">For</th>
                                <th scope="col" class="hide-narrow">Times</th>
                            </tr>
                        </thead>
                        <tbody>
                            {list.map((alarm) => (
                                <Row key={keyOf(alarm)} alarm={alarm} chosen={chosenKeys.has(keyOf(alarm))} choose={(on) => choose(alarm, on)} />
                            ))}
                        </tbody>
                    </table>
                </div>
            )}
        </>
    );
}
