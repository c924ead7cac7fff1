// alarms/target.ts: targets and routes in words, and as their forms have them. Pure.
import type { AlarmPriority, AlarmRoute, AlarmTarget, RouteWhen, ShownTarget, TargetKind } from "../core/api";

export const targetKinds: Record<TargetKind, string> = { email: "e-mail", mqtt: "MQTT", webhook: "web request" };
export const whens: RouteWhen[] = ["raised", "cleared", "acknowledged", "reset", "shelved", "suppressed", "out-of-service", "restored"];

/** Where a target's messages go, in a line. */
export function whereText(target: AlarmTarget): string {
    return (target.kind === "email" ? target.to : target.kind === "mqtt" ? target.topic : target.url) ?? "";
}

const spans = [[86_400_000, "d"], [3_600_000, "h"], [60_000, "min"], [1000, "s"]] as const;
/** 90000 as "90 s", 600000 as "10 min": in the largest unit that is exact. */
export function spanText(ms: number): string {
    const [unit, word] = spans.find(([each]) => ms % each === 0) ?? [1, "ms"];
    return `${ms / unit} ${word}`;
}

/** What a route does over time, as in "after 5 s, again every 10 min, boss after 30 min". */
export function timesText(route: AlarmRoute): string {
    const parts: string[] = [];
    if (route.delay_ms) parts.push(`after ${spanText(route.delay_ms)}`);
    if (route.repeat_ms) parts.push(`again every ${spanText(route.repeat_ms)}, ${route.repeat_max ?? 10} times at most`);
    if (route.escalate_ms) parts.push(`${route.escalate_to} after ${spanText(route.escalate_ms)} more`);
    return parts.join(", ") || "at once";
}

/** The server's errors begin with the field they are about. */
export function errorAt(error: Error | null, field: string): string {
    return error && new RegExp(`^${field}\\b`).test(error.message) ? error.message : "";
}

export interface TargetDraft {
    name: string;
    kind: TargetKind;
    to: string;
    subject: string;
    topic: string;
    retain: boolean;
    url: string;
    ca: string;
    headers: string;
    secret: string;
    unsigned: boolean;
    group: string;
}

export function targetDraft(target: ShownTarget | null): TargetDraft {
    return {
        name: target?.name ?? "", kind: target?.kind ?? "email", to: target?.to ?? "", subject: target?.subject ?? "{priority} {event}: {message}",
        topic: target?.topic ?? "alarms/{path}", retain: target?.retain ?? false, url: target?.url ?? "https://", ca: target?.ca ?? "",
        headers: Object.keys(target?.headers ?? {}).map((name) => `${name}:`).join("\n"), secret: "", unsigned: false,
        group: String((target?.group_ms ?? 10_000) / 1000),
    };
}

/** Lines of "Name: value"; without a value the one that is stored stays. */
export function headersOf(text: string): Record<string, string | null> {
    const headers: Record<string, string | null> = {};
    for (const line of text.split("\n").map((each) => each.trim()).filter((each) => each !== "")) {
        const at = line.indexOf(":");
        headers[(at < 0 ? line : line.slice(0, at)).trim()] = at < 0 ? null : line.slice(at + 1).trim() || null;
    }
    return headers;
}

export function targetOf(draft: TargetDraft): AlarmTarget {
    const { name, kind } = draft;
    if (kind === "mqtt") return { name, kind, topic: draft.topic, retain: draft.retain };
    const group_ms = Math.round(Number(draft.group) * 1000);
    if (kind === "email") return { name, kind, to: draft.to, subject: draft.subject, group_ms };
    const target: AlarmTarget = { name, kind, url: draft.url, headers: headersOf(draft.headers), group_ms };
    if (draft.ca) target.ca = draft.ca;
    if (draft.unsigned) target.secret = "";
    else if (draft.secret) target.secret = draft.secret;
    return target;
}

export interface RouteDraft {
    name: string;
    on: string;
    alarms: string;
    priorities: AlarmPriority[];
    when: RouteWhen[];
    to: string[];
    delay: string;
    repeat: string;
    repeats: string;
    escalate: string;
    escalateTo: string;
    off: boolean;
}

export function routeDraft(route: AlarmRoute | null): RouteDraft {
    const in_ = (ms: number | undefined, unit: number): string => (ms ? String(ms / unit) : "");
    return {
        name: route?.name ?? "", on: route?.on ?? "#", alarms: (route?.alarms ?? []).join(", "),
        priorities: route?.priorities ?? ["critical", "high"], when: route?.when ?? ["raised"], to: route?.to ?? [],
        delay: in_(route?.delay_ms, 1000), repeat: in_(route?.repeat_ms, 60_000), repeats: String(route?.repeat_max ?? 10),
        escalate: in_(route?.escalate_ms, 60_000), escalateTo: route?.escalate_to ?? "", off: route?.off ?? false,
    };
}

export function routeOf(draft: RouteDraft): AlarmRoute {
    const ms = (text: string, unit: number): number => Math.round(Number(text) * unit);
    const { name, priorities, when, to } = draft;
    const route: AlarmRoute = { name, on: draft.on, priorities, when, to };
    const alarms = draft.alarms.split(",").map((each) => each.trim()).filter((each) => each !== "");
    if (alarms.length > 0) route.alarms = alarms;
    if (ms(draft.delay, 1000)) route.delay_ms = ms(draft.delay, 1000);
    if (ms(draft.repeat, 60_000)) {
        route.repeat_ms = ms(draft.repeat, 60_000);
        route.repeat_max = Number(draft.repeats);
    }
    if (ms(draft.escalate, 60_000)) route.escalate_ms = ms(draft.escalate, 60_000);
    if (draft.escalateTo) route.escalate_to = draft.escalateTo;
    if (draft.off) route.off = true;
    return route;
}
