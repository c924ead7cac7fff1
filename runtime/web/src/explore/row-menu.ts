// explore/row-menu.ts: what can be done with a path: by the right button, the menu key, or the button of a row.
import { go, param } from "../core/router";
import { mayEngineer } from "../core/session";
import type { Choice } from "../ui/popup";
import { openPopup } from "../ui/popup";
import { comparePath } from "./compare";
import { askDashboard } from "./to-dashboard";
import type { TreeNode } from "./tree";

const inQuery = (path: string): string => encodeURIComponent(path).replace(/%2F/g, "/");

export async function copyText(text: string): Promise<void> {
    await navigator.clipboard?.writeText(text).catch(() => undefined);
}

export function choicesOf(node: Pick<TreeNode, "path" | "hasValue">): Choice[] {
    const { path, hasValue } = node;
    const selected = param("path");
    const list: (Choice | false)[] = [
        { label: "Copy path", icon: "copy", run: () => void copyText(path) },
        hasValue && { label: "History", icon: "chart-line", run: () => go(`/uns?path=${inQuery(path)}&tab=history`) },
        hasValue && selected !== "" && selected !== path && { label: "Compare in the chart", icon: "chart-line", run: () => comparePath(path) },
        mayEngineer.value && { label: "Add to dashboard", icon: "layout-dashboard", run: () => askDashboard(path) },
        mayEngineer.value && { label: "New pipeline", icon: "workflow", run: () => go(`/new-pipeline?topic=${inQuery(path)}`) },
        mayEngineer.value && { label: "Edit schema", icon: "shield-check", run: () => go(`/uns?path=${inQuery(path)}&tab=schema`) },
        mayEngineer.value && hasValue && { label: "Set alarm", icon: "bell", run: () => go(`/alarms?tab=rules&on=${inQuery(path)}`) },
    ];
    return list.filter((choice): choice is Choice => choice !== false);
}

export const openRowMenu = (node: Pick<TreeNode, "path" | "hasValue">, x: number, y: number): void => openPopup(`Actions for ${node.path}`, x, y, choicesOf(node));
