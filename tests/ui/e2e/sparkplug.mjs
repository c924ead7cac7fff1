// Sparkplug: edge nodes with their devices, who is dead first, and a rebirth by a button. Payloads are
// written by hand from sparkplug_b.proto, byte by byte.
import { spawnSync } from "node:child_process";
import { equal, ok, test, until } from "./harness.mjs";

const varint = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...varint(Math.floor(n / 128))]);
const field = (number, bytes) => [...varint((number << 3) | 2), ...varint(bytes.length), ...bytes];
const whole = (number, value) => [...varint(number << 3), ...varint(value)];
const metric = (name, type, value) => field(2, [...field(1, [...Buffer.from(name)]), ...whole(4, type), ...value]);
const bdSeq = (n) => metric("bdSeq", 8, whole(11, n));
const payload = (seq, ...metrics) => Buffer.from([...whole(1, 1700000000000), ...metrics.flat(), ...(seq === null ? [] : whole(3, seq))]);
const send = (server, topic, bytes) => {
    const done = spawnSync("mosquitto_pub", ["-h", "127.0.0.1", "-p", String(server.mqtt), "-q", "1", "-t", `spBv1.0/${topic}`, "-s"], { input: bytes });
    equal(done.status, 0, `mosquitto_pub ${topic}: ${done.stderr}`);
};
/** A node with a device: for tests that need some Sparkplug, whatever ran before. */
export const bornNode = (server) => {
    send(server, "Line/NBIRTH/edge1", payload(0, bdSeq(3), metric("Speed", 3, whole(10, 7))));
    send(server, "Line/DBIRTH/edge1/oven", payload(1, metric("Temp/Top", 3, whole(10, 180)), metric("On", 11, whole(14, 1))));
};
const row = (page, name) => page.locator("tbody tr").filter({ has: page.getByRole("rowheader", { name }) });

test("sparkplug: edge nodes and devices with state and counts; a rebirth is requested by a button", async ({ page, url, server }) => {
    await page.goto(`${url}/sparkplug`);
    await page.getByText("STATE online").waitFor();
    await page.getByText("it appears here with its birth").waitFor();
    bornNode(server);
    send(server, "Line/NBIRTH/edge2", payload(0, bdSeq(0)));
    await page.goto(`${url}/sparkplug`);
    await row(page, "Line/edge1").waitFor();
    const cells = await row(page, "Line/edge1").innerText();
    for (const word of ["alive", "3"]) ok(cells.includes(word), `${word} in ${cells}`);
    ok((await row(page, "oven").innerText()).includes("alive"), "its device");
    await page.getByText("2 of 2 edge nodes alive").waitFor();
    await page.getByRole("button", { name: "Request a rebirth of Line/edge1" }).click();
    await page.getByText("rebirth requested: somebody asked for it").waitFor();
    // Dead ones come first.
    send(server, "Line/NDEATH/edge2", payload(null, bdSeq(0)));
    await until("edge2 is dead, and on top", async () => (await page.locator("tbody tr").first().innerText()).match(/edge2[^]*dead/));
    await page.getByText("1 of 2 edge nodes alive").waitFor();
    ok(/dead · /.test(await row(page, "Line/edge2").innerText()), "since when it is dead");
    await page.getByLabel("Filter edge nodes").fill("oven");
    await until("only the node of the oven", async () => (await page.locator("tbody tr.sparkplug-node").count()) === 1);
});

test("sparkplug: a node leads to its part of the namespace", async ({ page, url, server }) => {
    bornNode(server);
    await page.goto(`${url}/sparkplug`);
    await row(page, "oven").getByRole("link").click();
    await page.waitForURL(/\/uns\?path=sparkplug/);
    await page.getByText("Temp").first().waitFor();
});
