// Bridges: made, tested, changed, switched and removed on the page, against a Mosquitto with a password.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { freePort } from "../../e2e/lib.mjs";
import { equal, ok, test, until } from "./harness.mjs";

const answers = (port) =>
    new Promise((resolve) => {
        const socket = connect(port, "127.0.0.1");
        socket.on("connect", () => resolve(true)).on("error", () => resolve(false)).on("close", () => resolve(false));
        setTimeout(() => socket.destroy(), 500).unref();
    });
const SECRET = "not-for-eyes-4711";

/** Another broker, which asks for a password. */
async function broker(run) {
    const folder = mkdtempSync(`${tmpdir()}/tutti-ui-bridge-`);
    const port = await freePort();
    const made = spawnSync("mosquitto_passwd", ["-b", "-c", `${folder}/users`, "plant7", SECRET]);
    equal(made.status, 0, `mosquitto_passwd: ${made.stderr}`);
    writeFileSync(`${folder}/conf`, `user root\nlistener ${port} 127.0.0.1\nallow_anonymous false\npassword_file ${folder}/users\n`);
    const binary = spawnSync("sh", ["-c", "command -v mosquitto || echo /usr/sbin/mosquitto"]).stdout.toString().trim();
    const start = async () => {
        const child = spawn(binary, ["-c", `${folder}/conf`], { stdio: "ignore" });
        await until("the other broker answers", () => answers(port));
        return child;
    };
    const there = { port, child: await start() };
    there.stop = () => there.child.kill("SIGKILL");
    there.again = async () => (there.child = await start());
    /** The next message there on a topic, from now on: its session exists when this comes back. */
    there.next = (topic) => {
        const session = ["-h", "127.0.0.1", "-p", String(port), "-u", "plant7", "-P", SECRET, "-i", "next", "-c", "-q", "1", "-t", topic];
        const made = spawnSync("mosquitto_sub", [...session, "-E"]);
        equal(made.status, 0, `mosquitto_sub: ${made.stderr}`);
        const child = spawn("mosquitto_sub", [...session, "-C", "1", "-W", "120"]);
        let text = "";
        child.stdout.on("data", (data) => (text += data));
        return new Promise((resolve) => child.on("exit", () => resolve(text.trim())));
    };
    try {
        await run(there);
    } finally {
        there.stop();
        rmSync(folder, { recursive: true, force: true });
    }
}
const clear = (page, name) => page.evaluate((bridge) => fetch(`/api/v1/bridges/${bridge}`, { method: "DELETE" }), name);
const row = (page, name) => page.getByRole("row").filter({ has: page.getByRole("rowheader", { name }) });
const open = async ({ page, url }) => {
    await page.goto(`${url}/bridges`);
    await page.getByRole("heading", { name: "Bridges", exact: true }).waitFor();
};

test("bridges: made and tested on the page; messages go both ways; the password never comes back", async (world) => {
    const { page, server, api } = world;
    await broker(async (there) => {
        const bodies = [];
        const keep = async (response) => response.url().includes("/bridges") && bodies.push(await response.text().catch(() => ""));
        page.on("response", keep);
        await open(world);
        await page.getByRole("button", { name: "New bridge" }).click();
        const form = page.getByRole("form", { name: "New bridge" });
        await form.getByLabel("Name").fill("cloud");
        await form.getByLabel("Host").fill("127.0.0.1");
        await form.getByLabel("TLS").check();
        equal(await form.getByLabel("Port").inputValue(), "8883", "the usual port with TLS");
        await form.getByLabel("TLS").uncheck();
        await form.getByLabel("Port").fill(String(there.port));
        await form.getByLabel("User").fill("plant7");
        await form.getByLabel("Password").fill("wrong");
        await form.getByLabel("Prefix here, topic 1").fill("bridge/here/");
        await form.getByLabel("Prefix there, topic 1").fill("there/");
        const say = form.getByRole("status");
        await form.getByRole("button", { name: "Test" }).click();
        await say.getByText(/^the server refuses the connection: not authorized/).waitFor();
        equal((await api("bridges")).bridges.length, 0, "a test stores nothing");
        await form.getByLabel("Password").fill(SECRET);
        equal((await say.innerText()).trim(), "", "an answer does not stand beside what it is not about");
        await form.getByRole("button", { name: "Test" }).click();
        await say.getByText(/^Connected after \d+ ms\.$/).waitFor();
        await form.getByRole("button", { name: "Topic", exact: true }).click();
        await form.getByLabel("Direction, topic 2").selectOption("in");
        await form.getByLabel("Prefix here, topic 2").fill("bridge/recipes/");
        await form.getByLabel("Prefix there, topic 2").fill("recipes/");
        await form.getByRole("button", { name: "Save" }).click();
        await row(page, "cloud").getByText("connected", { exact: true }).waitFor();
        await page.getByText("1 of 1 connected").waitFor();
        const arrived = there.next("there/#");
        await until("a message arrives there", async () => {
            server.publish("bridge/here/temp", "71.5");
            return Promise.race([arrived, new Promise((resolve) => setTimeout(() => resolve(""), 300))]);
        });
        equal(await arrived, "71.5", "what arrived");
        spawnSync("mosquitto_pub", ["-h", "127.0.0.1", "-p", String(there.port), "-u", "plant7", "-P", SECRET, "-q", "1", "-t", "recipes/a", "-m", "4"]);
        await until("one comes in", async () => (await api("uns/search?q=bridge recipes")).nodes.some((node) => node.value === 4));
        await until("the page counts them", async () => {
            const cells = await row(page, "cloud").locator("td.num").allInnerTexts();
            return Number(cells[1]) >= 1 && Number(cells[2]) >= 1;
        });
        // Changed without the password: it stays, and so does the connection.
        await page.getByRole("button", { name: "Change cloud" }).click();
        const change = page.getByRole("form", { name: "Change cloud" });
        equal(await change.getByLabel(/^Password/).inputValue(), "", "the password in the form");
        await change.getByRole("button", { name: "Test" }).click();
        await change.getByRole("status").getByText(/^Connected/).waitFor();
        await change.getByLabel("Direction, topic 2").selectOption("both");
        await change.getByRole("button", { name: "Save" }).click();
        await row(page, "cloud").getByText("both ways").waitFor();
        await row(page, "cloud").getByText("connected", { exact: true }).waitFor();
        ok(!(await page.content()).includes(SECRET), "no password on the page");
        page.off("response", keep);
        ok(bodies.length > 5 && bodies.every((body) => !body.includes(SECRET)), "no password in any answer");
    });
    await clear(page, "cloud");
});

