// core/strength.ts: how hard a password is to guess, roughly.

export const LEAST = 8;

/** 0..4, from length and variety; a hint for people, the server has the last word. */
export function strength(password: string): number {
    if (password.length < LEAST) return 0;
    const kinds = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^A-Za-z0-9]/].filter((kind) => kind.test(password)).length;
    const distinct = new Set(password).size;
    const bits = Math.min(distinct, password.length) * (2 + kinds * 0.8);
    return bits < 28 ? 1 : bits < 42 ? 2 : bits < 60 ? 3 : 4;
}
