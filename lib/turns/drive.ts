// Carrying out a turn that holds its thread: the upstream is read to its end whether or not anyone listens, and every event is in the
// log before a client sees it.
import { estimator } from "../chat/cross-wire.ts";
import { estimateInputTokens } from "../chat/estimate.ts";
import type { Attempt } from "../chat/call.ts";
import type { Meter } from "../chat/meter.ts";
import type { Permit } from "../limits/types.ts";
import { GatewayError, toGatewayError } from "../model/error.ts";
import type { StreamEvent } from "../model/event.ts";
import { compact, isObject, type JsonObject } from "../model/json.ts";
import type { Message } from "../model/message.ts";
import type { ChatRequest } from "../model/request.ts";
import type { Extra } from "../model/wire-id.ts";
import { redactError } from "../providers/redact.ts";
import { firstThatAnswers } from "../routing/retry.ts";
import { visibleParts } from "../threads/closing.ts";
import { type Context, loadContext } from "../threads/context.ts";
import { endTurn, type TurnEnd, type TurnEnded } from "../threads/end-turn.ts";
import { createEventWriter, type EventWriter } from "../threads/event-log.ts";
import { holdLease } from "../threads/lease.ts";
import type { UsageRecord } from "../threads/run-items.ts";
import type { Started } from "../threads/turns.ts";
import type { Trace } from "../telemetry/trace.ts";
import { createFolder } from "../wires/shared/fold.ts";
import type { TurnServices } from "./services.ts";
import { runDemand } from "./demand.ts";
import type { RunSpec, TurnCall } from "./types.ts";
import { openUpstream, type UpstreamAnswer } from "./upstream.ts";

/** `ask`: the limits are asked when the run begins; else they were, before anything was written. */
export type Admission = "ask" | { permit: Permit | undefined };

export type Driven = {
  /** Rejects where the run failed before its first event; the failure is stored then. */
  begun: Promise<void>;
  done: Promise<TurnEnded | undefined>;
  meter: Meter;
};

/** Fields of a Responses object that are Heddle's own to tell, whatever the provider told of its own. */
const ownFields = new Set(
  "id object created_at completed_at status error incomplete_details instructions model output usage metadata store background previous_response_id conversation".split(
    " ",
  ),
);

/** The provider's ids and state end here: what a client sees is Heddle's. */
const asOwn = (event: StreamEvent): StreamEvent => {
  if (event.type !== "response-start" && event.type !== "response-end") return event;
  const { extra, ...rest } = event;
  const own: StreamEvent = rest.type === "response-start" ? { ...rest, id: "" } : rest;
  if (extra === undefined) return own;
  const { "openai-responses": fields, ...others } = extra;
  const told = fields?.["response"];
  const kept = isObject(told) ? Object.fromEntries(Object.entries(told).filter(([name]) => !ownFields.has(name))) : {};
  const more: Extra =
    Object.keys(kept).length === 0 ? others : { ...others, "openai-responses": { ...fields, response: kept } };
  return Object.keys(more).length === 0 ? own : { ...own, extra: more };
};

const stateOf = (end: Extract<StreamEvent, { type: "response-end" }>, message: Message): TurnEnd["state"] => {
  if (end.reason === "length" || end.reason === "context-length" || end.reason === "content-filter")
    return "incomplete";
  return message.parts.some((part) => part.type === "tool-call") ? "requires_action" : "completed";
};

type Answer = UpstreamAnswer & { attempt: Attempt; context: Context; estimatedInput: number };

/** One run's step, from its lease to its end. */
class Driver {
  readonly #services: TurnServices;
  readonly #started: Started;
  readonly #spec: RunSpec;
  readonly #trace: Trace;
  readonly #meter: Meter;
  readonly #admission: Admission;
  readonly #over: AbortSignal | undefined;
  readonly #writer: EventWriter;
  readonly #folder = createFolder();
  readonly #seen = estimator();
  #answer: Answer | undefined;
  #final: Extract<StreamEvent, { type: "response-end" | "error" }> | undefined;