test("bridges: a stored password is tried at its own broker only", async (world) => {
    const { page } = world;
    await broker(async (there) => {
        await open(world);
        const send = (method, where, body) =>
            page.evaluate(([method, where, body]) =>
                fetch(`/api/v1/bridges/${where}`, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }).then((r) => r.json()), [method, where, body]);
        const conf = { host: "127.0.0.1", port: there.port, user: "plant7", topics: [{ direction: "out", filter: "#", local_prefix: "bridge/own/" }] };
        await send("PUT", "own", { ...conf, password: SECRET });
        equal((await send("POST", "own/test", conf)).connected, true, "at its own broker");
        const other = await send("POST", "own/test", { ...conf, host: "localhost" });
        equal(other.connected, false, "at a broker that was not meant");
        await clear(page, "own");
    });
});

test("bridges: a lost one says so, gathers, is switched off and removed; a wrong one says what is wrong", async (world) => {
    const { page, server, api } = world;
    await broker(async (there) => {
        await open(world);
        await page.getByRole("button", { name: "New bridge" }).click();
        const form = page.getByRole("form", { name: "New bridge" });
        await form.getByLabel("Name").fill("a b");
        await form.getByLabel("Host").fill("127.0.0.1");
        await form.getByLabel("Port").fill(String(there.port));
        await form.getByLabel("User").fill("plant7");
        await form.getByLabel("Password").fill(SECRET);
        await form.getByLabel("Prefix here, topic 1").fill("bridge/lost/");
        await form.getByRole("button", { name: "Save" }).click();
        await form.getByRole("alert").getByText("a bridge's name is made of A-Z a-z 0-9 - _").waitFor();
        world.faults.splice(0, world.faults.length, ...world.faults.filter((each) => !/status of 400 .*\/bridges\//.test(each)));
        await form.getByLabel("Name").fill("lost");
        await form.getByRole("button", { name: "Save" }).click();
        await row(page, "lost").getByText("connected", { exact: true }).waitFor();
        there.stop();
        await row(page, "lost").getByText("waiting", { exact: true }).waitFor();
        ok((await row(page, "lost").locator(".is-bad").allInnerTexts()).join("").length > 5, "the last error in words");
        server.publish("bridge/lost/x", "1");
        await until("it waits on the disk", async () => (await row(page, "lost").locator("td.num").first().innerText()) === "1");
        await page.getByRole("button", { name: "Disable lost" }).click();
        await row(page, "lost").getByText("disabled", { exact: true }).waitFor();
        await there.again();
        const arrived = there.next("#");
        await page.getByRole("button", { name: "Enable lost" }).click();
        await row(page, "lost").getByText("connected", { exact: true }).waitFor();
        equal(await arrived, "1", "what had waited");
        page.once("dialog", (dialog) => void dialog.accept());
        await page.getByRole("button", { name: "Remove lost" }).click();
        await page.getByText("No bridges yet").waitFor();
        equal((await api("bridges")).bridges.length, 0, "bridges");
    });
});
