// explore/live-chart.tsx: the last two minutes of one path: from the history at first, then by the live
// values of this page, kept in a ring.
import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "../core/api";
import { setParams } from "../core/router";
import { Ring } from "../live/ring";
import { serverNow } from "../live/socket";
import { cellOf } from "../live/values";
import { Chart } from "./chart";

const LIVE_MS = 120_000;
const LIVE_POINTS = 1200;
const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

export function LiveChart(props: { path: string; unit: string }) {
    const ring = useRef(new Ring(LIVE_POINTS));
    const [, redraw] = useState(0);
    useEffect(() => {
        const cell = cellOf(props.path);
        let stop: () => void = () => undefined;
        let alive = true;
        void api
            .unsHistory(props.path, "-2m", LIVE_POINTS / 2)
            .then((h) => h.t.forEach((t, at) => h.last[at] !== null && ring.current.push(t / 1000, h.last[at]!)), () => undefined)
            .then(() => {
                if (!alive) return;
                let last = ring.current.length ? ring.current.times()[ring.current.length - 1]! : 0;
                stop = cell.sample.subscribe(({ value, at }) => {
                    if (typeof value !== "number" || at / 1000 <= last) return;
                    last = at / 1000;
                    ring.current.push(last, value);
                });
            });
        const timer = setInterval(() => !document.hidden && redraw((n) => n + 1), 250);
        return () => {
            alive = false;
            stop();
            clearInterval(timer);
        };
    }, [props.path]);
    const now = serverNow();
    const [t, v] = [ring.current.times(), ring.current.values()];
    const series = [{ t, last: v, min: v, max: v, gaps: [], bad: [], label: nameOf(props.path), unit: props.unit }];
    return (
        <section class="card history">
            <header class="card-head">
                <h3>Last 2 minutes</h3>
                <button class="button small" onClick={() => setParams({ tab: "history" }, false)}>History</button>
            </header>
            <Chart series={series} from={now - LIVE_MS} to={now} label={`The last two minutes of ${nameOf(props.path)}. The table shows the latest values.`} />
        </section>
    );
}
