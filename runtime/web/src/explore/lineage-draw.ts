// explore/lineage-draw.ts: which boxes and lines the lineage of a topic is drawn with. Pure.
import type { End, Lineage } from "../core/api";
import { ageText } from "../core/format";

export interface Box {
    id: string;
    column: number;
    row: number;
    icon: string;
    title: string;
    note: string;
    href?: string;
}
export interface Drawing {
    boxes: Box[];
    lines: [string, string][];
    columns: number;
    rows: number;
}

/** A dashboard that shows the topic. */
export interface Board {
    name: string;
    title: string;
    widgets: number;
}

const endTitle = (end: End): string => end.address || end.kind;
const endNote = (end: End): string => (end.connection ? `${end.kind} · ${end.connection}` : end.kind);
const endHref = (end: End): string | undefined =>
    !end.connection && (end.kind === "uns" || end.kind === "mqtt") && !/[+#{]/.test(end.address)
        ? `/uns?path=${end.address.split("/").map(encodeURIComponent).join("/")}&tab=lineage`
        : undefined;

/** Five columns: sources, pipelines and clients that write, the topic, pipelines that read, sinks. */
export function draw(lineage: Lineage, now: number, boards: Board[] = []): Drawing {
    const boxes: Box[] = [];
    const lines: [string, string][] = [];
    const rows = [0, 0, 0, 0, 0];
    const put = (column: number, box: Omit<Box, "column" | "row">): string => {
        if (!boxes.some((b) => b.id === box.id)) boxes.push({ ...box, column, row: rows[column]!++ });
        return box.id;
    };
    const pipe = (column: number, name: string, running: boolean, by: string): string =>
        put(column, {
            id: `${column}:${name}`, icon: "workflow", title: name, note: running ? by : `stopped · ${by}`,
            href: `/pipelines/${encodeURIComponent(name)}`,
        });
    for (const writer of lineage.writes) {
        const to = pipe(1, writer.pipeline, writer.running, writer.by);
        for (const end of writer.from)
            lines.push([put(0, { id: `0:${endNote(end)}:${end.address}`, icon: "arrow-right-from-line", title: endTitle(end), note: endNote(end), href: endHref(end) }), to]);
        lines.push([to, "topic"]);
    }
    for (const client of lineage.clients) {
        const age = `${ageText(Math.max(0, now - client.last))} ago`;
        lines.push([put(1, { id: `1:client:${client.client}`, icon: "radio", title: client.client, note: client.user ? `client of ${client.user} · ${age}` : `client · ${age}` }), "topic"]);
    }
    put(2, { id: "topic", icon: "tag", title: lineage.topic, note: "this topic" });
    for (const reader of lineage.reads) {
        const from = pipe(3, reader.pipeline, reader.running, reader.by);
        lines.push(["topic", from]);
        for (const end of reader.into)
            lines.push([from, put(4, { id: `4:${endNote(end)}:${end.address}`, icon: "arrow-right-to-line", title: endTitle(end), note: endNote(end), href: endHref(end) })]);
    }
    for (const board of boards)
        lines.push(["topic", put(3, {
            id: `d:${board.name}`, icon: "layout-dashboard", title: board.title, href: `/d/${encodeURIComponent(board.name)}`,
            note: `dashboard · ${board.widgets} ${board.widgets === 1 ? "widget" : "widgets"}`,
        })]);
    // Columns nobody is in are left out, so that a short chain is not lost in an empty sheet.
    const used = [0, 1, 2, 3, 4].filter((column) => rows[column]! > 0);
    const most = Math.max(...rows);
    for (const box of boxes) {
        box.row += (most - rows[box.column]!) / 2;
        box.column = used.indexOf(box.column);
    }
    return { boxes, lines, columns: used.length, rows: most };
}
