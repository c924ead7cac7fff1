// explore/import-file.ts: sends a file of names, part by part where it is more than one request holds.
import { api, ApiError, type ImportTable } from "../core/api";
import { numberText, plural } from "../core/format";
import { FILE_BYTES, partsOf, placeOf, type FilePart } from "./parts";

const ERRORS_MAX = 100;
const ROWS_KEPT = 2000;

export type Progress = (done: number, all: number) => void;

/** The answer to one part, also when it is that rows of it are wrong, with places of the file. */
async function send(part: FilePart, format: "csv" | "json", dry: boolean): Promise<ImportTable> {
    let table: ImportTable | null;
    try {
        table = await api.importNames(part.text, format, dry);
    } catch (failure) {
        table = failure instanceof ApiError ? (failure.body as ImportTable | null) : null;
        if (!table?.errors?.length) throw failure;
    }
    const errors = table.errors.map((error) => {
        const [line, column] = placeOf(part, error.line, error.column);
        return { ...error, line, column };
    });
    return { ...table, errors };
}

function add(all: ImportTable, part: ImportTable): void {
    for (const key of ["nodes", "new", "changed", "same", "made", "error_count"] as const) all[key] += part[key] ?? 0;
    all.room = part.room;
    all.rows.push(...part.rows.slice(0, ROWS_KEPT - all.rows.length));
    all.errors.push(...part.errors.slice(0, ERRORS_MAX - all.errors.length));
}

/**
 * Looks at all of a file (`dry`) or takes it. Each part is taken as a whole or not at all; what is wrong with
 * a later one leaves the ones before, and the error says so.
 */
export async function importFile(text: string, format: "csv" | "json", dry: boolean, progress: Progress): Promise<ImportTable> {
    if (text.length > FILE_BYTES) throw new Error(`The file has more than ${FILE_BYTES >> 20} MiB: import it in parts.`);
    const parts = partsOf(text, format);
    const all: ImportTable = { dry, nodes: 0, new: 0, changed: 0, same: 0, made: 0, rows: [], errors: [], error_count: 0 };
    const rows = parts.reduce((sum, part) => sum + part.rows, 0);
    let done = 0;
    for (const part of parts) {
        if (parts.length > 1) progress(done, rows);
        const before = dry || done === 0 ? "nothing was imported" : `what stands before line ${part.line} is imported`;
        try {
            add(all, await send(part, format, dry));
        } catch (failure) {
            if (parts.length === 1) throw failure;
            throw new Error(`From line ${part.line}: ${(failure as Error).message}; ${before}.`);
        }
        const first = all.errors[0];
        if (first && (!dry || all.errors.length === ERRORS_MAX || part === parts[parts.length - 1]))
            throw new ApiError(400, "INVALID", `line ${first.line}, column ${first.column}: ${first.text}; ${before}`, all);
        done += part.rows;
    }
    return roomFor(all);
}

/** Each part had room by itself. A name above two parts is counted twice: then they may fit. */
function roomFor(all: ImportTable): ImportTable {
    const { room = Infinity, made } = all;
    const left = `the tree takes ${numberText(room, 0)} more names`;
    if (all.new > room) throw new Error(`${plural("name", all.new)} would be new, ${left}; nothing was imported.`);
    return made > room ? { ...all, warning: `With those above them about ${numberText(made, 0)} names would be new, ${left}: the last rows may not fit.` } : all;
}
