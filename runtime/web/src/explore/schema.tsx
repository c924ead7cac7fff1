// explore/schema.tsx: the type that payloads of a topic have to fit, what did not fit, and the binding.
import { useEffect, useState } from "preact/hooks";
import { api, type Binding, type Form, type SchemaCheck, type SchemaOf } from "../core/api";
import { isoText, numberText, plural, timeText } from "../core/format";
import { mayEngineer } from "../core/session";
import { Icon } from "../ui/icon";
import { useLoad } from "../ui/hooks";
import { Failure } from "../ui/state";

export const useSchema = (path: string) => useLoad(`schema:${path}`, () => api.schemaOf(path), 3000);

/** Beside the path: which schema holds here, and that something did not fit. */
export function SchemaBadge(props: { of: SchemaOf | null; onOpen: () => void }) {
    const binding = props.of?.binding;
    if (!binding) return null;
    const bad = binding.violations > 0;
    return (
        <button class={`chip badge ${bad ? "is-warn" : ""}`} onClick={props.onOpen} title={`bound to ${binding.filter}`}>
            <Icon name={bad ? "triangle-alert" : "shield-check"} size={13} />
            {binding.schema} v{binding.now} · {binding.mode}
            {bad && ` · ${plural("violation", binding.violations)}`}
        </button>
    );
}

export function typeText(form: Form): string {
    if (form.type === "record") return "record";
    if (form.type === "list") return `list of at most ${form.max}`;
    let text = form.names ? form.names.join(" · ") : form.type;
    if (form.max) text += `(${form.max})`;
    if (form.unit) text += ` [${form.unit}]`;
    if (form.lo !== undefined) text += ` ${form.lo}..${form.hi}`;
    return text;
}

function rowsOf(form: Form, prefix = ""): { path: string; form: Form }[] {
    return (form.fields ?? []).flatMap((field) => {
        const path = prefix + (field.name ?? "");
        const below = field.type === "record" ? `${path}.` : `${path}[].`;
        return [{ path: path || "item", form: field }, ...rowsOf(field, below)];
    });
}

function FormTable(props: { form: Form }) {
    const rows = props.form.fields ? rowsOf(props.form) : [{ path: "value", form: props.form }];
    return (
        <table class="table dense">
            <thead>
                <tr>
                    <th scope="col">Field</th>
                    <th scope="col">Type</th>
                    <th scope="col">Must be there</th>
                </tr>
            </thead>
            <tbody>
                {rows.map(({ path, form }) => (
                    <tr key={path}>
                        <td class="mono">{path}</td>
                        <td>{typeText(form)}</td>
                        <td class="quiet">{form.optional ? "no" : "yes"}</td>
                    </tr>
                ))}
            </tbody>
        </table>
    );
}

