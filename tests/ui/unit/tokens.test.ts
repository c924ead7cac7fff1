import { describe, expect, it } from "vitest";
import { contrast, surfaces, tokens, tokensCss } from "@/theme/tokens";

describe("tokens", () => {
    // Pairs with contrasts published by WCAG's own examples and by hand calculation.
    it("computes the contrast of WCAG 2.2", () => {
        expect(contrast("#000000", "#FFFFFF")).toBeCloseTo(21, 5);
        expect(contrast("#777777", "#FFFFFF")).toBeCloseTo(4.48, 2);
        expect(contrast("#767676", "#FFFFFF")).toBeCloseTo(4.54, 2);
        expect(contrast("#FFFFFF", "#FFFFFF")).toBe(1);
    });
    for (const [theme, at] of [["light", 0], ["dark", 1]] as const) {
        for (const [name, row] of Object.entries(tokens)) {
            const least = row[2];
            if (least === 0) continue;
            it(`${name} stands out on every surface, ${theme}`, () => {
                for (const surface of surfaces) {
                    expect(contrast(row[at], tokens[surface]![at]), `on ${surface}`).toBeGreaterThanOrEqual(least);
                }
            });
        }
        it(`text on the accent colour is readable, ${theme}`, () => {
            expect(contrast(tokens["on-accent"]![at], tokens.accent![at])).toBeGreaterThanOrEqual(4.5);
        });
    }
    it("writes every token for both themes", () => {
        const css = tokensCss();
        for (const [name, [light, dark]] of Object.entries(tokens)) {
            expect(css).toContain(`--${name}:${light}`);
            expect(css.split(`--${name}:${dark}`).length - 1).toBeGreaterThanOrEqual(2);
        }
    });
});
