// What a run asks of the limits: its request, and the history that its thread puts before it.
import { estimateInputTokens } from "../chat/estimate.ts";
import type { Demand } from "../limits/types.ts";
import type { Thread } from "../threads/head.ts";
import type { ModelServices } from "./services.ts";
import type { RunSpec } from "./types.ts";

/** Estimates are within about 30 % of the truth. */
const margin = 1.3;

/** `more`: tokens of messages that the thread doesn't hold yet. The history is cut to the model's window, so it may be less. */
export const runDemand = (
  models: ModelServices,
  spec: RunSpec,
  head: Pick<Thread, "id" | "tokens" | "ratio"> | undefined,
  more = 0,
): Demand => ({
  caller: spec.caller,
  requestId: spec.requestId,
  wire: spec.wire,
  operation: "run",
  model: spec.request.model,
  targets: models.resolve(spec.request.model),
  inputTokens: () =>
    Math.ceil(
      (estimateInputTokens({ ...spec.request, messages: [] }) + more + (head?.tokens ?? 0)) *
        Math.max(1, head?.ratio ?? 1) *
        margin,
    ),
  outputTokens: () => spec.request.maxOutputTokens,
  answers: () => 1,
  ...(head === undefined ? {} : { thread: head.id }),
});
