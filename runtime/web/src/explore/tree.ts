// explore/tree.ts: the namespace as a tree, and the flat list of rows that the page shows of it.
// Pure; 10,000 paths are built, filtered and flattened in a few milliseconds.
import type { Outline } from "../core/api";

export interface TreeNode {
    path: string;
    name: string;
    depth: number;
    hasValue: boolean;
    /** what people call it, and the unit they gave it */
    title: string;
    unit: string;
    parent: TreeNode | null;
    children: TreeNode[];
}
export interface Row {
    node: TreeNode;
    expanded: boolean;
    /** position among its siblings, from 1, and how many there are */
    position: number;
    siblings: number;
}

export class Tree {
    readonly root: TreeNode = { path: "", name: "", depth: -1, hasValue: false, title: "", unit: "", parent: null, children: [] };
    private readonly byPath = new Map<string, TreeNode>([["", this.root]]);
    private sorted = true;

    get size(): number {
        return this.byPath.size - 1;
    }

    get(path: string): TreeNode | undefined {
        return this.byPath.get(path);
    }

    /** Adds a path and what is above it. Known paths only gain a value, never lose one. */
    add(path: string, hasValue: boolean): TreeNode {
        const known = this.byPath.get(path);
        if (known) {
            known.hasValue ||= hasValue;
            return known;
        }
        const cut = path.lastIndexOf("/");
        const node = this.put(path, path.slice(cut + 1), cut < 0 ? this.root : this.add(path.slice(0, cut), false));
        node.hasValue = hasValue;
        return node;
    }

    private put(path: string, name: string, parent: TreeNode): TreeNode {
        const node: TreeNode = { path, name, depth: parent.depth + 1, hasValue: false, title: "", unit: "", parent, children: [] };
        const last = parent.children[parent.children.length - 1];
        if (last && last.name > node.name) this.sorted = false;
        parent.children.push(node);
        this.byPath.set(path, node);
        return node;
    }

    /** Adds a page of an outline, which goes on below the path it was asked `after`; answers the last path. */
    addOutline(rows: Outline["rows"], after = ""): string {
        const above: TreeNode[] = [];
        for (let node = this.byPath.get(after); node && node.depth >= 0; node = node.parent!) above[node.depth] = node;
        let last = this.root;
        for (const [depth, name, value, said] of rows) {
            const parent = depth > 0 ? above[depth - 1]! : this.root;
            const path = depth > 0 ? parent.path + "/" + name : name;
            last = this.byPath.get(path) ?? this.put(path, name, parent);
            if (value) last.hasValue = true;
            if (said) Object.assign(last, { title: said.title ?? "", unit: said.unit ?? "" });
            above[depth] = last;
        }
        return last.path;
    }

    private sort(): void {
        if (this.sorted) return;
        for (const node of this.byPath.values()) {
            if (node.children.length > 1) node.children.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
        }
        this.sorted = true;
    }

    /** Paths to expand at first: down to about `rows` rows, so that a small plant is open at once. */
    firstExpanded(rows: number): Set<string> {
        this.sort();
        const open = new Set<string>();
        let level = this.root.children;
        let shown = level.length;
        while (level.length) {
            const next = level.flatMap((node) => node.children);
            if (shown + next.length > rows) {
                this.openSome(level, rows - shown, open);
                break;
            }
            for (const node of level) if (node.children.length) open.add(node.path);
            shown += next.length;
            level = next;
        }
        return open;
    }

    /** Opens branches from the top, each as a whole, while rows are left: values are seen at once. */
    private openSome(level: TreeNode[], rows: number, open: Set<string>): void {
        let left = rows;
        const whole = (node: TreeNode): number => node.children.reduce((sum, child) => sum + 1 + whole(child), 0);
        const openAll = (node: TreeNode): void => {
            if (node.children.length === 0) return;
            open.add(node.path);
            node.children.forEach(openAll);
        };
        for (const node of level) {
            const cost = whole(node);
            if (cost === 0) continue;
            if (cost <= left) openAll(node);
            else if (left === rows) {
                // Not even the first fits: open it, and the first ones of its children.
                open.add(node.path);
                this.openSome(node.children, Math.max(20, left - node.children.length), open);
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
        this.sort();
        const rows: Row[] = [];
        const filtering = words.length > 0 || test !== undefined;
        const keep = filtering ? this.fitting(words, test, said) : null;
        const walk = (node: TreeNode): void => {
            const children = keep ? node.children.filter((child) => keep.has(child)) : node.children;
            children.forEach((child, index) => {
                const isOpen = child.children.length > 0 && (keep ? keepsChild(child, keep) : expanded.has(child.path));
                rows.push({ node: child, expanded: isOpen, position: index + 1, siblings: children.length });
                if (isOpen) walk(child);
            });
        };
        walk(this.root);
        return rows;
    }

    private fitting(words: string[], test?: (node: TreeNode) => boolean, said?: ReadonlySet<string>): Set<TreeNode> {
        const keep = new Set<TreeNode>();
        for (const node of this.byPath.values()) {
            if (node === this.root) continue;
            const low = node.path.toLowerCase();
            if (!words.every((word) => low.includes(word)) && !said?.has(node.path)) continue;
            if (test && !test(node)) continue;
            for (let at: TreeNode | null = node; at && !keep.has(at); at = at.parent) keep.add(at);
        }
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
            if (row.node.children.length === 0) return {};
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
