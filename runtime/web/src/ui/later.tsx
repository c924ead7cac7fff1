// ui/later.tsx: parts of the page whose code is loaded when they are first wanted.
//
// What is there is a signal: code that comes between the first drawing and its effects is shown, too.
import type { ComponentType, JSX } from "preact";
import { useEffect } from "preact/hooks";
import { signal } from "@preact/signals";
import { Failure } from "./state";

export class Later<P extends object> {
    readonly code = signal<ComponentType<P> | Error | null>(null);
    private started = false;

    constructor(private readonly load: () => Promise<ComponentType<P>>) {}

    /** Loads it, once. */
    start(): void {
        if (this.started) return;
        this.started = true;
        this.load().then(
            (code) => (this.code.value = code),
            () => (this.code.value = new Error("This page could not be loaded. The server may have been updated.")),
        );
    }

    /** What failed is tried again when it is wanted the next time. */
    leave(): void {
        if (!(this.code.peek() instanceof Error)) return;
        this.started = false;
        this.code.value = null;
    }
}

/** The part, or that it is being loaded, or why it is not there. */
export function Part<P extends object>(props: { part: Later<P>; with: P }): JSX.Element {
    const { part } = props;
    part.start();
    useEffect(() => () => part.leave(), [part]);
    const Code = part.code.value;
    if (Code instanceof Error) return <Failure error={Code} retry={() => location.reload()} />;
    return Code ? <Code {...props.with} /> : <div class="loading" aria-busy="true" />;
}
