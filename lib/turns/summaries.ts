// Rolling summaries: made after a turn, when a thread nears its model's window, and laid over the messages, which stay.
import { estimateInputTokens } from "../chat/estimate.ts";
import type { Attempt } from "../chat/call.ts";
import { GatewayError, toGatewayError } from "../model/error.ts";
import type { StreamEvent } from "../model/event.ts";
import type { Message } from "../model/message.ts";
import type { ChatRequest } from "../model/request.ts";
import { planSummary, storeSummary, type SummaryPlan } from "../threads/context.ts";
import { findHead } from "../threads/head.ts";
import { providerHistory } from "../threads/history.ts";
import { isTold } from "../model/usage.ts";
import { createFolder } from "../wires/shared/fold.ts";
import type { TurnServices } from "./services.ts";
import type { RunSpec, TurnCall } from "./types.ts";
import { openUpstream } from "./upstream.ts";

/** What a model is told that shortens a conversation. */
export const summaryInstructions =
  "Summarise the conversation so far for the assistant that will continue it. Keep names, numbers, decisions, open questions, " +
  "what the user wants and how, and what tools have found. Leave out greetings and repetition. Write plain text, no preamble.";
const summaryTokens = 1_024;

const requestFor = (model: string, plan: SummaryPlan, messages: readonly Message[]): ChatRequest => ({
  model,
  stream: true,
  system: [
    { type: "text", text: summaryInstructions },
    ...(plan.previous === undefined
      ? []
      : [{ type: "text" as const, text: `Summary of what came before, to be carried on:\n${plan.previous}` }]),
  ],
  messages: [...messages, { role: "user", parts: [{ type: "text", text: "Write the summary now." }] }],
  tools: [],
  sampling: {},
  maxOutputTokens: summaryTokens,
});

/** By the model that the turn was for; its first target. A failure leaves the thread as it was: the next turn tries again. */
export const summarizeLater = async (
  services: TurnServices,
  space: string,
  thread: string,
  spec: RunSpec,
  { trace, waitUntil }: Pick<TurnCall, "trace" | "waitUntil">,
): Promise<void> => {
  const { store, models } = services;
  const head = await findHead(store, space, thread);
  if (head === undefined || head.strategy !== "summarize") return;
  const [route] = models.resolve(spec.request.model);
  if (route === undefined) return;
  const { provider, target, upstream } = await models.prepare(route, spec.wire);
  const window = models.contextWindow(provider, route.model);
  if (window === undefined) return;
  const fixed = estimateInputTokens({ ...spec.request, messages: [] });
  const output = spec.request.maxOutputTokens ?? target.maxOutputTokens;
  const plan = await planSummary(store, head, { window, fixed, ...(output === undefined ? {} : { output }) });
  if (plan === undefined) return;
  const meter = models.meter({
    requestId: spec.requestId,
    wire: spec.wire,
    operation: "summarize",
    model: spec.request.model,
    stream: true,
    caller: spec.caller,
    traceId: trace.traceId,
    thread,
    waitUntil,
  });
  const asked = requestFor(spec.request.model, plan, providerHistory(plan.messages, target.maker));
  // Who has no more to spend gets no summary: the history is cut instead.
  meter.hold(
    await models.admit({
      caller: spec.caller,
      requestId: spec.requestId,
      wire: spec.wire,
      operation: "summarize",
      model: spec.request.model,
      targets: [route],
      inputTokens: () => estimateInputTokens(asked),
      outputTokens: () => summaryTokens,
      answers: () => 1,
      thread,
    }),
  );
  meter.attempt({ provider: provider.id, model: route.model, number: 1 });
  const attempt: Attempt = {
    provider,
    number: 1,
    moved: false,
    signal: AbortSignal.timeout(models.retry.totalMs),
    headers: models.forwarded({}, provider, trace),
    upstream,
    target,
  };
  const folder = createFolder();
  /** Half a summary would stand for all of it. */
  let broken: GatewayError | undefined;
  const take = (events: readonly StreamEvent[]): void => {
    for (const event of events)
      if (event.type === "error") broken = event.error;
      else folder.push(event);
  };
  const textOf = (): string =>
    folder
      .partial()
      .parts.map((part) => (part.type === "text" ? part.text : ""))
      .join("");
  /** Of a summary whose provider doesn't tell, or that broke off. */
  const metered = (whole: boolean): void => {
    const { usage } = folder.partial();
    const told = isTold(usage) ? usage : { input: estimateInputTokens(asked), output: 0 };
    const estimated = !whole || !isTold(usage);
    meter.usage(
      estimated ? { ...told, output: Math.max(told.output, Math.ceil(textOf().length / 4)) } : told,
      estimated,
    );
  };
  let answered = false;
  try {
    const answer = await openUpstream(asked, attempt, { strict: false, fetchMedia: models.fetchMedia });
    answered = true;
    take(answer.first);
    for await (const events of answer.rest) take(events);
  } catch (thrown) {
    const error = toGatewayError(thrown);
    if (answered) metered(false);
    meter.finish(error.status, error);
    throw error;
  }
  const text = textOf();
  metered(broken === undefined);
  meter.finish(200, broken ?? (text === "" ? new GatewayError("upstream_error", "The summary is empty.") : undefined));
  if (text !== "" && broken === undefined) await storeSummary(store, head, plan, text);
};
