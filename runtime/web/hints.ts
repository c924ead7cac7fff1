// hints.ts: one html file for each page (dist/page/...), which names all code and styles that page
// will want and the first question it asks, so that browsers fetch them side by side and not one
// after the other. The routes are read from src/app.tsx, the files from what was just built.
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

function routesOf(source: string): [file: string, module: string][] {
    const lines = [...source.matchAll(/match: \/\^(.*?)\$\/, page: new Later\(\(\) => import\("\.\/([^"]+)"\)/g)];
    if (lines.length === 0 || lines.length !== source.match(/new Later\(/g)!.length) throw new Error("hints: the routes of src/app.tsx are not read");
    return lines.map((line) => [pageFile(line[1]!), line[2]!]);
}

export function hints(app: string): Plugin {
    return {
        name: "hints",
        enforce: "post",
        generateBundle(_options, bundle) {
            const chunks = Object.values(bundle) as unknown as Chunk[];
            const index = bundle["index.html"];
            if (index?.type !== "asset") throw new Error("hints: index.html was not built");
            const plain = String(index.source);
            const asks = `<link rel="preload" as="fetch" crossorigin href="/api/v1/auth/state">\n`;
            for (const [file, module] of routesOf(readFileSync(app, "utf8"))) {
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
                const links = asks
                    + [...code].filter(missing).map((name) => `<link rel="modulepreload" crossorigin href="/${name}">\n`).join("")
                    + [...styles].filter(missing).map((name) => `<link rel="stylesheet" crossorigin href="/${name}">\n`).join("");
                this.emitFile({ type: "asset", fileName: file, source: plain.replace("</head>", `${links}</head>`) });
            }
            index.source = plain.replace("</head>", `${asks}</head>`);
        },
    };
}
