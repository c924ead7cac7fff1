// explore/parts.ts: a file of names in parts that the server takes in one request each, without
// losing where a row stands in the file. Pure.
//
// A part of CSV is the line of columns and some rows, a part of JSON some nodes between brackets;
// both are pieces of the file as it is, so lines and columns of errors can be told for the file.

/** A request of the server has 1 MiB; parts are smaller, so that nobody waits long behind one. */
export const PART_BYTES = 600_000;
export const PART_ROWS = 5000;
export const FILE_BYTES = 32 << 20;

export interface FilePart {
    text: string;
    /** lines of the part that stand before its first row: the columns of a CSV */
    head: number;
    /** the line of the file, from 1, on which its first row begins */
    line: number;
    /** columns by which the first line of its rows stands further right in the file */
    shift: number;
    rows: number;
}

/** Bytes of one unit of text as JSON in UTF-8. */
function cost(code: number): number {
    if (code === 34 || code === 92 || code === 10 || code === 13 || code === 9) return 2;
    return code < 32 ? 6 : code < 128 ? 1 : code < 2048 ? 2 : 3;
}

/** Collects rows, which follow one another, into parts. */
class Cutter {
    readonly parts: FilePart[] = [];
    private from = -1;
    private to = 0;
    private bytes = 0;
    private rows = 0;
    private line = 1;
    private shift = 0;

    constructor(private readonly text: string, private readonly before: string, private readonly head: number, private readonly after: string,
        private readonly bytesMax: number, private readonly rowsMax: number) {}

    row(from: number, to: number, bytes: number, line: number, shift: number): void {
        if (this.from >= 0 && (this.rows >= this.rowsMax || this.bytes + bytes > this.bytesMax)) this.end();
        if (bytes > this.bytesMax) throw new Error(`Line ${line}: one row has more than ${this.bytesMax} bytes; a quotation mark may be missing.`);
        if (this.from < 0) {
            this.from = from;
            this.line = line;
            this.shift = shift;
            this.bytes = 0;
            this.rows = 0;
        }
        this.to = to;
        this.bytes += bytes;
        this.rows++;
    }

    end(): FilePart[] {
        if (this.from >= 0 || this.parts.length === 0) {
            const rows = this.from < 0 ? "" : this.text.slice(this.from, this.to);
            this.parts.push({ text: this.before + rows + this.after, head: this.head, line: this.line, shift: this.shift, rows: this.rows });
        }
        this.from = -1;
        return this.parts;
    }
}

/** Rows end at line ends outside of quotes; a quotation mark opens at the start of a cell only. */
function csvParts(text: string, bytesMax: number, rowsMax: number): FilePart[] {
    const separator = (/^[^\n]*?([,;\t])/.exec(text)?.[1] ?? ",").charCodeAt(0); // the first in the line of columns, as the server takes it
    let cutter = undefined as Cutter | undefined;
    let quoted = false;
    let cellStart = true;
    let from = 0;
    let line = 1;
    let rowLine = 1;
    let bytes = 0;
    const row = (to: number): void => {
        if (cutter) cutter.row(from, to, bytes, rowLine, 0);
        else cutter = new Cutter(text, text.slice(0, to), line - 1, "", bytesMax, rowsMax);
        from = to;
        bytes = 0;
        rowLine = line;
    };
    for (let at = 0; at < text.length; at++) {
        const code = text.charCodeAt(at);
        bytes += cost(code);
        if (code === 10) line++;
        const mark: boolean = code === 34 && (quoted || cellStart);
        if (mark) quoted = !quoted;
        else if (code === 10 && !quoted) row(at + 1);
        cellStart = mark || code === separator || code === 10; // a mark behind one is a mark in the text
    }
    if (from < text.length) row(text.length);
    return cutter ? cutter.end() : [{ text, head: 0, line: 1, shift: 0, rows: 0 }];
}

/** Elements of the list of nodes: the file itself, or its member "nodes". */
function jsonParts(text: string, bytesMax: number, rowsMax: number): FilePart[] {
    const cutter = new Cutter(text, "[", 0, "]", bytesMax, rowsMax);
    let depth = 0;
    let list = -1; // the depth inside the list of nodes
    let key = "";
    let from = -1;
    let fromLine = 1;
    let fromColumn = 1;
    let line = 1;
    let lineStart = 0;
    let bytes = 0;
    const end = (to: number): void => {
        if (from >= 0) cutter.row(from, to, bytes, fromLine, fromColumn - 2); // behind the bracket, from 1
        from = -1;
    };
    for (let at = 0; at < text.length; at++) {
        const code = text.charCodeAt(at);
        if (depth === list && (code === 44 || code === 93)) {
            end(at);
            if (code === 93) return cutter.end();
            continue;
        }
        if (code === 10) {
            line++;
            lineStart = at + 1;
        }
        if (depth === list && from < 0 && code > 32) {
            from = at;
            fromLine = line;
            fromColumn = at - lineStart + 1;
            bytes = 0;
        }
        bytes += cost(code);
        if (code === 34) {
            const start = at;
            for (at++; at < text.length && text.charCodeAt(at) !== 34; at++) {
                bytes += cost(text.charCodeAt(at));
                if (text.charCodeAt(at) === 92) bytes += cost(text.charCodeAt(++at));
            }
            bytes += 2;
            if (depth === 1 && list < 0) key = text.slice(start + 1, at);
        } else if (code === 91 || code === 123) {
            depth++;
            if (list < 0 && code === 91 && (depth === 1 || (depth === 2 && key === "nodes"))) list = depth;
        } else if (code === 93 || code === 125) {
            depth--;
        }
    }
    if (list < 0) throw new Error('The file is no list of nodes: it is JSON like [{"path":...}] or {"nodes":[...]}.');
    throw new Error(`Line ${line}: the file ends before its list of nodes does.`);
}

/** The whole as one part when it is small: then the server checks and takes it as a whole. */
export function partsOf(text: string, format: "csv" | "json", bytesMax = PART_BYTES, rowsMax = PART_ROWS): FilePart[] {
    let bytes = 0;
    let lines = 1;
    for (let at = 0; at < text.length && bytes <= bytesMax && lines <= rowsMax; at++) {
        const code = text.charCodeAt(at);
        bytes += cost(code);
        if (code === 10) lines++;
    }
    if (bytes <= bytesMax && lines <= rowsMax) return [{ text, head: 0, line: 1, shift: 0, rows: lines }];
    return format === "csv" ? csvParts(text, bytesMax, rowsMax) : jsonParts(text, bytesMax, rowsMax);
}

/** A place of a part as a place of the file. */
export function placeOf(part: FilePart, line: number, column: number): [line: number, column: number] {
    if (line <= part.head) return [line, column];
    const behind = line - part.head;
    return [part.line + behind - 1, behind === 1 ? column + part.shift : column];
}
