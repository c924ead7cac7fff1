// History charts in Explore: ranges, spikes, gaps and bad quality, zoom with a new question, the live edge,
// several topics, units, the table behind the chart, CSV.
import { equal, ok, test, until } from "./harness.mjs";

const open = async ({ page, url }, path, more = "") => {
    await page.goto(`${url}/uns?path=${path}&tab=history${more}`);
    await page.getByRole("region", { name: "History", exact: true }).waitFor();
};
const chart = (page) => page.getByRole("img", { name: /^History of/ });
/** CSV into the history: rows of [path, ms, value, quality]. */
const write = (page, rows) =>
    page.evaluate(async (csv) => {
        const response = await fetch("/api/v1/historian/import", { method: "POST", headers: { "Content-Type": "text/csv" }, body: csv });
        const answer = await response.json();
        if (!response.ok || answer.refused) throw new Error(JSON.stringify(answer));
    }, ["path,time,value,quality", ...rows.map(([path, ms, value, quality = "good"]) => `${path},${new Date(ms).toISOString()},${value},${quality}`)].join("\n"));
/** Shares of the chart's area, from its top, at which the colour is painted; the area is inside of the axes. */
const painted = (page, colour) =>
    page.evaluate((wanted) => {
        const canvas = document.querySelector(".history canvas");
        const over = document.querySelector(".history .u-over");
        const found = { count: 0, top: 1, bottom: 0, left: 1, right: 0 };
        if (!canvas?.clientWidth || !over?.clientWidth) return found; // it is being drawn anew
        const scale = canvas.width / canvas.clientWidth;
        const [left, top] = [over.offsetLeft * scale, over.offsetTop * scale];
        const [width, height] = [over.clientWidth * scale, over.clientHeight * scale];
        const { data } = canvas.getContext("2d").getImageData(left, top, width, height);
        const n = parseInt(wanted.slice(1), 16);
        // A colour laid half over the ground lies on the line between the two: its hue is what is asked.
        const hue = (r, g, b) => {
            const [hi, lo] = [Math.max(r, g, b), Math.min(r, g, b)];
            if (hi - lo < 40) return -1;
            const part = hi === r ? ((g - b) / (hi - lo) + 6) % 6 : hi === g ? (b - r) / (hi - lo) + 2 : (r - g) / (hi - lo) + 4;
            return part * 60;
        };
        const goal = hue(n >> 16, (n >> 8) & 255, n & 255);
        for (let y = 0; y < height; y++)
            for (let x = 0; x < width; x++) {
                const i = (y * Math.floor(width) + x) * 4;
                if (data[i + 3] < 60) continue;
                const here = hue(data[i], data[i + 1], data[i + 2]);
                if (here < 0 || Math.abs(here - goal) > 12) continue;
                found.count++;
                found.top = Math.min(found.top, y / height);
                found.bottom = Math.max(found.bottom, y / height);
                found.left = Math.min(found.left, x / width);
                found.right = Math.max(found.right, x / width);
            }
        return found;
    }, colour);
const BLUE = "#0B57C2";
const ORANGE = "#B85A00";
const RED = "#C4281C";
const HOUR = 3_600_000;

/** Six hours of one value a second, 10 each, and a single 99: once, for all tests that look at it. */
const spike = async (world) => {
    const { page, url, server, api } = world;
    if (world.spike) return;
    if (!page.url().startsWith(url)) await page.goto(url);
    server.publish("hist/spike", "10");
    await until("the name is known", async () => (await api("uns/search?q=hist spike")).total > 0);
    const start = Date.now() - 6 * HOUR;
    for (let part = 0; part < 2; part++)
        await write(page, Array.from({ length: 10_000 }, (_, i) => ["hist/spike", start + (part * 10_000 + i) * 1000, part === 1 && i === 5000 ? 99 : 10]));
    world.spike = true;
};

test("history: a spike among 20,000 values is seen at every range", async (world) => {
    const { page } = world;
    await spike(world);
    for (const range of ["8h", "24h", "7d"]) {
        await open(world, "hist/spike", `&range=${range}&theme=light`);
        await chart(page).waitFor();
        // 10 lies in the lowest tenth and 99 in the highest; the spike's bar joins them.
        await until(`the spike at ${range}`, async () => {
            const found = await painted(page, BLUE);
            return found.top < 0.15 && found.bottom > 0.85;
        });
    }
    await page.getByRole("button", { name: "Table" }).click();
    const table = page.getByRole("region", { name: "History as a table" });
    await table.waitFor();
    await until("the greatest value in the table", async () =>
        Math.max(...(await table.locator("tbody td:nth-child(4)").allInnerTexts()).map(Number)) === 99);
    ok(page.url().includes("range=7d") && page.url().includes("show=table"), "range and form are in the address");
    await page.reload();
    await table.waitFor();
});

