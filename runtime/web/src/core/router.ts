// core/router.ts: the address is the state: page, filter, selection and time range are all in it.
import { computed, signal } from "@preact/signals";

export interface Place {
    path: string;
    query: URLSearchParams;
}

const read = (): Place => ({ path: location.pathname, query: new URLSearchParams(location.search) });

export const place = signal<Place>(read());
export const path = computed(() => place.value.path);
/** One query parameter as a signal value; "" when absent. */
export const param = (name: string): string => place.value.query.get(name) ?? "";
/** One that may stand several times: `with=a&with=b`. */
export const params = (name: string): string[] => place.value.query.getAll(name).filter(Boolean);

export function go(to: string, replace = false): void {
    if (to === location.pathname + location.search) return;
    if (replace) history.replaceState(null, "", to);
    else history.pushState(null, "", to);
    place.value = read();
}

/** Changes query parameters of this page; null removes one, a list stands as often as it is long. Selections push, typing replaces. */
export function setParams(changes: Record<string, string | string[] | null>, replace = true): void {
    const query = new URLSearchParams(place.peek().query);
    for (const [name, value] of Object.entries(changes)) {
        query.delete(name);
        if (Array.isArray(value)) for (const one of value) query.append(name, one);
        else if (value) query.set(name, value);
    }
    const text = query.toString().replace(/%2F/g, "/");
    go(location.pathname + (text ? `?${text}` : ""), replace);
}

export function routerStart(): void {
    addEventListener("popstate", () => (place.value = read()));
    document.addEventListener("click", (event) => {
        if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
        const anchor = (event.target as Element).closest?.("a[href]");
        const href = anchor?.getAttribute("href");
        if (!href?.startsWith("/") || href.startsWith("/api/") || anchor?.hasAttribute("download")) return;
        event.preventDefault();
        go(href);
    });
}
