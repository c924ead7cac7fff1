// alarms/rules.tsx: what is an alarm: rules of people are made and changed here, those of programs
// and schemas shown, with the way to where they are changed.
import { useState } from "preact/hooks";
import { api, type AlarmPriority, type AlarmRule } from "../core/api";
import { mayEngineer } from "../core/session";
import { param, setParams } from "../core/router";
import { useLoad } from "../ui/hooks";
import { Icon } from "../ui/icon";
import { Empty, Failure } from "../ui/state";
import { PriorityMark } from "./mark";
import { Origin } from "./origin";
import { draftOf, kinds, ruleOf, whenText, type Draft, type Kind } from "./rule";
import { priorities } from "./store";

function Editor(props: { rule: AlarmRule | null; close: () => void; saved: () => void }) {
    const [draft, setDraft] = useState(draftOf(props.rule, param("on")));
    const [error, setError] = useState<Error | null>(null);
    const [held, setHeld] = useState(props.rule?.name ?? "");
    const set = (change: Partial<Draft>): void => setDraft({ ...draft, ...change });
    const limit = draft.kind === "above" || draft.kind === "below" || draft.kind === "rises" || draft.kind === "falls";
    const save = async (): Promise<void> => {
        try {
            const rule = ruleOf(draft);
            if (held !== "" && rule.name !== held) {
                await api.alarmRename(held, rule.name);
                setHeld(rule.name);
            }
            await api.alarmPut(rule);
            props.saved();
        } catch (problem) {
            setError(problem as Error);
        }
    };
    const text = (label: string, key: "name" | "on" | "limit" | "within" | "hysteresis" | "wait" | "clear" | "message" | "action", more: object = {}) => (
        <label>
            {label}
            <input value={draft[key]} onInput={(event) => set({ [key]: event.currentTarget.value })} {...more} />
        </label>
    );
    const number = { inputMode: "decimal" };
    return (
        <form class="alarm-form card pad" aria-label={props.rule ? `Change ${props.rule.name}` : "New rule"}
            onSubmit={(event) => { event.preventDefault(); void save(); }}>
            {text("Name", "name", { required: true, maxLength: 63 })}
            {text("On path or filter", "on", { required: true, placeholder: "acme/+/press/+/temp" })}
            <label>
                Alarm when the value
                <select value={draft.kind} onChange={(event) => set({ kind: event.currentTarget.value as Kind })}>
                    {Object.entries(kinds).map(([kind, label]) => <option key={kind} value={kind}>{label}</option>)}
                </select>
            </label>
            {draft.kind !== "quality" && text(draft.kind === "is" ? "Words, with commas" : "Limit", "limit", { required: true })}
            {(draft.kind === "rises" || draft.kind === "falls") && text("Within (s)", "within", number)}
            {limit && text("Hysteresis", "hysteresis", number)}
            {text("For at least (s)", "wait", number)}
            {text("Over after (s)", "clear", number)}
            <label>
                Priority
                <select value={draft.priority} onChange={(event) => set({ priority: event.currentTarget.value as AlarmPriority })}>
                    {priorities.map((name) => <option key={name}>{name}</option>)}
                </select>
            </label>
            <label class="check">
                <input type="checkbox" checked={draft.latch} onChange={(event) => set({ latch: event.currentTarget.checked })} />
                stays until it is reset
            </label>
            {text("Message", "message", { maxLength: 500, placeholder: "{path} is at {value}" })}
            {text("What to do", "action", { maxLength: 500 })}
            {error && <Failure error={error} />}
            <div class="alarm-form-end">
                <button class="button primary">Save</button>
                <button type="button" class="button" onClick={props.close}>Cancel</button>
            </div>
        </form>
    );
}

export function Rules() {
    const loaded = useLoad("alarm-rules", () => api.alarmRules());
    const [editing, setEditing] = useState<AlarmRule | null | "new">(param("on") ? "new" : null);
    const [error, setError] = useState<Error | null>(null);
    const close = (): void => {
        setEditing(null);
        if (param("on")) setParams({ on: null });
    };
    const drop = async (name: string): Promise<void> => {
        if (!confirm(`Delete the rule ${name} and its alarms?`)) return;
        setError(null);
        await api.alarmDrop(name).catch((problem: unknown) => setError(problem as Error));
        loaded.reload();
    };
    const rules = loaded.data?.rules ?? [];
    return (
        <>
            {mayEngineer.value && editing === null && (
                <div class="page-head"><button class="button primary" onClick={() => setEditing("new")}><Icon name="plus" size={14} />New rule</button></div>
            )}
            {editing !== null && (
                <Editor key={editing === "new" ? "" : editing.name} rule={editing === "new" ? null : editing} close={close}
                    saved={() => { close(); loaded.reload(); }} />
            )}
            {(error ?? loaded.error) && <Failure error={(error ?? loaded.error)!} retry={loaded.reload} />}
            {loaded.data && rules.length === 0 && editing === null && (
                <Empty icon="shield-check" title="No rules yet">A rule says when values of the namespace are abnormal, and makes one alarm for each path it fits.</Empty>
            )}
            {rules.length > 0 && (
                <div class="card table-box">
                    <table class="table dense">
                        <thead>
                            <tr>
                                <th scope="col">Rule</th>
                                <th scope="col">Priority</th>
                                <th scope="col">On</th>
                                <th scope="col">When</th>
                                <th scope="col">From</th>
                                <th scope="col"><span class="sr-only">Change</span></th>
                            </tr>
                        </thead>
                        <tbody>
                            {rules.map(({ origin, path, alarm }) => (
                                <tr key={alarm.name}>
                                    <th scope="row">{alarm.name}</th>
                                    <td class="nowrap"><PriorityMark priority={alarm.priority} /> {alarm.priority}</td>
                                    <td class="mono">{[alarm.on].flat().map((on) => <div key={on}>{on}</div>)}</td>
                                    <td>{whenText(alarm.when)}{alarm.latch ? ", latches" : ""}</td>
                                    <td class="quiet"><Origin origin={origin} path={path} /></td>
                                    <td class="nowrap">
                                        {mayEngineer.value && origin === "" && (
                                            <>
                                                <button class="button small" onClick={() => setEditing(alarm)}>Change</button>{" "}
                                                <button class="button small" onClick={() => void drop(alarm.name)}>Delete</button>
                                            </>
                                        )}
                                    </td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </div>
            )}
        </>
    );
}
