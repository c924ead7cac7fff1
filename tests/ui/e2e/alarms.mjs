// Alarms: raised by a publish, seen on every page, taken, put aside; a thousand at once.
import http from "node:http";
import { equal, ok, test, until } from "./harness.mjs";

const row = (page, text) => page.locator(".alarm-table tbody tr").filter({ hasText: text });
const put = (page, rule) =>
    page.evaluate(async ({ name, ...body }) => {
        const response = await fetch(`/api/v1/alarms/rules/${name}`, { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
        if (!response.ok) throw new Error(await response.text());
    }, rule);
/** The rule of these tests and an alarm of it that nobody has taken yet, whatever ran before. */
const raised = async ({ page, server, api, url }, path) => {
    if (!page.url().startsWith(url)) await page.goto(url);
    const { rules } = await api("alarms/rules");
    if (!rules.some((each) => each.alarm.name === "test_hot"))
        await put(page, { name: "test_hot", on: "alarmtest/+/temp", when: { above: 80, hysteresis: 5 }, priority: "critical", message: "Oven at {value}", action: "Open the flap" });
    const mine = async () => (await api("alarms?prefix=alarmtest")).alarms.find((alarm) => alarm.path === path);
    if ((await mine())?.state === "unacknowledged") return;
    server.publish(path, "20");
    server.publish(path, "99");
    await until(`${path} is raised`, async () => (await mine())?.state === "unacknowledged");
};
const openPage = async ({ page, url }, query = "") => {
    await page.goto(`${url}/alarms${query}`);
    await page.getByRole("heading", { name: "Alarms", exact: true }).waitFor();
};

test("alarms: a rule is made on the page, and its alarm is shown with shape, word and colour", async (world) => {
    const { page, server } = world;
    await openPage(world, "?tab=rules");
    await page.getByRole("button", { name: "New rule" }).click();
    await page.getByLabel("Name").fill("test_hot");
    await page.getByLabel("On path or filter").fill("alarmtest/+/temp");
    await page.getByLabel("Limit").fill("80");
    await page.getByLabel("Hysteresis").fill("5");
    await page.getByLabel("Priority").selectOption("critical");
    await page.getByLabel("Message").fill("Oven at {value}");
    await page.getByLabel("What to do").fill("Open the flap");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("rowheader", { name: "test_hot" }).waitFor();
    ok((await page.locator("tbody").innerText()).includes("above 80, hysteresis 5"), "the condition in words");
    await openPage(world);
    server.publish("alarmtest/a/temp", "81");
    await row(page, "alarmtest/a/temp").waitFor();
    const text = await row(page, "alarmtest/a/temp").innerText();
    for (const word of ["critical", "Oven at 81", "Open the flap", "unacknowledged"]) ok(text.includes(word), `${word} in ${text}`);
    const mark = row(page, "alarmtest/a/temp").locator(".alarm-mark");
    equal(await mark.evaluate((e) => getComputedStyle(e).fill), "rgb(196, 40, 28)", "colour of critical, light");
    equal(await mark.locator("path").getAttribute("d"), "M2 2h12v12H2z", "a square");
});

test("alarms: the strip and the counts are on every page, and acknowledge works there", async (world) => {
    const { page, url, server } = world;
    await raised(world, "alarmtest/a/temp");
    await page.goto(`${url}/logs`);
    await page.getByRole("link", { name: /^Alarms:\s+1\s+critical$/ }).waitFor();
    const strip = page.getByRole("region", { name: "Most urgent alarm" });
    ok(/Oven at (81|99)/.test(await strip.innerText()), "the message in the strip");
    server.publish("alarmtest/b/temp", "99");
    await strip.getByRole("link", { name: "1 more" }).waitFor();
    await strip.getByRole("button", { name: "Acknowledge" }).click();
    await until("one is left", async () => !(await strip.innerText()).includes("more"));
});

test("alarms: the key acknowledges, and the journal tells who", async (world) => {
    const { page, api } = world;
    await raised(world, "alarmtest/b/temp");
    await openPage(world);
    await row(page, "alarmtest/b/temp").waitFor();
    await until("nobody waits", async () => {
        await page.keyboard.press("a"); // one at a time, the most urgent
        return (await api("alarms?state=unacknowledged")).total === 0;
    });
    await openPage(world, "?tab=journal");
    const first = page.locator("tbody tr").first();
    await first.waitFor();
    ok((await first.innerText()).includes("acknowledged"), "the newest entry");
    ok((await first.innerText()).includes("admin"), "who did it");
});

test("alarms: a shelved one leaves the list, is among those put aside, and comes back at its end", async (world) => {
    const { page, server } = world;
    await raised(world, "alarmtest/a/temp");
    await openPage(world);
    await row(page, "alarmtest/a/temp").getByRole("checkbox").check();
    await page.getByRole("button", { name: "Shelve" }).click();
    await page.getByLabel("Reason").fill("being repaired");
    await page.getByRole("form", { name: "Shelve" }).getByRole("button", { name: "Shelve" }).click();
    await until("it is gone", async () => (await row(page, "alarmtest/a/temp").count()) === 0);
    await page.getByRole("link", { name: "Put aside" }).click();
    await row(page, "alarmtest/a/temp").waitFor();
    ok((await row(page, "alarmtest/a/temp").innerText()).includes("shelved until"), "its end is told");
    // The page offers a quarter of an hour and more; the end is moved to soon.
    await page.evaluate(() => fetch("/api/v1/alarms/act", {
        method: "POST", headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ act: "shelve", text: "short", until: Date.now() + 800, alarms: [{ rule: "test_hot", path: "alarmtest/a/temp" }] }),
    }));
    await page.getByRole("link", { name: "Now" }).click();
    await row(page, "alarmtest/a/temp").waitFor();
    ok((await row(page, "alarmtest/a/temp").innerText()).includes("unacknowledged"), "what still holds is a new alarm");
    server.publish("alarmtest/a/temp", "20");
    await until("it returned", async () => (await row(page, "alarmtest/a/temp").innerText()).includes("returned"));
    await page.keyboard.press("a");
    await until("it is normal", async () => (await row(page, "alarmtest/a/temp").count()) === 0);
});

