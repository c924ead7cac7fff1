// explore/to-dashboard.tsx: a path onto a dashboard: by the menu, a dialog; by dragging, places to drop at.
// Both end in addTo, so both give the same widget.
import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { api, ApiError, type Dashboard } from "../core/api";
import { mayEngineer } from "../core/session";
import { nameOf, widgetFor, withWidget } from "../core/widget";
import { useLoad } from "../ui/hooks";
import { Icon } from "../ui/icon";
import { comparePath } from "./compare";
import { dragging, droppedPath, takesPaths } from "./drag";

const TRIES = 3;
/** the path the dialog is about; null: it is closed */
const asked = signal<string | null>(null);
/** what came of it, said under the tree and to readers */
const told = signal<{ text: string; href?: string; bad?: boolean } | null>(null);
export const askDashboard = (path: string): void => void (asked.value = path);

const fresh = (name: string, title: string): Dashboard => ({ name, title, version: 0, generated: false, definition: { columns: 12, widgets: [] } });

/** Puts a widget for the path on a dashboard; tried again when somebody else saved it meanwhile. */
export async function addTo(name: string, title: string, path: string): Promise<void> {
    const node = await api.unsValue(path);
    const below = node.has_value ? [] : (await api.unsBelow(path)).nodes.filter((one) => one.has_value).map((one) => one.path);
    if (!node.has_value && below.length === 0) throw new Error(`There is no value at ${path} or right below it.`);
    for (let left = TRIES; ; left--) {
        const known = (await api.dashboards()).dashboards.some((one) => one.name === name);
        const board = known ? await api.dashboard(name) : fresh(name, title);
        const widgets = withWidget(board.definition.widgets, widgetFor(node, below));
        if (!widgets) throw new Error(`${board.title} shows it already, or is full.`);
        try {
            await api.dashboardPut({ ...board, definition: { ...board.definition, widgets } });
            return;
        } catch (error) {
            if (left <= 1 || (error as ApiError).status !== 409) throw error;
        }
    }
}

async function addAndTell(name: string, title: string, path: string): Promise<void> {
    try {
        await addTo(name, title, path);
        told.value = { text: `${path} is on ${title}.`, href: `/d/${encodeURIComponent(name)}` };
    } catch (error) {
        told.value = { text: (error as Error).message, bad: true };
    }
}

/** The sentence about the last one added; goes away by its button. */
export function Told() {
    const last = told.value;
    return (
        <div class="told" role="status">
            {last && (
                <p class={last.bad ? "is-bad" : ""}>
                    <Icon name={last.bad ? "circle-x" : "check"} size={14} /> <span>{last.text}</span>
                    {last.href && <a href={last.href}>Open</a>}
                    <button class="icon-button" aria-label="Close the message" onClick={() => (told.value = null)}><Icon name="x" size={13} /></button>
                </p>
            )}
        </div>
    );
}

function Form(props: { path: string; close: () => void }) {
    const boards = useLoad("dashboards", api.dashboards);
    const own = boards.data?.dashboards.filter((board) => !board.generated) ?? [];
    const [chosen, setChosen] = useState("");
    const [title, setTitle] = useState("");
    const name = chosen || nameOf(title);
    const save = async (event: Event): Promise<void> => {
        event.preventDefault();
        props.close();
        await addAndTell(name, own.find((board) => board.name === chosen)?.title ?? title.trim(), props.path);
    };
    return (
        <form class="board-form" onSubmit={(event) => void save(event)}>
            <h2>Add to a dashboard</h2>
            <p class="quiet mono">{props.path}</p>
            <label class="field">
                <span>Dashboard</span>
                <select value={chosen} onChange={(event) => setChosen(event.currentTarget.value)}>
                    <option value="">A new one</option>
                    {own.map((board) => <option key={board.name} value={board.name}>{board.title}</option>)}
                </select>
            </label>
            {chosen === "" && (
                <label class="field">
                    <span>Its title</span>
                    <input type="text" required maxLength={200} value={title} onInput={(event) => setTitle(event.currentTarget.value)} />
                </label>
            )}
            <div class="field-buttons">
                <button class="button primary" disabled={name === "" || name === "overview"}>Add</button>
                <button type="button" class="button" onClick={props.close}>Cancel</button>
            </div>
        </form>
    );
}

export function DashboardDialog() {
    const dialog = useRef<HTMLDialogElement>(null);
    const path = asked.value;
    useEffect(() => {
        if (path !== null && !dialog.current!.open) dialog.current!.showModal();
        else if (path === null && dialog.current!.open) dialog.current!.close();
    }, [path]);
    return (
        <dialog ref={dialog} class="board-dialog" aria-label="Add to a dashboard" onClose={() => (asked.value = null)}>
            {path !== null && <Form path={path} close={() => dialog.current!.close()} />}
        </dialog>
    );
}

function Zone(props: { icon: string; label: string; drop: (path: string) => void }) {
    const [over, setOver] = useState(false);
    return (
        <div
            class={`drop-zone ${over ? "is-over" : ""}`}
            onDragOver={(event) => takesPaths(event) && setOver(true)}
            onDragLeave={() => setOver(false)}
            onDrop={(event) => {
                setOver(false);
                const path = droppedPath(event);
                if (path) props.drop(path);
            }}
        >
            <Icon name={props.icon} size={15} /> <span class="cut">{props.label}</span>
        </div>
    );
}

/** Where a row may be dropped; there only while one is under way. The menu of the row is the other way. */
export function DropPlaces(props: { selected: string }) {
    const path = dragging.value;
    const boards = useLoad(`drop:${path !== null}`, () => (path === null ? Promise.resolve({ dashboards: [] }) : api.dashboards()));
    if (path === null) return null;
    const own = boards.data?.dashboards.filter((board) => !board.generated).slice(0, 8) ?? [];
    return (
        <div class="drop-places" aria-hidden="true">
            {props.selected && path !== props.selected && <Zone icon="chart-line" label="Compare in the chart" drop={comparePath} />}
            {mayEngineer.value && own.map((board) => (
                <Zone key={board.name} icon="layout-dashboard" label={board.title} drop={(dropped) => void addAndTell(board.name, board.title, dropped)} />
            ))}
            {mayEngineer.value && <Zone icon="plus" label="New dashboard" drop={askDashboard} />}
        </div>
    );
}
