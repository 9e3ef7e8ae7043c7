// One sweep. It throws what fails: the function's own error is what the alarm counts, and the schedule comes again.
import type { Context } from "aws-lambda";
import type { Gateway } from "../../lib/gateway.ts";
import { boundsOf, openLifetime } from "../shared/lifetime.ts";
import type { Runtime } from "./runtime.ts";

export const createSweeper =
  (runtime: Runtime) =>
  async (_event: unknown, context: Context): Promise<void> => {
    const time = openLifetime(boundsOf(context.getRemainingTimeInMillis()), runtime.clock.now);
    let gateway: Gateway | undefined;
    try {
      gateway = await runtime.gateway();
      await gateway.sweep(time.over);
    } finally {
      await runtime.finish(time, gateway);
    }
  };
