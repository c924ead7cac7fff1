// pages/logs.tsx: search in the stored log and a live tail with pause. At most 500 rows are kept.
import { useEffect, useRef, useState } from "preact/hooks";
import "./pages.css";
import { api, type LogLine } from "../core/api";
import { isoText, numberText, timeText } from "../core/format";
import { handle } from "../core/keys";
import { param, place, setParams } from "../core/router";
import { subscribe } from "../live/socket";
import { Icon } from "../ui/icon";
import { matches, words } from "../ui/menu";
import { Failure } from "../ui/state";
import { useLoad, useTitle } from "../ui/hooks";

const ROWS = 500;
const levels = ["debug", "info", "warn", "error"];
const rank = (level: string): number => Math.max(0, levels.indexOf(level === "warning" ? "warn" : level));

/** Newest first, no doubles, at most ROWS. */
export function merge(fresh: LogLine[], old: LogLine[]): LogLine[] {
    const seen = new Set<number>();
    const out: LogLine[] = [];
    for (const line of [...fresh, ...old]) {
        if (line.id && seen.has(line.id)) continue;
        seen.add(line.id);
        out.push(line);
        if (out.length === ROWS) break;
    }
    return out;
}

function useLines() {
    const q = param("q");
    const level = param("level");
    const module = param("module");
    const paused = param("pause") === "1";
    const key = `logs:${q}:${level}:${module}`;
    const stored = useLoad(key, () => api.logs({ q, level, module, limit: 200 }));
    const [tail, setTail] = useState<{ key: string; lines: LogLine[] }>({ key, lines: [] });
    const waiting = useRef<LogLine[]>([]);
    const [held, setHeld] = useState(0);
    useEffect(() => {
        waiting.current = [];
        setTail({ key, lines: [] });
        const wanted = words(q);
        const sub = subscribe({ op: "events", subjects: ["logs.line"] }, (frame) => {
            const line = frame.body as LogLine;
            if (level && rank(line.level) < rank(level)) return;
            if (module && line.module !== module) return;
            if (!matches(`${line.module} ${line.message} ${JSON.stringify(line.detail ?? "")}`, wanted)) return;
            waiting.current.unshift({ ...line, time: line.time ?? Number(frame.time) });
            if (waiting.current.length > ROWS) waiting.current.pop();
        });
        return () => sub.close();
    }, [key]);
    useEffect(() => {
        const timer = setInterval(() => {
            if (paused) return setHeld(waiting.current.length);
            setHeld(0);
            if (waiting.current.length === 0) return;
            const fresh = waiting.current;
            waiting.current = [];
            setTail((old) => ({ key, lines: merge(fresh, old.key === key ? old.lines : []) }));
        }, 250);
        return () => clearInterval(timer);
    }, [paused, key]);
    const lines = merge(tail.key === key ? tail.lines : [], stored.data?.lines ?? []);
    return { lines, held, stored, paused };
}

const detailText = (detail: unknown): string =>
    detail === null || detail === undefined || detail === "" ? "" : typeof detail === "string" ? detail : JSON.stringify(detail);

export function Logs() {
    useTitle("Logs");
    void place.value;
    const input = useRef<HTMLInputElement>(null);
    const { lines, held, stored, paused } = useLines();
    const [modules, setModules] = useState<string[]>([]);
    const toggle = (): void => setParams({ pause: param("pause") === "1" ? null : "1" });
    useEffect(() => {
        const back = [handle("search", () => input.current?.select()), handle("logs.pause", toggle)];
        void api.modules().then((r) => setModules(r.modules.map((m) => m.name)), () => undefined);
        return () => back.forEach((undo) => undo());
    }, []);
    return (
        <div class="page page-full">
            <header class="page-head">
                <h1>Logs</h1>
                <div class="filter">
                    <Icon name="search" size={14} />
                    <input ref={input} type="search" aria-label="Search the logs" placeholder="Search" value={param("q")}
                        onInput={(event) => setParams({ q: event.currentTarget.value })} />
                    <kbd aria-hidden="true">/</kbd>
                </div>
                <select aria-label="Least level" value={param("level")} onChange={(event) => setParams({ level: event.currentTarget.value })}>
                    <option value="">all levels</option>
                    {levels.slice(1).map((level) => <option key={level} value={level}>{level} and above</option>)}
                </select>
                {modules.length > 0 && (
                    <select aria-label="Module" value={param("module")} onChange={(event) => setParams({ module: event.currentTarget.value })}>
                        <option value="">all modules</option>
                        {modules.map((name) => <option key={name}>{name}</option>)}
                    </select>
                )}
                <button class="button" aria-pressed={paused} onClick={toggle}>
                    <Icon name={paused ? "play" : "pause"} size={14} />
                    {paused ? `Go on${held ? ` (${numberText(held, 0)})` : ""}` : "Pause"}
                </button>
            </header>
            {stored.error && <Failure error={stored.error} retry={stored.reload} />}
            <div class="card log" tabIndex={0} role="region" aria-label="Log lines, newest first">
                <table class="table dense">
                    <thead>
                        <tr>
                            <th scope="col">Time</th>
                            <th scope="col">Level</th>
                            <th scope="col">Module</th>
                            <th scope="col">Message</th>
                        </tr>
                    </thead>
                    <tbody>
                        {lines.map((line, at) => (
                            <tr key={line.id || `${line.time}-${at}`}>
                                <td class="num nowrap" title={isoText(line.time)}>{timeText(line.time)}</td>
                                <td class={`level ${rank(line.level) >= 3 ? "is-bad" : rank(line.level) === 2 ? "is-warn" : "quiet"}`}>
                                    {rank(line.level) >= 2 && <Icon name="triangle-alert" size={12} />}
                                    {line.level}
                                </td>
                                <td class="quiet">{line.module}</td>
                                <td class="log-text">
                                    {line.message} <span class="quiet mono">{detailText(line.detail)}</span>
                                </td>
                            </tr>
                        ))}
                    </tbody>
                </table>
                {lines.length === 0 && stored.data && <p class="quiet pad">No line fits.</p>}
            </div>
        </div>
    );
}
