// On a schedule: ends runs whose process died, settles reservations nobody settled, wakes what waits.
import { processRuntime } from "./process.ts";
import { createSweeper } from "./sweep.ts";

const runtime = processRuntime();
await runtime.gateway().catch(() => undefined);

export const handler = createSweeper(runtime);
