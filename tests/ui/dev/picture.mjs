// tests/ui/dev/picture.mjs URL PASSWORD: the pictures of the README, from a running demo.
import { chromium } from "playwright-core";
const [url, password] = process.argv.slice(2);
const out = new URL("../../../docs/images/", import.meta.url).pathname;
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"] });
const page = await browser.newPage({ viewport: { width: 1280, height: 760 } });
await page.goto(url);
await page.fill("#name", "admin");
await page.fill("#password", password);
await page.keyboard.press("Enter");
await page.waitForSelector(".frame");
await page.goto(`${url}/pipelines/press_stats?select=n1`);
await page.waitForSelector(".cm-chosen");
await page.waitForTimeout(12_000);
await page.screenshot({ path: `${out}designer.png` });
await page.goto(`${url}/uns?path=acme/berlin/press-01/live/temp`);
await page.waitForTimeout(14_000);
await page.screenshot({ path: `${out}explore.png` });
await browser.close();
