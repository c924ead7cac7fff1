// pages/dashboards.tsx: the list of dashboards, and one of them for looking: widgets come from Explore, by the
// menu of a path or by dragging it; here they are taken away and the dashboard is renamed or deleted.
import { useEffect, useState } from "preact/hooks";
import "./pages.css";
import { api, type ApiError, type Dashboard } from "../core/api";
import { isoText, timeText } from "../core/format";
import { go } from "../core/router";
import { mayEngineer } from "../core/session";
import { subscribe } from "../live/socket";
import { useLoad, useTitle } from "../ui/hooks";
import { Empty, Failure } from "../ui/state";
import { Widgets } from "./widgets";

function useChanges(reload: () => void): void {
    useEffect(() => {
        const sub = subscribe({ op: "events", subjects: ["dashboards.>"] }, reload);
        return () => sub.close();
    }, []);
}

export function Dashboards() {
    useTitle("Dashboards");
    const { data, error, reload } = useLoad("dashboards", api.dashboards);
    useChanges(reload);
    if (error && !data) return <Failure error={error} retry={reload} />;
    if (!data) return <div class="loading" aria-busy="true" />;
    return (
        <div class="page">
            <header class="page-head"><h1>Dashboards</h1></header>
            <div class="card table-box">
                <table class="table">
                    <thead>
                        <tr>
                            <th scope="col">Title</th>
                            <th scope="col" class="right">Version</th>
                            <th scope="col">Changed</th>
                        </tr>
                    </thead>
                    <tbody>
                        {data.dashboards.map((board) => (
                            <tr key={board.name}>
                                <th scope="row"><a href={`/d/${encodeURIComponent(board.name)}`}>{board.title}</a></th>
                                <td class="num right">{board.generated ? "" : board.version}</td>
                                <td class="num nowrap" title={board.updated ? isoText(board.updated) : ""}>{board.generated ? "made by itself" : timeText(board.updated ?? 0)}</td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            </div>
            {data.dashboards.length === 1 && <p class="quiet">In <a href="/uns">Explore</a> the menu of a path has “Add to dashboard”; a row may also be dragged.</p>}
        </div>
    );
}

function Change(props: { board: Dashboard; done: () => void; fail: (error: Error) => void }) {
    const { board } = props;
    const [title, setTitle] = useState(board.title);
    const save = (event: Event): void => {
        event.preventDefault();
        void api.dashboardPut({ ...board, title: title.trim() }).then(props.done, props.fail);
    };
    const without = (id: string): void =>
        void api.dashboardPut({ ...board, definition: { ...board.definition, widgets: board.definition.widgets.filter((one) => one.id !== id) } }).then(props.done, props.fail);
    const drop = (): void => {
        if (confirm(`Delete the dashboard ${board.title}?`)) void api.dashboardDrop(board.name).then(() => go("/dashboards"), props.fail);
    };
    return (
        <section class="card pad board-change" aria-label="Change the dashboard">
            <form class="page-head" onSubmit={save}>
                <label>Title <input type="text" required maxLength={200} value={title} onInput={(event) => setTitle(event.currentTarget.value)} /></label>
                <button class="button small">Rename</button>
                <button type="button" class="button small" onClick={drop}>Delete</button>
            </form>
            <ul class="rows">
                {board.definition.widgets.map((widget) => (
                    <li key={widget.id}>
                        <span class="row-text cut">{widget.title} <span class="quiet">{widget.type}</span></span>
                        <button class="button small" aria-label={`Remove ${widget.title}, ${widget.type}`} onClick={() => without(widget.id)}>Remove</button>
                    </li>
                ))}
            </ul>
        </section>
    );
}

export function DashboardPage(props: { name: string }) {
    const { data, error, reload } = useLoad(`dashboard:${props.name}`, () => api.dashboard(props.name));
    const [changing, setChanging] = useState(false);
    const [failed, setFailed] = useState<Error | null>(null);
    useTitle(data?.title ?? props.name);
    useChanges(reload);
    if (error && !data)
        return (error as ApiError).status === 404 ? (
            <Empty title={`There is no dashboard ${props.name}`} icon="layout-dashboard"><a href="/dashboards">See all dashboards</a></Empty>
        ) : (
            <Failure error={error} retry={reload} />
        );
    if (!data) return <div class="loading" aria-busy="true" />;
    const { widgets } = data.definition;
    return (
        <div class="page">
            <header class="page-head">
                <h1>{data.title}</h1>
                {mayEngineer.value && !data.generated && (
                    <button class="button small" aria-pressed={changing} onClick={() => setChanging(!changing)}>Change</button>
                )}
            </header>
            {failed && <Failure error={failed} retry={() => { setFailed(null); reload(); }} />}
            {changing && <Change key={data.version} board={data} done={reload} fail={setFailed} />}
            {widgets.length > 0 ? <Widgets widgets={widgets} title="Widgets" /> : (
                <Empty title="Nothing on it yet" icon="layout-dashboard">
                    <p>In <a href="/uns">Explore</a> open the menu of a path (right button, menu key, or its three dots) and choose “Add to dashboard”.</p>
                </Empty>
            )}
        </div>
    );
}
