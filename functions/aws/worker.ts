// Background runs, from SQS: one job a message. What fails comes again, and lies in the dead-letter queue when it has failed too often.
import { processRuntime } from "./process.ts";
import { createWorker } from "./work.ts";

const runtime = processRuntime();
await runtime.gateway().catch(() => undefined);

export const handler = createWorker(runtime);
