// explore/tree.ts: the namespace as a tree, and the flat list of rows that the page shows of it.
//
// Pure. A page that opens shows some dozens of 10,000 or 100,000 names: nodes, with their paths, are made
// from the outline when somebody looks at them, and only filtering looks at all.
import type { OutlineRow } from "../core/api";

/** An outline, and for each of its rows where what lies below it ends. */
class Source {
    readonly end: Int32Array;

    constructor(readonly rows: readonly OutlineRow[]) {
        this.end = new Int32Array(rows.length);
        const open: number[] = []; // rows that have not ended, one a level
        const closeTo = (depth: number, at: number): void => {
            while (open.length > depth) this.end[open.pop()!] = at;
        };
        rows.forEach(([depth], at) => {
            closeTo(depth, at);
            open.push(at);
        });
        closeTo(0, rows.length);
    }
}

const nothing = new Source([]);

export class TreeNode {
    readonly depth: number;
    hasValue = false;
    /** what people call it, and the unit they gave it */
    title = "";
    unit = "";
    private made: TreeNode[] | null = null;
    private whole: string | null = null;

    /** `from` and `to`: the rows of what lies below it. */
    constructor(
        readonly name: string,
        readonly parent: TreeNode | null,
        private readonly source = nothing,
        private readonly from = 0,
        private readonly to = 0,
    ) {
        this.depth = parent ? parent.depth + 1 : -1;
    }

    get path(): string {
        return (this.whole ??= this.depth > 0 ? `${this.parent!.path}/${this.name}` : this.name);
    }

    /** Sorted by name. */
    get children(): readonly TreeNode[] {
        return this.list();
    }

    /** How many children there are, and how many nodes lie below it in all: told without making them. */
    get width(): number {
        if (this.made) return this.made.length;
        let count = 0;
        for (let at = this.from; at < this.to; at = this.source.end[at]!) count++;
        return count;
    }
    get below(): number {
        return this.made ? this.made.reduce((sum, child) => sum + 1 + child.below, 0) : this.to - this.from;
    }

    private list(): TreeNode[] {
        if (this.made) return this.made;
        const { rows, end } = this.source;
        const made: TreeNode[] = [];
        for (let at = this.from; at < this.to; at = end[at]!) {
            const [, name, value, said] = rows[at]!;
            const node = new TreeNode(name, this, this.source, at + 1, end[at]);
            node.hasValue = value === 1;
            if (said) Object.assign(node, { title: said.title ?? "", unit: said.unit ?? "" });
            made.push(node);
        }
        // The server sorts bytes: in JavaScript's order a few rare names stand elsewhere.
        if (made.some((node, at) => at > 0 && made[at - 1]!.name > node.name)) made.sort((a, b) => (a.name < b.name ? -1 : 1));
        return (this.made = made);
    }

    /** Where a child of this name is, or would be. */
    private place(name: string): number {
        const list = this.list();
        let low = 0;
        for (let high = list.length; low < high; ) {
            const middle = (low + high) >> 1;
            if (list[middle]!.name < name) low = middle + 1;
            else high = middle;
        }
        return low;
    }

    child(name: string): TreeNode | undefined {
        const found = this.list()[this.place(name)];
        return found?.name === name ? found : undefined;
    }

    /** A new child. */
    put(name: string): TreeNode {
        const node = new TreeNode(name, this);
        this.list().splice(this.place(name), 0, node);
        return node;
    }
}
export interface Row {
    node: TreeNode;
    expanded: boolean;
    /** position among its siblings, from 1, and how many there are */
    position: number;
    siblings: number;
}

/** The path of the last row: an outline that comes in pages goes on behind it. */
export function lastPath(rows: readonly OutlineRow[]): string {
    const names: string[] = [];
    for (let at = rows.length - 1, depth = Infinity; at >= 0 && depth > 0; at--) {
        const [level, name] = rows[at]!;
        if (level >= depth) continue;
        depth = level;
        names.unshift(name);
    }
    return names.join("/");
}

export class Tree {
    readonly root: TreeNode;
    size: number;

    /** Of an outline; `total`: as many names there are, where its first pages have not all of them. */
    constructor(rows: readonly OutlineRow[] = [], total = rows.length) {
        this.root = new TreeNode("", null, new Source(rows), 0, rows.length);
        this.size = total;
    }

    get(path: string): TreeNode | undefined {
        let node: TreeNode | undefined = this.root;
        for (const name of path.split("/")) node = node?.child(name);
        return node;
    }

