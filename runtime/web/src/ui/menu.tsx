// ui/menu.tsx: the command menu (ctrl-k) and the list of keys (?). The menu holds pages, actions of
// this page, pipelines and namespace paths with their live values. Native <dialog>: focus is kept
// inside and goes back to where it was.
import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "../core/api";
import { actions as allActions, run, type Action } from "../core/keys";
import { go } from "../core/router";
import { cellOf, watchPaths } from "../live/values";
import { Icon } from "./icon";

const menuOpen = signal(false);
const keysOpen = signal(false);
export const openMenu = (): void => void (menuOpen.value = !menuOpen.value);
export const openKeys = (): void => void (keysOpen.value = true);

interface Item {
    id: string;
    group: string;
    icon: string;
    label: string;
    keys?: string;
    path?: string;
    run: () => void;
}

export const words = (text: string): string[] => text.toLowerCase().split(/\s+/).filter(Boolean);
export const matches = (label: string, wanted: string[]): boolean => {
    const low = label.toLowerCase();
    return wanted.every((word) => low.includes(word));
};

const fromActions = (actions: Action[]): Item[] =>
    actions
        .filter((action) => action.id !== "menu")
        .map((action) => ({
            id: action.id,
            group: action.group,
            icon: action.group === "Go to" ? "arrow-right-from-line" : "command",
            label: action.label,
            keys: action.keys,
            run: () => void run(action.id),
        }));

/** Pipelines and paths for what is typed; asks the server after a short pause. */
function useFound(open: boolean, text: string): Item[] {
    const [found, setFound] = useState<Item[]>([]);
    useEffect(() => {
        if (!open) return;
        let alive = true;
        const timer = setTimeout(async () => {
            const wanted = words(text);
            const [pipelines, nodes] = await Promise.all([
                api.pipelines().then((r) => r.pipelines.filter((p) => matches(p.name, wanted)).slice(0, 8), () => []),
                text.trim() ? api.unsSearch(text.trim(), 12).then((r) => r.nodes, () => []) : Promise.resolve([]),
            ]);
            if (!alive) return;
            setFound([
                ...pipelines.map((p) => ({
                    id: `p:${p.name}`, group: "Pipelines", icon: "workflow", label: p.name,
                    run: () => go(`/pipelines/${encodeURIComponent(p.name)}`),
                })),
                ...nodes.map((n) => ({
                    id: `n:${n.path}`, group: "Namespace", icon: "tag", label: n.path, path: n.has_value ? n.path : undefined,
                    run: () => go(`/uns?path=${encodeURIComponent(n.path).replace(/%2F/g, "/")}`),
                })),
            ]);
        }, 60);
        return () => {
            alive = false;
            clearTimeout(timer);
        };
    }, [open, text]);
    return found;
}

export function Menu(props: { actions: Action[] }) {
    const dialog = useRef<HTMLDialogElement>(null);
    const [text, setText] = useState("");
    const [at, setAt] = useState(0);
    const open = menuOpen.value;
    const found = useFound(open, text);
    const wanted = words(text);
    const items = [...fromActions(props.actions).filter((item) => matches(`${item.group} ${item.label}`, wanted)), ...found];
    const paths = items.filter((item) => item.path).map((item) => item.path!);
    useEffect(() => {
        if (open && !dialog.current!.open) {
            setText("");
            setAt(0);
            dialog.current!.showModal();
        } else if (!open && dialog.current!.open) dialog.current!.close();
    }, [open]);
    useEffect(() => {
        if (!open || paths.length === 0) return;
        const watch = watchPaths(paths, 4);
        return () => watch.close();
    }, [open, paths.join("\n")]);
    const choose = (item: Item | undefined): void => {
        if (!item) return;
        dialog.current!.close();
        item.run();
    };
    const onKey = (event: KeyboardEvent): void => {
        const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
        if (step && items.length) {
            event.preventDefault();
            const next = (at + step + items.length) % items.length;
            setAt(next);
            document.getElementById(`menu-${next}`)?.scrollIntoView({ block: "nearest" });
        } else if (event.key === "Enter") {
            event.preventDefault();
            choose(items[at]);
        }
    };
    let group = "";
    return (
        <dialog
            ref={dialog}
            class="menu"
            aria-label="Command menu"
            onClose={() => (menuOpen.value = false)}
            onClick={(event) => event.target === dialog.current && dialog.current!.close()}
        >
            {open && (
                <>
                    <div class="menu-search">
                        <Icon name="search" />
                        <input
                            type="text"
                            placeholder="A page, an action, a pipeline, a path"
                            role="combobox"
                            aria-label="Search or run"
                            aria-expanded="true"
                            aria-controls="menu-list"
                            aria-activedescendant={items.length ? `menu-${at}` : undefined}
                            autocomplete="off"
                            autofocus
                            value={text}
                            onInput={(event) => {
                                setText(event.currentTarget.value);
                                setAt(0);
                            }}
                            onKeyDown={onKey}
                        />
                    </div>
                    <div id="menu-list" role="listbox" aria-label="Results" class="menu-list">
                        {items.map((item, index) => {
                            const head = item.group !== group ? (group = item.group) : "";
                            const cell = item.path ? cellOf(item.path) : null;
                            return (
                                <div
                                    key={item.id}
                                    id={`menu-${index}`}
                                    role="option"
                                    aria-selected={index === at}
                                    class={`menu-item ${head ? "menu-first" : ""}`}
                                    onClick={() => choose(item)}
                                    onMouseMove={() => at !== index && setAt(index)}
                                >
                                    <span class="menu-group">{head}</span>
                                    <Icon name={item.icon} />
                                    <span class="menu-label">{item.label}</span>
                                    {cell && <span class="num menu-value">{cell.text}</span>}
                                    {item.keys && <kbd>{item.keys.replace("ctrl-", "ctrl ")}</kbd>}
                                </div>
                            );
                        })}
                    </div>
                    {items.length === 0 && <p class="menu-none">Nothing fits “{text}”.</p>}
                </>
            )}
        </dialog>
    );
}

export function KeyList() {
    const dialog = useRef<HTMLDialogElement>(null);
    const open = keysOpen.value;
    useEffect(() => {
        if (open && !dialog.current!.open) dialog.current!.showModal();
    }, [open]);
    return (
        <dialog
            ref={dialog}
            class="keys"
            aria-label="Keys"
            onClose={() => (keysOpen.value = false)}
            onClick={(event) => event.target === dialog.current && dialog.current!.close()}
        >
            {open && (
                <>
                    <header>
                        <h2>Keys</h2>
                        <button class="icon-button" aria-label="Close" onClick={() => dialog.current!.close()}>
                            <Icon name="x" />
                        </button>
                    </header>
                    {(["Go to", "Page", "View"] as const).map((group) => (
                        <section key={group}>
                            <h3>{group}</h3>
                            <dl>
                                {allActions
                                    .filter((action) => action.group === group)
                                    .map((action) => (
                                        <div key={action.id}>
                                            <dt>{action.label}</dt>
                                            <dd>
                                                <kbd>{action.keys}</kbd>
                                            </dd>
                                        </div>
                                    ))}
                            </dl>
                        </section>
                    ))}
                </>
            )}
        </dialog>
    );
}