test("history: dragging zooms and asks again, keys do it too, and the way back is there", async (world) => {
    const { page } = world;
    await spike(world);
    await open(world, "hist/spike", "&range=8h");
    await chart(page).waitFor();
    const asked = page.waitForRequest((request) => request.url().includes("/uns/history/hist/spike") && /from=\d{13}/.test(request.url()) && page.url().includes("from="));
    // The chart may be drawn anew under the pointer, as when its legend comes: the drag is lost with it.
    await until("a drag zooms", async () => {
        const box = await page.locator(".history .u-over").boundingBox();
        if (!box) return false;
        await page.mouse.move(box.x + box.width * 0.5, box.y + 100);
        await page.mouse.down();
        await page.mouse.move(box.x + box.width * 0.6, box.y + 100, { steps: 4 });
        await page.mouse.up();
        return page.waitForURL(/from=/, { timeout: 5_000 }).then(() => true, () => false);
    });
    const question = new URL((await asked).url()).searchParams;
    const wide = Number(question.get("to")) - Number(question.get("from"));
    ok(Math.abs(wide - 0.8 * HOUR) < 0.05 * HOUR, `a tenth of 8 h was asked for, not ${wide / HOUR} h`);
    ok(Math.abs(Number(question.get("from")) - (Date.now() - 4 * HOUR)) < 0.1 * HOUR, "from the middle");
    const now = () => { const query = new URL(page.url()).searchParams; return [Number(query.get("from")), Number(query.get("to"))]; };
    const [from, to] = now();
    await page.getByRole("button", { name: "Zoom out" }).press("Enter");
    await until("twice as much", async () => Math.abs(now()[1] - now()[0] - 2 * (to - from)) < 2000);
    await page.getByRole("button", { name: "Earlier" }).press("Enter");
    await until("half of it earlier", async () => Math.abs(now()[1] - (to + (to - from) / 2 - (to - from))) < 2000);
    await page.goBack();
    await page.goBack();
    await until("the browser's way back", async () => now()[0] === from && now()[1] === to);
    await page.getByRole("button", { name: "Now", exact: true }).click();
    await until("it follows the time again", async () => !page.url().includes("from="));
});

test("history: wheel, shift and drag, fingers and keys move and zoom the chart", async (world) => {
    const { page } = world;
    await spike(world);
    const end = Date.now() - HOUR;
    const start = end - 2 * HOUR;
    const now = () => { const query = new URL(page.url()).searchParams; return [Number(query.get("from")), Number(query.get("to"))]; };
    const near = (a, b, wide) => Math.abs(a - b) < wide;
    /** From the same stretch each time: what the gesture makes of it. */
    const after = async (what, act, test) => {
        await open(world, "hist/spike", `&from=${start}&to=${end}`);
        await chart(page).waitFor();
        let seen;
        // The chart may be drawn anew under the pointer: the gesture is lost with it.
        await until(what, async () => {
            if (now()[0] === start && now()[1] === end) {
                const box = await page.locator(".history .u-over").boundingBox();
                if (!box) return false;
                await act(box);
            }
            return page.waitForURL((place) => !place.search.includes(`from=${start}&to=${end}`), { timeout: 3000 }).then(() => true, () => false);
        });
        seen = now();
        ok(test(seen), `${what}: ${(seen[0] - start) / HOUR} to ${(seen[1] - start) / HOUR} h of 2`);
    };
    await after("the wheel with ctrl zooms around the pointer", async (box) => {
        await page.mouse.move(box.x + box.width * 0.25, box.y + 80);
        await page.keyboard.down("Control");
        await page.mouse.wheel(0, -100);
        await page.keyboard.up("Control");
    }, ([from, to]) => to - from < 1.5 * HOUR && near((start + HOUR / 2 - from) / (to - from), 0.25, 0.02));
    await after("the wheel with shift moves", async (box) => {
        await page.mouse.move(box.x + box.width * 0.5, box.y + 80);
        await page.keyboard.down("Shift");
        await page.mouse.wheel(0, 100);
        await page.keyboard.up("Shift");
    }, ([from, to]) => from > start && near(to - from, 2 * HOUR, 2000));
    await after("dragging with shift moves with the mouse", async (box) => {
        await page.keyboard.down("Shift");
        await page.mouse.move(box.x + box.width * 0.25, box.y + 80);
        await page.mouse.down();
        await page.mouse.move(box.x + box.width * 0.5, box.y + 80, { steps: 5 });
        await page.mouse.up();
        await page.keyboard.up("Shift");
    }, ([from, to]) => near(start - from, HOUR / 2, 0.05 * HOUR) && near(to - from, 2 * HOUR, 2000));
    const cdp = await page.context().newCDPSession(page);
    const touch = (type, ...points) => cdp.send("Input.dispatchTouchEvent", { type, touchPoints: points.map(([x, y], id) => ({ x, y, id })) });
    await after("a finger moves", async (box) => {
        const y = box.y + 80;
        await touch("touchStart", [box.x + box.width * 0.75, y]);
        for (let i = 1; i <= 5; i++) await touch("touchMove", [box.x + box.width * (0.75 - 0.1 * i), y]);
        await touch("touchEnd");
    }, ([from, to]) => from - start > 0.7 * HOUR && near(to - from, 2 * HOUR, 2000));
    await after("two fingers zoom", async (box) => {
        const at = (share) => [box.x + box.width * share, box.y + 80];
        await touch("touchStart", at(0.4), at(0.6));
        for (let i = 1; i <= 5; i++) await touch("touchMove", at(0.4 - 0.04 * i), at(0.6 + 0.04 * i));
        await touch("touchEnd");
    }, ([from, to]) => near(to - from, (2 * HOUR) / 3, 0.1 * HOUR) && near((from + to) / 2, start + HOUR, 0.1 * HOUR));
    const keys = page.getByRole("group", { name: /^Chart: arrow keys/ });
    await after("an arrow key moves", () => keys.press("ArrowLeft"), ([from, to]) => near(start - from, HOUR / 2, 2000) && near(to - from, 2 * HOUR, 2000));
    await after("plus zooms", () => keys.press("+"), ([from, to]) => near(to - from, HOUR, 2000));
});

