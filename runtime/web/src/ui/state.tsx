// ui/state.tsx: how states look, everywhere the same: a shape and a word go with every colour, and
// what is normal stays grey.
import type { ReadonlySignal } from "@preact/signals";
import { Icon } from "./icon";
import type { State } from "../live/values";

const values: Record<State, { icon: string; word: string }> = {
    good: { icon: "check", word: "good" },
    uncertain: { icon: "triangle-alert", word: "uncertain" },
    stale: { icon: "clock", word: "stale" },
    bad: { icon: "circle-x", word: "bad" },
    never: { icon: "minus", word: "never seen" },
};

export function ValueState(props: { state: ReadonlySignal<State> }) {
    const { icon, word } = values[props.state.value];
    return (
        <span class={`chip is-${props.state.value}`}>
            <Icon name={icon} size={13} />
            {word}
        </span>
    );
}

const runs: Record<string, { icon: string; tone: string }> = {
    running: { icon: "play", tone: "normal" },
    compiling: { icon: "loader", tone: "normal" },
    draining: { icon: "loader", tone: "normal" },
    stopped: { icon: "square", tone: "quiet" },
    failed: { icon: "circle-x", tone: "bad" },
    connected: { icon: "check", tone: "normal" },
    connecting: { icon: "loader", tone: "normal" },
    waiting: { icon: "clock", tone: "warn" },
    disabled: { icon: "pause", tone: "quiet" },
    idle: { icon: "minus", tone: "quiet" },
    degraded: { icon: "triangle-alert", tone: "warn" },
};

export function RunState(props: { state: string }) {
    const { icon, tone } = runs[props.state] ?? { icon: "circle-dot", tone: "quiet" };
    return (
        <span class={`chip is-${tone}`}>
            <Icon name={icon} size={13} />
            {props.state}
        </span>
    );
}

/** What a page shows instead of a list: one sentence, and what to do next. */
export function Empty(props: { title: string; children?: preact.ComponentChildren; icon?: string }) {
    return (
        <div class="empty">
            <Icon name={props.icon ?? "circle-dot"} size={28} />
            <h2>{props.title}</h2>
            <div class="empty-text">{props.children}</div>
        </div>
    );
}

export function Failure(props: { error: Error; retry?: () => void }) {
    return (
        <div class="failure" role="alert">
            <Icon name="triangle-alert" />
            <span>{props.error.message}</span>
            {props.retry && (
                <button class="button small" onClick={props.retry}>
                    Try again
                </button>
            )}
        </div>
    );
}
