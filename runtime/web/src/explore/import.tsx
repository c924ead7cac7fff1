// explore/import.tsx: names from a file or from a template: first what would change, then the change.
import { useState } from "preact/hooks";
import { api, ApiError, type ImportTable } from "../core/api";
import { bytesText, numberText, plural } from "../core/format";
import { setParams } from "../core/router";
import { Icon } from "../ui/icon";
import { useLoad } from "../ui/hooks";
import { importFile, type Progress } from "./import-file";

const SHOWN = 200;
/** More than this a text box does not hold without stopping the page. */
const TYPED_MAX = 200_000;

function Table(props: { table: ImportTable }) {
    const { table } = props;
    return (
        <div class="is-wide" aria-live="polite">
            {table.errors.length > 0 ? (
                <table class="table dense" aria-label="Errors">
                    <thead>
                        <tr>
                            <th scope="col" class="right">Line</th>
                            <th scope="col" class="right">Column</th>
                            <th scope="col">What is wrong</th>
                        </tr>
                    </thead>
                    <tbody>
                        {table.errors.map((error, at) => (
                            <tr key={at}>
                                <td class="num right">{error.line}</td>
                                <td class="num right">{error.column}</td>
                                <td class="is-bad">{error.text}</td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            ) : (
                <>
                    <p>
                        {table.dry ? "Would be" : "Done:"} {plural("name", table.new)} new, {table.changed} changed, {table.same} as they are.
                    </p>
                    {table.warning && <p class="is-warn">{table.warning}</p>}
                    <div class="latest" tabIndex={0} role="region" aria-label="Changes">
                        <table class="table dense" aria-label="Changes">
                            <tbody>
                                {table.rows.slice(0, SHOWN).map((row) => (
                                    <tr key={row.path}>
                                        <td class="cut">{row.path}</td>
                                        <td>{row.action}</td>
                                        <td class="quiet cut">{row.fields.join(", ")}</td>
                                    </tr>
                                ))}
                            </tbody>
                        </table>
                    </div>
                </>
            )}
        </div>
    );
}

/** Asks twice: what would change, and then to do it. */
function useSteps(work: (dry: boolean, progress: Progress) => Promise<ImportTable>) {
    const [table, setTable] = useState<ImportTable | null>(null);
    const [error, setError] = useState("");
    const [busy, setBusy] = useState<{ dry: boolean; done: number; all: number } | null>(null);
    const step = async (dry: boolean): Promise<void> => {
        setError("");
        setBusy({ dry, done: 0, all: 0 });
        try {
            setTable(await work(dry, (done, all) => setBusy({ dry, done, all })));
        } catch (failure) {
            const body = failure instanceof ApiError ? (failure.body as ImportTable | null) : null;
            setTable(body?.errors?.length ? body : null);
            setError((failure as Error).message);
        }
        setBusy(null);
    };
    return { table, error, busy, step, forget: () => setTable(null) };
}

function Steps(props: { steps: ReturnType<typeof useSteps>; ready: boolean; verb: string }) {
    const { table, error, busy, step } = props.steps;
    const may = table !== null && table.dry && table.errors.length === 0 && table.new + table.changed > 0;
    return (
        <>
            {error && <p class="form-error is-wide" role="alert">{error}</p>}
            {table && <Table table={table} />}
            {busy && busy.all > 0 && (
                <p class="is-wide" role="status">
                    <progress value={busy.done} max={busy.all} aria-label="Rows done" />{" "}
                    {busy.dry ? "Looked at" : "Imported"} {numberText(busy.done, 0)} of {plural("row", busy.all)}
                </p>
            )}
            <div class="field-buttons is-wide">
                <button class="button" type="button" disabled={!props.ready || busy !== null} onClick={() => void step(true)}>What would change?</button>
                <button class="button primary" type="button" disabled={!may || busy !== null} onClick={() => void step(false)}>{props.verb}</button>
            </div>
        </>
    );
}

function FromFile() {
    const [text, setText] = useState("");
    const format = text.trimStart().startsWith("{") || text.trimStart().startsWith("[") ? "json" : "csv";
    const steps = useSteps((dry, progress) => importFile(text, format, dry, progress));
    const large = text.length > TYPED_MAX;
    return (
        <section class="card">
            <header class="card-head">
                <h3>From a file</h3>
                <a class="button small" href="/api/v1/uns/export.csv" download="names.csv">Export CSV</a>
                <a class="button small" href="/api/v1/uns/export.json" download="names.json">Export JSON</a>
            </header>
            <form class="fields" aria-label="Import from a file">
                <label class="field is-wide">
                    <span>CSV with a column “path”, or JSON</span>
                    <input
                        type="file"
                        accept=".csv,.json,.txt"
                        onChange={(event) => void event.currentTarget.files?.[0]?.text().then((read) => (setText(read), steps.forget()))}
                    />
                </label>
                {large && (
                    <p class="is-wide">
                        {numberText(text.split("\n").length, 0)} lines, {bytesText(text.length)}.{" "}
                        <button class="button small" type="button" onClick={() => (setText(""), steps.forget())}>Without it</button>
                    </p>
                )}
                {!large && <label class="field is-wide">
                    <span>or its text</span>
                    <textarea
                        class="mono"
                        rows={8}
                        spellcheck={false}
                        placeholder={"path,kind,title,unit\nacme/berlin,site,Berlin,"}
                        value={text}
                        onInput={(event) => (setText(event.currentTarget.value), steps.forget())}
                    />
                </label>}
                <Steps steps={steps} ready={text !== ""} verb="Import" />
            </form>
        </section>
    );
}

function FromTemplate() {
    const { data } = useLoad("templates", () => api.templates());
    const [name, setName] = useState("");
    const [path, setPath] = useState("");
    const [bind, setBind] = useState("");
    const chosen = data?.templates.find((t) => t.name === name) ?? data?.templates[0];
    const steps = useSteps((dry) => api.instantiate(chosen!.name, { path, dry, ...(bind ? { bind } : {}) }));
    const set = (change: () => void): void => (change(), steps.forget());
    return (
        <section class="card">
            <h3>From a template</h3>
            <form class="fields" aria-label="From a template">
                <label class="field">
                    <span>Equipment</span>
                    <select value={chosen?.name ?? ""} onChange={(event) => set(() => setName(event.currentTarget.value))}>
                        {data?.templates.map((t) => <option key={t.name} value={t.name}>{t.title}</option>)}
                    </select>
                </label>
                <label class="field">
                    <span>Its payloads</span>
                    <select value={bind} onChange={(event) => set(() => setBind(event.currentTarget.value))}>
                        <option value="">are not checked</option>
                        <option value="soft">are checked and counted</option>
                        <option value="strict">are checked and refused</option>
                    </select>
                </label>
                <label class="field is-wide">
                    <span>Path</span>
                    <input type="text" placeholder="acme/berlin/hall-1/pump-7" value={path} onInput={(event) => set(() => setPath(event.currentTarget.value))} />
                </label>
                {chosen && <p class="quiet is-wide">{chosen.description}: {chosen.tags.map((tag) => tag.name + (tag.unit ? ` [${tag.unit}]` : "")).join(", ")}</p>}
                <Steps steps={steps} ready={path !== "" && chosen !== undefined} verb="Create" />
            </form>
        </section>
    );
}

export function ImportPanel() {
    return (
        <div class="detail">
            <div class="detail-head">
                <h2 class="detail-path"><b>Import names</b></h2>
                <button class="icon-button" aria-label="Close" title="Close" onClick={() => setParams({ tool: null }, false)}>
                    <Icon name="x" />
                </button>
            </div>
            <FromFile />
            <FromTemplate />
        </div>
    );
}
