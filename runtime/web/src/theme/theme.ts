// theme/theme.ts: which theme is on. System by default; the choice is kept in this browser;
// `?theme=dark` in the address wins and is not stored (kiosks).
import { signal } from "@preact/signals";
import type { Theme } from "./tokens";

export type Choice = "system" | Theme;

const KEY = "tutti.theme";
const isTheme = (text: string | null): text is Theme => text === "light" || text === "dark";

/** Counts up when colours change, so that canvas painters read the variables again. */
export const themeVersion = signal(0);
export const themeChoice = signal<Choice>("system");

function show(choice: Choice): void {
    if (choice === "system") document.documentElement.removeAttribute("data-theme");
    else document.documentElement.setAttribute("data-theme", choice);
    cache.clear();
    themeVersion.value++;
}

export function themeStart(): void {
    const asked = new URLSearchParams(location.search).get("theme");
    const stored = localStorage.getItem(KEY);
    themeChoice.value = isTheme(asked) ? asked : isTheme(stored) ? stored : "system";
    show(themeChoice.value);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => show(themeChoice.value));
}

export function themeSet(choice: Choice): void {
    themeChoice.value = choice;
    if (choice === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, choice);
    show(choice);
}

export function themeNow(): Theme {
    const forced = document.documentElement.getAttribute("data-theme");
    if (isTheme(forced)) return forced;
    return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

const cache = new Map<string, string>();

/** The value of a CSS variable now, for canvas painting. */
export function colour(name: string): string {
    let value = cache.get(name);
    if (value === undefined) {
        value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
        cache.set(name, value);
    }
    return value;
}
