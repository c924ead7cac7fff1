// A page that is opened by its address is given by the server, which keeps a list of its own.
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

const top = new URL("../../../", import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, top), "utf8");

it("the server gives each page that there is, and no other", () => {
    const list = /pages\[\] = \{([^}]*)\}/.exec(read("runtime/module/gateway_static.c"))![1]!;
    const given = [...list.matchAll(/"([^"]+)"/g)].map((found) => found[1]);
    const routes = [...read("runtime/web/src/app.tsx").matchAll(/match: \/\^((?:\\\/[a-z-]*)+)/g)]
        .map((found) => found[1]!.replaceAll("\\/", "/").replace(/(.)\/$/, "$1"));
    expect(routes.length).toBeGreaterThan(8);
    // /welcome is shown before anybody is signed in: app.tsx knows it by the gate.
    expect([...given].sort()).toEqual([...new Set([...routes, "/welcome"])].sort());
});
