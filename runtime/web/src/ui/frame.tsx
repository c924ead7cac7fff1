// ui/frame.tsx: what is around every page: rail, top bar, link state, command menu, key list.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { available, handle, handlerVersion } from "../core/keys";
import { path, place } from "../core/router";
import { signOut, user } from "../core/session";
import { link, linkRetry } from "../live/socket";
import { themeChoice, themeNow, themeSet, type Choice } from "../theme/theme";
import { soundStart } from "../alarms/sound";
import { alarmsStart } from "../alarms/store";
import { AlarmCounts, AlarmStrip } from "../alarms/strip";
import { Icon } from "./icon";
import { PopupLayer } from "./popup";
import { KeyList, openMenu, openKeys, Menu } from "./menu";

const rail = [
    { href: "/", icon: "house", label: "Home", at: /^\/$/ },
    { href: "/uns", icon: "folder-tree", label: "Explore", at: /^\/uns/ },
    { href: "/pipelines", icon: "workflow", label: "Pipelines", at: /^\/(new-)?pipeline/ },
    { href: "/dashboards", icon: "layout-dashboard", label: "Dashboards", at: /^\/(dashboards|d\/)/ },
    { href: "/alarms", icon: "bell", label: "Alarms", at: /^\/alarms/ },
    { href: "/sparkplug", icon: "radio", label: "Sparkplug", at: /^\/sparkplug/ },
    { href: "/bridges", icon: "waypoints", label: "Bridges", at: /^\/bridges/ },
    { href: "/logs", icon: "scroll-text", label: "Logs", at: /^\/logs/ },
];

const themes: Record<Choice, { icon: string; next: Choice; label: string }> = {
    system: { icon: "monitor", next: "light", label: "as the system" },
    light: { icon: "sun", next: "dark", label: "light" },
    dark: { icon: "moon", next: "system", label: "dark" },
};

function Rail() {
    const choice = themes[themeChoice.value];
    return (
        <nav class="rail" aria-label="Pages">
            <a class="brand" href="/" aria-label="Tutti, home">
                <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
                    <rect class="brand-tile" width="32" height="32" rx="7" />
                    <path class="brand-mark" d="M7 10h18M16 10v13M9 16.5v6.5M23 16.5v6.5" />
                </svg>
            </a>
            {rail.map((item) => (
                <a key={item.href} href={item.href} class="rail-item" aria-current={item.at.test(path.value) ? "page" : undefined}>
                    <Icon name={item.icon} size={20} />
                    <span>{item.label}</span>
                </a>
            ))}
            <span class="rail-gap" />
            <button class="rail-item" onClick={() => themeSet(choice.next)} title={`Theme: ${choice.label}`}>
                <Icon name={choice.icon} size={20} />
                <span>Theme</span>
            </button>
        </nav>
    );
}

function Crumbs() {
    const parts = path.value.replace(/^\/d\//, "/dashboards/").split("/").filter(Boolean);
    const names: Record<string, string> = { uns: "Explore", pipelines: "Pipelines", "new-pipeline": "New pipeline", dashboards: "Dashboards", alarms: "Alarms", sparkplug: "Sparkplug", bridges: "Bridges", logs: "Logs" };
    return (
        <ol class="crumbs" aria-label="Where you are">
            {parts.length === 0 && <li aria-current="page">Home</li>}
            {parts.map((part, at) => {
                const text = at === 0 ? (names[part] ?? part) : decodeURIComponent(part);
                const last = at === parts.length - 1;
                return (
                    <li key={at} aria-current={last ? "page" : undefined}>
                        {last ? text : <a href={`/${parts.slice(0, at + 1).join("/")}`}>{text}</a>}
                    </li>
                );
            })}
        </ol>
    );
}

function LinkState() {
    const up = link.value.state === "up";
    return (
        <span class={`link-state ${up ? "" : "is-down"}`} role="status">
            <Icon name={up ? "radio" : "unplug"} size={15} />
            <span class="wide-only">{up ? "live" : link.value.state === "down" ? "link lost" : "connecting"}</span>
        </span>
    );
}

/** Thin, above the page, never in the way: the page stays usable with its last values. */
function LostBanner() {
    const [now, setNow] = useState(Date.now());
    const down = link.value.state === "down";
    useEffect(() => {
        if (!down) return;
        const timer = setInterval(() => setNow(Date.now()), 250);
        return () => clearInterval(timer);
    }, [down]);
    if (!down) return null;
    const wait = Math.max(0, Math.ceil((link.value.nextTry - now) / 1000));
    return (
        <div class="banner" role="alert">
            <Icon name="unplug" size={14} />
            <span>Link to the server lost. Values are the last ones seen.</span>
            <span class="banner-wait" aria-hidden="true">{wait > 0 ? `Next try in ${wait} s` : "Trying now"}</span>
            <button class="button small" onClick={linkRetry}>
                Try now
            </button>
        </div>
    );
}

function UserMenu() {
    return (
        <span class="user">
            <Icon name="circle-user" size={17} />
            <span class="wide-only">{user.value?.name}</span>
            <button class="icon-button" onClick={() => void signOut()} title="Sign out" aria-label="Sign out">
                <Icon name="log-out" size={16} />
            </button>
        </span>
    );
}

export function Frame(props: { children: ComponentChildren }) {
    useEffect(() => {
        const back = [
            handle("menu", openMenu),
            handle("keys", openKeys),
            alarmsStart(),
            soundStart(),
            handle("theme", () => themeSet(themeNow() === "dark" ? "light" : "dark")),
        ];
        return () => back.forEach((undo) => undo());
    }, []);
    void handlerVersion.value;
    void place.value;
    return (
        <div class="frame">
            <a class="skip" href="#content" onClick={(event) => { event.preventDefault(); document.getElementById("content")?.focus(); }}>
                Skip to the content
            </a>
            <Rail />
            <header class="top">
                <Crumbs />
                <button class="search-button" onClick={openMenu} aria-keyshortcuts="Control+K">
                    <Icon name="search" size={15} />
                    <span>Search or run</span>
                    <kbd>ctrl k</kbd>
                </button>
                <AlarmCounts />
                <LinkState />
                <UserMenu />
            </header>
            <div class="body">
                <LostBanner />
                <AlarmStrip />
                <main id="content" tabIndex={-1} class={link.value.state === "down" ? "link-lost" : ""}>
                    {props.children}
                </main>
            </div>
            <Menu actions={available()} />
            <KeyList />
            <PopupLayer />
        </div>
    );
}
