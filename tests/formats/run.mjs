// tests/formats/run.mjs: all tests of this folder; a word chooses those whose name holds it.
import "./cbor.mjs";
import "./msgpack.mjs";
import "./protobuf.mjs";
import "./sparkplug.mjs";
import { runAll } from "./lib.mjs";

process.exitCode = await runAll(process.argv[2]);
