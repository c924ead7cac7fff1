// core/format.ts: numbers, ages and times as people read them. Pure and cached: called per value.
import type { Scalar } from "../live/frames";

const numbers = new Map<number, Intl.NumberFormat>();

/** Grouped, fixed decimals, by the browser's locale. */
export function numberText(value: number, decimals: number): string {
    if (!Number.isFinite(value)) return String(value);
    const size = Math.abs(value);
    if (size !== 0 && (size >= 1e12 || size < 1e-4)) return value.toExponential(3);
    let format = numbers.get(decimals);
    if (!format) {
        format = new Intl.NumberFormat(undefined, { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
        numbers.set(decimals, format);
    }
    return format.format(value);
}

export function valueText(value: Scalar, decimals: number): string {
    if (value === null) return "–";
    if (typeof value === "number") return numberText(value, Number.isInteger(value) && decimals === 0 ? 0 : decimals);
    if (typeof value === "boolean") return value ? "true" : "false";
    return value;
}

/** A rate per second or a count, short: 1 204, 12.4k, 3.1M. */
export function shortNumber(value: number): string {
    const size = Math.abs(value);
    if (size >= 1e9) return numberText(value / 1e9, 1) + "G";
    if (size >= 1e6) return numberText(value / 1e6, 1) + "M";
    if (size >= 1e5) return numberText(value / 1e3, 0) + "k";
    if (size >= 1e4) return numberText(value / 1e3, 1) + "k";
    if (size >= 100 || Number.isInteger(value)) return numberText(value, 0);
    return numberText(value, 1);
}

export function ageText(ms: number): string {
    const s = Math.floor(ms / 1000);
    if (s < 1) return "now";
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min`;
    if (s < 86400) return `${Math.floor(s / 3600)} h`;
    return `${Math.floor(s / 86400)} d`;
}

export function bytesText(bytes: number): string {
    const units = ["B", "KB", "MB", "GB", "TB"];
    let at = 0;
    let value = bytes;
    while (value >= 1000 && at < units.length - 1) {
        value /= 1000;
        at++;
    }
    return `${numberText(value, at === 0 || value >= 100 ? 0 : 1)} ${units[at]}`;
}

const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false } as const;
const day = { year: "numeric", month: "2-digit", day: "2-digit", ...clock } as const;
/** Made when first used: it takes a browser longer to make one than to run the rest of this file. */
let times: { clock: Intl.DateTimeFormat; day: Intl.DateTimeFormat } | undefined;

/** Time of day; with the date when it is not today. */
export function timeText(ms: number): string {
    times ??= { clock: new Intl.DateTimeFormat(undefined, clock), day: new Intl.DateTimeFormat(undefined, day) };
    const date = new Date(ms);
    return (date.toDateString() === new Date().toDateString() ? times.clock : times.day).format(date);
}

export const isoText = (ms: number): string => new Date(ms).toISOString();

/** A number in a sentence: plural("value", 2) is "2 values". */
export const plural = (word: string, count: number): string => `${numberText(count, 0)} ${word}${count === 1 ? "" : "s"}`;
