// alarms/origin.tsx: where a rule was declared, as a link to where it is changed.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api } from "../core/api";
import { originOf } from "./rule";

/** Which pipeline opens which program; asked for once for all rows, and again after a while. */
const pipelineOf = signal<ReadonlyMap<string, string>>(new Map());
const againMs = 10_000;
let askedAt = -Infinity;

function askPrograms(): void {
    if (performance.now() - askedAt < againMs) return;
    askedAt = performance.now();
    const take = ({ pipelines }: { pipelines: { name: string; file: string }[] }): void => {
        const found = new Map<string, string>();
        for (const { name, file } of pipelines) if (!found.has(file)) found.set(file, name);
        pipelineOf.value = found;
    };
    void api.pipelines().then(take, () => undefined); // without an answer the name stands alone
}

function Program(props: { file: string }) {
    useEffect(askPrograms, []);
    const pipeline = pipelineOf.value.get(props.file);
    const text = `program ${props.file}`;
    return pipeline === undefined ? <>{text}</> : <a href={`/pipelines/${encodeURIComponent(pipeline)}`}>{text}</a>;
}

/** `path` is one that has such an alarm: its schema is edited where the path is explored. */
export function Origin(props: { origin: string; path: string | undefined }) {
    const { kind, name } = originOf(props.origin);
    if (kind === "program") return <Program file={name} />;
    if (kind === "schema" && props.path !== undefined)
        return <a href={`/uns?path=${encodeURIComponent(props.path)}&tab=schema`}>schema {name}</a>;
    return <>{props.origin || "this page or the API"}</>;
}
