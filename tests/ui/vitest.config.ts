import { defineConfig } from "vitest/config";

// The pages' packages live beside their sources; tests find them from there.
export default defineConfig({
    test: { include: ["unit/**/*.test.ts"], environment: "node", reporters: ["default"] },
    resolve: { alias: { "@": new URL("../../runtime/web/src", import.meta.url).pathname } },
});
