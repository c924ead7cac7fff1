// explore/compare.ts: which topics one chart shows together: the selected one and those of the address.
import { param, params, setParams } from "../core/router";

export const SERIES_MAX = 8;

export function comparePath(path: string): void {
    const others = params("with");
    const here = param("path");
    if (path === here || others.includes(path) || others.length + 1 >= SERIES_MAX) return;
    setParams({ tab: "history", with: [...others, path] }, false);
}
