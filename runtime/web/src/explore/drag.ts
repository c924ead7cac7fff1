// explore/drag.ts: a path on its way from a row of the tree to where it is dropped.
import { signal } from "@preact/signals";

const TYPE = "application/x-tutti-path";

/** the path under way; null: none */
export const dragging = signal<string | null>(null);

export function startDrag(event: DragEvent, path: string): void {
    if (!event.dataTransfer) return;
    event.dataTransfer.setData(TYPE, path);
    event.dataTransfer.setData("text/plain", path);
    event.dataTransfer.effectAllowed = "copy";
    // A document that changes inside of dragstart ends the drag: the places to drop at come a moment later.
    setTimeout(() => (dragging.value = path), 0);
}
export const endDrag = (): void => void (dragging.value = null);

/** Says that it may be dropped here. */
export function takesPaths(event: DragEvent): boolean {
    if (!event.dataTransfer?.types.includes(TYPE)) return false;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    return true;
}

export function droppedPath(event: DragEvent): string {
    const path = event.dataTransfer?.getData(TYPE) ?? "";
    if (path) event.preventDefault();
    endDrag();
    return path;
}