test("alarms: the sound is off until it is allowed, is silenced until the next one, and ends with a comment in the journal", async (world) => {
    const { page, server } = world;
    await page.addInitScript(() => {
        window.tones = 0;
        const start = OscillatorNode.prototype.start;
        OscillatorNode.prototype.start = function (...when) {
            window.tones++;
            return start.apply(this, when);
        };
    });
    const tones = () => page.evaluate(() => window.tones);
    await raised(world, "alarmtest/a/temp");
    await openPage(world);
    await row(page, "alarmtest/a/temp").waitFor();
    const strip = page.getByRole("region", { name: "Most urgent alarm" });
    await strip.waitFor();
    const silence = strip.getByRole("button", { name: "Silence" });
    const button = page.getByRole("button", { name: "Sound" });
    equal(await button.getAttribute("aria-pressed"), "false", "the sound at first");
    equal((await tones()) + (await silence.count()), 0, "tones before anybody allowed them");
    await button.click();
    await until("it is heard again and again: three tones each time", async () => (await tones()) >= 6);
    await silence.click();
    await until("it is silent", async () => (await silence.count()) === 0);
    const before = await tones();
    await raised(world, "alarmtest/b/temp");
    await silence.waitFor();
    await until("the next one is heard", async () => (await tones()) > before);
    await page.reload();
    await until("it stays allowed", async () => (await button.getAttribute("aria-pressed")) === "true");
    for (const path of ["alarmtest/a/temp", "alarmtest/b/temp"]) await row(page, path).getByRole("checkbox").check();
    await page.getByLabel("Comment").fill("seen by the night shift");
    await page.getByRole("button", { name: "Acknowledge (2)" }).click();
    await until("nobody has to take one", async () => (await strip.count()) === 0);
    await button.click();
    await openPage(world, "?tab=journal");
    await page.locator("tbody tr").filter({ hasText: "seen by the night shift" }).nth(1).waitFor();
    for (const path of ["alarmtest/a/temp", "alarmtest/b/temp"]) server.publish(path, "20");
});

