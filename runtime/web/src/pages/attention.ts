// pages/attention.ts: what a person should look at now, worst first, one sentence and one way to act.
import type { Connection, Pipeline, UnsStats } from "../core/api";
import { plural, shortNumber } from "../core/format";

export interface Summary {
    stats: UnsStats | null;
    pipelines: Pipeline[];
    connections: Connection[];
    at: number;
}

export interface Attention {
    weight: number;
    text: string;
    detail?: string;
    href: string;
    action: string;
}

/** Worst first. Every row says one thing and where to go. */
export function attention(summary: Pick<Summary, "stats" | "pipelines" | "connections">): Attention[] {
    const rows: Attention[] = [];
    for (const c of summary.connections) {
        if (c.state !== "failed" && c.state !== "degraded") continue;
        const name = c.stored ? `Connection ${c.name}` : `The connection to ${c.url}`;
        const text = c.state === "failed" ? `${name} has no link${c.stored ? ` to ${c.url}` : ""}.` : `${name} answers only in part.`;
        rows.push({ weight: c.state === "failed" ? 4 : 2, text, detail: c.error || undefined, href: `/logs?q=${encodeURIComponent(c.name)}`, action: "See its log" });
    }
    for (const p of summary.pipelines) {
        const href = `/pipelines/${encodeURIComponent(p.name)}`;
        if (p.state === "failed") rows.push({ weight: 5, text: `Pipeline ${p.name} has failed.`, detail: p.error ?? undefined, href, action: "Open it" });
        else if (p.error) rows.push({ weight: 4, text: `Pipeline ${p.name} waits.`, detail: p.error, href, action: "Open it" });
        else if (p.error_rate > 0)
            rows.push({ weight: 3, text: `Pipeline ${p.name} sets records aside: ${shortNumber(p.error_rate)} per second.`, href, action: "Open it" });
    }
    const stale = summary.stats?.stale ?? 0;
    if (stale > 0) rows.push({ weight: 1, text: `${plural("value", stale)} ${stale === 1 ? "has" : "have"} gone stale.`, href: "/uns", action: "Explore" });
    return rows.sort((a, b) => b.weight - a.weight);
}
