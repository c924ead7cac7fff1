// Pipelines and the designer: what is shown is what the API says, live.
import { equal, ok, test, until } from "./harness.mjs";
import { numberOf } from "./first.mjs";

const NAME = "press_stats";
const open = async ({ page, url }, query = "") => {
    await page.goto(`${url}/pipelines/${NAME}${query}`);
    await page.getByRole("heading", { name: NAME }).waitFor();
};
const graphOf = async (api) => {
    const { nodes, wires } = (await api(`pipelines/${NAME}`)).graph.pipelines.find((p) => p.name === NAME);
    return {
        nodes: nodes.map((node) => ({ ...node, id: `n${node.id}`, line: node.span.line, end_line: node.span.end_column <= 1 ? node.span.end_line - 1 : node.span.end_line })),
        wires: wires.map((wire) => ({ ...wire, id: `w${wire.id}` })),
    };
};

test("pipelines: the table is that of the API, and filters", async ({ page, url, api }) => {
    await page.goto(`${url}/pipelines`);
    const rows = page.locator("tbody tr");
    await rows.first().waitFor();
    const { pipelines } = await api("pipelines");
    equal(await rows.count(), pipelines.length, "rows");
    await page.getByLabel("Filter pipelines").fill(NAME);
    await until("one row", async () => (await rows.count()) === 1);
    const before = (await api(`pipelines/${NAME}`)).in;
    const cell = rows.first().locator("td").nth(4);
    await until("the counter follows the API", async () => numberOf(await cell.innerText()) >= before);
    ok(numberOf(await cell.innerText()) <= (await api(`pipelines/${NAME}`)).in, "the page is not ahead of the API");
});

test("pipelines: stop and start", async ({ page, url, api }) => {
    await page.goto(`${url}/pipelines?q=press_live`);
    const state = page.locator("tbody tr .chip");
    await page.getByRole("button", { name: "Stop press_live" }).click();
    await until("the page says stopped", async () => (await state.innerText()).trim() === "stopped");
    equal((await api("pipelines/press_live")).state, "stopped", "state of the API");
    await page.getByRole("button", { name: "Start press_live" }).click();
    await until("the page says running", async () => (await state.innerText()).trim() === "running");
});

test("designer: every stage and wire of the compiled graph is drawn", async (world) => {
    const { page, api } = world;
    await open(world);
    await page.locator(".stage").first().waitFor();
    const graph = await graphOf(api);
    equal(await page.locator(".stage").count(), graph.nodes.length, "stages");
    equal(await page.locator(".wire").count(), graph.wires.length, "wires");
});

test("designer: values on the wires are painted and are those of the API", async (world) => {
    const { page, api } = world;
    await open(world);
    await page.locator(".overlay").waitFor();
    await until("values are painted", () =>
        page.evaluate(() => {
            const canvas = document.querySelector(".overlay");
            if (!canvas?.width) return false;
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            let painted = 0;
            for (let i = 3; i < data.length; i += 4) if (data[i] > 0) painted++;
            return painted > 500;
        }),
    );
    // The same live state as text: what the first stage has put out lies between two readings of the API.
    await page.getByRole("button", { name: "Outline" }).click();
    const first = page.locator(".outline-node").first();
    await until("the first stage has numbers", async () => /\d/.test(await first.locator(".num").innerText()));
    await until("in of the source equals the API within one frame", async () => {
        const low = (await api(`pipelines/${NAME}`)).in;
        const shown = numberOf(/([\d,]+) in/.exec(await first.locator(".num").innerText())?.[1] ?? "-1");
        const high = (await api(`pipelines/${NAME}`)).in;
        return shown > 0 && shown <= high && shown >= low * 0.9 - 50;
    });
});

test("designer: selecting a stage marks its lines; selecting a line selects its stage", async (world) => {
    const { page, api } = world;
    await open(world);
    const graph = await graphOf(api);
    const where = graph.nodes.find((node) => node.kind.startsWith("where"));
    await page.locator(".stage", { hasText: "where" }).first().click();
    await until("its line is marked", async () => (await page.locator(".cm-chosen").count()) === where.end_line - where.line + 1);
    ok((await page.locator(".cm-chosen").first().innerText()).includes("where"), "the marked line is its line");
    ok(page.url().includes(`select=${where.id}`), "the selection is in the address");
    await page.locator(".side-inspector h3", { hasText: "where" }).waitFor();
    const time = graph.nodes.find((node) => node.kind.startsWith("time"));
    await page.locator(".cm-line", { hasText: "time ts order" }).click();
    await until("the stage of the line is selected", () => page.url().includes(`select=${time.id}`));
});

test("designer: a wire's inspector shows the last record, and pauses", async (world) => {
    const { page, api } = world;
    const graph = await graphOf(api);
    await open(world, `?select=${graph.wires[0].id}`);
    const side = page.locator(".side-inspector");
    await until("the last record is there", async () => (await side.locator(".record tr, .raw").count()) > 0);
    await side.getByRole("button", { name: "Pause" }).click();
    await side.getByRole("button", { name: "Go on" }).waitFor();
    const facts = () => side.locator(".facts dd").nth(3).innerText();
    const held = await facts();
    const total = async () => (await api(`pipelines/${NAME}`)).in;
    const now = await total();
    await until("records go on", async () => (await total()) > now + 20);
    equal(await facts(), held, "the total while paused");
});

test("designer: works by keys: stages are reached by tab, enter selects, o shows the outline", async (world) => {
    const { page } = world;
    await open(world);
    await page.locator(".stage").first().waitFor();
    const node = page.locator(".react-flow__node").first();
    await node.focus();
    await page.keyboard.press("Enter");
    await until("enter selects", () => page.url().includes("select="));
    await page.keyboard.press("o");
    await page.getByRole("list", { name: "Stages in flow order" }).waitFor();
    await page.keyboard.press("o");
    await page.locator(".stage").first().waitFor();
});

test("designer: a name that is not there is said", async ({ page, url, faults }) => {
    await page.goto(`${url}/pipelines/no_such_pipeline`);
    await page.getByRole("heading", { name: "There is no pipeline no_such_pipeline" }).waitFor();
    faults.length = 0; // the browser writes the 404 to its console
});