test("history: an own range by two times; a wrong one says so", async (world) => {
    const { page } = world;
    await spike(world);
    await open(world, "hist/spike");
    await page.getByRole("button", { name: "Own" }).click();
    const form = page.getByRole("form", { name: "Own range" });
    await form.getByLabel("From").fill("2026-01-02T10:00");
    await form.getByLabel("to", { exact: true }).fill("2026-01-02T09:00");
    await form.getByRole("button", { name: "Show" }).click();
    ok((await form.getByRole("alert").innerText()).includes("after the beginning"), "what is wrong");
    await form.getByLabel("to", { exact: true }).fill("2026-01-02T12:30");
    await form.getByRole("button", { name: "Show" }).click();
    await page.getByText("Nothing was recorded in this range.").waitFor();
    const query = new URL(page.url()).searchParams;
    equal(Number(query.get("to")) - Number(query.get("from")), 2.5 * HOUR, "the stretch in the address");
});

test("history: gaps and bad quality are seen, and said in words", async (world) => {
    const { page, server, api } = world;
    server.publish("hist/holes", "5");
    await until("the name is known", async () => (await api("uns/search?q=hist holes")).total > 0);
    const start = Date.now() - 50 * 60_000;
    const rows = [];
    // Ten minutes good, then a bad value and nothing for twenty, good for ten, ten of bad ones, good up to now.
    for (let s = 0; s < 600; s += 5) rows.push(["hist/holes", start + s * 1000, 5 + (s % 7)]);
    rows.push(["hist/holes", start + 600_000, 6, "bad"]);
    for (let s = 1800; s < 2400; s += 5) rows.push(["hist/holes", start + s * 1000, 5 + (s % 7)]);
    for (let s = 2400; s < 2700; s += 5) rows.push(["hist/holes", start + s * 1000, 6, "bad"]);
    for (let s = 2700; s < 3000; s += 5) rows.push(["hist/holes", start + s * 1000, 5 + (s % 7)]);
    await write(page, rows);
    await open(world, "hist/holes", "&range=1h&theme=light");
    await chart(page).waitFor();
    await page.getByText("Grey: no good value, 2 times.").waitFor();
    await page.getByText("Red at the foot: quality was not good.").waitFor();
    const red = await until("red is painted", async () => ((found) => found.count > 100 && found)(await painted(page, RED)));
    ok(red.top > 0.9, `the red strip is at the foot: ${JSON.stringify(red)}`);
    // The hour begins ten minutes before the values: they are bad from its minute 20 to 40, and 50 to 55.
    ok(Math.abs(red.left - 20 / 60) < 0.03 && Math.abs(red.right - 55 / 60) < 0.03, `where it was bad: ${JSON.stringify(red)}`);
    const grey = await until("the ground is painted", () => page.evaluate(() => {
        const canvas = document.querySelector(".history canvas");
        const over = document.querySelector(".history .u-over");
        if (!canvas?.clientWidth || !over?.clientWidth) return null; // it is being drawn anew
        const scale = canvas.width / canvas.clientWidth;
        const at = (share) => [...canvas.getContext("2d").getImageData((over.offsetLeft + over.clientWidth * share) * scale, (over.offsetTop + 30) * scale, 1, 1).data].join();
        const found = { hole: at(0.47), late: at(0.87), good: at(0.085) };
        return found.hole !== found.good && found;
    }));
    equal(grey.hole, "233,236,239,255", "the gap is grey");
    equal(grey.late, grey.hole, "and the other one");
    await page.getByRole("button", { name: "Table" }).click();
    await page.getByRole("columnheader", { name: "Not good" }).waitFor();
    ok((await page.locator(".history-table td.is-bad").count()) > 10, "rows that were not good");
});

