// pages/own-part.ts: short labels for the paths of one widget.

/** What tells a path from the others of its widget: without the levels that all of them share. */
export function ownPart(path: string, all: string[]): string {
    const split = all.map((other) => other.split("/"));
    const own = path.split("/");
    const same = (at: number): boolean => split.every((other) => other.at(at) === own.at(at));
    let head = 0;
    while (head < own.length - 1 && same(head)) head++;
    let foot = 0;
    while (foot < own.length - head - 1 && same(-1 - foot)) foot++;
    return own.slice(head, own.length - foot).join("/");
}
