// alarms/filter.ts: what the filters of the list leave. Pure.
import type { Alarm, AlarmState } from "../core/api";

const hidden: AlarmState[] = ["shelved", "suppressed", "out-of-service"];

/** What the filters leave; those that are put aside only when asked for. */
export function shown(list: Alarm[], filter: { priority: string; text: string; aside: boolean }): Alarm[] {
    const text = filter.text.toLowerCase();
    return list.filter((alarm) => {
        if (hidden.includes(alarm.state) !== filter.aside) return false;
        if (filter.priority && alarm.priority !== filter.priority) return false;
        return !text || `${alarm.path} ${alarm.rule} ${alarm.message ?? ""}`.toLowerCase().includes(text);
    });
}
