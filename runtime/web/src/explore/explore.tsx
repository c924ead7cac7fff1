// explore/explore.tsx: the namespace: tree with live values left, one path with history right.
// The filter, the selection and the range are in the address.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import "./explore.css";
import { api, type OutlineRow } from "../core/api";
import { handle } from "../core/keys";
import { param, place, setParams } from "../core/router";
import { numberText, plural } from "../core/format";
import { mayEngineer } from "../core/session";
import { link, subscribe } from "../live/socket";
import { watchPaths, type Watch } from "../live/values";
import { Icon } from "../ui/icon";
import { Later, Part } from "../ui/later";
import { words } from "../ui/menu";
import { Empty, Failure } from "../ui/state";
import { useLoad, useTitle } from "../ui/hooks";
import { openRowMenu } from "./row-menu";
import { DashboardDialog, DropPlaces, Told } from "./to-dashboard";
import { lastPath, Tree } from "./tree";
import { TreeView } from "./tree-view";

const FIRST_ROWS = 60;
const CHANGED_S = 10;
const LOOK_AGAIN_MS = 2000;
const nothing: ReadonlySet<string> = new Set();

// The tree is there before the right side and its charts are: loaded when a path is in the address, else behind the first rows.
const detail = new Later(() => import("./detail").then((m) => m.Detail));
const importPanel = new Later(() => import("./import").then((m) => m.ImportPanel));
if (param("path")) detail.start();

/** The whole tree without values, page by page; `begun` is told what the first one of several shows. */
async function loadTree(begun: (tree: Tree) => void): Promise<Tree> {
    let rows: OutlineRow[] = [];
    for (;;) {
        const page = await api.unsOutline(rows.length ? lastPath(rows) : undefined);
        const first = rows.length === 0;
        rows = first ? page.rows : rows.concat(page.rows);
        if (!page.more || page.rows.length === 0) return new Tree(rows);
        if (first) begun(new Tree(rows, page.total));
    }
}

/** Paths that changed lately, as the server knows of all of them; asked every two seconds. */
function useChanging(on: boolean) {
    return useLoad(
        `changing:${on}`,
        async () => {
            if (!on) return null;
            const { paths, total } = await api.unsChanging(CHANGED_S);
            return { paths: new Set(paths) as ReadonlySet<string>, total };
        },
        on ? 2000 : 0,
    );
}

/** Paths that fit the filter by what is said about them; those that fit by their name need no question. */
function useSaid(filter: string): ReadonlySet<string> | undefined {
    const [said, setSaid] = useState<{ filter: string; paths: ReadonlySet<string> } | null>(null);
    useEffect(() => {
        if (words(filter).length === 0) return;
        let alive = true;
        const timer = setTimeout(() => {
            const got = (paths: string[]): void => void (alive && setSaid({ filter, paths: new Set(paths) }));
            api.unsSaid(filter).then(({ nodes }) => got(nodes.map((node) => node.path)), () => got([]));
        }, 60);
        return () => {
            alive = false;
            clearTimeout(timer);
        };
    }, [filter]);
    return said && said.filter === filter ? said.paths : undefined;
}

/** Loads the tree and keeps it growing; `version` counts up when it changed. */
function useTree() {
    const [version, setVersion] = useState(0);
    const [begun, setBegun] = useState<Tree | null>(null);
    const loaded = useLoad("tree", () => loadTree(setBegun).finally(() => setBegun(null)));
    const reload = useRef(loaded.reload);
    reload.current = loaded.reload;
    const tree = loaded.data ?? begun;
    // The tree was asked for before the page listened: names of the time between are not told.
    useEffect(() => {
        if (!tree) return;
        let timer = 0;
        const look = (): void => {
            if (link.peek().state !== "up") timer = window.setTimeout(look, LOOK_AGAIN_MS);
            else api.unsOutline(undefined, 1).then(({ total }) => total > tree.size && reload.current(), () => undefined);
        };
        timer = window.setTimeout(look, LOOK_AGAIN_MS);
        return () => clearTimeout(timer);
    }, [tree]);
    useEffect(() => {
        let timer = 0;
        const sub = subscribe({ op: "events", subjects: ["uns.changed", "uns.renamed"] }, (frame) => {
            if (frame.subject === "uns.renamed") {
                reload.current();
                return;
            }
            const body = frame.body as { added?: string[]; names?: string[]; paths?: number };
            for (const path of body.names ?? []) tree?.add(path, false);
            for (const path of body.added ?? []) tree?.add(path, true);
            setVersion((v) => v + 1);
            // More paths than were named: read the tree again, at most every two seconds.
            if (tree && (body.paths ?? 0) > tree.size && !timer)
                timer = window.setTimeout(() => ((timer = 0), reload.current()), 2000);
        });
        return () => {
            clearTimeout(timer);
            sub.close();
        };
    }, [tree]);
    return { tree, whole: loaded.data !== null, version, error: loaded.error, reload: loaded.reload };
}

/** What is open at first: as much as is seen at once, and what the selection lies in. */
function firstOpen(tree: Tree, selected: string): ReadonlySet<string> {
    const open = tree.firstExpanded(FIRST_ROWS);
    const node = selected ? tree.get(selected) : undefined;
    for (let above = node?.parent; above && above.depth >= 0; above = above.parent) open.add(above.path);
    return open;
}

function toggled(set: ReadonlySet<string>, path: string): Set<string> {
    const next = new Set(set);
    if (!next.delete(path)) next.add(path);
    return next;
}

