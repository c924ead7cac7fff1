// core/keys.ts: one table of keys. It makes the bindings, the key list (?), the command menu and
// the test that every action runs. A page registers what it can do while it is shown.
import { signal } from "@preact/signals";
import { go } from "./router";

export interface Action {
    id: string;
    /** "ctrl-k", "g h" (one after the other), "/" */
    keys: string;
    label: string;
    group: "Go to" | "Page" | "View";
}

export const actions: Action[] = [
    { id: "menu", keys: "ctrl-k", label: "Command menu", group: "View" },
    { id: "keys", keys: "?", label: "List of keys", group: "View" },
    { id: "theme", keys: "ctrl-shift-l", label: "Change theme", group: "View" },
    { id: "go.home", keys: "g h", label: "Home", group: "Go to" },
    { id: "go.uns", keys: "g u", label: "Explore", group: "Go to" },
    { id: "go.pipelines", keys: "g p", label: "Pipelines", group: "Go to" },
    { id: "go.dashboards", keys: "g d", label: "Dashboards", group: "Go to" },
    { id: "go.alarms", keys: "g a", label: "Alarms", group: "Go to" },
    { id: "go.sparkplug", keys: "g s", label: "Sparkplug", group: "Go to" },
    { id: "go.bridges", keys: "g b", label: "Bridges", group: "Go to" },
    { id: "go.logs", keys: "g l", label: "Logs", group: "Go to" },
    { id: "search", keys: "/", label: "Search on this page", group: "Page" },
    { id: "graph.fit", keys: "f", label: "Fit the graph", group: "Page" },
    { id: "graph.values", keys: "v", label: "Values on wires on or off", group: "Page" },
    { id: "graph.error", keys: "n", label: "Next error", group: "Page" },
    { id: "graph.outline", keys: "o", label: "Graph or outline", group: "Page" },
    { id: "alarms.ack", keys: "a", label: "Acknowledge the chosen alarms, or the most urgent", group: "Page" },
    { id: "logs.pause", keys: "p", label: "Pause or go on", group: "Page" },
];

type Run = () => void;
const handlers = new Map<string, Run[]>([
    ["go.home", [() => go("/")]],
    ["go.uns", [() => go("/uns")]],
    ["go.pipelines", [() => go("/pipelines")]],
    ["go.dashboards", [() => go("/dashboards")]],
    ["go.alarms", [() => go("/alarms")]],
    ["go.sparkplug", [() => go("/sparkplug")]],
    ["go.bridges", [() => go("/bridges")]],
    ["go.logs", [() => go("/logs")]],
]);
/** changes when handlers come or go, so that the menu shows what works here */
export const handlerVersion = signal(0);

/** Registers what an action does; returns how to take it back. The last one registered wins. */
export function handle(id: string, run: Run): () => void {
    if (!actions.some((action) => action.id === id)) throw new Error(`keys: no action ${id}`);
    const list = handlers.get(id) ?? [];
    list.push(run);
    handlers.set(id, list);
    handlerVersion.value++;
    return () => {
        list.splice(list.indexOf(run), 1);
        handlerVersion.value++;
    };
}

export const available = (): Action[] => actions.filter((action) => (handlers.get(action.id)?.length ?? 0) > 0);

export function run(id: string): boolean {
    const list = handlers.get(id);
    const last = list?.[list.length - 1];
    last?.();
    return last !== undefined;
}

/** "ctrl-k" for an event; the command key counts as ctrl. */
export function keyName(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "shiftKey" | "altKey">): string {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key.toLowerCase();
    const ctrl = event.ctrlKey || event.metaKey ? "ctrl-" : "";
    const shift = event.shiftKey && (ctrl || key.length > 1) ? "shift-" : "";
    return (event.altKey ? "alt-" : "") + ctrl + shift + key;
}

/** Finds the action of a key after the keys typed before; keeps the two-key prefix. */
export class KeyReader {
    private prefix = "";
    private at = 0;

    read(name: string, now: number): Action | "prefix" | null {
        const full = this.prefix && now - this.at < 1200 ? `${this.prefix} ${name}` : name;
        this.prefix = "";
        const found = actions.find((action) => action.keys === full);
        if (found) return found;
        if (actions.some((action) => action.keys.startsWith(`${full} `))) {
            this.prefix = full;
            this.at = now;
            return "prefix";
        }
        return null;
    }
}

const typing = (target: EventTarget | null): boolean =>
    target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

export function keysStart(): void {
    const reader = new KeyReader();
    addEventListener("keydown", (event) => {
        const name = keyName(event);
        if (typing(event.composedPath()[0] ?? null) && !name.startsWith("ctrl-")) return;
        if (document.querySelector("dialog[open]") && name !== "ctrl-k") return;
        const found = reader.read(name, event.timeStamp);
        if (found === null) return;
        if (found === "prefix" || run(found.id)) event.preventDefault();
    });
}
