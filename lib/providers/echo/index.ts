// echo: a stand-in that needs no key. It speaks all four client wires, streams word by word, calls tools and uses their results, fits JSON
// schemas, reports usage, and fails, stalls, cuts or answers long when told to (docs/echo.md). Newcomers, tests and benchmarks talk to it.
import type { ProviderConfig } from "../../config-types.ts";
import { cancelled } from "../../http/upstream-error.ts";
import type { TransportResponse } from "../../http/transport.ts";
import { GatewayError, toGatewayError, type ErrorCode } from "../../model/error.ts";
import type { StreamEvent } from "../../model/event.ts";
import { isObject, parseJson, type JsonObject } from "../../model/json.ts";
import type { ChatRequest } from "../../model/request.ts";
import { type ClientWireId, clientWireIds } from "../../model/wire-id.ts";
import { clientWires } from "../../wires/index.ts";
import { decodeCountTokens, encodeCountTokens } from "../../wires/gemini-generate/aux.ts";
import { fold } from "../../wires/shared/fold.ts";
import type { ClientWire, ReplyContext } from "../../wires/wire.ts";
import { claimsModel } from "../claims.ts";
import type { Provider, ProviderContext, UpstreamCall } from "../provider.ts";
import { type Directives, readDirectives } from "./directives.ts";
import { inputTokens, type Plan, plan, promptOf } from "./engine.ts";
import { echoServices } from "./services.ts";

const defaultPaceMs = 20;

const codes: Readonly<Record<number, ErrorCode>> = {
  400: "invalid_request",
  401: "authentication",
  402: "billing",
  403: "permission",
  404: "model_not_found",
  408: "request_timeout",
  409: "conflict",
  413: "request_too_large",
  429: "rate_limited",
  500: "internal",
  503: "overloaded",
  504: "upstream_timeout",
  529: "overloaded",
};

/** Resolves after the time, or rejects at once when the caller leaves: no timer outlives its call. */
const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const left = (): void => {
      clearTimeout(timer);
      reject(signal.reason instanceof GatewayError ? signal.reason : cancelled());
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", left);
      resolve();
    }, ms);
    if (signal.aborted) left();
    else signal.addEventListener("abort", left, { once: true });
  });

/** The plan as events, one step (a word, or a piece of JSON) an array. */
const stepsOf = (planned: Plan, id: string, model: string, createdAt: number): StreamEvent[][] => {
  const steps: StreamEvent[][] = [
    [{ type: "response-start", id, model, createdAt, usage: { input: planned.usage.input, output: 0 } }],
  ];
  planned.parts.forEach((part, index) => {
    if (part.type === "tool-call") {
      steps.push([
        {
          type: "part-start",
          index,
          part: {
            type: "tool-call",
            callId: part.callId,
            name: part.name,
            arguments: "",
            ...(part.custom ? { custom: true } : {}),
          },
        },
      ]);
      for (const text of part.pieces) steps.push([{ type: "part-delta", index, delta: { type: "arguments", text } }]);
      steps.push([{ type: "part-end", index }]);
      return;
    }
    steps.push([
      {
        type: "part-start",
        index,
        part: part.type === "text" ? { type: "text", text: "" } : { type: "reasoning", text: "", form: "summary" },
      },
    ]);
    for (const text of part.pieces) steps.push([{ type: "part-delta", index, delta: { type: "text", text } }]);
    const closing: StreamEvent[] = [{ type: "part-end", index }];
    if (part.type === "reasoning")
      closing.unshift({
        type: "part-delta",
        index,
        delta: { type: "opaque", opaque: { origin: "echo", data: part.state } },
      });
    steps.push(closing);
  });
  const end: StreamEvent = { type: "response-end", reason: planned.reason, usage: planned.usage };
  if (planned.stopSequence !== undefined) end.stopSequence = planned.stopSequence;
  steps.push([end]);
  return steps;
};

const isWord = (step: readonly StreamEvent[]): boolean => step[0]?.type === "part-delta";

const bytes = (text: string): Uint8Array => Buffer.from(text, "utf8");

async function* once(text: string): AsyncGenerator<Uint8Array> {
  yield bytes(text);
}

/** Steps at their pace, with the faults that were asked for. */
async function* paced(
  steps: readonly StreamEvent[][],
  directives: Directives,
  signal: AbortSignal,
): AsyncGenerator<StreamEvent[]> {
  let said = 0;
  if (directives.stall !== undefined) await pause(directives.stall, signal);
  for (const step of steps) {
    if (isWord(step)) {
      if (said === directives.cut)
        throw new GatewayError("upstream_error", "The provider's connection broke in the middle of its answer.");
      if (said === directives.failAfter) {
        yield [{ type: "error", error: new GatewayError("overloaded", "echo was told to fail here.") }];
        return;
      }
      if (said === directives.stallAfter) await pause(2 ** 30, signal);
      said += 1;
      if (directives.pace !== undefined && directives.pace > 0) await pause(directives.pace, signal);
    }
    yield step;
  }
}