/** The active row, which follows the selection. In Explore this effect would keep the tree of its time (tree-view.tsx). */
function useActive(selected: string) {
    const [active, setActive] = useState(selected);
    useEffect(() => {
        if (selected) setActive(selected);
    }, [selected]);
    return [active, setActive] as const;
}

function FilterBar(props: { shown: number; total: number; changing: boolean; filtered: boolean }) {
    const input = useRef<HTMLInputElement>(null);
    useEffect(() => handle("search", () => input.current?.select()), []);
    return (
        <div class="filter-bar">
            <div class="filter">
                <Icon name="filter" size={14} />
                <input
                    ref={input}
                    type="search"
                    aria-label="Filter the namespace"
                    placeholder="Filter"
                    value={param("q")}
                    onInput={(event) => setParams({ q: event.currentTarget.value })}
                    onKeyDown={(event) => event.key === "Escape" && setParams({ q: null })}
                />
                <kbd aria-hidden="true">/</kbd>
            </div>
            <label class="check">
                <input type="checkbox" checked={props.changing} onChange={(event) => setParams({ changing: event.currentTarget.checked ? "1" : null })} />
                changing only
            </label>
            {mayEngineer.value && (
                <button class="button small" onClick={() => setParams({ tool: "import", path: null }, false)}>Import</button>
            )}
            <span class="filter-count num">{props.filtered ? `${numberText(props.shown, 0)} of ${numberText(props.total, 0)}` : plural("path", props.total)}</span>
        </div>
    );
}

export function Explore() {
    useTitle("Explore");
    void place.value;
    const { tree, whole, version, error, reload } = useTree();
    const [toggles, setToggles] = useState<ReadonlySet<string> | null>(null);
    const first = useRef<{ open: ReadonlySet<string>; whole: boolean } | null>(null);
    const selected = param("path");
    const [active, setActive] = useActive(selected);
    const watch = useRef<Watch | null>(null);
    const changing = param("changing") === "1";
    const filter = param("q");

    useEffect(() => {
        watch.current = watchPaths([], 5);
        return () => watch.current?.close();
    }, []);
    useEffect(() => {
        if (!tree) return;
        const timer = setTimeout(() => detail.start(), 500);
        return () => clearTimeout(timer);
    }, [tree]);

    if (tree && tree.size > 0 && (!first.current || (whole && !first.current.whole))) first.current = { open: firstOpen(tree, selected), whole };
    const expanded = toggles ?? first.current?.open ?? nothing;
    const changed = useChanging(changing);
    const said = useSaid(filter);
    const rows = useMemo(() => {
        if (!tree) return [];
        return tree.rows(expanded, words(filter), changing ? (node) => changed.data?.paths.has(node.path) === true : undefined, said);
    }, [tree, version, expanded, filter, changing, changed.data, said]);

    if (error && !tree) return <Failure error={error} retry={reload} />;
    if (!tree) return <div class="loading" aria-busy="true" />;
    const tool = param("tool") === "import" && mayEngineer.value;
    if (tree.size === 0 && !tool)
        return (
            <Empty title="No values yet" icon="folder-tree">
                <p>Everything that is published by MQTT or written by a pipeline appears here by itself. Try it:</p>
                <pre>mosquitto_pub -h 127.0.0.1 -t plant/press-01/temp -m 71.25</pre>
                {mayEngineer.value && (
                    <p>
                        <button class="button" onClick={() => setParams({ tool: "import" }, false)}>Import names</button>
                    </p>
                )}
            </Empty>
        );
    return (
        <div class={`explore ${selected || tool ? "has-selection" : ""}`}>
            <h1 class="sr-only">Explore the namespace</h1>
            <section class="explore-tree" aria-label="Tree">
                <FilterBar shown={rows.length} total={tree.size} changing={changing} filtered={changing || filter !== ""} />
                {rows.length === 0 && changing && !changed.data && !changed.error ? (
                    <div class="loading" aria-busy="true" />
                ) : rows.length === 0 ? (
                    <p class="quiet pad" role="status">
                        {changed.error ? changed.error.message
                            : changing ? `Nothing ${filter ? "that fits " : ""}has changed in the last ${CHANGED_S} seconds.`
                            : `No path contains “${filter}”, and nothing that is said about one.`}
                    </p>
                ) : (
                    <TreeView
                        rows={rows}
                        active={active}
                        selected={selected}
                        onActive={setActive}
                        onToggle={(path) => setToggles((old) => toggled(old ?? first.current?.open ?? nothing, path))}
                        onSelect={(path) => setParams({ path, tool: null, with: null }, false)}
                        onMenu={openRowMenu}
                        onVisible={(paths) => watch.current?.update(paths)}
                    />
                )}
                <Told />
            </section>
            <section class="explore-detail" aria-label="Selected path">
                {tool ? (
                    <Part part={importPanel} with={{}} />
                ) : selected ? (
                    <Part key={selected} part={detail} with={{ path: selected, node: tree.get(selected) }} />
                ) : (
                    <Empty title={plural("path", tree.size)} icon="tag">
                        <p>Select one to see its value, quality and history.</p>
                        <p>Arrow keys move in the tree, enter selects, / filters, the menu key or shift F10 shows what can be done.</p>
                    </Empty>
                )}
            </section>
            <DropPlaces selected={selected} />
            <DashboardDialog />
        </div>
    );
}
