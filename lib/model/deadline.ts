// The end of an invocation's time: the error that its signals fire with, and how one who only reads tells it from a caller that left.
import { GatewayError } from "./error.ts";

/** Another try would take as long: SDKs are told not to. */
export const timeIsOver = (): GatewayError =>
  new GatewayError("upstream_timeout", "The time for this answer is over.", {
    retryable: false,
    headers: { "x-should-retry": "false" },
  });

/** The error that is still to be told, where the signal fired though the caller is there. */
export const cutShort = (signal: AbortSignal | undefined): GatewayError | undefined =>
  signal?.aborted === true && signal.reason instanceof GatewayError && signal.reason.code !== "cancelled"
    ? signal.reason
    : undefined;

/** The same for a reader of a run, which goes on: where the rest is told. `after`: the number of the last event that was read. */
export const cutShortAt = (
  error: GatewayError,
  thread: string,
  run: string,
  after: number,
  wire?: string,
): GatewayError => {
  const query = `after=${after}${wire === undefined ? "" : `&wire=${wire}`}`;
  const path = `/v1/threads/${encodeURIComponent(thread)}/runs/${encodeURIComponent(run)}/events?${query}`;
  return new GatewayError(error.code, `${error.message} The rest of the run is told by GET ${path}`, error.details);
};
