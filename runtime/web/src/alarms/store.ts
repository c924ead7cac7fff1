// alarms/store.ts: what stands now, for the page, the strip and the top bar. One subscription; the
// list is asked for again when the counts changed, at most twice a second.
import { computed, signal } from "@preact/signals";
import { api, type Alarm, type AlarmCounts, type AlarmPriority, type AlarmState } from "../core/api";
import { subscribe } from "../live/socket";

export const priorities: AlarmPriority[] = ["critical", "high", "medium", "low"];
export const listMax = 500;
const AGAIN_MS = 500;

export const alarms = signal<Alarm[]>([]);
export const total = signal(0);
export const counts = signal<AlarmCounts | null>(null);
export const failure = signal<Error | null>(null);

/** unacknowledged ones, the most urgent first: what the strip is about */
export const waiting = computed(() => alarms.value.filter((alarm) => needsAck(alarm.state)));

export const needsAck = (state: AlarmState): boolean =>
    state === "unacknowledged" || state === "returned" || state === "latched-unacknowledged";
export const keyOf = (alarm: { rule: string; path: string }): string => `${alarm.rule} ${alarm.path}`;

let timer = 0;
let asked = 0;

async function ask(): Promise<void> {
    timer = 0;
    asked = Date.now();
    try {
        const answer = await api.alarms({ limit: listMax });
        alarms.value = answer.alarms;
        total.value = answer.total;
        counts.value = { standing: answer.standing, states: answer.states };
        failure.value = null;
    } catch (error) {
        failure.value = error as Error;
    }
}

/** Soon: at once when the last question is old enough. */
export function refresh(): void {
    if (!timer) timer = setTimeout(() => void ask(), Math.max(0, asked + AGAIN_MS - Date.now())) as unknown as number;
}

/** For as long as somebody is signed in. */
export function alarmsStart(): () => void {
    refresh();
    const sub = subscribe({ op: "events", subjects: ["uns.alarms_changed"] }, (frame) => {
        counts.value = frame.body as AlarmCounts;
        refresh();
    });
    return () => {
        clearTimeout(timer);
        timer = 0;
        sub.close();
        alarms.value = [];
        counts.value = null;
    };
}
