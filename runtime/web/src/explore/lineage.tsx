// explore/lineage.tsx: where a value comes from and who reads it, drawn from left to right.
// The boxes are links in reading order, so that the drawing works without seeing its lines.
import { api } from "../core/api";
import { serverNow } from "../live/socket";
import { Icon } from "../ui/icon";
import { useLoad } from "../ui/hooks";
import { Failure } from "../ui/state";
import { draw, type Box, type Drawing } from "./lineage-draw";

const ROW = 52;
const BOX = 44;
const SHOWN = 12;

function BoxView(props: { box: Box; columns: number }) {
    const { box } = props;
    const style = { left: `calc(${(100 * box.column) / props.columns}% + 8px)`, width: `calc(${100 / props.columns}% - 32px)`, top: `${box.row * ROW}px`, height: `${BOX}px` };
    const inside = (
        <>
            <Icon name={box.icon} size={14} />
            <span class="cut">
                <b class="cut">{box.title}</b>
                <span class="quiet cut">{box.note}</span>
            </span>
        </>
    );
    return box.href ? (
        <a class="lineage-box" style={style} href={box.href} title={box.title}>{inside}</a>
    ) : (
        <div class={`lineage-box ${box.id === "topic" ? "is-here" : ""}`} style={style} title={box.title}>{inside}</div>
    );
}

function Lines(props: { drawing: Drawing }) {
    const { boxes, lines, columns, rows } = props.drawing;
    const at = new Map(boxes.map((box) => [box.id, box]));
    const width = 1000;
    return (
        <svg class="lineage-lines" viewBox={`0 0 ${width} ${rows * ROW}`} preserveAspectRatio="none" aria-hidden="true">
            {lines.map(([from, to]) => {
                const a = at.get(from)!;
                const b = at.get(to)!;
                const x1 = ((a.column + 1) * width) / columns - 24;
                const x2 = (b.column * width) / columns + 8;
                const y1 = a.row * ROW + BOX / 2;
                const y2 = b.row * ROW + BOX / 2;
                const middle = (x1 + x2) / 2;
                return <path key={`${from}>${to}`} d={`M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`} vector-effect="non-scaling-stroke" />;
            })}
        </svg>
    );
}

/** Pipelines from the engine and dashboards from theirs; without the dashboards when those do not answer. */
function useUses(path: string) {
    return useLoad(`lineage:${path}`, async () => {
        const [lineage, boards] = await Promise.all([api.lineage(path), api.dashboardUses(path).then((r) => r.dashboards, () => [])]);
        return { lineage, boards };
    }, 5000);
}

const pipelineAt = (name: string): string => `/pipelines/${encodeURIComponent(name)}`;

interface Link {
    href: string;
    text: string;
    icon: string;
    note?: string;
}

function Links(props: { label: string; links: Link[]; more: string }) {
    const { links } = props;
    if (links.length === 0) return null;
    return (
        <ul class="used-by" aria-label={props.label}>
            <li class="quiet" aria-hidden="true">{props.label}</li>
            {links.slice(0, SHOWN).map((link) => (
                <li key={link.text + link.note}>
                    <Icon name={link.icon} size={13} /> {link.href ? <a href={link.href}>{link.text}</a> : link.text}
                    {link.note && <span class="quiet">{link.note}</span>}
                </li>
            ))}
            {links.length > SHOWN && <li><a href={props.more}>{links.length - SHOWN} more</a></li>}
        </ul>
    );
}

/** Which device, topic or client a path comes from and through which pipeline, and who reads it: two lines of links. */
export function Uses(props: { path: string }) {
    const { data } = useUses(props.path);
    if (!data) return null;
    const { lineage, boards } = data;
    const sources: Link[] = lineage.writes.flatMap((one) =>
        one.from.map((end) => ({ href: pipelineAt(one.pipeline), text: one.pipeline, icon: "workflow", note: `from ${end.kind} ${end.connection ?? ""} ${end.address}${one.running ? "" : ", stopped"}` })));
    sources.push(...lineage.clients.map((one) => ({ href: "", text: one.client || "this process", icon: "radio", note: one.user && `as ${one.user}` })));
    const readers: Link[] = [
        ...lineage.reads.map((one) => ({ href: pipelineAt(one.pipeline), text: one.pipeline, icon: "workflow" })),
        ...boards.map((one) => ({ href: `/d/${encodeURIComponent(one.name)}`, text: one.title, icon: "layout-dashboard" })),
    ];
    const more = `/uns?path=${encodeURIComponent(props.path).replace(/%2F/g, "/")}&tab=lineage`;
    return (
        <>
            <Links label="Comes from" links={sources} more={more} />
            <Links label="Used by" links={readers} more={more} />
        </>
    );
}

export function LineagePanel(props: { path: string }) {
    const { data: all, error, reload } = useUses(props.path);
    const data = all?.lineage;
    if (error && !data) return <Failure error={error} retry={reload} />;
    if (!data) return <div class="loading" aria-busy="true" />;
    const drawing = draw(data, serverNow(), all.boards);
    return (
        <section class="card">
            <h3>Where from, where to</h3>
            <div class="lineage-sheet" role="group" aria-label="Lineage">
                <div class="lineage" style={{ height: `${drawing.rows * ROW}px`, minWidth: `${drawing.columns * 170}px` }}>
                    <Lines drawing={drawing} />
                    {drawing.boxes.map((box) => <BoxView key={box.id} box={box} columns={drawing.columns} />)}
                </div>
            </div>
            {drawing.boxes.length === 1 && <p class="quiet pad">No client has published here since the start, no pipeline reads or writes it, and no dashboard shows it.</p>}
            {!data.complete && <p class="quiet pad">The engine did not answer: pipelines are missing.</p>}
        </section>
    );
}
