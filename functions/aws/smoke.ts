// The pre-traffic hook's function. Wiring only.
import { setTimeout as sleep } from "node:timers/promises";
import { createNodeTransport } from "../../lib/http/node-transport.ts";
import { createHook } from "./smoke/hook.ts";

export const handler = createHook({
  env: process.env,
  transport: createNodeTransport({ connectMs: 5_000, headersMs: 60_000, idleMs: 60_000 }),
  now: Date.now,
  sleep,
  write: (line) => void process.stdout.write(`${line}\n`),
});