test("alarms: the journal is filtered by time, rule and path, and the address keeps it", async (world) => {
    const { page, server, api } = world;
    await raised(world, "alarmtest/a/temp");
    await raised(world, "alarmtest/b/temp");
    await put(page, { name: "test_other", on: "alarmtest/a/other", when: { above: 1 }, priority: "low" });
    server.publish("alarmtest/a/other", "2");
    await until("it stands", async () => (await api("alarms?prefix=alarmtest/a/other")).total === 1);
    await openPage(world, "?tab=journal");
    const rows = page.locator("tbody tr");
    const holds = async (...paths) => {
        const texts = await rows.allInnerTexts();
        return texts.length > 0 && texts.every((text) => paths.some((path) => text.includes(path))) && paths.every((path) => texts.some((text) => text.includes(path)));
    };
    await page.getByLabel("Path, and what is below it").fill("alarmtest/a");
    await until("what is below the path", () => holds("alarmtest/a/temp", "alarmtest/a/other"));
    await page.getByLabel("Rule").selectOption("test_other");
    await until("of one rule", () => holds("alarmtest/a/other"));
    // Nothing here is older than an hour: what is asked for tells whether the time counts.
    const asked = page.waitForRequest((request) => new URL(request.url()).searchParams.get("from") === "-1h");
    await page.getByLabel("Time").selectOption("1h");
    await asked;
    await page.reload();
    await until("the same after a reload", () => holds("alarmtest/a/other"));
    equal(await page.getByLabel("Time").inputValue(), "1h", "the time after a reload");
    await page.getByLabel("Path, and what is below it").fill("alarmtest/b");
    await page.getByText("No entry fits").waitFor();
    await page.evaluate(() => fetch("/api/v1/alarms/rules/test_other", { method: "DELETE" }));
    for (const path of ["alarmtest/a/temp", "alarmtest/b/temp"]) server.publish(path, "20");
});

test("alarms: a rule is renamed on the page, with its journal", async (world) => {
    const { page, server, api } = world;
    if (!page.url().startsWith(world.url)) await page.goto(world.url);
    await put(page, { name: "test_old", on: "alarmtest/a/named", when: { above: 1 }, priority: "low" });
    server.publish("alarmtest/a/named", "2");
    await until("it stands", async () => (await api("alarms?prefix=alarmtest/a/named")).total === 1);
    await openPage(world, "?tab=rules");
    await page.getByRole("row", { name: /test_old/ }).getByRole("button", { name: "Change" }).click();
    const form = page.getByRole("form", { name: "Change test_old" });
    await form.getByLabel("Name").fill("test_new");
    await form.getByLabel("Message").fill("Named at {value}");
    await form.getByRole("button", { name: "Save" }).click();
    await page.getByRole("rowheader", { name: "test_new" }).waitFor();
    equal(await page.getByRole("rowheader", { name: "test_old" }).count(), 0, "rules of the old name");
    await openPage(world);
    const text = await row(page, "alarmtest/a/named").innerText();
    ok(text.includes("Named at 2") && text.includes("unacknowledged"), `it stands as before: ${text}`);
    await openPage(world, "?tab=journal&rule=test_new");
    await page.getByText("the rule was called test_old").waitFor();
    ok((await page.locator("tbody").innerText()).includes("alarmtest/a/named"), "what was before is in the journal of the new name");
    await page.evaluate(() => fetch("/api/v1/alarms/rules/test_new", { method: "DELETE" }));
});

