// designer/kinds.ts: the picture of each stage. Kinds are the keywords of the language; a kind that is
// not in the table gets a neutral dot.
const kinds: Record<string, string> = {
    from: "arrow-right-from-line",
    source: "arrow-right-from-line",
    into: "arrow-right-to-line",
    sink: "arrow-right-to-line",
    time: "clock",
    where: "filter",
    let: "calculator",
    keep: "columns-2",
    drop: "columns-2",
    require: "shield-check",
    window: "sigma",
    each: "list",
    split: "git-branch",
    join: "table-2",
    ask: "database",
    dedupe: "filter",
    deadband: "gauge",
    when: "zap",
    throttle: "timer",
    sample: "timer",
    delay: "timer",
    reply: "arrow-left",
    late: "clock",
    error: "triangle-alert",
    on: "triangle-alert",
};

/** "window tumble" and "window" look alike; "into uns" is a sink. */
export function kindIcon(kind: string): string {
    return kinds[kind] ?? kinds[kind.split(/[ _.-]/)[0] ?? ""] ?? "circle-dot";
}