    /** Adds a path and what is above it. Known paths only gain a value, never lose one. */
    add(path: string, hasValue: boolean): TreeNode {
        let node = this.root;
        for (const name of path.split("/")) {
            let child = node.child(name);
            if (!child) {
                child = node.put(name);
                this.size++;
            }
            node = child;
        }
        node.hasValue ||= hasValue;
        return node;
    }

    private each(visit: (node: TreeNode) => void, top = this.root): void {
        for (const node of top.children) {
            visit(node);
            this.each(visit, node);
        }
    }

    /** Paths to expand at first: down to about `rows` rows, so that a small plant is open at once. */
    firstExpanded(rows: number): Set<string> {
        const open = new Set<string>();
        let level = this.root.children;
        let shown = level.length;
        while (level.length) {
            const next = level.reduce((sum, node) => sum + node.width, 0);
            if (shown + next > rows) {
                this.openSome(level, rows - shown, open);
                break;
            }
            for (const node of level) if (node.width) open.add(node.path);
            shown += next;
            level = level.flatMap((node) => node.children);
        }
        return open;
    }

    /** Opens branches from the top, each as a whole, while rows are left: values are seen at once. */
    private openSome(level: readonly TreeNode[], rows: number, open: Set<string>): void {
        let left = rows;
        const openAll = (node: TreeNode): void => {
            if (node.width === 0) return;
            open.add(node.path);
            node.children.forEach(openAll);
        };
        for (const node of level) {
            const cost = node.below;
            if (cost === 0) continue;
            if (cost <= left) openAll(node);
            else if (left === rows) {
                // Not even the first fits: open it, and the first ones of its children.
                open.add(node.path);
                this.openSome(node.children, Math.max(20, left - node.width), open);
            }
            if (cost > left) return;
            left -= cost;
        }
    }

    /**
     * Rows to show. With words or a test, only nodes that fit and what is above them, all open. `said`: paths
     * that fit the words by what is said about them.
     */
    rows(expanded: ReadonlySet<string>, words: string[] = [], test?: (node: TreeNode) => boolean, said?: ReadonlySet<string>): Row[] {
        const rows: Row[] = [];
        const filtering = words.length > 0 || test !== undefined;
        const keep = filtering ? this.fitting(words, test, said) : null;
        const walk = (node: TreeNode): void => {
            const children = keep ? node.children.filter((child) => keep.has(child)) : node.children;
            children.forEach((child, index) => {
                const isOpen = child.width > 0 && (keep ? keepsChild(child, keep) : expanded.has(child.path));
                rows.push({ node: child, expanded: isOpen, position: index + 1, siblings: children.length });
                if (isOpen) walk(child);
            });
        };
        walk(this.root);
        return rows;
    }

    private fitting(words: string[], test?: (node: TreeNode) => boolean, said?: ReadonlySet<string>): Set<TreeNode> {
        const keep = new Set<TreeNode>();
        this.each((node) => {
            const low = node.path.toLowerCase();
            if (!words.every((word) => low.includes(word)) && !said?.has(node.path)) return;
            if (test && !test(node)) return;
            for (let at: TreeNode | null = node; at && !keep.has(at); at = at.parent) keep.add(at);
        });
        return keep;
    }
}

const keepsChild = (node: TreeNode, keep: Set<TreeNode>): boolean => node.children.some((child) => keep.has(child));

/** What a key does in the tree (ARIA tree pattern): a new active path, a path to open or close. */
export function treeKey(
    key: string,
    rows: Row[],
    active: string,
    page: number,
): { active?: string; toggle?: string; select?: string } {
    if (rows.length === 0) return {};
    const at = Math.max(0, rows.findIndex((row) => row.node.path === active));
    const row = rows[at]!;
    const to = (index: number): { active: string } => ({ active: rows[Math.min(rows.length - 1, Math.max(0, index))]!.node.path });
    switch (key) {
        case "ArrowDown":
            return to(rows[at]!.node.path === active ? at + 1 : 0);
        case "ArrowUp":
            return to(at - 1);
        case "PageDown":
            return to(at + page);
        case "PageUp":
            return to(at - page);
        case "Home":
            return to(0);
        case "End":
            return to(rows.length - 1);
        case "ArrowRight":
            if (row.node.width === 0) return {};
            return row.expanded ? to(at + 1) : { toggle: row.node.path };
        case "ArrowLeft":
            if (row.expanded) return { toggle: row.node.path };
            return row.node.parent && row.node.parent.depth >= 0 ? { active: row.node.parent.path } : {};
        case "Enter":
        case " ":
            return { select: row.node.path };
        default:
            return {};
    }
}
