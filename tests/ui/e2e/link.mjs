// The link: when the program is killed, values are stale at once; when it is back, the page heals.
import { equal, test, until } from "./harness.mjs";

test("link lost: stale, the page stays usable, and heals after a restart", async ({ page, url, server, faults }) => {
    await page.goto(`${url}/uns`);
    server.publish("e2e/link/temp", "1.5");
    await page.goto(`${url}/uns?path=e2e/link/temp`);
    const value = page.getByLabel("Value", { exact: true });
    await until("live", async () => (await value.innerText()) === "1.5");
    const start = performance.now();
    await server.end("SIGKILL");
    await page.getByText("Link to the server lost").waitFor();
    await page.locator(".detail-value .chip", { hasText: "stale" }).waitFor();
    console.log(`      stale after ${Math.round(performance.now() - start)} ms (to hold: under 2000)`);
    equal(await value.innerText(), "1.5", "the last value stays on the page");
    await page.getByLabel("Filter the namespace").fill("link");
    await until("the page is usable", async () => (await page.getByRole("treeitem").count()) > 0);
    await server.run();
    await until("the banner is gone", async () => !(await page.getByText("Link to the server lost").isVisible()));
    server.publish("e2e/link/temp", "2.5");
    await until("values move again", async () => (await value.innerText()) === "2.5");
    faults.length = 0; // the browser writes every refused connection to its console
});
