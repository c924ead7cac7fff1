// ui/hooks.ts: the few hooks that pages share.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { link } from "../live/socket";

export interface Loaded<T> {
    data: T | null;
    error: Error | null;
    reload: () => void;
}

/** Loads once, again when `key` changes, when the link heals, and every `everyMs` while visible. Asks before the first painting. */
export function useLoad<T>(key: string, load: () => Promise<T>, everyMs = 0): Loaded<T> {
    const [state, setState] = useState<{ key: string; data: T | null; error: Error | null }>({ key, data: null, error: null });
    const run = useRef<() => void>(() => undefined);
    useLayoutEffect(() => {
        let alive = true;
        let busy = false;
        const once = async (): Promise<void> => {
            if (busy) return;
            busy = true;
            try {
                const data = await load();
                if (alive) setState({ key, data, error: null });
            } catch (error) {
                if (alive) setState((old) => ({ key, data: old.key === key ? old.data : null, error: error as Error }));
            } finally {
                busy = false;
            }
        };
        run.current = () => void once();
        void once();
        const timer = everyMs > 0 ? setInterval(() => !document.hidden && link.peek().state === "up" && void once(), everyMs) : 0;
        let was = link.peek().state;
        const stop = link.subscribe((now) => {
            if (now.state === "up" && was === "down") void once();
            was = now.state;
        });
        return () => {
            alive = false;
            clearInterval(timer);
            stop();
        };
    }, [key, everyMs]);
    const fits = state.key === key;
    return { data: fits ? state.data : null, error: fits ? state.error : null, reload: () => run.current() };
}

/** Width and height of an element, in CSS pixels. */
export function useSize<T extends HTMLElement>(): [preact.RefObject<T>, { width: number; height: number }] {
    const ref = useRef<T>(null);
    const [size, setSize] = useState({ width: 0, height: 0 });
    useLayoutEffect(() => {
        const element = ref.current;
        if (!element) return;
        const look = (): void =>
            setSize((old) => {
                const width = element.clientWidth;
                const height = element.clientHeight;
                return old.width === width && old.height === height ? old : { width, height };
            });
        look();
        const observer = new ResizeObserver(look);
        observer.observe(element);
        return () => observer.disconnect();
    }, []);
    return [ref, size];
}

export function useTitle(title: string): void {
    useEffect(() => {
        document.title = `${title} · Tutti`;
    }, [title]);
}
