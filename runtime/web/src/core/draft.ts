// core/draft.ts: the first text of a pipeline that reads a topic: its type from what was seen. Pure.
import type { Scalar } from "../live/frames";

export interface Seen {
    topic: string;
    /** a value of the topic itself; undefined: its values are fields of a record */
    value?: Scalar;
    /** it came with a quality and a time of its own */
    tag: boolean;
    fields: { name: string; value: Scalar }[];
}

const isName = (text: string): boolean => /^[A-Za-z_][A-Za-z0-9_]*$/.test(text);
const typeOf = (value: Scalar): string => (typeof value === "number" ? "f64" : typeof value === "boolean" ? "bool" : "string(256)");
const quoted = (text: string): string => `"${text.replace(/[\\"]/g, "\\$&")}"`;

export function pipelineName(topic: string, taken: string[]): string {
    const base = `from_${topic.split("/").slice(-2).join("_").replace(/[^A-Za-z0-9_]+/g, "_")}`.slice(0, 48);
    let name = base;
    for (let n = 2; taken.includes(name); n++) name = `${base}_${n}`;
    return name;
}

export function draftText(seen: Seen, name: string): string {
    const fields = seen.fields.filter((field) => isName(field.name));
    const lines = [`pipeline ${name} {`];
    if (seen.value === undefined && fields.length > 0) {
        lines.push(`  from uns ${quoted(seen.topic)} as json {`, ...fields.map((field) => `    ${field.name}: ${typeOf(field.value)}?`), "  }");
    } else if (seen.tag && seen.value !== undefined) {
        lines.push(`  from uns ${quoted(seen.topic)} as json tag ${typeOf(seen.value)}`);
    } else if (typeof seen.value === "number") {
        lines.push(`  from uns ${quoted(seen.topic)} as text`, "  let value = parse_float(text)", "  keep value");
    } else {
        lines.push(`  from uns ${quoted(seen.topic)} as text`);
    }
    lines.push(`  into uns ${quoted(`derived/${seen.topic}`)}`, "  on error drop", "}", "");
    return lines.join("\n");
}
