// alarms/strip.tsx: alarms on every page: counts in the top bar, and a strip with the most urgent
// one that nobody has taken.
import { useState } from "preact/hooks";
import "./alarms.css";
import { api } from "../core/api";
import { timeText } from "../core/format";
import { mayOperate } from "../core/session";
import { Icon } from "../ui/icon";
import { PriorityMark } from "./mark";
import { ringing, silence, soundHeld } from "./sound";
import { counts, priorities, refresh, waiting } from "./store";

export function AlarmCounts() {
    const standing = counts.value?.standing;
    if (!standing) return null;
    const some = priorities.filter((priority) => standing[priority] > 0);
    return (
        <a href="/alarms" class="alarm-counts" title={some.map((priority) => `${standing[priority]} ${priority}`).join(", ") || "No alarms"}>
            <span class="sr-only">{some.length === 0 ? "No alarms" : "Alarms: "}</span>
            {some.length === 0 && <Icon name="shield-check" size={15} />}
            {some.map((priority) => (
                <span key={priority} class="alarm-count">
                    <PriorityMark priority={priority} size={12} />
                    {standing[priority]} <span class="sr-only">{priority}</span>
                </span>
            ))}
        </a>
    );
}

export function AlarmStrip() {
    const [error, setError] = useState("");
    const first = waiting.value[0];
    if (!first) return null;
    const critical = first.priority === "critical";
    const acknowledge = async (): Promise<void> => {
        try {
            const answer = await api.alarmAct({ act: "acknowledge", alarms: [{ rule: first.rule, path: first.path }] });
            setError(answer.refused[0]?.reason ?? "");
            refresh();
        } catch (problem) {
            setError((problem as Error).message);
        }
    };
    const more = waiting.value.length - 1;
    return (
        <div class={`alarm-strip ${critical ? "is-critical" : ""}`} role="region" aria-label="Most urgent alarm">
            <span class={critical && first.active ? "blink" : ""}><PriorityMark priority={first.priority} /></span>
            <b>{first.priority}</b>
            <span class="alarm-strip-text" role={critical ? "alert" : "status"}>
                {first.message ?? first.rule} <a href={`/uns?path=${encodeURIComponent(first.path)}`}>{first.path}</a>
                {error && <span class="is-bad"> {error}</span>}
            </span>
            <span class="quiet num nowrap">{timeText(first.raised)}</span>
            {soundHeld.value && <span class="quiet nowrap">sound: click anywhere, the browser waits for it</span>}
            {ringing.value && <button class="button small" onClick={silence}><Icon name="volume-x" size={14} />Silence</button>}
            {mayOperate.value && <button class="button small" onClick={() => void acknowledge()}>Acknowledge</button>}
            {more > 0 && <a class="nowrap" href="/alarms">{more} more</a>}
        </div>
    );
}
