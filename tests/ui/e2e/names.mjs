// Explore, what people say and ask about names: metadata, schema, violations, lineage, import, rename.
import { equal, ok, test, until } from "./harness.mjs";

const open = async ({ page, url }, path, tab = "") => {
    await page.goto(`${url}/uns?path=${path}${tab ? `&tab=${tab}` : ""}`);
    await page.locator(".detail-path").waitFor();
};
const press = "type Press = {\n  temp: f64 [degC] in -60..400\n  state: enum { RUN, IDLE }?\n}\n";

test("names: what is said about a name is edited, shown and found", async (world) => {
    const { page, server, api } = world;
    server.publish("e2e/said/temp", "20.5");
    await open(world, "e2e/said/temp", "about");
    await page.getByRole("button", { name: "Edit", exact: true }).click();
    const form = page.getByRole("form", { name: "Describe this name" });
    await form.getByLabel("Kind").fill("tag");
    await form.getByLabel("Unit").fill("degC");
    await form.getByLabel("Description").fill("of the gear oil");
    await form.getByLabel(/Stale after/).fill("0.4");
    await form.getByLabel(/More/).fill("vendor: Ümlaut\nserial: 7");
    await form.getByRole("button", { name: "Save" }).click();
    await page.getByText("of the gear oil").waitFor();
    await page.getByText("Ümlaut").waitFor();
    const { meta } = await api("uns/value/e2e/said/temp");
    equal(JSON.stringify(meta), JSON.stringify({ kind: "tag", unit: "degC", description: "of the gear oil", stale_ms: 400, keys: { serial: "7", vendor: "Ümlaut" } }), "metadata");
    await until("stale at its own age", () => page.locator(".detail-value .chip.is-stale").count());
    equal((await api("uns/search?q=gear%20oil")).total, 1, "found by what is said");
});

test("names: a schema is written, bound and its violations are shown", async (world) => {
    const { page, server, api } = world;
    server.publish("e2e/bound/press", '{"temp":71.5,"state":"RUN"}');
    await open(world, "e2e/bound/press", "schema");
    await page.getByRole("button", { name: "New schema" }).click();
    const editor = page.getByRole("form", { name: "Schema" });
    await editor.getByLabel("Name").fill("e2e_press");
    const text = editor.getByLabel(/Types/);
    await text.fill(press.replace("f64", "f65"));
    await editor.getByText("Line 2, column 9: there is no type `f65`").waitFor();
    ok(await editor.getByRole("button", { name: "Save" }).isDisabled(), "nothing wrong is saved");
    await text.fill(press);
    await until("it may be saved", () => editor.getByRole("button", { name: "Save" }).isEnabled());
    await editor.getByRole("button", { name: "Save" }).click();
    const bind = page.getByRole("form", { name: "Bind a schema" });
    await bind.getByLabel("Schema").selectOption("e2e_press");
    await bind.getByLabel("Topics, with + and #").fill("e2e/bound/+");
    await bind.getByRole("button", { name: "Bind", exact: true }).click();
    const badge = page.locator(".badge");
    await badge.waitFor();
    equal(await badge.innerText(), "e2e_press v1 · soft", "the badge");
    await page.getByRole("cell", { name: "f64 [degC] -60..400" }).waitFor();
    server.publish("e2e/bound/press", '{"temp":999}');
    await until("the badge counts", async () => /1 violation/.test(await badge.innerText()));
    const row = page.getByRole("region", { name: "Violations" }).locator("tbody tr").first();
    await row.waitFor();
    ok(/temp\s+range/.test(await row.innerText()) && (await row.innerText()).includes('{"temp":999}'), await row.innerText());
    await open(world, "e2e/bound/press/temp");
    await badge.waitFor();
    await badge.click();
    await page.getByRole("cell", { name: "f64 [degC] -60..400" }).waitFor();
    await page.getByRole("button", { name: "Edit the schema" }).click();
    await until("the saved text", async () => (await text.inputValue()) === press);
    await text.fill(press.replace("..400", "..300"));
    await editor.getByText("its range changes from -60..400 to -60..300").waitFor();
    await editor.getByRole("button", { name: "Save, although it is not compatible" }).click();
    await until("version 2 holds", async () => (await badge.innerText()).startsWith("e2e_press v2"));
    await page.getByRole("button", { name: "Text of 1" }).click();
    await until("what version 1 said", async () => (await page.getByRole("region", { name: "Text of version 1" }).innerText()).trim() === press.trim());
    await page.getByRole("button", { name: "Take 1 as the next" }).click();
    await until("it is the text of the next one", async () => (await text.inputValue()) === press);
    await editor.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("button", { name: "Unbind e2e/bound/+" }).click();
    await until("unbound", async () => (await api("schema-bindings")).bindings.length === 0);
});

test("names: lineage is drawn from where to where, and leads on", async (world) => {
    const { page, server } = world;
    await until("the demo has written its rows", async () => (await world.api("uns/search?q=press-01%20stats")).total > 0);
    const { nodes } = await world.api("uns/search?q=press-01%20stats");
    await open(world, nodes[0].path, "lineage");
    const sheet = page.getByRole("group", { name: "Lineage" });
    await sheet.getByRole("link", { name: /press_stats/ }).waitFor();
    ok((await sheet.locator("path").count()) >= 2, "lines are drawn");
    const boxes = await sheet.locator(".lineage-box").evaluateAll((all) => all.map((e) => ({ x: e.getBoundingClientRect().left, text: e.innerText })));
    const x = (what) => boxes.find((box) => box.text.includes(what))?.x ?? -1;
    ok(x("press_stats") >= 0 && x("press_stats") < x("this topic"), `left to right: ${JSON.stringify(boxes)}`);
    server.publish("e2e/line/age", "1");
    await open(world, "e2e/line/age", "lineage");
    await sheet.getByText(/client · /).waitFor();
    await open(world, nodes[0].path, "lineage");
    await sheet.getByRole("link", { name: /press_stats/ }).click();
    await until("the pipeline's page", () => page.url().includes("/pipelines/press_stats"));
});

