// tests/tools/run.mjs: `node run.mjs [PART...]`: runs the parts named, or all; WORDS picks tests by name.
import { runAll } from "./lib.mjs";

const all = ["options", "infer", "explain", "graph", "diff", "deploy", "replay", "fmt"];
const parts = process.argv.length > 2 ? process.argv.slice(2) : all;
for (const part of parts) await import(`./${part}.mjs`);
process.exit(await runAll(process.env.WORDS));