function Violations(props: { topic: string }) {
    const { data } = useLoad(`violations:${props.topic}`, () => api.violations(props.topic, 50), 3000);
    if (!data || data.kept === 0) return null;
    return (
        <section class="card">
            <h3>{plural("violation", data.kept)} kept</h3>
            <div class="latest" tabIndex={0} role="region" aria-label="Violations">
                <table class="table dense">
                    <thead>
                        <tr>
                            <th scope="col">Time</th>
                            <th scope="col">Field</th>
                            <th scope="col">Reason</th>
                            <th scope="col">Client</th>
                            <th scope="col">Payload</th>
                        </tr>
                    </thead>
                    <tbody>
                        {data.violations.map((v) => (
                            <tr key={v.id} title={`${v.message}; schema ${v.schema} version ${v.version}, ${v.mode}`}>
                                <td class="num nowrap" title={isoText(v.at)}>{timeText(v.at)}</td>
                                <td class="mono">{v.field || "all"}</td>
                                <td class="is-warn nowrap">{v.reason}</td>
                                <td class="cut">{v.client || "this process"}</td>
                                <td class="mono cut" title={v.head}>{v.head}</td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            </div>
        </section>
    );
}

function Checked(props: { check: SchemaCheck }) {
    const { problems, changes } = props.check;
    return (
        <ul class="notes is-wide" aria-live="polite">
            {problems.map((p, at) => (
                <li key={at} class="is-bad">
                    Line {p.line}, column {p.column}: {p.text}
                </li>
            ))}
            {changes?.map((change, at) => (
                <li key={at} class={change.compatible ? "" : "is-warn"}>
                    {change.field && <span class="mono">{change.field}</span>} {change.text}
                </li>
            ))}
            {props.check.ok && changes?.length === 0 && <li>The text is right.</li>}
        </ul>
    );
}

/** Writes a schema: checked while it is typed, saved as its next version. */
function SchemaEditor(props: { name: string; from: number | undefined; done: (name: string) => void; cancel: () => void }) {
    const [name, setName] = useState(props.name);
    const [text, setText] = useState("type Reading = {\n  value: f64 in 0..100\n}\n");
    const [check, setCheck] = useState<SchemaCheck | null>(null);
    const [error, setError] = useState("");
    useEffect(() => {
        if (props.name) void api.schema(props.name, props.from).then((s) => setText(s.text), (e: Error) => setError(e.message));
    }, [props.name, props.from]);
    useEffect(() => {
        let alive = true;
        const timer = setTimeout(() => void api.schemaCheck(name, text).then((c) => alive && setCheck(c), () => undefined), 300);
        return () => {
            alive = false;
            clearTimeout(timer);
        };
    }, [text, name]);
    const breaks = check?.ok === true && check.compatible === false;
    const save = async (event: Event): Promise<void> => {
        event.preventDefault();
        try {
            await api.schemaSave(name, text, breaks);
            props.done(name);
        } catch (failure) {
            setError((failure as Error).message);
        }
    };
    return (
        <form class="fields" aria-label="Schema" onSubmit={(event) => void save(event)}>
            <label class="field">
                <span>Name</span>
                <input type="text" value={name} disabled={props.name !== ""} onInput={(event) => setName(event.currentTarget.value)} />
            </label>
            <label class="field is-wide">
                <span>Types, the last one is the payload's; alarms on its fields</span>
                <textarea class="mono" rows={10} spellcheck={false} value={text} onInput={(event) => setText(event.currentTarget.value)} />
            </label>
            {check && <Checked check={check} />}
            {error && <p class="form-error is-wide" role="alert">{error}</p>}
            <div class="field-buttons is-wide">
                <button class="button primary" type="submit" disabled={!name || !check?.ok}>
                    {breaks ? "Save, although it is not compatible" : "Save"}
                </button>
                <button class="button" type="button" onClick={props.cancel}>Cancel</button>
            </div>
        </form>
    );
}

/** Earlier versions, the newest first: what they said, and the way back as the next one. */
function Versions(props: { name: string; now: number; edit: (version: number) => void }) {
    const { data } = useLoad(`versions:${props.name}:${props.now}`, () => api.schema(props.name));
    const [shown, setShown] = useState(0);
    const text = useLoad(`version:${props.name}:${shown}`, () => (shown ? api.schema(props.name, shown) : Promise.resolve(null)));
    const versions = [...(data?.versions ?? [])].sort((a, b) => b.version - a.version);
    if (versions.length < 2) return null;
    return (
        <section class="card">
            <h3>{plural("version", versions.length)}</h3>
            <table class="table dense" aria-label="Versions">
                <tbody>
                    {versions.slice(0, 50).map((one) => (
                        <tr key={one.version}>
                            <th scope="row" class="num">{one.version}{one.version === props.now && <span class="quiet"> in force</span>}</th>
                            <td class="num nowrap" title={isoText(one.at)}>{timeText(one.at)}</td>
                            <td class="cut">{one.by}</td>
                            <td class="right nowrap">
                                <button class="button small" aria-expanded={shown === one.version} onClick={() => setShown(shown === one.version ? 0 : one.version)}>
                                    Text of {one.version}
                                </button>{" "}
                                {mayEngineer.value && one.version !== versions[0]!.version && (
                                    <button class="button small" onClick={() => props.edit(one.version)}>Take {one.version} as the next</button>
                                )}
                            </td>
                        </tr>
                    ))}
                </tbody>
            </table>
            {shown > 0 && text.data && <pre class="pad schema-text" tabIndex={0} role="region" aria-label={`Text of version ${shown}`}>{text.data.text}</pre>}
            {text.error && <Failure error={text.error} />}
        </section>
    );
}

function Bind(props: { path: string; binding: Binding | undefined; done: () => void; onNew: () => void }) {
    const { data } = useLoad(`schemas`, () => api.schemas(), 5000);
    const [filter, setFilter] = useState(props.binding?.filter ?? props.path);
    const [schema, setSchema] = useState(props.binding?.schema ?? "");
    const [mode, setMode] = useState<string>(props.binding?.mode ?? "soft");
    const [error, setError] = useState("");
    const names = data?.schemas.map((s) => s.name) ?? [];
    const chosen = schema || names[0] || "";
    const act = async (event: Event, work: () => Promise<unknown>): Promise<void> => {
        event.preventDefault();
        try {
            await work();
            setError("");
            props.done();
        } catch (failure) {
            setError((failure as Error).message);
        }
    };
    return (
        <form class="fields" aria-label="Bind a schema" onSubmit={(event) => void act(event, () => api.bind(filter, chosen, mode))}>
            <label class="field is-wide">
                <span>Topics, with + and #</span>
                <input type="text" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
            </label>
            <label class="field">
                <span>Schema</span>
                <select value={chosen} onChange={(event) => setSchema(event.currentTarget.value)}>
                    {names.map((name) => <option key={name} value={name}>{name}</option>)}
                </select>
            </label>
            <label class="field">
                <span>What does not fit is</span>
                <select value={mode} onChange={(event) => setMode(event.currentTarget.value)}>
                    <option value="soft">counted (soft)</option>
                    <option value="strict">refused (strict)</option>
                </select>
            </label>
            {error && <p class="form-error is-wide" role="alert">{error}</p>}
            <div class="field-buttons is-wide">
                <button class="button primary" type="submit" disabled={!chosen}>Bind</button>
                {props.binding && (
                    <button class="button" type="button" onClick={(event) => void act(event, () => api.unbind(props.binding!.filter))}>
                        Unbind {props.binding.filter}
                    </button>
                )}
                <button class="button" type="button" onClick={props.onNew}>New schema</button>
            </div>
        </form>
    );
}

export function SchemaPanel(props: { path: string; of: SchemaOf | null; error: Error | null; reload: () => void }) {
    const [edit, setEdit] = useState<string | null>(null);
    const [from, setFrom] = useState<number | undefined>(undefined);
    const begin = (name: string, version?: number): void => {
        setFrom(version);
        setEdit(name);
    };
    const binding = props.of?.binding;
    if (props.error && !props.of) return <Failure error={props.error} retry={props.reload} />;
    if (!props.of) return <div class="loading" aria-busy="true" />;
    return (
        <>
            <section class="card">
                <header class="card-head">
                    <h3>{binding ? `${binding.schema}, version ${binding.now}` : "No schema"}</h3>
                    {binding && <span class="quiet num">{numberText(binding.checked, 0)} checked since the start</span>}
                    {binding && mayEngineer.value && edit === null && (
                        <button class="button small" onClick={() => begin(binding.schema)}>Edit the schema</button>
                    )}
                </header>
                {props.of.form ? <FormTable form={props.of.form} /> : <p class="quiet pad">Any payload may be published here.</p>}
            </section>
            <Violations topic={props.of.topic ?? props.path} />
            {binding && <Versions key={binding.schema} name={binding.schema} now={binding.now} edit={(version) => begin(binding.schema, version)} />}
            {mayEngineer.value && (
                <section class="card">
                    <h3>{edit === null ? "Binding" : edit ? "Next version" : "New schema"}</h3>
                    {edit === null ? (
                        <Bind key={binding?.filter ?? ""} path={props.path} binding={binding} done={props.reload} onNew={() => begin("")} />
                    ) : (
                        <SchemaEditor
                            key={`${edit} ${from}`}
                            name={edit}
                            from={from}
                            cancel={() => setEdit(null)}
                            done={() => {
                                setEdit(null);
                                props.reload();
                            }}
                        />
                    )}
                </section>
            )}
        </>
    );
}
