// ui/popup.tsx: a menu at a place: by the right button, the menu key, or a button. Arrows move, a letter
// jumps, escape and a click elsewhere close; the focus goes back to where it was.
import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { Icon } from "./icon";

export interface Choice {
    label: string;
    icon: string;
    run: () => void;
}
interface Popup {
    label: string;
    x: number;
    y: number;
    choices: Choice[];
}

const popup = signal<Popup | null>(null);
export const openPopup = (label: string, x: number, y: number, choices: Choice[]): void => void (popup.value = { label, x, y, choices });

/** Which choice a key leads to; null: the key means nothing here. Pure. */
export function popupKey(key: string, labels: string[], at: number): number | null {
    const last = labels.length - 1;
    if (key === "ArrowDown") return at >= last ? 0 : at + 1;
    if (key === "ArrowUp") return at <= 0 ? last : at - 1;
    if (key === "Home") return 0;
    if (key === "End") return last;
    if (key.length !== 1) return null;
    for (let step = 1; step <= labels.length; step++) {
        const next = (at + step) % labels.length;
        if (labels[next]!.toLowerCase().startsWith(key.toLowerCase())) return next;
    }
    return null;
}

function Shown(props: { popup: Popup }) {
    const box = useRef<HTMLDivElement>(null);
    const { choices } = props.popup;
    const close = (): void => void (popup.value = null);
    // Before it is painted: a key pressed as soon as it is seen finds the focus in it.
    useLayoutEffect(() => {
        const before = document.activeElement as HTMLElement | null;
        const element = box.current!;
        const { width, height } = element.getBoundingClientRect();
        element.style.left = `${Math.max(4, Math.min(props.popup.x, innerWidth - width - 4))}px`;
        element.style.top = `${Math.max(4, Math.min(props.popup.y, innerHeight - height - 4))}px`;
        element.querySelector<HTMLElement>("[role=menuitem]")?.focus();
        const outside = (event: Event): void => void (!element.contains(event.target as Node) && close());
        addEventListener("pointerdown", outside);
        addEventListener("resize", close);
        return () => {
            removeEventListener("pointerdown", outside);
            removeEventListener("resize", close);
            // Only when nobody else has taken it meanwhile: a choice may have opened a form.
            if (!document.activeElement || document.activeElement === document.body || element.contains(document.activeElement)) before?.focus();
        };
    }, []);
    const onKey = (event: KeyboardEvent): void => {
        event.stopPropagation();
        const items = [...box.current!.querySelectorAll<HTMLElement>("[role=menuitem]")];
        if (event.key === "Escape" || event.key === "Tab") {
            event.preventDefault();
            close();
            return;
        }
        const next = popupKey(event.key, choices.map((choice) => choice.label), items.indexOf(document.activeElement as HTMLElement));
        if (next === null) return;
        event.preventDefault();
        items[next]?.focus();
    };
    return (
        <div ref={box} class="popup" role="menu" aria-label={props.popup.label} onKeyDown={onKey} onContextMenu={(event) => event.preventDefault()}>
            {choices.map((choice) => (
                <button key={choice.label} role="menuitem" tabIndex={-1} onClick={() => { close(); choice.run(); }}>
                    <Icon name={choice.icon} size={15} /> {choice.label}
                </button>
            ))}
        </div>
    );
}

/** Once in the frame; every page opens its menus by openPopup. */
export function PopupLayer() {
    const open = popup.value;
    return open ? <Shown key={`${open.x} ${open.y} ${open.label}`} popup={open} /> : null;
}
