// vite.config.ts: how the page is built. Two small plugins feed it from tables that tests read
// too: the colour tokens (src/theme/tokens.ts) and the icons that are used (src/ui/icons.list).
// Nothing is inlined as data: or style, because the server's content policy is 'self' only.
import { readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";
import { hints } from "./hints";
import { tokensCss } from "./src/theme/tokens";

const here = (path: string): string => new URL(path, import.meta.url).pathname;

function tokens(): Plugin {
    const id = "virtual:tokens.css";
    return {
        name: "tokens",
        resolveId: (name) => (name === id ? "\0" + id : null),
        load: (name) => (name === "\0" + id ? tokensCss() : null),
    };
}

/** The inner markup of each icon in the list, so that only those are shipped. */
function icons(): Plugin {
    const id = "virtual:icons";
    return {
        name: "icons",
        resolveId: (name) => (name === id ? "\0" + id : null),
        load(name) {
            if (name !== "\0" + id) return null;
            const list = readFileSync(here("src/ui/icons.list"), "utf8").split(/\s+/).filter(Boolean);
            const entries = list.map((icon) => {
                const svg = readFileSync(here(`node_modules/lucide-static/icons/${icon}.svg`), "utf8");
                const inner = svg.replace(/^[\s\S]*?<svg[^>]*>/, "").replace(/<\/svg>\s*$/, "");
                return `${JSON.stringify(icon)}:${JSON.stringify(inner.replace(/\s*\n\s*/g, ""))}`;
            });
            return `export default {${entries.join(",")}};`;
        },
    };
}

export default defineConfig({
    plugins: [tokens(), icons(), hints(here("src/app.tsx"))],
    esbuild: { jsx: "automatic", jsxImportSource: "preact", legalComments: "none" },
    resolve: {
        alias: {
            "react/jsx-runtime": "preact/jsx-runtime",
            "react-dom": "preact/compat",
            react: "preact/compat",
        },
    },
    build: {
        target: "es2020",
        outDir: process.env.WEB_OUT ?? "dist",
        emptyOutDir: true,
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        manifest: "manifest.json",
        reportCompressedSize: false,
        rollupOptions: {
            output: {
                manualChunks(id) {
                    if (/@xyflow|@dagrejs|zustand|d3-|classcat/.test(id)) return "graph";
                    if (/@codemirror|@lezer|style-mod|crelt|w3c-keyname/.test(id)) return "text";
                    if (/uplot/i.test(id)) return "chart";
                    if (/node_modules\/preact|@preact/.test(id)) return "core";
                    return undefined;
                },
            },
        },
    },
    server: {
        host: "127.0.0.1",
        proxy: {
            "/api": process.env.TUTTI_URL ?? "http://127.0.0.1:8080",
            "/ws": { target: process.env.TUTTI_URL ?? "http://127.0.0.1:8080", ws: true },
        },
    },
});
