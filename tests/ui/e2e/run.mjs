// tests/ui/e2e/run.mjs: all browser tests in one program and one browser; order matters: the first
// sets the password, the one that kills the program comes last.
import { runAll } from "./harness.mjs";
import "./first.mjs";
import "./explore.mjs";
import "./history.mjs";
import "./rows.mjs";
import "./names.mjs";
import "./pipelines.mjs";
import "./alarms.mjs";
import "./sparkplug.mjs";
import "./bridges.mjs";
import "./everywhere.mjs";
import "./link.mjs";

await runAll();
