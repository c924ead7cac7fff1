// app.tsx: which page is shown. Pages are loaded when first opened, so that the first paint is
// small; the gate decides between welcome, sign-in and the frame.
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { gate, sessionStart } from "./core/session";
import { path } from "./core/router";
import { Frame } from "./ui/frame";
import { Failure } from "./ui/state";
import { SignIn, Welcome } from "./pages/welcome";

type Page = ComponentType<{ name: string }>;
interface Route {
    match: RegExp;
    load: () => Promise<Page>;
}

const routes: Route[] = [
    { match: /^\/$/, load: () => import("./pages/home").then((m) => m.Home) },
    { match: /^\/uns$/, load: () => import("./explore/explore").then((m) => m.Explore) },
    { match: /^\/pipelines$/, load: () => import("./pages/pipelines").then((m) => m.Pipelines) },
    { match: /^\/pipelines\/([^/]+)$/, load: () => import("./designer/designer").then((m) => m.Designer) },
    { match: /^\/new-pipeline$/, load: () => import("./designer/new").then((m) => m.NewPipeline) },
    { match: /^\/dashboards$/, load: () => import("./pages/dashboards").then((m) => m.Dashboards) },
    { match: /^\/d\/([^/]+)$/, load: () => import("./pages/dashboards").then((m) => m.DashboardPage) },
    { match: /^\/alarms$/, load: () => import("./alarms/alarms").then((m) => m.Alarms) },
    { match: /^\/sparkplug$/, load: () => import("./sparkplug/sparkplug").then((m) => m.Sparkplug) },
    { match: /^\/bridges$/, load: () => import("./bridges/bridges").then((m) => m.Bridges) },
    { match: /^\/logs$/, load: () => import("./pages/logs").then((m) => m.Logs) },
];

const loaded = new Map<Route, Page>();

function Content() {
    const here = path.value;
    const route = routes.find((r) => r.match.test(here));
    const [, again] = useState(0);
    const [error, setError] = useState<Error | null>(null);
    useEffect(() => {
        setError(null);
        if (!route || loaded.has(route)) return;
        route.load().then(
            (page) => {
                loaded.set(route, page);
                again((n) => n + 1);
            },
            () => setError(new Error("This page could not be loaded. The server may have been updated.")),
        );
    }, [route]);
    if (error) return <Failure error={error} retry={() => location.reload()} />;
    if (!route)
        return (
            <div class="page">
                <h1>There is no page at {here}</h1>
                <p>
                    <a href="/">Go to the home page</a>
                </p>
            </div>
        );
    const Shown = loaded.get(route);
    const name = decodeURIComponent(route.match.exec(here)?.[1] ?? "");
    return Shown ? <Shown key={here} name={name} /> : <div class="loading" aria-busy="true" />;
}

export function App() {
    switch (gate.value) {
        case "loading":
            return null;
        case "unreachable":
            return (
                <main class="gate">
                    <Failure error={new Error("The server does not answer.")} retry={() => void sessionStart()} />
                </main>
            );
        case "setup":
            return <Welcome />;
        case "signin":
            return <SignIn />;
        case "open":
            return (
                <Frame>
                    <Content />
                </Frame>
            );
    }
}
