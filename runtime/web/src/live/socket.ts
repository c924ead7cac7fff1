// live/socket.ts: the one WebSocket of the page.
//
// Owns the connection, the list of subscriptions and the link state. Subscriptions outlive the
// connection: after a reconnect they are sent again, so pages never think about it. A hidden tab
// asks for at most 2 frames a second. Values arrive latest-wins; nothing is queued here.
import { signal } from "@preact/signals";
import { backoff } from "./frames";

export interface Link {
    state: "off" | "connecting" | "up" | "down";
    /** when the next try starts, local ms; only while down */
    nextTry: number;
    /** since when it is down, local ms */
    since: number;
}

type Message = Record<string, unknown>;
interface Sub {
    id: number;
    open: Message;
    onFrame: (frame: Message) => void;
    onEnd?: (reason: string) => void;
}

export const link = signal<Link>({ state: "off", nextTry: 0, since: 0 });
/** Age after which a value is stale, ms, as the server says. */
export const staleMs = signal(30_000);
/** server clock minus ours, ms */
let clockOffset = 0;
export const serverNow = (): number => Date.now() + clockOffset;

let socket: WebSocket | null = null;
let wanted = false;
let tries = 0;
let timer = 0;
let silent = 0; // looks in a row at which nothing had been heard
let nextId = 1;
const subs = new Map<number, Sub>();
let onRefused: () => Promise<boolean> = async () => true;

/** refused: asked after a failed connection; answers false when there is no session any more. */
export function linkStart(refused: () => Promise<boolean>): void {
    onRefused = refused;
    if (wanted) return;
    wanted = true;
    connect();
}

export function linkStop(): void {
    wanted = false;
    clearTimeout(timer);
    const old = socket;
    socket = null;
    old?.close();
    link.value = { state: "off", nextTry: 0, since: Date.now() };
}

function send(message: Message): void {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function connect(): void {
    clearTimeout(timer);
    const since = link.value.since || Date.now();
    if (link.value.state !== "down") link.value = { state: "connecting", nextTry: 0, since };
    const ws = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
    socket = ws;
    ws.onmessage = (event) => ws === socket && receive(String(event.data));
    ws.onclose = (event) => ws === socket && lost(event.code);
}

function receive(text: string): void {
    silent = 0;
    const frame = JSON.parse(text) as Message;
    if (frame.ev === "hello") {
        clockOffset = Number(frame.time) - Date.now();
        staleMs.value = Number(frame.stale_ms);
        tries = 0;
        link.value = { state: "up", nextTry: 0, since: Date.now() };
        if (document.hidden) send({ op: "rate", id: 0, hz: 2 });
        for (const sub of subs.values()) send(sub.open);
        return;
    }
    const id = Number(frame.id);
    if (frame.ev === "ended") {
        const sub = subs.get(id);
        subs.delete(id);
        sub?.onEnd?.(String(frame.reason));
    } else if (frame.ev) {
        subs.get(id)?.onFrame(frame);
    } else if (frame.error) {
        const sub = subs.get(Number(frame.re));
        sub?.onEnd?.((frame.error as { text: string }).text);
    }
}

function lost(code: number): void {
    socket = null;
    if (!wanted) return;
    const wait = code === 1001 ? Math.max(1000, backoff(tries)) : backoff(tries);
    tries++;
    const since = link.value.state === "up" ? Date.now() : link.value.since;
    link.value = { state: "down", nextTry: Date.now() + wait, since };
    timer = window.setTimeout(async () => {
        // A closed handshake does not say why; the session may be gone. Ask before trying again.
        if ((code === 4001 || tries > 1) && !(await onRefused())) return;
        if (wanted) connect();
    }, code === 4001 ? 0 : wait);
}

/** Try now, without waiting for the timer. */
export function linkRetry(): void {
    if (wanted && link.value.state === "down") connect();
}

export interface Subscription {
    readonly id: number;
    /** replaces the message (a changed list of paths), same id */
    update(message: Message): void;
    /** asks for a full frame after a gap */
    snapshot(): void;
    close(): void;
}

export function subscribe(
    message: Message,
    onFrame: (frame: Message) => void,
    onEnd?: (reason: string) => void,
): Subscription {
    const id = nextId++;
    const sub: Sub = { id, open: { ...message, id }, onFrame, onEnd };
    subs.set(id, sub);
    if (link.value.state === "up") send(sub.open);
    return {
        id,
        update(changed) {
            sub.open = { ...changed, id };
            if (link.value.state === "up") send(sub.open);
        },
        snapshot: () => send({ op: "snapshot", id }),
        close() {
            if (subs.delete(id)) send({ op: "unwatch", id });
        },
    };
}

/** For tests of long-running pages. */
export const subscriptionCount = (): number => subs.size;

document.addEventListener("visibilitychange", () => send({ op: "rate", id: 0, hz: document.hidden ? 2 : 10 }));

// A cut cable closes nothing by itself: ask when it is quiet, give up when nothing came at four looks
// in a row. Looks are counted, not time: a browser that was held up itself must not blame the link.
setInterval(() => {
    if (link.value.state !== "up" || document.hidden) return;
    silent++;
    if (silent > 4) {
        socket?.close();
        lost(1006);
    } else if (silent > 1) {
        send({ op: "ping", id: 0 });
    }
}, 400);
