// alarms/mark.tsx: the shape of a priority. Shape and word always go with the colour (ISA-101).
import type { AlarmPriority, AlarmState } from "../core/api";

const shapes: Record<AlarmPriority, string> = {
    critical: "M2 2h12v12H2z",
    high: "M8 1l7.5 14h-15z",
    medium: "M8 15L.5 1h15z",
    low: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1z",
};
const number: Record<AlarmPriority, number> = { critical: 1, high: 2, medium: 3, low: 4 };

export function PriorityMark(props: { priority: AlarmPriority; size?: number }) {
    return (
        <svg class={`alarm-mark alarm-${number[props.priority]}`} viewBox="0 0 16 16" width={props.size ?? 14} height={props.size ?? 14} aria-hidden="true">
            <path d={shapes[props.priority]} />
        </svg>
    );
}

/** The words of ISA-18.2 for its states. */
export const stateWords: Record<AlarmState, string> = {
    normal: "normal",
    unacknowledged: "unacknowledged",
    acknowledged: "acknowledged",
    returned: "returned to normal, unacknowledged",
    "latched-unacknowledged": "latched, unacknowledged",
    "latched-acknowledged": "latched, acknowledged: to be reset",
    shelved: "shelved",
    suppressed: "suppressed by design",
    "out-of-service": "out of service",
};