test("alarms: one of a program and one of a schema lead to where they are changed", async (world) => {
    const { page, server, api } = world;
    const send = (method, where, body) =>
        page.evaluate(async ([method, where, body]) => {
            const response = await fetch(`/api/v1/${where}`, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
            if (!response.ok) throw new Error(await response.text());
        }, [method, where, body]);
    await openPage(world, "?tab=rules");
    await send("POST", "pipelines", {
        file: "declared.tutti",
        text: `alarm test_program { on: "alarmtest/p", above: 1 }\npipeline test_declared { from uns "alarmtest/in" as json { x: f64 }  into uns "alarmtest/out"  on error drop }\n`,
    });
    await send("PUT", "schemas/alarmtest", { text: `type T = { temp: f64 [degC] }\nalarm test_schema { on: "temp", above: 80 [degC] }\n` });
    await send("PUT", "schema-bindings", { filter: "alarmtest/s", schema: "alarmtest" });
    server.publish("alarmtest/p", "2");
    server.publish("alarmtest/s", JSON.stringify({ temp: 90 }));
    await until("both are raised", async () => (await api("alarms?prefix=alarmtest&state=unacknowledged")).alarms.filter((a) => a.origin).length === 2);
    await openPage(world, "?tab=rules");
    const rule = (name) => page.getByRole("row").filter({ hasText: name });
    await rule("test_program").getByRole("link", { name: "program declared.tutti" }).waitFor();
    equal(await rule("test_program").getByRole("button").count(), 0, "buttons at a rule of a program");
    await rule("test_schema").getByRole("link", { name: "schema alarmtest" }).click();
    await page.getByText("alarmtest, version 1").waitFor();
    await openPage(world);
    await row(page, "alarmtest/s/temp").getByRole("link", { name: "schema alarmtest" }).waitFor();
    await row(page, "alarmtest/p").getByRole("link", { name: "program declared.tutti" }).click();
    await page.waitForURL(/\/pipelines\/test_declared/);
    await openPage(world, "?tab=rules"); // the pipeline's page would ask for what is no more
    await send("DELETE", "schema-bindings?filter=alarmtest/s");
    await send("DELETE", "pipelines/test_declared");
    await until("they are gone", async () => (await api("alarms/rules")).rules.every((each) => each.origin === ""));
});

test("alarms: a thousand at once are counted, and the page stays usable", async (world) => {
    const { page, server, api } = world;
    const stands = async () => (await api("alarms?prefix=alarmtest/behind")).alarms[0]?.state;
    const acknowledge = (alarms) => page.evaluate((list) => fetch("/api/v1/alarms/act", {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ act: "acknowledge", alarms: list }),
    }).then((r) => r.ok), alarms);
    await openPage(world);
    await put(page, { name: "test_flood", on: "alarmtest/flood/+", when: { above: 0 }, priority: "low" });
    await put(page, { name: "test_behind", on: "alarmtest/behind", when: { above: 0 }, priority: "low" });
    server.publish("alarmtest/behind", "1");
    await row(page, "alarmtest/behind").waitFor();
    await acknowledge([{ rule: "test_behind", path: "alarmtest/behind" }]);
    await page.getByLabel("State").selectOption("unacknowledged");
    await until("it is acknowledged, and not among the others", async () => (await row(page, "alarmtest/behind").count()) === 0);
    await page.getByLabel("State").selectOption("acknowledged");
    await row(page, "alarmtest/behind").waitFor();
    await page.getByLabel("State").selectOption("");
    const record = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`t${i}`, 1]));
    for (let i = 0; i < 10; i++) server.publish("alarmtest/flood", JSON.stringify(Object.fromEntries(Object.entries(record).slice(i * 100, i * 100 + 100))));
    await page.getByText("most urgent of 100").waitFor(); // 1,001: the one of before and a thousand
    ok((await row(page, "alarmtest").count()) <= 500, "rows");
    await page.getByLabel("Search alarms").fill("t777");
    await until("the filter has done its work", async () => (await row(page, "alarmtest/flood").count()) <= 1);
    // What lies behind the most urgent 500, who all wait to be acknowledged, is found by a filter: it asks for it.
    await page.getByLabel("Search alarms").fill("");
    equal(await row(page, "alarmtest/behind").count(), 0, "rows of the one that is less urgent");
    await page.getByLabel("State").selectOption("acknowledged");
    await until("what is acknowledged, and nothing else", async () => (await row(page, "alarmtest/flood").count()) === 0 && (await row(page, "alarmtest/behind").count()) === 1);
    for (let i = 0; i < 10; i++) await acknowledge(Array.from({ length: 100 }, (_, at) => ({ rule: "test_flood", path: `alarmtest/flood/t${i * 100 + at}` })));
    for (const [value, state] of [["0", undefined], ["1", "unacknowledged"], ["0", "returned"]]) {
        server.publish("alarmtest/behind", value);
        await until(`${value}: ${state}`, async () => (await stands()) === state);
    }
    await page.getByLabel("State").selectOption("returned");
    await until("what returned, and nothing else", async () => (await row(page, "alarmtest/flood").count()) === 0 && (await row(page, "alarmtest/behind").count()) === 1);
    await page.getByLabel("Search alarms").fill("behind");
    ok((await row(page, "alarmtest/behind").innerText()).includes("returned to normal, unacknowledged"), "the state in words");
    await row(page, "alarmtest/behind").getByRole("checkbox").check();
    await page.getByRole("button", { name: "Acknowledge (1)" }).click();
    await page.getByText("No alarm fits").waitFor();
    await page.getByRole("button", { name: "Without filters" }).click();
    await until("all are there", async () => (await row(page, "alarmtest/flood").count()) > 100);
    await page.evaluate(() => fetch("/api/v1/alarms/rules/test_behind", { method: "DELETE" }));
    await openPage(world, "?tab=numbers");
    await page.getByText("a flood, more than a person can follow").waitFor();
    await openPage(world, "?tab=rules");
    page.once("dialog", (dialog) => void dialog.accept());
    await page.getByRole("row").filter({ hasText: "test_flood" }).getByRole("button", { name: "Delete" }).click();
    await until("its alarms are gone", async () => (await api("alarms?prefix=alarmtest/flood")).total === 0);
});

