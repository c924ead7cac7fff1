// alarms/target-form.tsx: the forms of targets and routes; what the server refuses is said at the field.
import { useId, useState } from "preact/hooks";
import { api, type AlarmPriority, type AlarmRoute, type RouteWhen, type ShownTarget, type TargetKind } from "../core/api";
import { Failure } from "../ui/state";
import { priorities } from "./store";
import { errorAt, routeDraft, routeOf, targetDraft, targetKinds, targetOf, whens, type RouteDraft, type TargetDraft } from "./target";

/** One labelled input; the error stands below it and belongs to it for a reader, too. */
function Line(props: { label: string; field: string; error: Error | null; value: string; set: (value: string) => void; more?: object; long?: boolean }) {
    const id = useId();
    const wrong = errorAt(props.error, props.field);
    const common = {
        value: props.value, "aria-invalid": wrong !== "", "aria-describedby": wrong ? id : undefined,
        onInput: (event: { currentTarget: { value: string } }) => props.set(event.currentTarget.value), ...props.more,
    };
    return (
        <label>
            {props.label}
            {props.long ? <textarea rows={2} {...common} /> : <input {...common} />}
            {wrong && <span id={id} class="is-bad" role="alert">{wrong}</span>}
        </label>
    );
}

function Choices<T extends string>(props: { label: string; field: string; error: Error | null; all: readonly T[]; chosen: T[]; set: (chosen: T[]) => void }) {
    const wrong = errorAt(props.error, props.field);
    return (
        <fieldset class="alarm-choices">
            <legend>{props.label}</legend>
            {props.all.map((each) => (
                <label key={each} class="check">
                    <input type="checkbox" checked={props.chosen.includes(each)}
                        onChange={(event) => props.set(props.all.filter((one) => (one === each ? event.currentTarget.checked : props.chosen.includes(one))))} />
                    {each}
                </label>
            ))}
            {wrong && <span class="is-bad" role="alert">{wrong}</span>}
        </fieldset>
    );
}

const targetFields = ["name", "to", "subject", "topic", "url", "ca", "headers", "secret", "group_ms"];
const routeFields = ["name", "on", "alarms", "priorities", "when", "to", "delay_ms", "repeat_ms", "repeat_max", "escalate_ms", "escalate_to"];
const elsewhere = (error: Error | null, fields: string[]): boolean => error !== null && fields.every((field) => errorAt(error, field) === "");

export function TargetEditor(props: { target: ShownTarget | null; close: () => void; saved: () => void }) {
    const [draft, setDraft] = useState(targetDraft(props.target));
    const [error, setError] = useState<Error | null>(null);
    const set = (change: Partial<TargetDraft>): void => setDraft({ ...draft, ...change });
    const save = (): Promise<void> => api.alarmTargetPut(targetOf(draft)).then(props.saved, (problem: unknown) => setError(problem as Error));
    const line = (label: string, key: "name" | "to" | "subject" | "topic" | "url" | "ca" | "secret" | "group", more: object = {}, field: string = key) => (
        <Line label={label} field={field} error={error} value={draft[key]} set={(value) => set({ [key]: value })} more={more} />
    );
    return (
        <form class="alarm-form card pad" aria-label={props.target ? `Change ${props.target.name}` : "New target"}
            onSubmit={(event) => { event.preventDefault(); void save(); }}>
            {line("Name", "name", { required: true, readOnly: props.target !== null, maxLength: 63 })}
            <label>
                Told by
                <select value={draft.kind} disabled={props.target !== null} onChange={(event) => set({ kind: event.currentTarget.value as TargetKind })}>
                    {Object.entries(targetKinds).map(([kind, label]) => <option key={kind} value={kind}>{label}</option>)}
                </select>
            </label>
            {draft.kind === "email" && line("Addresses, with commas", "to", { placeholder: "shift@acme.example" })}
            {draft.kind === "email" && line("Subject", "subject")}
            {draft.kind === "mqtt" && line("Topic", "topic")}
            {draft.kind === "mqtt" && (
                <label class="check">
                    <input type="checkbox" checked={draft.retain} onChange={(event) => set({ retain: event.currentTarget.checked })} />
                    the last message of a topic stays
                </label>
            )}
            {draft.kind === "webhook" && (
                <>
                    {line("Address", "url", { placeholder: "https://erp.example/alarms" })}
                    <Line label="Headers, a line each (no value: the stored one stays)" field="headers" error={error} value={draft.headers} long
                        set={(headers) => set({ headers })} more={{ placeholder: "Authorization: Bearer ...", autoComplete: "off", spellcheck: false }} />
                    {line(props.target?.signed ? "Key of the signature (empty: the stored one stays)" : "Key of the signature", "secret", { type: "password", autoComplete: "new-password" })}
                    {props.target?.signed && (
                        <label class="check">
                            <input type="checkbox" checked={draft.unsigned} onChange={(event) => set({ unsigned: event.currentTarget.checked })} />
                            no signature any more
                        </label>
                    )}
                    {line("Certificates to trust (file on the server)", "ca", { placeholder: "the system's" })}
                </>
            )}
            {draft.kind !== "mqtt" && line("Least time between messages (s)", "group", { inputMode: "decimal" }, "group_ms")}
            {elsewhere(error, targetFields) && <Failure error={error!} />}
            <div class="alarm-form-end">
                <button class="button primary">Save</button>
                <button type="button" class="button" onClick={props.close}>Cancel</button>
            </div>
        </form>
    );
}

