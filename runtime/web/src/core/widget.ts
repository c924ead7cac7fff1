// core/widget.ts: which widget shows a path, and where it goes on a dashboard. Pure. A dropped path and a
// chosen one come through here, so both ways give the same.
import type { UnsNode, Widget } from "./api";

export const COLUMNS = 12;
const WIDGETS_MAX = 200;

const lastPart = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** Numbers are a trend, states and texts one cell, a branch without a value a table of what is below. */
export function widgetFor(node: Pick<UnsNode, "path" | "type" | "unit" | "title" | "has_value">, below: string[]): Omit<Widget, "id" | "x" | "y"> {
    const title = node.title || node.path.split("/").slice(-2).join(" ");
    if (!node.has_value) return { type: "table", title, paths: below.slice(0, 50), w: 6, h: Math.max(2, Math.min(8, Math.ceil(below.length / 2) + 1)) };
    if (node.type === "number") return { type: "trend", title: node.title || title, paths: [node.path], ...(node.unit ? { unit: node.unit } : {}), w: 6, h: 4 };
    return { type: "state", title: node.title || lastPart(node.path), paths: [node.path], w: 3, h: 2 };
}

/** The first free place, row by row from the top. */
export function placeFor(widgets: Pick<Widget, "x" | "y" | "w" | "h">[], w: number, h: number): { x: number; y: number } {
    const hits = (x: number, y: number): boolean => widgets.some((one) => x < one.x + one.w && one.x < x + w && y < one.y + one.h && one.y < y + h);
    for (let y = 0; ; y++) for (let x = 0; x + w <= COLUMNS; x++) if (!hits(x, y)) return { x, y };
}

/** A dashboard with one widget more; null: it is full, or shows the path already. */
export function withWidget(widgets: Widget[], widget: Omit<Widget, "id" | "x" | "y">): Widget[] | null {
    const same = widgets.some((one) => one.type === widget.type && one.paths.join("\n") === widget.paths.join("\n"));
    if (same || widgets.length >= WIDGETS_MAX) return null;
    const used = new Set(widgets.map((one) => one.id));
    let number = widgets.length + 1;
    while (used.has(`w${number}`)) number++;
    return [...widgets, { ...widget, id: `w${number}`, ...placeFor(widgets, widget.w, widget.h) }];
}

/** A name for the address out of a title. */
export const nameOf = (title: string): string =>
    title.toLowerCase().normalize("NFKD").replace(/[\u0300-\u036f]/g, "").replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 64);