async function* streamed(
  wire: ClientWire,
  context: ReplyContext,
  steps: readonly StreamEvent[][],
  directives: Directives,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const encoder = wire.encodeEvents(context);
  if (
    directives.pace === 0 &&
    directives.cut === undefined &&
    directives.failAfter === undefined &&
    directives.stallAfter === undefined &&
    directives.stall === undefined
  ) {
    // As fast as possible: one write, no timers.
    yield bytes(encoder.push(steps.flat()) + encoder.end());
    return;
  }
  for await (const step of paced(steps, directives, signal)) {
    const text = encoder.push(step);
    if (text !== "") yield bytes(text);
  }
  const text = encoder.end();
  if (text !== "") yield bytes(text);
}

const whole = async (
  steps: readonly StreamEvent[][],
  directives: Directives,
  signal: AbortSignal,
): Promise<StreamEvent[]> => {
  const events: StreamEvent[] = [];
  // A whole answer takes as long as its words do.
  for await (const step of paced(steps, directives, signal)) events.push(...step);
  return events;
};

const json = (status: number, body: unknown, headers: Record<string, string> = {}): TransportResponse => ({
  status,
  headers: { "content-type": "application/json", ...headers },
  body: once(JSON.stringify(body)),
});

const refusal = (wire: ClientWire, error: GatewayError): TransportResponse => {
  const encoded = wire.encodeError(error, "req_echo");
  return json(encoded.status, encoded.body, encoded.headers);
};

const counted = (wire: ClientWire, request: ChatRequest): JsonObject => {
  const total = inputTokens(request);
  if (wire.id === "gemini-generate") return encodeCountTokens(total);
  return wire.id === "openai-responses"
    ? { object: "response.input_tokens", input_tokens: total }
    : { input_tokens: total };
};

const isClientWire = (id: string): id is ClientWireId => (clientWireIds as readonly string[]).includes(id);

export const createEcho = (config: ProviderConfig, context: ProviderContext): Provider => {
  let count = 0;
  const newId = (): string => {
    count += 1;
    return `echo${count.toString(36).padStart(20, "0")}`;
  };

  const answer = async (call: UpstreamCall, wire: ClientWire, signal: AbortSignal): Promise<TransportResponse> => {
    const body = parseJson(typeof call.body === "string" ? call.body : Buffer.from(call.body).toString("utf8"));
    if (!isObject(body)) throw new GatewayError("invalid_request", "The request body is not a JSON object.");
    const path = { model: call.model, stream: call.stream };
    if (call.operation === "count-tokens")
      return json(
        200,
        counted(wire, wire.id === "gemini-generate" ? decodeCountTokens(body, path) : wire.decodeRequest(body, path)),
      );
    if (call.operation !== "generate") throw new GatewayError("not_implemented", "echo does not offer this operation.");
    const request = wire.decodeRequest(body, path);
    const directives = readDirectives(call.headers, promptOf(request), config.pace ?? defaultPaceMs);
    if (directives.fail !== undefined) {
      const error = new GatewayError(
        codes[directives.fail] ?? "upstream_error",
        `echo was told to fail with ${directives.fail}.`,
        {
          status: directives.fail,
          ...(directives.retryAfter === undefined ? {} : { headers: { "retry-after": directives.retryAfter } }),
        },
      );
      const reply = refusal(wire, error);
      return { ...reply, status: directives.fail, headers: { ...reply.headers, ...error.details.headers } };
    }
    const now = context.now();
    const replyContext: ReplyContext = { request, now, newId };
    const steps = stepsOf(plan(request, directives), newId(), call.model, Math.floor(now / 1_000));
    if (call.stream)
      return {
        status: 200,
        headers: { "content-type": wire.streamType },
        body: streamed(wire, replyContext, steps, directives, signal),
      };
    return json(200, wire.encodeResponse(fold(await whole(steps, directives, signal)), replyContext));
  };

  return {
    id: config.id,
    kind: "echo",
    maker: "echo",
    wires: () => ["openai-chat", "openai-responses", "anthropic-messages", "gemini-generate"],
    dialect: () => ({}),
    claims: (model) => claimsModel("echo", model),
    models: config.models,
    secrets: () => [],
    services: echoServices(config.models),
    send: async (call, signal) => {
      if (!isClientWire(call.wire)) throw new GatewayError("not_implemented", "echo does not speak this protocol.");
      const wire = clientWires[call.wire];
      try {
        return await answer(call, wire, signal);
      } catch (thrown) {
        const error = toGatewayError(thrown);
        if (error.code === "cancelled" || error.code === "upstream_error" || error.code === "internal") throw error;
        return refusal(wire, error);
      }
    },
  };
};