export function RouteEditor(props: { route: AlarmRoute | null; targets: string[]; close: () => void; saved: () => void }) {
    const [draft, setDraft] = useState(routeDraft(props.route));
    const [error, setError] = useState<Error | null>(null);
    const set = (change: Partial<RouteDraft>): void => setDraft({ ...draft, ...change });
    const save = (): Promise<void> => api.alarmRoutePut(routeOf(draft)).then(props.saved, (problem: unknown) => setError(problem as Error));
    const line = (label: string, key: "name" | "on" | "alarms" | "delay" | "repeat" | "repeats" | "escalate", field: string, more: object = {}) => (
        <Line label={label} field={field} error={error} value={draft[key]} set={(value) => set({ [key]: value })} more={more} />
    );
    const number = { inputMode: "decimal" };
    return (
        <form class="alarm-form card pad" aria-label={props.route ? `Change ${props.route.name}` : "New route"}
            onSubmit={(event) => { event.preventDefault(); void save(); }}>
            {line("Name", "name", "name", { required: true, readOnly: props.route !== null, maxLength: 63 })}
            {line("On path or filter", "on", "on", { required: true })}
            {line("Rules, with commas and *", "alarms", "alarms", { placeholder: "all" })}
            <Choices<AlarmPriority> label="Priorities" field="priorities" error={error} all={priorities} chosen={draft.priorities} set={(chosen) => set({ priorities: chosen })} />
            <Choices<RouteWhen> label="When it is" field="when" error={error} all={whens} chosen={draft.when} set={(chosen) => set({ when: chosen })} />
            <Choices<string> label="To" field="to" error={error} all={props.targets} chosen={draft.to} set={(chosen) => set({ to: chosen })} />
            {line("Not before it is there for (s)", "delay", "delay_ms", number)}
            {line("Again every (min)", "repeat", "repeat_ms", number)}
            {draft.repeat !== "" && line("How often again", "repeats", "repeat_max", number)}
            {line("Nobody took it for (min)", "escalate", "escalate_ms", number)}
            <label>
                then also
                <select value={draft.escalateTo} onChange={(event) => set({ escalateTo: event.currentTarget.value })}>
                    <option value="">nobody</option>
                    {props.targets.map((name) => <option key={name}>{name}</option>)}
                </select>
                {errorAt(error, "escalate_to") && <span class="is-bad" role="alert">{errorAt(error, "escalate_to")}</span>}
            </label>
            <label class="check">
                <input type="checkbox" checked={draft.off} onChange={(event) => set({ off: event.currentTarget.checked })} />
                tells nobody for now
            </label>
            {elsewhere(error, routeFields) && <Failure error={error!} />}
            <div class="alarm-form-end">
                <button class="button primary">Save</button>
                <button type="button" class="button" onClick={props.close}>Cancel</button>
            </div>
        </form>
    );
}
