// The gateway behind a function URL or API Gateway REST. Wiring only.
import { createHandler } from "./handler.ts";
import { processRuntime } from "./process.ts";

const runtime = processRuntime();
// While the process starts its processor is at full speed. A failure is told to the call that meets it.
await runtime.gateway().catch(() => undefined);

export const handler = createHandler(runtime);
