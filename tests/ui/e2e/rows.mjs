// The menu of a row in Explore, dragging it, and what comes of both: dashboards, pipelines, schemas, alarms.
import { equal, ok, test, until } from "./harness.mjs";

const open = async ({ page, url }, query) => {
    await page.goto(`${url}/uns?${query}`);
    await page.getByRole("tree").waitFor();
};
const row = (page, path) => page.locator(`[id="row-${path}"]`);
const menu = (page) => page.getByRole("menu");
/** Two numbers and a word, with a unit, whatever ran before. */
const published = async (world) => {
    const { page, url, server, api } = world;
    if (!page.url().startsWith(url)) await page.goto(url);
    server.publish("rows/oven/temp", "180.5");
    server.publish("rows/oven/power", "12");
    server.publish("rows/oven/state", "RUN");
    await until("they are known", async () => (await api("uns/search?q=rows oven")).total >= 4);
};
const drop = (page, name) => page.evaluate((board) => fetch(`/api/v1/dashboards/${board}`, { method: "DELETE" }).then((r) => r.status), name);

test("rows: the menu opens by the right button, the menu key, shift F10 and buttons, and closes by escape", async (world) => {
    const { page } = world;
    await published(world);
    await open(world, "q=rows+oven&path=rows/oven/temp");
    const labels = ["Copy path", "History", "Add to dashboard", "New pipeline", "Edit schema", "Set alarm"];
    await row(page, "rows/oven/temp").click({ button: "right" });
    await menu(page).waitFor();
    equal((await menu(page).getByRole("menuitem").allInnerTexts()).map((text) => text.trim()).join("|"), labels.join("|"), "choices");
    await page.keyboard.press("Escape");
    await until("it is closed", async () => (await menu(page).count()) === 0);
    await page.getByRole("tree").focus();
    for (const key of ["ContextMenu", "Shift+F10"]) {
        await page.keyboard.press(key);
        await menu(page).waitFor();
        const focused = () => page.evaluate(() => document.activeElement.textContent.trim());
        await until(`the first choice has the focus after ${key}`, async () => (await focused()) === labels[0]);
        await page.keyboard.press("ArrowDown");
        equal(await focused(), labels[1], `the second choice has the focus after ${key} and an arrow`);
        await page.keyboard.press("Escape");
        await until("the focus is in the tree again", () => page.evaluate(() => document.activeElement?.getAttribute("role") === "tree"));
    }
    await row(page, "rows/oven/power").hover();
    await row(page, "rows/oven/power").locator(".tree-more").click();
    await menu(page).getByRole("menuitem", { name: "Compare in the chart" }).click();
    await page.getByRole("list", { name: "Shown topics" }).getByText("power").waitFor();
    await page.getByRole("button", { name: "Actions for this path" }).press("Enter");
    await menu(page).getByRole("menuitem", { name: "Edit schema" }).waitFor();
    await page.mouse.click(5, 400);
    await until("a click elsewhere closes it", async () => (await menu(page).count()) === 0);
});

test("rows: set alarm and edit schema lead to their forms with the path", async (world) => {
    const { page } = world;
    await published(world);
    await open(world, "q=rows+oven&path=rows/oven/temp");
    await row(page, "rows/oven/power").click({ button: "right" });
    await menu(page).getByRole("menuitem", { name: "Edit schema" }).click();
    await page.waitForURL(/path=rows\/oven\/power&tab=schema/);
    await page.getByRole("form", { name: "Bind a schema" }).waitFor();
    await open(world, "q=rows+oven&path=rows/oven/temp");
    await row(page, "rows/oven/temp").click({ button: "right" });
    await menu(page).getByRole("menuitem", { name: "Set alarm" }).click();
    const form = page.getByRole("form", { name: "New rule" });
    await form.waitFor();
    equal(await form.getByLabel("On path or filter").inputValue(), "rows/oven/temp", "the path in the form");
});

test("rows: a new pipeline begins with the topic, is checked while written, and runs after the deploy", async (world) => {
    const { page, server, api } = world;
    await published(world);
    await open(world, "q=rows+oven&path=rows/oven/temp");
    await row(page, "rows/oven/temp").click({ button: "right" });
    await menu(page).getByRole("menuitem", { name: "New pipeline" }).click();
    const text = page.getByLabel("Program text");
    await text.waitFor();
    ok((await text.inputValue()).includes('from uns "rows/oven/temp"'), await text.inputValue());
    await page.getByText("it compiles", { exact: true }).waitFor();
    await page.locator(".stage").first().waitFor();
    const good = await text.inputValue();
    await text.fill(good.replace("parse_float", "parse_flot"));
    await page.getByRole("list", { name: "Problems" }).getByText(/line 3/).waitFor();
    ok(await page.getByRole("button", { name: "Deploy" }).isDisabled(), "nothing wrong is deployed");
    await text.fill(good);
    const deploy = page.getByRole("button", { name: "Deploy" });
    await until("it may be deployed", () => deploy.isEnabled());
    await deploy.click();
    await page.waitForURL(/\/pipelines\/from_oven_temp/);
    await until("it runs", async () => (await api("pipelines/from_oven_temp")).state === "running");
    server.publish("rows/oven/temp", "77.5");
    await until("its value arrives", async () => (await api("uns/search?q=derived rows")).nodes.some((node) => node.value === 77.5));
    await open(world, "q=rows+oven"); // the pipeline's page would ask for what is no more
    await page.evaluate(() => fetch("/api/v1/pipelines/from_oven_temp", { method: "DELETE" }));
});