test("history: the live edge grows without a reload", async (world) => {
    const { page, server } = world;
    server.publish("hist/edge", "1");
    await open(world, "hist/edge", "&range=15m&theme=light");
    await chart(page).waitFor();
    // No question to the server is answered any more: what is new comes by the live values of the page.
    const hold = () => new Promise(() => undefined);
    await page.route("**/api/v1/uns/history/**", hold);
    const start = performance.now();
    server.publish("hist/edge", "50");
    // 1 alone lies in the middle; with 50 the line reaches the upper end. A value that stays is no gap.
    equal(await page.getByText("no good value").count(), 0, "gaps");
    await until("the new value is in the chart", async () => (await painted(page, BLUE)).top < 0.1);
    console.log(`      publish to chart: ${Math.round(performance.now() - start)} ms`);
    await page.unroute("**/api/v1/uns/history/**", hold);
});

test("history: several topics in one chart, each unit with its axis; the address keeps them", async (world) => {
    const { page, server, api } = world;
    server.publish("hist/a/temp", "20");
    server.publish("hist/b/temp", "22");
    server.publish("hist/b/speed", "1200");
    await until("they are known", async () => (await api("uns/search?q=hist")).nodes.filter((node) => /hist\/[ab]\//.test(node.path)).length === 3);
    await page.evaluate(async () => {
        for (const [path, unit] of [["hist/a/temp", "degC"], ["hist/b/temp", "degC"], ["hist/b/speed", "rpm"]])
            await fetch(`/api/v1/uns/meta/${path}`, { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ unit }) });
    });
    const now = Date.now();
    const rows = [];
    for (let s = 5; s < 600; s += 5) rows.push(["hist/a/temp", now - s * 1000, 20 + (s % 3)], ["hist/b/temp", now - s * 1000, 22 + (s % 3)], ["hist/b/speed", now - s * 1000, 1200 + s]);
    await write(page, rows);
    await open(world, "hist/a/temp", "&range=15m&theme=light");
    await chart(page).waitFor();
    const compare = page.getByLabel("Compare with");
    const shown = page.getByRole("list", { name: "Shown topics" }).getByRole("listitem");
    for (const path of ["hist/b/temp", "hist/b/speed"]) {
        // Without waiting for the list of what is found: who knows the path types on.
        await compare.fill(path);
        await compare.press("Enter");
        await shown.filter({ hasText: path.slice(5) }).waitFor();
    }
    equal(await shown.count(), 3, "shown topics");
    await page.getByRole("img", { name: /^History of a\/temp, b\/temp, b\/speed/ }).waitFor();
    await until("three axes: time, degC, rpm", async () => (await page.locator(".history .u-axis").count()) === 3);
    await until("the second colour is painted", async () => (await painted(page, ORANGE)).count > 50);
    await page.reload();
    await page.getByRole("img", { name: /^History of a\/temp, b\/temp, b\/speed/ }).waitFor();
    await page.getByRole("button", { name: "Table" }).click();
    await page.getByRole("columnheader", { name: "Topic" }).waitFor();
    await page.getByRole("button", { name: "Without hist/b/speed" }).click();
    await until("it is away", async () => (await page.getByRole("list", { name: "Shown topics" }).getByRole("listitem").count()) === 2);
});

test("history: the CSV has every sample that is seen and no other", async (world) => {
    const { page, url } = world;
    await spike(world);
    await open(world, "hist/spike", "&range=8h");
    const href = await page.getByRole("link", { name: "CSV of hist/spike" }).getAttribute("href");
    const lines = (await page.evaluate((path) => fetch(path).then((r) => r.text()), `${url}${href}`)).trim().split(/\r?\n/);
    equal(lines[0], "path,time,value,quality", "the head");
    ok(lines.length > 20_000, `${lines.length} lines`);
    equal(lines.filter((line) => line.includes(",99,")).length, 1, "lines with the spike");
    await page.getByRole("button", { name: "15 min" }).click();
    await until("less is linked", async () => {
        const now = await page.getByRole("link", { name: "CSV of hist/spike" }).getAttribute("href");
        const query = new URLSearchParams(now.split("?")[1]);
        return Number(query.get("to")) - Number(query.get("from")) === 900_000;
    });
});
