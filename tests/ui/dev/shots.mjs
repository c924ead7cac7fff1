// tests/ui/dev/shots.mjs URL [PASSWORD]: pictures of every page, for a person to look at.
import { chromium } from "playwright-core";
import { mkdirSync } from "node:fs";
const [url = "http://127.0.0.1:8099", password = "correct horse battery"] = process.argv.slice(2);
const out = new URL("../shots/", import.meta.url).pathname;
mkdirSync(out, { recursive: true });
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"] });
const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
const page = await context.newPage();
page.on("console", (m) => m.type() === "error" && console.log("console:", m.text()));
page.on("pageerror", (e) => console.log("page error:", e.message));
page.on("requestfailed", (r) => console.log("failed:", r.url()));
await page.goto(url);
await page.waitForSelector("#password, .frame");
if (await page.locator("#password").count()) {
    await page.screenshot({ path: `${out}welcome.png` });
    if (await page.locator("#name").count()) await page.fill("#name", "admin");
    await page.fill("#password", password);
    await page.keyboard.press("Enter");
}
await page.waitForSelector(".frame");
const pipeline = await page.evaluate(() => fetch("/api/v1/pipelines").then((r) => r.json()).then((r) => r.pipelines[0]?.name));
const value = await page.evaluate(() => fetch("/api/v1/uns?depth=0&limit=5000").then((r) => r.json()).then((r) => (r.nodes.find((n) => n.has_value && /temp|avg/.test(n.path)) ?? r.nodes[0])?.path));
const pages = { home: "/", explore: `/uns?path=${value}`, explore1h: `/uns?path=${value}&range=1h`, pipelines: "/pipelines", designer: `/pipelines/${pipeline}?select=n3`, outline: `/pipelines/${pipeline}?view=outline`, logs: "/logs" };
const only = process.argv[4]?.split(",");
for (const [name, path] of Object.entries(pages)) {
    if (only && !only.includes(name)) continue;
    for (const [theme, width, height] of [["light", 1280, 800], ["dark", 1024, 600], ["light", 390, 800]]) {
        await page.setViewportSize({ width, height });
        await page.goto(`${url}${path}${path.includes("?") ? "&" : "?"}theme=${theme}`);
        await page.waitForTimeout(1600);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        if (wide > 0) console.log(`${name} at ${width}: ${wide} px too wide`);
        await page.screenshot({ path: `${out}${name}-${width}-${theme}.png` });
    }
}
await browser.close();