test("rows: the menu and dragging give the same widget, and it is live", async (world) => {
    const { page, api, server } = world;
    await published(world);
    for (const name of ["by-menu", "by-drag"]) await drop(page, name);
    world.faults.length = 0; // that they were not there is none of the page's
    await open(world, "q=rows+oven");
    await row(page, "rows/oven/temp").click({ button: "right" });
    await menu(page).getByRole("menuitem", { name: "Add to dashboard" }).click();
    const dialog = page.getByRole("dialog", { name: "Add to a dashboard" });
    await dialog.getByLabel("Its title").fill("By menu");
    await dialog.getByRole("button", { name: "Add", exact: true }).click();
    await page.getByText("rows/oven/temp is on By menu.").waitFor();
    const byMenu = (await api("dashboards/by-menu")).definition.widgets;
    equal(byMenu.length, 1, "widgets");
    equal(byMenu[0].type, "trend", "a number is a trend");
    // The same by dragging the grip, first onto the place for a new one.
    await page.evaluate(() => fetch("/api/v1/dashboards/by-drag", {
        method: "PUT", headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ title: "By drag", version: 0, definition: { columns: 12, widgets: [] } }),
    }));
    await row(page, "rows/oven/temp").hover();
    const grip = await row(page, "rows/oven/temp").locator(".tree-grip").boundingBox();
    await page.mouse.move(grip.x + grip.width / 2, grip.y + grip.height / 2);
    await page.mouse.down();
    await page.mouse.move(grip.x + 60, grip.y + 20, { steps: 4 });
    const zone = page.locator(".drop-zone", { hasText: "By drag" });
    await zone.waitFor();
    const to = await zone.boundingBox();
    await page.mouse.move(to.x + to.width / 2, to.y + to.height / 2, { steps: 6 });
    await page.mouse.up();
    await page.getByText("rows/oven/temp is on By drag.").waitFor();
    equal(JSON.stringify((await api("dashboards/by-drag")).definition.widgets), JSON.stringify(byMenu), "the widget");
    await until("the places to drop at are gone", async () => (await page.locator(".drop-places").count()) === 0);
    await page.getByRole("link", { name: "Open" }).click();
    await page.getByRole("heading", { name: "By drag" }).waitFor();
    await page.locator(".widget-trend").waitFor();
    // A second one of the same is refused, a word gets a cell, and it is live.
    await open(world, "q=rows+oven");
    for (const [path, said] of [["rows/oven/temp", "shows it already"], ["rows/oven/state", "is on By menu."]]) {
        await row(page, path).click({ button: "right" });
        await menu(page).getByRole("menuitem", { name: "Add to dashboard" }).click();
        await dialog.getByLabel("Dashboard").selectOption("by-menu");
        await dialog.getByRole("button", { name: "Add", exact: true }).click();
        await page.getByText(said).waitFor();
    }
    await page.goto(`${world.url}/d/by-menu`);
    await page.locator(".widget-state .tile-value").getByText("RUN").waitFor();
    const start = performance.now();
    server.publish("rows/oven/state", "IDLE");
    await page.locator(".widget-state .tile-value").getByText("IDLE").waitFor();
    console.log(`      publish to widget: ${Math.round(performance.now() - start)} ms (to hold: under 1000)`);
});

test("rows: a dragged row is compared in the chart it is dropped on", async (world) => {
    const { page } = world;
    await published(world);
    await open(world, "q=rows+oven&path=rows/oven/temp&tab=history");
    const chart = page.getByRole("region", { name: "History", exact: true });
    await chart.waitFor();
    await row(page, "rows/oven/power").locator(".tree-grip").dragTo(chart);
    await page.getByRole("list", { name: "Shown topics" }).getByText("power").waitFor();
    ok(page.url().includes("with=rows/oven/power"), "the address keeps it");
});

test("rows: lineage and the line of uses name the dashboards; the list renames, takes away and deletes", async (world) => {
    const { page, url, api } = world;
    await published(world);
    const widget = (id, path) => ({ id, type: "value", title: `of ${id}`, paths: [path], x: 0, y: id === "a" ? 0 : 2, w: 3, h: 2 });
    await page.evaluate(async (widgets) => {
        const old = await fetch("/api/v1/dashboards/used").then((r) => (r.ok ? r.json() : { version: 0 }));
        await fetch("/api/v1/dashboards/used", {
            method: "PUT", headers: { "Content-Type": "application/json" },
            body: JSON.stringify({ title: "Used board", version: old.version, definition: { columns: 12, widgets } }),
        });
    }, [widget("a", "rows/oven/power"), widget("b", "rows/oven/power")]);
    world.faults.length = 0; // that it was not there is none of the page's
    await open(world, "path=rows/oven/power");
    await page.getByRole("list", { name: "Used by" }).getByRole("link", { name: "Used board" }).waitFor();
    await open(world, "path=rows/oven/power&tab=lineage");
    const box = page.locator("a.lineage-box", { hasText: "Used board" });
    await box.waitFor();
    ok((await box.innerText()).includes("2 widgets"), await box.innerText());
    await box.click();
    await page.getByRole("heading", { name: "Used board" }).waitFor();
    await page.getByRole("button", { name: "Change" }).click();
    await page.getByRole("button", { name: "Remove of b, value" }).click();
    await until("one is left", async () => (await page.locator(".widget").count()) === 1 && (await api("dashboards/used")).definition.widgets.length === 1);
    await page.getByLabel("Title").fill("Renamed board");
    await page.getByRole("button", { name: "Rename" }).click();
    await page.getByRole("heading", { name: "Renamed board" }).waitFor();
    page.once("dialog", (dialog) => void dialog.accept());
    await page.getByRole("button", { name: "Delete" }).click();
    await page.waitForURL(`${url}/dashboards`);
    await page.getByRole("rowheader", { name: "Overview" }).waitFor();
    equal(await page.getByRole("rowheader", { name: "Renamed board" }).count(), 0, "it is gone");
});
