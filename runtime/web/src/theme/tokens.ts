// theme/tokens.ts: the colours of both themes, one table. vite turns it into CSS variables, the
// unit test computes every contrast from it, the canvas painters read the variables.
// Habit of ISA-101: grey when normal, colour only when something is abnormal.

export type Theme = "light" | "dark";

export const surfaces = ["bg", "surface", "raised"] as const;

/** name: [light, dark, least contrast against every surface of its theme] */
export const tokens: Record<string, [string, string, number]> = {
    bg: ["#F3F4F6", "#0E1114", 0],
    surface: ["#FFFFFF", "#161A1F", 0],
    raised: ["#E9ECEF", "#20262D", 0],
    text: ["#15181C", "#E9ECEF", 4.5],
    "text-2": ["#474F58", "#B4BCC5", 4.5],
    "text-3": ["#59626C", "#98A2AD", 4.5],
    line: ["#DCE0E4", "#2A3138", 0],
    "line-control": ["#7B858F", "#6F7B87", 3],
    accent: ["#0B57C2", "#7DB1FF", 4.5],
    "on-accent": ["#FFFFFF", "#0B1320", 0],
    ok: ["#1F6B40", "#6CC892", 4.5],
    warn: ["#7A4F00", "#EDBB59", 4.5],
    bad: ["#B3261E", "#FF8A80", 4.5],
    "alarm-1": ["#C4281C", "#FF6B60", 3],
    "alarm-2": ["#B85A00", "#FF9E4A", 3],
    "alarm-3": ["#8A6A00", "#F2D04B", 3],
    "alarm-4": ["#7A3FB0", "#C79BFF", 3],
    "series-1": ["#0B57C2", "#7DB1FF", 3],
    "series-2": ["#B85A00", "#FF9E4A", 3],
    "series-3": ["#00755E", "#4CC9A8", 3],
    "series-4": ["#A8325E", "#F584AE", 3],
    "series-5": ["#7A3FB0", "#C79BFF", 3],
    "series-6": ["#6B6100", "#D6C84A", 3],
    "series-7": ["#0F7391", "#5CC3E0", 3],
    "series-8": ["#474F58", "#B4BCC5", 3],
};

const block = (theme: Theme): string =>
    `color-scheme:${theme};` +
    Object.entries(tokens)
        .map(([name, row]) => `--${name}:${row[theme === "light" ? 0 : 1]}`)
        .join(";");

/** System theme by default; <html data-theme> overrides it. */
export function tokensCss(): string {
    return (
        `:root{${block("light")}}` +
        `@media (prefers-color-scheme:dark){:root:not([data-theme=light]){${block("dark")}}}` +
        `:root[data-theme=dark]{${block("dark")}}`
    );
}

function luminance(hex: string): number {
    const part = (at: number): number => {
        const c = parseInt(hex.slice(at, at + 2), 16) / 255;
        return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    };
    return 0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5);
}

/** Contrast ratio of WCAG 2.2, 1..21. */
export function contrast(a: string, b: string): number {
    const [hi, lo] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
    return (hi + 0.05) / (lo + 0.05);
}
