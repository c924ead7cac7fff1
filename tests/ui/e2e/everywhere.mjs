// What holds on every page: access rules in both themes, no sideways scroll, tab reaches everything with
// a visible focus, a reload restores the view, one socket.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { equal, ok, test, until } from "./harness.mjs";
import { bornNode } from "./sparkplug.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const pages = [
    { path: "/", ready: ".tile" },
    { path: "/uns?path=acme/berlin", ready: ".detail-path" },
    { path: "/uns?path=acme/berlin/energy/meter/power&tab=history", ready: ".history canvas" },
    { path: "/uns?path=acme/berlin/energy/meter/power&tab=history&show=table", ready: ".history-table tbody tr" },
    { path: "/uns?path=acme/berlin&tab=about", ready: "dl.facts" },
    { path: "/uns?path=acme/berlin&tab=schema", ready: "form.fields" },
    { path: "/uns?path=acme/berlin&tab=lineage", ready: ".lineage-box" },
    { path: "/uns?tool=import", ready: "form.fields p.quiet" },
    { path: "/dashboards", ready: "tbody tr" },
    { path: "/d/everywhere", ready: ".widget .chart" },
    { path: "/new-pipeline?topic=acme/berlin/energy/meter/power", ready: ".stage" },
    { path: "/pipelines", ready: "tbody tr" },
    { path: "/pipelines/press_stats", ready: ".stage" },
    { path: "/pipelines/press_stats?view=outline", ready: ".outline-node" },
    { path: "/alarms", ready: ".alarm-table" },
    { path: "/alarms?tab=journal", ready: "tbody tr" },
    { path: "/alarms?tab=numbers", ready: ".alarm-hours" },
    { path: "/alarms?tab=rules", ready: "tbody tr" },
    { path: "/alarms?tab=targets", ready: "tbody tr" },
    { path: "/sparkplug", ready: ".table-box" },
    { path: "/bridges", ready: "tbody tr" },
    { path: "/logs", ready: ".log tbody tr" },
];
/** Something on every page, once, whatever ran before: an alarm and its rule, a target, a node of Sparkplug. */
const filled = async (world) => {
    if (world.filled) return;
    const { page, url, server, api } = world;
    if (!page.url().startsWith(url)) await page.goto(url);
    const put = (where, body) =>
        page.evaluate(async ([where, body]) => {
            const response = await fetch(`/api/v1/${where}`, { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
            if (!response.ok) throw new Error(await response.text());
        }, [where, body]);
    await put("alarms/rules/everywhere", { on: "everywhere/level", when: { above: 1 }, priority: "low" });
    await put("alarms/targets/everywhere", { kind: "mqtt", topic: "everywhere/told" });
    const board = await api("dashboards").then((all) => all.dashboards.find((one) => one.name === "everywhere"));
    const widgets = ["trend", "state"].map((type, at) => ({ id: type, type, title: type, paths: ["everywhere/level"], x: at * 6, y: 0, w: 6, h: 4 }));
    await put("dashboards/everywhere", { title: "Everywhere", version: board?.version ?? 0, definition: { columns: 12, widgets } });
    await put("bridges/everywhere", { host: "127.0.0.1", port: 1, enabled: false, topics: [{ direction: "out", filter: "everywhere/#" }] });
    server.publish("everywhere/level", "2");
    bornNode(server);
    await until("an alarm stands", async () => (await api("alarms?prefix=everywhere")).total > 0);
    await until("a node is born", async () => (await api("sparkplug")).nodes.length > 0);
    world.filled = true;
};
const open = async (world, { path, ready }, theme = "light") => {
    const { page, url } = world;
    await filled(world);
    await page.goto(`${url}${path}${path.includes("?") ? "&" : "?"}theme=${theme}`);
    await page.locator(ready).first().waitFor();
};

for (const theme of ["light", "dark"]) {
    for (const where of pages) {
        test(`access: ${where.path}, ${theme}`, async (world) => {
            const { page } = world;
            await page.setViewportSize({ width: 1280, height: 800 });
            await open(world, where, theme);
            // By the debugger, not as a script element: the content policy refuses those.
            await page.evaluate(axe);
            const found = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
            const text = found.violations.map((v) => `${v.id}: ${v.help}\n    ${v.nodes.slice(0, 3).map((n) => `${n.html.slice(0, 140)} ${n.any[0]?.message ?? ""}`).join("\n    ")}`);
            ok(text.length === 0, text.join("\n"));
        });
    }
}

test("no page scrolls sideways at 1024x600 or 390 px", async (world) => {
    const { page } = world;
    const wide = [];
    for (const [width, height] of [[1024, 600], [390, 844]]) {
        await page.setViewportSize({ width, height });
        for (const where of pages) {
            const fits = width > 760 || where.ready !== ".stage" || !where.path.startsWith("/pipelines/");
            await open(world, fits ? where : { ...where, ready: ".outline-node" });
            const over = await page.evaluate(() => {
                const main = document.querySelector("main");
                return Math.max(document.documentElement.scrollWidth - innerWidth, main.scrollWidth - main.clientWidth);
            });
            if (over > 0) wide.push(`${where.path} at ${width}: ${over} px`);
        }
    }
    ok(wide.length === 0, wide.join("; "));
});

test("tab reaches every control, and the focus is visible", async (world) => {
    const { page } = world;
    await page.setViewportSize({ width: 1280, height: 800 });
    const lost = [];
    for (const where of pages) {
        await open(world, where);
        await page.evaluate(() => document.activeElement?.blur());
        const wanted = await page.evaluate(() => {
            const all = [...document.querySelectorAll("a[href], button:not([disabled]), input:not([type=hidden]), select, [tabindex='0']")];
            const shown = all.filter((e) => e.checkVisibility() && !e.closest("dialog:not([open])"));
            shown.forEach((e, i) => (e.dataset.tab = String(i)));
            return shown.length;
        });
        const reached = new Set();
        for (let i = 0; i < wanted + 40; i++) {
            await page.keyboard.press("Tab");
            const look = () => page.evaluate(() => {
                const deep = document.activeElement.shadowRoot?.activeElement ?? document.activeElement;
                const outlined = (element) => element && getComputedStyle(element).outlineStyle !== "none";
                // A stage draws it on its box, a wire by its width, the editor and the tree around them.
                const wire = deep.querySelector?.(".wire-line");
                const drawn = outlined(deep) || outlined(deep.querySelector?.(".stage")) || outlined(deep.closest?.(".cm-editor"))
                    || (wire && getComputedStyle(wire).strokeWidth === "5px") || deep === document.body || deep.id === "app";
                return { tab: document.activeElement.dataset.tab, drawn, html: deep.outerHTML.slice(0, 100) };
            });
            let at = await look();
            // The editor marks itself a moment later.
            if (!at.drawn) await until("the focus is drawn", async () => (at = await look()).drawn, 20_000).catch(() => undefined);
            if (at.tab !== undefined) reached.add(at.tab);
            if (!at.drawn) lost.push(`${where.path}: no focus seen on ${at.html}`);
        }
        // Rows come and go with live data: what was there from first to last must be reached, nearly all of it.
        const stayed = await page.evaluate(() => [...document.querySelectorAll("[data-tab]")].filter((e) => e.checkVisibility()).map((e) => e.dataset.tab));
        const missed = stayed.filter((tab) => !reached.has(tab));
        if (missed.length > wanted * 0.05 || stayed.length < wanted / 2)
            lost.push(`${where.path}: of ${wanted} controls ${stayed.length} stayed, ${missed.length} of them were not reached`);
    }
    ok(lost.length === 0, [...new Set(lost)].slice(0, 12).join("\n"));
});

test("a reload restores the view", async (world) => {
    const { page, api } = world;
    const graph = (await api("pipelines/press_stats")).graph.pipelines[0];
    const where = { path: `/pipelines/press_stats?view=outline&select=n${graph.nodes[1].id}`, ready: ".outline-node" };
    await open(world, where);
    await page.reload();
    await page.locator(".outline > li.is-selected").waitFor();
    equal(await page.locator(".outline > li.is-selected").count(), 1, "selected stages");
});

test("the theme follows the button and is kept", async ({ page, url }) => {
    await page.goto(url);
    await page.locator(".tile").first().waitFor();
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.keyboard.press("Control+Shift+L");
    await until("dark", async () => (await background()) === "rgb(14, 17, 20)");
    await page.reload();
    await page.locator(".tile").first().waitFor();
    equal(await background(), "rgb(14, 17, 20)", "after a reload");
    await page.keyboard.press("Control+Shift+L");
    await until("light", async () => (await background()) === "rgb(243, 244, 246)");
});

test("a page that stays open does not grow: elements and sockets", async ({ page, url }) => {
    let sockets = 0;
    await page.goto("about:blank"); // the page before may still be opening its own
    page.on("websocket", () => sockets++);
    await page.goto(`${url}/uns`);
    await page.getByRole("treeitem").first().waitFor();
    await page.getByRole("link", { name: "Home", exact: true }).click();
    await page.locator(".tile").first().waitFor();
    const count = () => page.evaluate(() => document.getElementsByTagName("*").length);
    const visit = async () => {
        for (const [name, ready] of [["Explore", ".tree-row"], ["Pipelines", "tbody tr"], ["Logs", ".log"], ["Home", ".widget"], ["Pipelines", "tbody tr"]]) {
            await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name, exact: true }).click();
            await page.locator(ready).first().waitFor();
        }
    };
    await visit();
    const before = await count(); // on the list of pipelines, whose size does not depend on live data
    for (let i = 0; i < 5; i++) await visit();
    await until("as many elements as before", async () => (await count()) <= before * 1.1);
    equal(sockets, 1, "sockets opened");
});
