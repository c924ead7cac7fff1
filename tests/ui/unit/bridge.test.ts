// The form of a bridge: what is shown, and what is sent of it.
import { describe, expect, it } from "vitest";
import { bridgeOf, draftOf, droppedText, withTls, type Bridge } from "../../../runtime/web/src/bridges/bridge";

describe("bridge", () => {
    it("a new one has the presets of docs/bridge.md and sends no password", () => {
        const sent = bridgeOf({ ...draftOf(null), name: " a ", host: "h" });
        expect(sent).toMatchObject({
            name: "a", host: "h", port: 1883, tls: false, version: "5.0", keep_alive_s: 30, session_expiry_s: 604_800, window: 1000, buffer_bytes: 268_435_456,
            buffer_age_s: 604_800, buffer_policy: "drop_oldest", keep_qos0: false, mark: true, enabled: true,
            topics: [{ direction: "out", filter: "#", local_prefix: "", remote_prefix: "", qos: 1, retain: "new" }],
        });
        expect("password" in sent).toBe(false);
        expect(Object.keys(sent).some((key) => ["forget", "buffer_mib", "secret"].includes(key))).toBe(false);
    });

    it("the password goes when one was typed, and away when that was asked", () => {
        const draft = draftOf({ ...(bridgeOf(draftOf(null)) as unknown as Bridge), secret: true });
        expect(draft.password).toBe("");
        expect(bridgeOf({ ...draft, password: "x" }).password).toBe("x");
        expect(bridgeOf({ ...draft, forget: true }).password).toBe("");
    });

    it("certificates go with TLS only, and the usual port follows it", () => {
        const draft = withTls({ ...draftOf(null), ca_file: "/ca.pem" }, true);
        expect([draft.port, bridgeOf(draft).ca_file]).toEqual(["8883", "/ca.pem"]);
        expect(bridgeOf(withTls(draft, false))).toMatchObject({ port: 1883, ca_file: "" });
        expect(withTls({ ...draftOf(null), port: "2000" }, true).port).toBe("2000");
    });

    it("says what did not come over, by reason", () => {
        expect(droppedText({ oldest: 0, age: 2, no_rule: 1 })).toBe("2 too old, 1 no topic fits");
        expect(droppedText({ oldest: 0 })).toBe("");
    });
});