  constructor(
    services: TurnServices,
    started: Started,
    spec: RunSpec,
    trace: Trace,
    meter: Meter,
    admission: Admission,
    over: AbortSignal | undefined,
  ) {
    const { lease } = started;
    this.#over = over;
    this.#admission = admission;
    this.#services = services;
    this.#started = started;
    this.#spec = spec;
    this.#trace = trace;
    this.#meter = meter;
    this.#writer = createEventWriter(
      services.store,
      { space: lease.head.space, thread: lease.head.id, run: lease.run },
      lease.fence,
      lease.firstEvent,
    );
  }

  async run(begun: () => void): Promise<TurnEnded> {
    const { store } = this.#services;
    const { lease } = this.#started;
    const held = holdLease(store, lease);
    const over = this.#over;
    const signal = AbortSignal.any([held.signal, this.#writer.lost, ...(over === undefined ? [] : [over])]);
    let failure: GatewayError | undefined;
    try {
      const answer = await this.#ask(signal);
      this.#answer = answer;
      const { provider, model, maker } = answer.attempt.target;
      this.#writer.answeredBy({ provider, model, maker });
      this.#meter.first();
      if (answer.dropped.length > 0) this.#meter.dropped(answer.dropped);
      this.#take(answer.first);
      begun();
      for await (const events of answer.rest) {
        this.#take(events);
        if (this.#final !== undefined) break;
      }
      if (this.#final === undefined)
        failure = new GatewayError("upstream_error", "The provider's stream ended before it was finished.", {
          provider,
        });
    } catch (thrown) {
      failure = toGatewayError(thrown);
    }
    await held.stop();
    // What was answered whole stands, though somebody cancelled it in its last moment.
    if (this.#final?.type === "response-end") failure = undefined;
    else if (held.signal.aborted) failure = toGatewayError(held.signal.reason);
    else if (over?.aborted === true) failure = toGatewayError(over.reason);
    else if (this.#final?.type === "error") failure ??= this.#final.error;
    const ended = await this.#store(this.#endOf(failure));
    if (failure !== undefined && this.#answer === undefined) throw failure;
    return ended;
  }

  async #ask(signal: AbortSignal): Promise<Answer> {
    const { models, store } = this.#services;
    const { request } = this.#spec;
    const { head } = this.#started.lease;
    this.#meter.hold(
      this.#admission === "ask" ? await models.admit(runDemand(models, this.#spec, head)) : this.#admission.permit,
    );
    let firstMaker: string | undefined;
    return firstThatAnswers(
      models.breaker.order(models.resolve(request.model)),
      models.retry,
      models.clock,
      signal,
      async (route, number) => {
        const { provider, target, upstream } = await models.prepare(route, this.#spec.wire);
        firstMaker ??= target.maker;
        this.#meter.attempt({ provider: provider.id, model: route.model, number });
        const attempt: Attempt = {
          provider,
          number,
          moved: target.maker !== firstMaker,
          signal,
          headers: models.forwarded(this.#spec.headers, provider, this.#trace),
          upstream,
          target,
        };
        try {
          const fixed = estimateInputTokens({ ...request, messages: [] });
          const window = models.contextWindow(provider, route.model);
          const output = request.maxOutputTokens ?? target.maxOutputTokens;
          const context = await loadContext(store, head, {
            maker: target.maker,
            fixed,
            ...(window === undefined ? {} : { window }),
            ...(output === undefined ? {} : { output }),
          });
          const asked: ChatRequest = {
            ...request,
            system: [...context.system, ...request.system],
            messages: context.messages,
          };
          const answer = await openUpstream(asked, attempt, {
            strict: this.#spec.strict === true,
            fetchMedia: models.fetchMedia,
          });
          models.breaker.succeeded(route);
          return { ...answer, attempt, context, estimatedInput: context.tokens + fixed };
        } catch (thrown) {
          const error = redactError(toGatewayError(thrown), provider.secrets());
          models.breaker.failed(route, error);
          throw error;
        }
      },
    );
  }

  #take(events: readonly StreamEvent[]): void {
    this.#seen.see(events);
    for (const event of events) {
      if (this.#final !== undefined) return;
      const own = asOwn(event);
      if (own.type === "response-end" || own.type === "error") {
        this.#final = own.type === "error" ? { type: "error", error: this.#redacted(own.error) } : own;
        this.#writer.write(this.#final);
        if (own.type === "response-end") this.#folder.push(own);
        return;
      }
      this.#writer.write(own);
      this.#folder.push(own);
    }
  }

  #redacted(error: GatewayError): GatewayError {
    return redactError(error, this.#answer?.attempt.provider.secrets() ?? []);
  }

  /** Undefined where no provider ever answered: nothing was used. */
  #usage(failure: GatewayError | undefined): UsageRecord | undefined {
    const answer = this.#answer;
    if (answer === undefined) return undefined;
    const told = this.#seen.usage();
    const estimated = told === undefined || failure !== undefined;
    const usage = told ?? { input: Math.round(answer.estimatedInput * this.#started.lease.head.ratio), output: 0 };
    const counted = estimated ? { ...usage, output: Math.max(usage.output, this.#seen.output()) } : usage;
    const cost = this.#meter.usage(counted, estimated);
    const { provider, model } = answer.attempt.target;
    return compact<UsageRecord>({
      provider,
      model,
      usage: counted,
      estimated: estimated ? true : undefined,
      cost,
    });
  }

  #endOf(failure: GatewayError | undefined): TurnEnd {
    const { parts, id: _id, ...folded } = this.#folder.partial();
    const whole = failure === undefined;
    const message: Message = { role: "assistant", parts: whole ? parts : visibleParts(parts) };
    const final = this.#final?.type === "response-end" ? this.#final : undefined;
    const state =
      failure === undefined && final !== undefined
        ? stateOf(final, message)
        : failure?.code === "cancelled"
          ? "cancelled"
          : "failed";
    return compact<TurnEnd>({
      state,
      message,
      maker: this.#answer?.attempt.target.maker,
      partial: whole && state !== "incomplete" ? undefined : true,
      error: failure,
      usage: this.#usage(failure),
      estimatedInput: this.#answer?.estimatedInput,
      result: compact<JsonObject>({
        model: folded.model,
        reason: final?.reason,
        native: final?.native,
        stopSequence: final?.stopSequence,
        provider: this.#answer?.attempt.target.provider,
        providerModel: this.#answer?.attempt.target.model,
        dropped:
          this.#answer === undefined || this.#answer.dropped.length === 0 ? undefined : [...this.#answer.dropped],
      }),
    });
  }

  /** A store that is down for a moment loses nothing while the lease lasts. */
  async #store(end: TurnEnd): Promise<TurnEnded> {
    const { store } = this.#services;
    const { lease } = this.#started;
    const giveUp = store.clock.now() + store.limits.leaseMs;
    for (let pause = 100; ; pause *= 2)
      try {
        const ended = await endTurn(store, lease, this.#writer, end);
        this.#meter.finish(end.error === undefined ? 200 : end.error.status, end.error);
        return ended;
      } catch (thrown) {
        const error = toGatewayError(thrown);
        if (error.code !== "storage" || store.clock.now() + pause > giveUp) {
          this.#meter.finish(error.status, error);
          throw error;
        }
        await store.clock.sleep(pause, new AbortController().signal);
      }
  }
}

/** Begins at once. `done` never rejects: what failed is stored with the run, or another holder has taken it. */
export const drive = (
  services: TurnServices,
  started: Started,
  spec: RunSpec,
  { trace, waitUntil, over }: Pick<TurnCall, "trace" | "waitUntil" | "over">,
  admission: Admission,
): Driven => {
  const meter = services.models.meter({
    requestId: spec.requestId,
    wire: spec.wire,
    operation: "run",
    model: spec.request.model,
    stream: spec.request.stream,
    caller: spec.caller,
    traceId: trace.traceId,
    thread: started.lease.head.id,
    waitUntil,
  });
  const driver = new Driver(services, started, spec, trace, meter, admission, over);
  let tell: () => void = () => undefined;
  let fail: (error: unknown) => void = () => undefined;
  const begun = new Promise<void>((resolve, reject) => {
    tell = resolve;
    fail = reject;
  });
  // Whoever waits for it is told; where nobody does, the run itself has its failure.
  begun.catch(() => undefined);
  const carryOut = async (): Promise<TurnEnded | undefined> => {
    try {
      return await driver.run(tell);
    } catch (thrown) {
      fail(thrown);
      return undefined;
    }
  };
  return { begun, done: carryOut(), meter };
};
