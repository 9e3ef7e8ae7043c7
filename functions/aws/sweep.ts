// One sweep. It throws what fails: the function's own error is what the alarm counts, and the schedule comes again.
import type { Context } from "aws-lambda";
import { openLifetime } from "./lifetime.ts";
import type { Runtime } from "./runtime.ts";

export const createSweeper =
  (runtime: Runtime) =>
  async (_event: unknown, context: Context): Promise<void> => {
    const time = openLifetime(context.getRemainingTimeInMillis(), runtime.clock.now);
    const gateway = await runtime.gateway();
    try {
      await gateway.sweep();
    } finally {
      for (const work of runtime.background) time.waitUntil(work);
      await time.finish(() => gateway.flush());
    }
  };
