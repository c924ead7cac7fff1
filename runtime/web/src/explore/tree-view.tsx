// explore/tree-view.tsx: the virtual tree. Only visible rows are in the document; the focus stays on
// the tree itself and the active row is named by aria-activedescendant.
import { useEffect, useRef, useState } from "preact/hooks";
import { cellOf, type Cell } from "../live/values";
import { Icon } from "../ui/icon";
import { Spark } from "../ui/spark";
import { useSize } from "../ui/hooks";
import { endDrag, startDrag } from "./drag";
import { treeKey, type Row, type TreeNode } from "./tree";
import { askUnit } from "./units";

const OVERSCAN = 6;
const coarse = matchMedia("(pointer: coarse)");
const rowHeight = (): number => (coarse.matches ? 44 : 28);
const rowId = (path: string): string => `row-${path}`;

interface Props {
    rows: Row[];
    active: string;
    selected: string;
    onActive: (path: string) => void;
    onToggle: (path: string) => void;
    onSelect: (path: string) => void;
    /** what can be done with a row, at a place of the window */
    onMenu: (node: TreeNode, x: number, y: number) => void;
    /** paths with values that are in view, to be watched */
    onVisible: (paths: string[]) => void;
}

// An effect whose inputs stay the same keeps all that the closures of its function use, also what is old by now: a node
// holds its whole tree. So such effects have a function of their own, and take only what they need.

function useUnit(cell: Cell, given: string): string {
    useEffect(() => void (given || askUnit(cell)), [cell, given]);
    return cell.unit.value || given;
}

/** Tells which paths are in view: at once when the tree opens; afterwards who scrolls is let pass. */
function useVisible(paths: string[], tell: (paths: string[]) => void): void {
    const key = paths.join("\n");
    const now = useRef(tell);
    now.current = tell;
    const told = useRef(false);
    useEffect(() => {
        const timer = setTimeout(() => now.current(key ? key.split("\n") : []), told.current ? 40 : 0);
        told.current = true;
        return () => clearTimeout(timer);
    }, [key]);
}

function Value(props: { node: TreeNode }) {
    const cell = cellOf(props.node.path);
    const state = cell.state.value;
    const unit = useUnit(cell, props.node.unit);
    return (
        <>
            <span class="tree-spark">
                <Spark cell={cell} />
            </span>
            <span class={`tree-value num is-${state}`}>
                {state === "bad" && <Icon name="circle-x" size={12} label="bad" />}
                {state === "stale" && <Icon name="clock" size={12} label="stale" />}
                {state === "uncertain" && <Icon name="triangle-alert" size={12} label="uncertain" />}
                <span class="cut">{cell.text}</span>
                {unit && state !== "never" && <small class="unit">{unit}</small>}
            </span>
            <span class="tree-age num">{cell.age}</span>
        </>
    );
}

export function TreeView(props: Props) {
    const [box, size] = useSize<HTMLDivElement>();
    const [top, setTop] = useState(0);
    const height = rowHeight();
    const seen = size.height || innerHeight; // before it was measured: not more than the window
    const first = Math.max(0, Math.floor(top / height) - OVERSCAN);
    const last = Math.min(props.rows.length, Math.ceil((top + seen) / height) + OVERSCAN);
    const shown = props.rows.slice(first, last);
    const visible = shown.filter((row) => row.node.hasValue).map((row) => row.node.path);

    useVisible(visible, props.onVisible);

    // Keeps the active row in view, also when a key moved it far away.
    const wasActive = useRef("");
    useEffect(() => {
        if (wasActive.current === props.active || size.height === 0) return;
        const index = props.rows.findIndex((row) => row.node.path === props.active);
        if (index < 0) return;
        wasActive.current = props.active;
        const element = box.current!;
        if (index * height < element.scrollTop) element.scrollTop = index * height;
        else if ((index + 1) * height > element.scrollTop + size.height) element.scrollTop = (index + 1) * height - size.height;
    }, [props.active, props.rows, size.height]);

    const menuByKey = (): void => {
        const row = props.rows.find((one) => one.node.path === props.active);
        const at = document.getElementById(rowId(props.active))?.getBoundingClientRect();
        if (row) props.onMenu(row.node, at ? at.left + 40 : 80, at ? at.bottom : 120);
    };
    const onKey = (event: KeyboardEvent): void => {
        if (event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey)) {
            event.preventDefault();
            menuByKey();
            return;
        }
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        const did = treeKey(event.key, props.rows, props.active, Math.max(1, Math.floor(size.height / height) - 1));
        if (did.active !== undefined) props.onActive(did.active);
        if (did.toggle !== undefined) props.onToggle(did.toggle);
        if (did.select !== undefined) props.onSelect(did.select);
        if (did.active !== undefined || did.toggle !== undefined || did.select !== undefined) event.preventDefault();
    };
    const activeShown = shown.some((row) => row.node.path === props.active);
    return (
        <div
            ref={box}
            class="tree"
            role="tree"
            aria-label="Namespace"
            tabIndex={0}
            aria-activedescendant={activeShown ? rowId(props.active) : undefined}
            onScroll={(event) => setTop(event.currentTarget.scrollTop)}
            onKeyDown={onKey}
        >
            <div class="tree-space" role="presentation" style={{ height: `${props.rows.length * height}px` }}>
                {shown.map(({ node, expanded, position, siblings }, index) => {
                    const parent = node.width > 0;
                    return (
                        <div
                            key={node.path}
                            id={rowId(node.path)}
                            role="treeitem"
                            aria-level={node.depth + 1}
                            aria-posinset={position}
                            aria-setsize={siblings}
                            aria-expanded={parent ? expanded : undefined}
                            aria-selected={node.path === props.selected}
                            class={`tree-row ${node.path === props.active ? "is-active" : ""}`}
                            style={{ top: `${(first + index) * height}px`, height: `${height}px`, paddingLeft: `${2 + node.depth * 16}px` }}
                            onContextMenu={(event) => {
                                event.preventDefault();
                                props.onActive(node.path);
                                props.onMenu(node, event.clientX, event.clientY);
                            }}
                            onClick={() => {
                                props.onActive(node.path);
                                if (parent && !node.hasValue) props.onToggle(node.path);
                                props.onSelect(node.path);
                            }}
                        >
                            <span class="tree-grip" draggable aria-hidden="true" title="Drag to a chart or a dashboard"
                                onDragStart={(event) => startDrag(event, node.path)} onDragEnd={endDrag} />
                            <span
                                class="tree-twist"
                                onClick={(event) => {
                                    if (!parent) return;
                                    event.stopPropagation();
                                    props.onToggle(node.path);
                                }}
                            >
                                {parent && <Icon name={expanded ? "chevron-down" : "chevron-right"} size={14} />}
                            </span>
                            <span class="tree-name cut">{node.name}{node.title && <span class="quiet"> {node.title}</span>}</span>
                            {node.hasValue ? <Value node={node} /> : <span class="tree-count num">{node.width}</span>}
                            <span class="tree-more" aria-hidden="true" title="Actions (menu key)"
                                onClick={(event) => {
                                    event.stopPropagation();
                                    props.onActive(node.path);
                                    props.onMenu(node, event.clientX, event.clientY);
                                }} />
                        </div>
                    );
                })}
            </div>
        </div>
    );
}
