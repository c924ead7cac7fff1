// bridges/bridge-form.tsx: a bridge is made or changed, and tested before it is saved.
import { useState } from "preact/hooks";
import { api } from "../core/api";
import { Icon } from "../ui/icon";
import { Failure } from "../ui/state";
import { bridgeOf, draftOf, newTopic, withTls, type Bridge, type BridgeDraft, type BridgeTopic, type Direction } from "./bridge";

function Topic(props: { at: number; topic: BridgeTopic; only: boolean; set: (change: Partial<BridgeTopic>) => void; drop: () => void }) {
    const { topic, set } = props;
    const name = `topic ${props.at + 1}`;
    const text = (label: string, key: "filter" | "local_prefix" | "remote_prefix") => (
        <label>
            {label}
            <input value={topic[key]} aria-label={`${label}, ${name}`} onInput={(event) => set({ [key]: event.currentTarget.value })} />
        </label>
    );
    return (
        <li class="bridge-topic">
            <label>
                Direction
                <select value={topic.direction} aria-label={`Direction, ${name}`} onChange={(event) => set({ direction: event.currentTarget.value as Direction })}>
                    <option value="out">out</option>
                    <option value="in">in</option>
                    <option value="both">both</option>
                </select>
            </label>
            {text("Filter", "filter")}
            {text("Prefix here", "local_prefix")}
            {text("Prefix there", "remote_prefix")}
            <label>
                QoS
                <select value={String(topic.qos)} aria-label={`QoS, ${name}`} onChange={(event) => set({ qos: Number(event.currentTarget.value) })}>
                    <option>0</option><option>1</option><option>2</option>
                </select>
            </label>
            <label>
                Retained
                <select value={topic.retain} aria-label={`Retained, ${name}`} onChange={(event) => set({ retain: event.currentTarget.value as BridgeTopic["retain"] })}>
                    <option value="new">when new</option>
                    <option value="always">each time</option>
                    <option value="never">never</option>
                </select>
            </label>
            <button type="button" class="icon-button" disabled={props.only} aria-label={`Remove ${name}`} onClick={props.drop}><Icon name="x" size={14} /></button>
        </li>
    );
}

type Text = "name" | "host" | "port" | "user" | "ca_file" | "cert_file" | "key_file" | "client_id" | "keep_alive_s" | "session_expiry_s" | "window" | "notify" | "buffer_mib" | "buffer_age_s";