test("alarms: a target is made, an error stands at its field, a test says what came of it", async (world) => {
    const { page, api, server } = world;
    const got = [];
    let status = 204;
    const hook = http.createServer((request, response) => {
        let body = "";
        request.on("data", (part) => (body += part)).on("end", () => {
            got.push({ headers: request.headers, ...JSON.parse(body) });
            response.writeHead(status).end(status === 204 ? "" : "closed today");
        });
    });
    await new Promise((done) => hook.listen(0, "127.0.0.1", done));
    await openPage(world, "?tab=targets");
    await page.getByText("Nobody is told yet").waitFor();
    await page.getByRole("button", { name: "New target" }).click();
    const form = page.getByRole("form", { name: "New target" });
    await form.getByLabel("Name").fill("erp");
    await form.getByLabel("Told by").selectOption("webhook");
    await form.getByLabel("Address").fill("ftp://127.0.0.1/x");
    await form.getByLabel(/^Headers/).fill("Authorization: Bearer not-for-eyes");
    await form.getByLabel("Key of the signature").fill("sixteen-letters-or-more");
    await form.getByLabel("Least time between messages (s)").fill("0");
    await form.getByRole("button", { name: "Save" }).click();
    await form.getByRole("alert").waitFor();
    equal(await form.getByLabel(/^Address/).getAttribute("aria-invalid"), "true", "the field that is wrong");
    ok((await form.getByRole("alert").innerText()).startsWith("url is not https"), "what is wrong");
    await form.getByLabel(/^Address/).fill(`http://127.0.0.1:${hook.address().port}/in`);
    await form.getByRole("button", { name: "Save" }).click();
    const target = page.getByRole("table", { name: "Targets" }).locator("tbody tr").filter({ hasText: "erp" });
    await target.waitFor();
    ok((await target.innerText()).includes("signed"), "that it is signed");
    ok(!(await page.content()).includes("not-for-eyes"), "no secret on the page");
    await target.getByRole("button", { name: "Send a test" }).click();
    await target.getByText(/taken after \d+ ms/).waitFor();
    equal(got[0].test, true, "a test came");
    equal(got[0].headers.authorization, "Bearer not-for-eyes", "with its header");
    status = 503;
    await target.getByRole("button", { name: "Send a test" }).click();
    await target.getByText("the receiver says 503: closed today").waitFor();

    await page.getByRole("button", { name: "New route" }).click();
    const route = page.getByRole("form", { name: "New route" });
    await route.getByLabel("Name").fill("day");
    await route.getByLabel("On path or filter").fill("alarmtest/told");
    await route.getByRole("group", { name: "To" }).getByLabel("erp").check();
    await route.getByLabel("Nobody took it for (min)").fill("30");
    await route.getByRole("button", { name: "Save" }).click();
    await route.getByText(/^escalate_to is missing/).waitFor();
    await route.getByLabel(/^then also/).selectOption("erp");
    await route.getByRole("button", { name: "Save" }).click();
    await page.getByRole("table", { name: "Routes" }).getByText("erp after 30 min more").waitFor();

    await put(page, { name: "test_told", on: "alarmtest/told", when: { above: 80 }, priority: "high" });
    server.publish("alarmtest/told", "81");
    await target.getByText(/failing/).waitFor();
    await target.getByText(/1 notice waiting/).waitFor();
    status = 204;
    await until("it works again", async () => (await target.innerText()).includes("working"));
    equal((await api("alarms/targets")).targets[0].state.queued, 0, "nothing waits");
    await openPage(world, "?tab=journal");
    await page.locator("tbody tr").filter({ hasText: "erp was told" }).first().waitFor();
    await openPage(world, "?tab=targets");
    page.once("dialog", (dialog) => void dialog.accept());
    await page.getByRole("table", { name: "Targets" }).getByRole("button", { name: "Delete" }).click();
    await page.getByText("the route day tells erp: change it first").waitFor();
    // What the server refused on purpose is no fault of the page.
    world.faults.splice(0, world.faults.length, ...world.faults.filter((each) => !/status of 4(00|09) .*\/alarms\/(targets|routes)\//.test(each)));
    hook.close();
    hook.closeAllConnections();
});
