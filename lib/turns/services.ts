// What carrying out a turn needs: the threads, and the way to the models.
import type { Limiter } from "../limits/types.ts";
import type { Meter, MeterStart } from "../chat/meter.ts";
import type { MediaFetcher } from "../http/media-fetch.ts";
import type { Headers } from "../model/call.ts";
import type { WireId } from "../model/wire-id.ts";
import type { Provider } from "../providers/provider.ts";
import type { Breaker } from "../routing/breaker.ts";
import type { RouteTarget } from "../routing/resolve.ts";
import type { Clock, RetryPolicy } from "../routing/retry.ts";
import type { Blobs } from "../blobs/blobs.ts";
import type { Table } from "../stores/table.ts";
import type { Queue } from "../queues/queue.ts";
import type { Trace } from "../telemetry/trace.ts";
import type { ThreadStore } from "../threads/store.ts";
import type { Target, Wire } from "../wires/wire.ts";

export type ModelServices = {
  resolve: (model: string) => readonly RouteTarget[];
  prepare: (route: RouteTarget, wire: WireId) => Promise<{ provider: Provider; target: Target; upstream: Wire }>;
  forwarded: (headers: Headers, provider: Provider, trace: Trace) => Headers;
  /** Tokens of input and output together that a model can take, where known. */
  contextWindow: (provider: Provider, model: string) => number | undefined;
  meter: (start: MeterStart) => Meter;
  /** Whether the caller may call the model at all, and now: see `Limiter`. */
  admit: Limiter["admit"];
  fetchMedia: MediaFetcher;
  breaker: Breaker;
  retry: RetryPolicy;
  clock: Clock;
};

/** What a platform keeps things in. */
export type Storage = { table: Table; blobs: Blobs; queue?: Queue };

export type TurnServices = {
  store: ThreadStore;
  models: ModelServices;
  /** Background runs are sent here; without one they are carried out at once, behind the answer. */
  queue?: Queue;
};
