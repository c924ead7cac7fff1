// bridges/bridge.ts: a bridge as the form holds it, and as the server takes it (docs/bridge.md). Pure.

export type Direction = "in" | "out" | "both";
export interface BridgeTopic {
    direction: Direction;
    filter: string;
    local_prefix: string;
    remote_prefix: string;
    qos: number;
    retain: "new" | "always" | "never";
}
export interface BridgeConf {
    name: string;
    host: string;
    port: number;
    tls: boolean;
    ca_file: string;
    cert_file: string;
    key_file: string;
    user: string;
    client_id: string;
    version: "5.0" | "3.1.1";
    keep_alive_s: number;
    session_expiry_s: number;
    window: number;
    notify: string;
    buffer_bytes: number;
    buffer_age_s: number;
    buffer_policy: "drop_oldest" | "drop_newest" | "refuse";
    keep_qos0: boolean;
    mark: boolean;
    enabled: boolean;
    topics: BridgeTopic[];
}
export interface Bridge extends BridgeConf {
    secret: boolean;
    state: "connecting" | "connected" | "waiting" | "disabled" | "failed";
    since_ms: number;
    error: string;
    error_ms: number;
    next_try_ms: number;
    round_trip_ms: number | null;
    queued: number;
    queued_bytes: number;
    sent: number;
    received: number;
    connects: number;
    dropped: Record<string, number>;
}

/** Numbers are texts while they are typed. */
export interface BridgeDraft extends Omit<BridgeConf, "port" | "keep_alive_s" | "session_expiry_s" | "window" | "buffer_bytes" | "buffer_age_s"> {
    port: string;
    keep_alive_s: string;
    session_expiry_s: string;
    window: string;
    buffer_mib: string;
    buffer_age_s: string;
    password: string;
    /** the stored password goes */
    forget: boolean;
}

const MIB = 1024 * 1024;
export const newTopic = (): BridgeTopic => ({ direction: "out", filter: "#", local_prefix: "", remote_prefix: "", qos: 1, retain: "new" });

export function draftOf(bridge: Bridge | null): BridgeDraft {
    const from = bridge ?? {
        name: "", host: "", port: 1883, tls: false, ca_file: "", cert_file: "", key_file: "", user: "", client_id: "", version: "5.0" as const,
        keep_alive_s: 30, session_expiry_s: 604_800, window: 1000, notify: "", buffer_bytes: 256 * MIB, buffer_age_s: 604_800,
        buffer_policy: "drop_oldest" as const, keep_qos0: false, mark: true, enabled: true, topics: [newTopic()],
    };
    return {
        name: from.name, host: from.host, tls: from.tls, ca_file: from.ca_file, cert_file: from.cert_file, key_file: from.key_file, user: from.user,
        client_id: from.client_id, version: from.version, notify: from.notify, buffer_policy: from.buffer_policy,
        keep_qos0: from.keep_qos0, mark: from.mark, enabled: from.enabled,
        topics: from.topics.map((topic) => ({ ...topic })), port: String(from.port), keep_alive_s: String(from.keep_alive_s),
        session_expiry_s: String(from.session_expiry_s), window: String(from.window), buffer_mib: String(from.buffer_bytes / MIB),
        buffer_age_s: String(from.buffer_age_s), password: "", forget: false,
    };
}

/** What is sent: the password only when one was typed, or the stored one is to go. */
export function bridgeOf(draft: BridgeDraft): BridgeConf & { password?: string } {
    const { password, forget, buffer_mib, ...rest } = draft;
    const whole = (text: string): number => Number(text.trim());
    const secret = password !== "" ? { password } : forget ? { password: "" } : {};
    const files = draft.tls ? {} : { ca_file: "", cert_file: "", key_file: "" };
    return {
        ...rest, ...files, ...secret, name: draft.name.trim(), host: draft.host.trim(), port: whole(draft.port), keep_alive_s: whole(draft.keep_alive_s),
        session_expiry_s: whole(draft.session_expiry_s), window: whole(draft.window), buffer_bytes: Math.round(Number(buffer_mib) * MIB), buffer_age_s: whole(draft.buffer_age_s),
    };
}

/** With TLS another port is usual; what was typed stays. */
export const withTls = (draft: BridgeDraft, tls: boolean): BridgeDraft => ({
    ...draft, tls, port: tls && draft.port === "1883" ? "8883" : !tls && draft.port === "8883" ? "1883" : draft.port,
});

const reasons: Record<string, string> = {
    oldest: "oldest gave way", newest: "new not taken", age: "too old", away: "QoS 0 while away", too_large: "too large",
    refused: "refused there", unfit: "does not fit the schema", loop: "a circle", no_rule: "no topic fits",
};
/** Messages that did not come over, in words; empty: all did. */
export function droppedText(dropped: Record<string, number>): string {
    return Object.entries(dropped).filter(([, count]) => count > 0).map(([reason, count]) => `${count} ${reasons[reason] ?? reason}`).join(", ");
}
export const droppedSum = (dropped: Record<string, number>): number => Object.values(dropped).reduce((sum, count) => sum + count, 0);