export function BridgeEditor(props: { bridge: Bridge | null; close: () => void; saved: () => void }) {
    const [draft, setDraft] = useState(draftOf(props.bridge));
    const [error, setError] = useState<Error | null>(null);
    const [tested, setTested] = useState<{ good: boolean; text: string } | null>(null);
    const [busy, setBusy] = useState(false);
    const set = (change: Partial<BridgeDraft>): void => {
        setDraft((old) => ({ ...old, ...change }));
        setTested(null);
    };
    const setTopic = (at: number, change: Partial<BridgeTopic>): void => set({ topics: draft.topics.map((topic, i) => (i === at ? { ...topic, ...change } : topic)) });
    const text = (label: string, key: Text, more: object = {}) => (
        <label>
            {label}
            <input value={draft[key]} onInput={(event) => set({ [key]: event.currentTarget.value })} {...more} />
        </label>
    );
    const whole = { inputMode: "numeric", pattern: "[0-9]+", required: true, title: "a whole number" };
    const save = (): Promise<void> => api.bridgePut(bridgeOf(draft)).then(props.saved, (problem: unknown) => setError(problem as Error));
    const test = async (): Promise<void> => {
        setBusy(true);
        setTested(null);
        setError(null);
        try {
            const answer = await api.bridgeTest(bridgeOf(draft));
            setTested({ good: answer.connected, text: answer.connected ? `Connected after ${answer.ms} ms.` : answer.error });
        } catch (problem) {
            setError(problem as Error);
        }
        setBusy(false);
    };
    return (
        <form class="alarm-form card pad" aria-label={props.bridge ? `Change ${props.bridge.name}` : "New bridge"}
            onSubmit={(event) => { event.preventDefault(); void save(); }}>
            {text("Name", "name", { required: true, readOnly: props.bridge !== null, maxLength: 64 })}
            {text("Host", "host", { required: true, maxLength: 255, placeholder: "mqtt.example.com" })}
            {text("Port", "port", whole)}
            <label class="check">
                <input type="checkbox" checked={draft.tls} onChange={(event) => { setDraft(withTls(draft, event.currentTarget.checked)); setTested(null); }} />
                TLS
            </label>
            <label>
                Version
                <select value={draft.version} onChange={(event) => set({ version: event.currentTarget.value as BridgeDraft["version"] })}>
                    <option>5.0</option><option>3.1.1</option>
                </select>
            </label>
            {text("User", "user", { autocomplete: "off", maxLength: 1024 })}
            <label>
                Password{props.bridge?.secret ? " (empty: stays as it is)" : ""}
                <input type="password" autocomplete="new-password" maxLength={1024} value={draft.password} onInput={(event) => set({ password: event.currentTarget.value })} />
            </label>
            {props.bridge?.secret && (
                <label class="check">
                    <input type="checkbox" checked={draft.forget} onChange={(event) => set({ forget: event.currentTarget.checked })} />
                    without a password
                </label>
            )}
            <fieldset class="bridge-topics">
                <legend>Topics: here prefix here + filter, there prefix there + filter; the first that fits counts</legend>
                <ul>
                    {draft.topics.map((topic, at) => (
                        <Topic key={at} at={at} topic={topic} only={draft.topics.length === 1} set={(change) => setTopic(at, change)}
                            drop={() => set({ topics: draft.topics.filter((_, i) => i !== at) })} />
                    ))}
                </ul>
                <button type="button" class="button small" disabled={draft.topics.length >= 256} onClick={() => set({ topics: [...draft.topics, newTopic()] })}>
                    <Icon name="plus" size={13} />Topic
                </button>
            </fieldset>
            <details class="bridge-more">
                <summary>More settings</summary>
                <div class="alarm-form">
                    {draft.tls && text("Trusted certificates, PEM file", "ca_file")}
                    {draft.tls && text("Our certificate, PEM file", "cert_file")}
                    {draft.tls && text("Its key, PEM file", "key_file")}
                    {text("Client id (empty: its own)", "client_id")}
                    {text("State is told to topic there", "notify")}
                    {text("Keep alive (s)", "keep_alive_s", whole)}
                    {text("Session there kept for (s)", "session_expiry_s", whole)}
                    {text("Unanswered at most", "window", whole)}
                    {text("Buffer (MiB)", "buffer_mib", { inputMode: "decimal", required: true })}
                    {text("Waits at most (s), 0: ever", "buffer_age_s", whole)}
                    <label>
                        When the buffer is full
                        <select value={draft.buffer_policy} onChange={(event) => set({ buffer_policy: event.currentTarget.value as BridgeDraft["buffer_policy"] })}>
                            <option value="drop_oldest">the oldest give way</option>
                            <option value="drop_newest">new ones are not taken</option>
                            <option value="refuse">publishers are refused</option>
                        </select>
                    </label>
                    <label class="check">
                        <input type="checkbox" checked={draft.keep_qos0} onChange={(event) => set({ keep_qos0: event.currentTarget.checked })} />
                        messages of QoS 0 wait too, and go out as QoS 1
                    </label>
                    <label class="check">
                        <input type="checkbox" checked={draft.mark} onChange={(event) => set({ mark: event.currentTarget.checked })} />
                        messages carry where they were
                    </label>
                </div>
            </details>
            <label class="check">
                <input type="checkbox" checked={draft.enabled} onChange={(event) => set({ enabled: event.currentTarget.checked })} />
                connected
            </label>
            {error && <Failure error={error} />}
            <div class="alarm-form-end">
                <button class="button primary">Save</button>
                <button type="button" class="button" disabled={busy || draft.host.trim() === "" || draft.name.trim() === ""} onClick={() => void test()}>{busy ? "Testing" : "Test"}</button>
                <button type="button" class="button" onClick={props.close}>Cancel</button>
                <span class={tested && !tested.good ? "is-bad bridge-tested" : "bridge-tested"} role="status">
                    {tested && <><Icon name={tested.good ? "circle-check" : "circle-x"} size={14} /> <span>{tested.text}</span></>}
                </span>
            </div>
        </form>
    );
}
