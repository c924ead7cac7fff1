// alarms/journal.tsx: what happened, and what it says about the alarms themselves.
import { useState } from "preact/hooks";
import { api, type AlarmEntry } from "../core/api";
import { isoText, plural, timeText, valueText } from "../core/format";
import { param, setParams } from "../core/router";
import { user } from "../core/session";
import { useLoad } from "../ui/hooks";
import { Icon } from "../ui/icon";
import { Empty, Failure } from "../ui/state";
import { PriorityMark, stateWords } from "./mark";

const LIMIT = 200;

const whoText = (who: string): string => (who === "" ? "" : who === user.value?.id ? user.value.name : who);

function ToldMark(props: { entry: AlarmEntry }) {
    const { target, delivered } = props.entry;
    return (
        <span class={delivered ? "quiet" : "is-bad"}>
            <Icon name={delivered ? "bell" : "circle-x"} size={12} /> {delivered ? `${target} was told` : `${target} was not told`}
        </span>
    );
}

const spans = [["1h", "last hour"], ["8h", "last 8 h"], ["1d", "last 24 h"], ["7d", "last 7 days"], ["30d", "last 30 days"]] as const;

function Filters() {
    const { data } = useLoad("journal-rules", () => api.alarmRules());
    const rule = param("rule");
    const names = [...new Set([...(data?.rules.map((one) => one.alarm.name) ?? []), ...(rule ? [rule] : [])])];
    return (
        <div class="page-head alarm-tools">
            <select aria-label="Time" value={param("span")} onChange={(event) => setParams({ span: event.currentTarget.value })}>
                <option value="">all times</option>
                {spans.map(([value, text]) => <option key={value} value={value}>{text}</option>)}
            </select>
            <select aria-label="Rule" value={rule} onChange={(event) => setParams({ rule: event.currentTarget.value })}>
                <option value="">all rules</option>
                {names.map((name) => <option key={name}>{name}</option>)}
            </select>
            <input type="text" aria-label="Path, and what is below it" placeholder="Path, and what is below it" value={param("prefix")}
                onInput={(event) => setParams({ prefix: event.currentTarget.value.trim() })} />
        </div>
    );
}

export function Journal() {
    const span = spans.some(([value]) => value === param("span")) ? param("span") : "";
    return (
        <>
            <Filters />
            <Entries key={`${param("rule")} ${param("prefix")} ${span}`} rule={param("rule")} prefix={param("prefix").replace(/\/+$/, "")} from={span && `-${span}`} />
        </>
    );
}

function Entries(props: { rule: string; prefix: string; from: string }) {
    const filter = { rule: props.rule || undefined, prefix: props.prefix || undefined, from: props.from || undefined };
    const filtered = props.rule + props.prefix + props.from !== "";
    const [older, setOlder] = useState<AlarmEntry[]>([]);
    const [more, setMore] = useState<boolean | null>(null);
    const loaded = useLoad("journal", () => api.alarmJournal({ ...filter, limit: LIMIT }), 5000);
    const newest = loaded.data?.entries ?? [];
    const last = newest[newest.length - 1]?.id ?? 0;
    const entries = [...newest, ...older.filter((entry) => entry.id < last)];
    const goOn = async (): Promise<void> => {
        const before = entries[entries.length - 1]?.id;
        const page = await api.alarmJournal({ ...filter, limit: LIMIT, before });
        setOlder([...older, ...page.entries]);
        setMore(page.more);
    };
    if (loaded.error) return <Failure error={loaded.error} retry={loaded.reload} />;
    if (loaded.data && entries.length === 0) return <Empty icon="scroll-text" title={filtered ? "No entry fits" : "Nothing happened yet"} />;
    return (
        <div class="card table-box" tabIndex={0} role="region" aria-label="Journal, newest first">
            <table class="table dense">
                <thead>
                    <tr>
                        <th scope="col">Time</th>
                        <th scope="col">Priority</th>
                        <th scope="col">Alarm</th>
                        <th scope="col">Became</th>
                        <th scope="col">Value</th>
                        <th scope="col">Who</th>
                    </tr>
                </thead>
                <tbody>
                    {entries.map((entry) => (
                        <tr key={entry.id}>
                            <td class="num nowrap" title={isoText(entry.time)}>{timeText(entry.time)}</td>
                            <td class="nowrap"><PriorityMark priority={entry.priority} /> {entry.priority}</td>
                            <td class="grow">{entry.path} <span class="quiet">{entry.rule}</span></td>
                            <td class="nowrap" title={entry.target ? `it was ${stateWords[entry.to]}` : `was ${stateWords[entry.from]}`}>
                                {entry.target === undefined ? stateWords[entry.to] : <ToldMark entry={entry} />}
                            </td>
                            <td class="num nowrap">{entry.value === null ? "" : valueText(entry.value, Number.isInteger(entry.value) ? 0 : 2)}</td>
                            <td>{whoText(entry.who)} <span class="quiet">{entry.text}</span></td>
                        </tr>
                    ))}
                </tbody>
            </table>
            {(more ?? loaded.data?.more) && <p class="pad"><button class="button" onClick={() => void goOn()}>Older entries</button></p>}
        </div>
    );
}

export function Numbers() {
    const loaded = useLoad("alarm-stats", () => api.alarmStats(), 5000);
    if (loaded.error) return <Failure error={loaded.error} retry={loaded.reload} />;
    const stats = loaded.data;
    if (!stats) return <div class="loading" aria-busy="true" />;
    const most = Math.max(1, ...stats.per_hour);
    return (
        <div class="alarm-numbers">
            <section class="card pad">
                <h2>Raised per hour, the last 24 hours</h2>
                <div class="alarm-hours" role="img" aria-label={`Raised per hour, oldest first: ${stats.per_hour.join(", ")}`}>
                    {stats.per_hour.map((count, at) => (
                        <span key={at} title={`${23 - at} h ago: ${count}`} style={{ height: `${(count / most) * 100}%` }} />
                    ))}
                </div>
                <p class={stats.flood ? "is-bad" : "quiet"} role="status">
                    {plural("alarm", stats.ten_minutes)} in the last ten minutes{stats.flood ? ": a flood, more than a person can follow" : ""}.
                    {stats.lost > 0 && ` ${plural("change", stats.lost)} did not reach the journal.`}
                </p>
            </section>
            <section class="card pad">
                <h2>Raised most often in a day</h2>
                {stats.worst.length === 0 && <p class="quiet">None was raised.</p>}
                {stats.worst.length > 0 && (
                    <table class="table dense">
                        <thead><tr><th scope="col">Alarm</th><th scope="col">Times</th></tr></thead>
                        <tbody>
                            {stats.worst.map((each) => (
                                <tr key={`${each.rule} ${each.path}`}>
                                    <td><a href={`/uns?path=${encodeURIComponent(each.path)}`}>{each.path}</a> <span class="quiet">{each.rule}</span></td>
                                    <td class="num">{each.count}</td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                )}
            </section>
        </div>
    );
}
