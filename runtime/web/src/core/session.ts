// core/session.ts: who is signed in. Starts the live link when somebody is, stops it when not.
import { computed, signal } from "@preact/signals";
import { api, ApiError, whenSignedOut, type User } from "./api";
import { go, place } from "./router";
import { linkStart, linkStop } from "../live/socket";

export type Gate = "loading" | "setup" | "signin" | "open" | "unreachable";

export const gate = signal<Gate>("loading");
export const user = signal<User | null>(null);
const may = (role: string) => computed(() => user.value?.roles.some((each) => each === role || each === "admin") ?? false);
export const mayOperate = may("operate");
export const mayEngineer = may("engineer");
export const mayAdmin = may("admin");

function open(who: User): void {
    user.value = who;
    gate.value = "open";
    linkStart(stillSignedIn);
    if (place.peek().path === "/welcome") go("/", true);
}

function closed(): void {
    linkStop();
    user.value = null;
    gate.value = "signin";
}

/** Asked by the link after a refused connection. An unreachable server is no reason to sign out. */
async function stillSignedIn(): Promise<boolean> {
    try {
        const state = await api.authState();
        if (state.user) return true;
        closed();
        if (state.setup) gate.value = "setup";
        return false;
    } catch {
        return true;
    }
}

export async function sessionStart(): Promise<void> {
    whenSignedOut(() => gate.peek() === "open" && closed());
    try {
        const state = await api.authState();
        if (state.user) open(state.user);
        else gate.value = state.setup ? "setup" : "signin";
    } catch (error) {
        gate.value = error instanceof ApiError && error.status > 0 ? "signin" : "unreachable";
    }
}

export async function setUp(password: string): Promise<void> {
    open((await api.setup(password)).user);
}

export async function signIn(name: string, password: string): Promise<void> {
    open((await api.login(name, password)).user);
}

export async function signOut(): Promise<void> {
    await api.logout().catch(() => undefined);
    closed();
}
