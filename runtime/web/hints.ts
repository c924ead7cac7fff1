// hints.ts: one html file for each page (dist/page/...), which names all code and styles that page
// will want and the first question it asks, so that browsers fetch them side by side and not one
// after the other. What is answered only to who is signed in stands in a second file, which the
// server gives to browsers that have a session. The routes are read from src/app.tsx, the files from what was just built.
import { readFileSync } from "node:fs";
import type { Plugin } from "vite";

interface Chunk {
    type: string;
    fileName: string;
    isEntry?: boolean;
    imports?: string[];
    facadeModuleId?: string | null;
    moduleIds?: string[];
    viteMetadata?: { importedCss: Set<string> };
}

/** Where runtime/module/gateway_static.c looks: the first part of the address, and /one for what is below it. */
function pageFile(pattern: string): string {
    const first = /^\\\/([a-z-]*)/.exec(pattern)![1]!;
    return `page/${first || "home"}${pattern.includes("(") ? "/one" : ""}.html`;
}

function routesOf(source: string): { file: string; module: string; asks?: string }[] {
    const lines = [...source.matchAll(/match: \/\^(.*?)\$\/, page: new Later\(\(\) => import\("\.\/([^"]+)"\).*?\)(?:, asks: "([^"]+)")? \},$/gm)];
    if (lines.length === 0 || lines.length !== source.match(/new Later\(/g)!.length) throw new Error("hints: the routes of src/app.tsx are not read");
    return lines.map((line) => ({ file: pageFile(line[1]!), module: line[2]!, asks: line[3] }));
}

const asked = (question: string): string => `<link rel="preload" as="fetch" crossorigin href="/api/v1/${question}">\n`;

export function hints(app: string): Plugin {
    return {
        name: "hints",
        enforce: "post",
        generateBundle(_options, bundle) {
            const chunks = Object.values(bundle) as unknown as Chunk[];
            const index = bundle["index.html"];
            if (index?.type !== "asset") throw new Error("hints: index.html was not built");
            const plain = String(index.source);
            const font = Object.keys(bundle).find((name) => name.endsWith(".woff2"));
            const who = asked("auth/state") + (font ? `<link rel="preload" as="font" type="font/woff2" crossorigin href="/${font}">\n` : "");
            for (const { file, module, asks } of routesOf(readFileSync(app, "utf8"))) {
                const start = chunks.find((chunk) => chunk.facadeModuleId?.includes(`/src/${module}.`) || chunk.moduleIds?.some((id) => id.includes(`/src/${module}.`)));
                if (!start) throw new Error(`hints: no chunk for ${module}`);
                const code = new Set<string>();
                const styles = new Set<string>();
                const take = (name: string): void => {
                    const chunk = bundle[name] as unknown as Chunk;
                    if (!chunk || code.has(name)) return;
                    code.add(name);
                    chunk.viteMetadata?.importedCss.forEach((css) => styles.add(css));
                    chunk.imports?.forEach(take);
                };
                take(start.fileName);
                const missing = (name: string): boolean => !plain.includes(name);
                const links = [...code].filter(missing).map((name) => `<link rel="modulepreload" crossorigin href="/${name}">\n`).join("")
                    + [...styles].filter(missing).map((name) => `<link rel="stylesheet" crossorigin href="/${name}">\n`).join("");
                const html = (asks: string): string => plain.replace("</head>", `${asks}${links}</head>`);
                this.emitFile({ type: "asset", fileName: file, source: html(who) });
                if (asks) this.emitFile({ type: "asset", fileName: file.replace(".html", "+session.html"), source: html(who + asked(asks)) });
            }
            index.source = plain.replace("</head>", `${who}</head>`);
        },
    };
}
