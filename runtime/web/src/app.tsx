// app.tsx: which page is shown. Pages are loaded when first opened, so that the first paint is
// small; the gate decides between welcome, sign-in and the frame.
import { effect } from "@preact/signals";
import { askAhead, askedByHtml, forgetAhead } from "./core/api";
import { gate, sessionStart } from "./core/session";
import { path } from "./core/router";
import { Frame } from "./ui/frame";
import { Later, Part } from "./ui/later";
import { Failure } from "./ui/state";
import { SignIn, Welcome } from "./pages/welcome";

interface Route {
    match: RegExp;
    page: Later<{ name: string }>;
    /** what the page opens with: asked for while its code is on the way */
    asks?: string;
}

// hints.ts reads the address, the import and the question of each line: it tells browsers early what a page needs.
const routes: Route[] = [
    { match: /^\/$/, page: new Later(() => import("./pages/home").then((m) => m.Home)) },
    { match: /^\/uns$/, page: new Later(() => import("./explore/explore").then((m) => m.Explore)), asks: "uns/outline" },
    { match: /^\/pipelines$/, page: new Later(() => import("./pages/pipelines").then((m) => m.Pipelines)) },
    { match: /^\/pipelines\/([^/]+)$/, page: new Later(() => import("./designer/designer").then((m) => m.Designer)) },
    { match: /^\/new-pipeline$/, page: new Later(() => import("./designer/new").then((m) => m.NewPipeline)) },
    { match: /^\/dashboards$/, page: new Later(() => import("./pages/dashboards").then((m) => m.Dashboards)) },
    { match: /^\/d\/([^/]+)$/, page: new Later(() => import("./pages/dashboards").then((m) => m.DashboardPage)) },
    { match: /^\/alarms$/, page: new Later(() => import("./alarms/alarms").then((m) => m.Alarms)) },
    { match: /^\/sparkplug$/, page: new Later(() => import("./sparkplug/sparkplug").then((m) => m.Sparkplug)) },
    { match: /^\/bridges$/, page: new Later(() => import("./bridges/bridges").then((m) => m.Bridges)) },
    { match: /^\/logs$/, page: new Later(() => import("./pages/logs").then((m) => m.Logs)) },
];

const routeAt = (here: string): Route | undefined => routes.find((route) => route.match.test(here));

/**
 * Code of the page that is asked for is loaded while the server says who is there; its data too where the
 * html asks for them, which it does when the browser has a session. It may have ended: nothing is kept then.
 */
export function pagesStart(): void {
    effect(() => routeAt(path.value)?.page.start());
    effect(() => {
        const asks = routeAt(path.value)?.asks;
        if (gate.value === "signin" || gate.value === "setup") forgetAhead();
        else if (asks && (gate.value === "open" || askedByHtml(asks))) askAhead(asks);
    });
}

function Content() {
    const here = path.value;
    const route = routeAt(here);
    if (!route)
        return (
            <div class="page">
                <h1>There is no page at {here}</h1>
                <p>
                    <a href="/">Go to the home page</a>
                </p>
            </div>
        );
    return <Part key={here} part={route.page} with={{ name: decodeURIComponent(route.match.exec(here)?.[1] ?? "") }} />;
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
