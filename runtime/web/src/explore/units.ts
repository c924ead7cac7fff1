// explore/units.ts: the unit of a value where people gave it none: that of its field in the schema of its topic.
//
// Bindings are read once a while; a topic that has one is asked for its type once. So a tree without
// schemas asks nothing per row.
import { api, type SchemaOf } from "../core/api";
import type { Cell } from "../live/values";

const BINDINGS_MS = 30_000;
const TOPICS_MAX = 500;

/** The unit of a path below the topic of a schema; "" when there is none. */
export function unitInSchema(schema: SchemaOf | null, path: string): string {
    if (!schema?.topic) return "";
    const inside = path.startsWith(`${schema.topic}/`) ? path.slice(schema.topic.length + 1).split("/") : [];
    let form = schema.form;
    for (const name of inside) form = form?.fields?.find((field) => field.name === name);
    return form?.unit ?? "";
}

/** The path itself or what is above it, where a filter of MQTT fits; null: nowhere. */
export function topicOf(path: string, filters: readonly string[]): string | null {
    const levels = path.split("/");
    for (let count = levels.length; count > 0; count--) {
        const topic = levels.slice(0, count);
        if (filters.some((filter) => fits(filter.split("/"), topic))) return topic.join("/");
    }
    return null;
}

function fits(filter: string[], topic: string[]): boolean {
    for (let at = 0; at < filter.length; at++) {
        if (filter[at] === "#") return true;
        if (at >= topic.length || (filter[at] !== "+" && filter[at] !== topic[at])) return false;
    }
    return filter.length === topic.length;
}

let filters: Promise<string[]> = Promise.resolve([]);
let asked = -BINDINGS_MS;
const schemas = new Map<string, Promise<SchemaOf | null>>();

function filtersNow(): Promise<string[]> {
    if (performance.now() - asked < BINDINGS_MS) return filters;
    asked = performance.now();
    schemas.clear();
    filters = api.bindings().then((all) => all.bindings.map((one) => one.filter), () => []);
    return filters;
}

/** Tells the cell its unit, when a schema knows one. */
export async function askUnit(cell: Cell): Promise<void> {
    const list = await filtersNow();
    const topic = list.length ? topicOf(cell.path, list) : null;
    if (topic === null) return;
    let schema = schemas.get(topic);
    if (!schema) {
        if (schemas.size >= TOPICS_MAX) schemas.clear();
        schema = api.schemaOf(topic).catch(() => null);
        schemas.set(topic, schema);
    }
    cell.unit.value = unitInSchema(await schema, cell.path);
}
