// alarms/filter.ts: what the filters of the list leave. Pure.
import type { Alarm, AlarmState } from "../core/api";

const hidden: AlarmState[] = ["shelved", "suppressed", "out-of-service"];
/** States that each of the two lists can be narrowed to. */
export const statesOf = (aside: boolean): AlarmState[] =>
    aside ? hidden : ["unacknowledged", "acknowledged", "returned", "latched-unacknowledged", "latched-acknowledged"];

/** What the filters leave; those that are put aside only when asked for. */
export function shown(list: Alarm[], filter: { priority: string; state: string; text: string; aside: boolean }): Alarm[] {
    const text = filter.text.toLowerCase();
    return list.filter((alarm) => {
        if (hidden.includes(alarm.state) !== filter.aside) return false;
        if (filter.state && alarm.state !== filter.state) return false;
        if (filter.priority && alarm.priority !== filter.priority) return false;
        return !text || `${alarm.path} ${alarm.rule} ${alarm.message ?? ""}`.toLowerCase().includes(text);
    });
}

export type Heard = "critical" | "high";
/** The priority that is heard: the first of the alarms, in the order of their urgency, that holds and was raised after that (ms). */
export const heard = (alarms: Alarm[], after: number): Heard | null =>
    alarms.map((alarm) => (alarm.active && alarm.raised > after ? alarm.priority : null)).find((each) => each === "critical" || each === "high") ?? null;
