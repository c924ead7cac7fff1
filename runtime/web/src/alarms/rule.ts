// alarms/rule.ts: a rule in words, and as the form has it. Pure.
import type { AlarmPriority, AlarmRule, AlarmWhen } from "../core/api";

export const kinds = {
    above: "is above", below: "is below", rises: "rises by more than", falls: "falls by more than",
    is: "is one of", stale_ms: "is stale for (s)", quality: "has bad quality",
} as const;
export type Kind = keyof typeof kinds;

const kindOf = (when: AlarmWhen): Kind => (Object.keys(kinds) as Kind[]).find((kind) => when[kind] !== undefined) ?? "above";
const seconds = (ms: number | undefined): string => (ms ? `${ms / 1000} s` : "");

/** "program press.tutti", "schema press", or empty: people. */
export function originOf(origin: string): { kind: "program" | "schema" | "people"; name: string } {
    const at = origin.indexOf(" ");
    const kind = origin.slice(0, Math.max(0, at));
    return kind === "program" || kind === "schema" ? { kind, name: origin.slice(at + 1) } : { kind: "people", name: "" };
}

/** A condition in words, as in "above 80, hysteresis 2, for 5 s". */
export function whenText(when: AlarmWhen): string {
    const kind = kindOf(when);
    const parts: string[] = [];
    if (kind === "quality") parts.push("bad quality");
    else if (kind === "stale_ms") parts.push(`no value for ${seconds(when.stale_ms)}`);
    else if (kind === "is") parts.push(`is ${[when.is].flat().join(" or ")}`);
    else parts.push(`${kind} ${when[kind]}`);
    if (when.within_ms) parts.push(`within ${seconds(when.within_ms)}`);
    if (when.hysteresis) parts.push(`hysteresis ${when.hysteresis}`);
    if (when.for_ms) parts.push(`for ${seconds(when.for_ms)}`);
    if (when.clear_ms) parts.push(`over after ${seconds(when.clear_ms)}`);
    return parts.join(", ");
}

export interface Draft {
    name: string;
    on: string;
    kind: Kind;
    limit: string;
    within: string;
    hysteresis: string;
    wait: string;
    clear: string;
    priority: AlarmPriority;
    latch: boolean;
    message: string;
    action: string;
}

export function draftOf(rule: AlarmRule | null, on: string): Draft {
    const when = rule?.when ?? {};
    const kind = kindOf(when);
    const text = (value: unknown): string => (value === undefined ? "" : String(value));
    const limit = kind === "is" ? [when.is ?? []].flat().join(", ") : kind === "stale_ms" ? text((when.stale_ms ?? 0) / 1000) : text(when[kind]);
    return {
        name: rule?.name ?? "", on: rule ? [rule.on].flat().join(", ") : on, kind, limit: rule ? limit : "",
        within: text((when.within_ms ?? 60_000) / 1000), hysteresis: text(when.hysteresis ?? 0),
        wait: text((when.for_ms ?? 0) / 1000), clear: text((when.clear_ms ?? 0) / 1000),
        priority: rule?.priority ?? "medium", latch: rule?.latch ?? false, message: rule?.message ?? "", action: rule?.action ?? "",
    };
}

/** A word as it may arrive: a number or truth where it looks like one, so that 3 fits 3. */
const word = (text: string): string | number | boolean =>
    text === "true" ? true : text === "false" ? false : text !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;

/** One filter, or several with commas between them. */
const onOf = (text: string): string | string[] => {
    const list = text.split(/,\s+/).filter((each) => each !== "");
    return list.length > 1 ? list : (list[0] ?? "");
};

export function ruleOf(draft: Draft): AlarmRule {
    const ms = (text: string): number => Math.round(Number(text) * 1000);
    const when: AlarmWhen = {};
    if (draft.kind === "is") when.is = draft.limit.split(",").map((each) => word(each.trim()));
    else if (draft.kind === "stale_ms") when.stale_ms = ms(draft.limit);
    else if (draft.kind === "quality") when.quality = "bad";
    else when[draft.kind] = Number(draft.limit);
    const rate = draft.kind === "rises" || draft.kind === "falls";
    if (rate) when.within_ms = ms(draft.within);
    if ((rate || draft.kind === "above" || draft.kind === "below") && Number(draft.hysteresis) > 0) when.hysteresis = Number(draft.hysteresis);
    if (Number(draft.wait) > 0) when.for_ms = ms(draft.wait);
    if (Number(draft.clear) > 0) when.clear_ms = ms(draft.clear);
    const rule: AlarmRule = { name: draft.name, on: onOf(draft.on), when, priority: draft.priority };
    if (draft.latch) rule.latch = true;
    if (draft.message) rule.message = draft.message;
    if (draft.action) rule.action = draft.action;
    return rule;
}