test("names: a file is looked at, its errors have places, then it is imported; a template too", async (world) => {
    const { page, url, faults, api } = world;
    await page.goto(`${url}/uns`);
    await page.getByRole("button", { name: "Import", exact: true }).click();
    const form = page.getByRole("form", { name: "Import from a file" });
    await form.getByLabel("or its text").fill("path,kind\ne2e/imp,site\ne2e/+,area\n");
    await form.getByRole("button", { name: "What would change?" }).click();
    await form.getByRole("row", { name: /3 1 "e2e\/\+" is no path/ }).waitFor();
    faults.length = 0; // the refusal is a 400, which the browser notes
    ok(await form.getByRole("button", { name: "Import", exact: true }).isDisabled(), "nothing wrong is imported");
    await form.getByLabel("CSV with a column “path”, or JSON").setInputFiles({ name: "names.csv", mimeType: "text/csv", buffer: Buffer.from("path,kind,title\ne2e/imp,site,Imported\ne2e/imp/a,area,\n") });
    await until("the file is read", async () => (await form.getByLabel("or its text").inputValue()).includes("Imported"));
    await form.getByRole("button", { name: "What would change?" }).click();
    await form.getByText("Would be 2 names new, 0 changed, 0 as they are.").waitFor();
    await form.getByRole("button", { name: "Import", exact: true }).click();
    await form.getByText("Done: 2 names new, 0 changed, 0 as they are.").waitFor();
    equal((await api("uns/value/e2e/imp")).title, "Imported", "imported");
    // What is shown on the way is gone soon on a quick machine: all texts of the form are noted.
    await form.evaluate((element) => {
        window.shown = [];
        new MutationObserver(() => window.shown.push(element.textContent)).observe(element, { childList: true, subtree: true, characterData: true });
    });
    const wasShown = (words) => page.evaluate((source) => window.shown.some((text) => new RegExp(source).test(text)), words.source);
    // A file of more than a request may have: in parts, errors with lines of the file, and no text box holds it.
    const rows = Array.from({ length: 30_000 }, (_, i) => `e2e/imp/area-${i % 100}/tag-${i},tag,Tag number ${i}`);
    const give = (list, name) => form.getByLabel("CSV with a column “path”, or JSON").setInputFiles({ name, mimeType: "text/csv", buffer: Buffer.from(`path,kind,title\n${list.join("\n")}`) });
    await give(rows.with(22_222, "e2e/+/x,tag,"), "wrong.csv");
    await form.getByText(/^30,001 lines, 1\.\d MB\./).waitFor();
    equal(await form.getByLabel("or its text").count(), 0, "text boxes with a large file");
    await form.getByRole("button", { name: "What would change?" }).click();
    await form.getByRole("row", { name: /22224 1 "e2e\/\+\/x" is no path/ }).waitFor();
    ok(await wasShown(/Looked at .* of 30,000 rows/), "how far it was");
    faults.length = 0;
    await give(rows.slice(0, 12_000), "many.csv");
    await until("the file is read", async () => (await form.getByRole("row").count()) === 0);
    await form.getByRole("button", { name: "What would change?" }).click();
    await form.getByText("Would be 12,000 names new, 0 changed, 0 as they are.").waitFor();
    await form.getByRole("button", { name: "Import", exact: true }).click();
    await form.getByText("Done: 12,000 names new, 0 changed, 0 as they are.").waitFor();
    ok(await wasShown(/Imported .* of 12,000 rows/), "how far the import was");
    equal((await api("uns/value/e2e/imp/area-99/tag-11999")).title, "Tag number 11999", "the last of many");
    await form.getByRole("button", { name: "Without it" }).click();
    await form.getByLabel("or its text").waitFor();
    const template = page.getByRole("form", { name: "From a template" });
    await template.getByLabel("Equipment").selectOption("pump");
    await template.getByLabel("Path").fill("e2e/imp/a/p7");
    await template.getByRole("button", { name: "What would change?" }).click();
    await template.getByText("Would be 9 names new").waitFor();
    await template.getByRole("button", { name: "Create" }).click();
    await template.getByText("Done: 9 names new").waitFor();
    await page.getByLabel("Filter the namespace").fill("imp p7 flow");
    await page.getByRole("treeitem", { name: /flow/ }).click();
    await page.getByRole("button", { name: "About", exact: true }).click();
    await page.getByText("m3/h").waitFor();
});

test("names: a branch is renamed, and the page follows", async (world) => {
    const { page, server, api } = world;
    for (const value of ["1", "2", "3"]) server.publish("e2e/oldname/x", value);
    await open(world, "e2e/oldname", "about");
    await page.getByRole("button", { name: "Rename", exact: true }).click();
    const form = page.getByRole("form", { name: "Rename" });
    await form.getByLabel(/New name/).fill("e2e/newname");
    await form.getByRole("button", { name: "Rename" }).click();
    await until("the address follows", () => page.url().includes("path=e2e/newname"));
    await page.getByLabel("Filter the namespace").fill("e2e newname");
    await page.getByRole("treeitem", { name: /x/ }).waitFor();
    await page.getByLabel("Filter the namespace").fill("e2e oldname");
    await page.getByText("No path contains").waitFor();
    const history = await api("uns/history/e2e/newname/x?from=-5m");
    equal(history.last.join(), "1,2,3", "its history");
});
