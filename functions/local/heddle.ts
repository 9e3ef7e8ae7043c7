#!/usr/bin/env node
// The `heddle` command's first file: what was compiled is kept for the next start (20 ms of it), so the rest is imported after.
import { enableCompileCache, flushCompileCache } from "node:module";

// Where the temporary folder can't be written it does nothing.
enableCompileCache();
await import("./cli.ts");
setTimeout(flushCompileCache, 500).unref();
