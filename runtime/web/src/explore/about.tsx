// explore/about.tsx: what people say about a name: shown, edited; and its other name.
import { useEffect, useState } from "preact/hooks";
import { api, type Meta } from "../core/api";
import { setParams } from "../core/router";
import { mayEngineer } from "../core/session";
import { useLoad } from "../ui/hooks";
import { Failure } from "../ui/state";

const kinds = ["enterprise", "site", "area", "line", "cell", "equipment", "tag"];

function Line(props: { label: string; value: string; wide?: boolean; list?: string; onInput: (value: string) => void }) {
    return (
        <label class={`field ${props.wide ? "is-wide" : ""}`}>
            <span>{props.label}</span>
            <input type="text" list={props.list} value={props.value} onInput={(event) => props.onInput(event.currentTarget.value)} />
        </label>
    );
}

const keyLines = (keys: Record<string, string>): string => Object.entries(keys).map(([name, value]) => `${name}: ${value}`).join("\n");
function readKeys(text: string): Record<string, string> {
    const keys: Record<string, string> = {};
    for (const line of text.split("\n")) {
        const cut = line.indexOf(":");
        if (cut > 0) keys[line.slice(0, cut).trim()] = line.slice(cut + 1).trim();
    }
    return keys;
}

function Editor(props: { path: string; meta: Meta; done: () => void }) {
    const [meta, setMeta] = useState<Meta>(props.meta);
    const [keys, setKeys] = useState(keyLines(props.meta.keys ?? {}));
    const [error, setError] = useState("");
    const set = (change: Partial<Meta>): void => setMeta({ ...meta, ...change });
    const save = async (event: Event): Promise<void> => {
        event.preventDefault();
        try {
            await api.metaSet(props.path, { ...meta, keys: readKeys(keys) });
            props.done();
        } catch (failure) {
            setError((failure as Error).message);
        }
    };
    return (
        <form class="fields" aria-label="Describe this name" onSubmit={(event) => void save(event)}>
            <datalist id="kinds">{kinds.map((kind) => <option key={kind} value={kind} />)}</datalist>
            <Line label="Kind" list="kinds" value={meta.kind ?? ""} onInput={(kind) => set({ kind })} />
            <Line label="Title" value={meta.title ?? ""} onInput={(title) => set({ title })} />
            <Line label="Unit" value={meta.unit ?? ""} onInput={(unit) => set({ unit })} />
            <Line label="Owner" value={meta.owner ?? ""} onInput={(owner) => set({ owner })} />
            <Line label="Description" wide value={meta.description ?? ""} onInput={(description) => set({ description })} />
            <Line
                label="Stale after, seconds (empty: as above it)"
                value={meta.stale_ms ? String(meta.stale_ms / 1000) : ""}
                onInput={(text) => set({ stale_ms: Math.round(Number(text.replace(",", ".")) * 1000) || 0 })}
            />
            <label class="field">
                <span>Judged by</span>
                <select value={meta.stale_by ?? "received"} onChange={(event) => set({ stale_by: event.currentTarget.value as Meta["stale_by"] })}>
                    <option value="received">time of arrival</option>
                    <option value="source">time of the source</option>
                </select>
            </label>
            <label class="field is-wide">
                <span>More, one “name: text” a line</span>
                <textarea rows={3} value={keys} onInput={(event) => setKeys(event.currentTarget.value)} />
            </label>
            {error && <p class="form-error is-wide" role="alert">{error}</p>}
            <div class="field-buttons is-wide">
                <button class="button primary" type="submit">Save</button>
                <button class="button" type="button" onClick={props.done}>Cancel</button>
            </div>
        </form>
    );
}

function Rename(props: { path: string; done: () => void }) {
    const [to, setTo] = useState(props.path);
    const [error, setError] = useState("");
    const rename = async (event: Event): Promise<void> => {
        event.preventDefault();
        try {
            await api.rename(props.path, to);
            setParams({ path: to }, true);
        } catch (failure) {
            setError((failure as Error).message);
        }
    };
    return (
        <form class="fields" aria-label="Rename" onSubmit={(event) => void rename(event)}>
            <Line label="New name, with its path" wide value={to} onInput={setTo} />
            <p class="quiet is-wide">
                History, last values and retained messages of the whole branch move along. Whoever still publishes to the old name makes it anew.
            </p>
            {error && <p class="form-error is-wide" role="alert">{error}</p>}
            <div class="field-buttons is-wide">
                <button class="button primary" type="submit" disabled={to === props.path}>Rename</button>
                <button class="button" type="button" onClick={props.done}>Cancel</button>
            </div>
        </form>
    );
}

function Said(props: { meta: Meta; staleMs: number; staleBy: string }) {
    const { meta } = props;
    const facts: [string, string][] = [];
    const names: [keyof Meta, string][] = [["kind", "Kind"], ["title", "Title"], ["unit", "Unit"], ["owner", "Owner"], ["description", "Description"]];
    for (const [key, label] of names) if (meta[key]) facts.push([label, String(meta[key])]);
    for (const [name, value] of Object.entries(meta.keys ?? {})) facts.push([name, value]);
    facts.push(["Stale after", `${props.staleMs / 1000} s, by ${props.staleBy === "source" ? "the source's time" : "arrival"}`]);
    return (
        <dl class="facts pad">
            {facts.map(([name, value]) => (
                <div key={name}>
                    <dt>{name}</dt>
                    <dd>{value}</dd>
                </div>
            ))}
        </dl>
    );
}

export function About(props: { path: string }) {
    const { data, error, reload } = useLoad(`about:${props.path}`, () => api.unsValue(props.path), 5000);
    const [mode, setMode] = useState<"" | "edit" | "rename">("");
    useEffect(() => setMode(""), [props.path]);
    if (error && !data) return <Failure error={error} retry={reload} />;
    if (!data) return <div class="loading" aria-busy="true" />;
    const done = (): void => {
        setMode("");
        reload();
    };
    return (
        <section class="card">
            <header class="card-head">
                <h3>About</h3>
                {mayEngineer.value && mode === "" && (
                    <>
                        <button class="button small" onClick={() => setMode("edit")}>Edit</button>
                        <button class="button small" onClick={() => setMode("rename")}>Rename</button>
                    </>
                )}
            </header>
            {mode === "" && <Said meta={data.meta ?? {}} staleMs={data.stale_ms ?? 0} staleBy={data.stale_by ?? "received"} />}
            {mode === "edit" && <Editor path={props.path} meta={data.meta ?? {}} done={done} />}
            {mode === "rename" && <Rename path={props.path} done={done} />}
        </section>
    );
}
