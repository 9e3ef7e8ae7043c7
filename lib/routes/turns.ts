// What every route that works on a thread shares: the way in, and a run's answer as a reply.
import { clientEncoderType, eventStreamHeaders } from "../chat/answer.ts";
import { parseBody } from "../chat/read.ts";
import { outwards } from "../chat.ts";
import { arrayHeartbeat } from "../wires/gemini-generate/index.ts";
import type { Caller } from "../auth/caller.ts";
import type { Headers, Reply } from "../model/call.ts";
import { GatewayError, toGatewayError } from "../model/error.ts";
import type { JsonObject } from "../model/json.ts";
import type { ChatRequest } from "../model/request.ts";
import { spaceOf } from "../threads/keys.ts";
import type { Caller as SpaceCaller } from "../threads/store.ts";
import type { OnConflict } from "../threads/turns.ts";
import { contextOf, type EncodedRun, encodeRun, wholeAnswer, wireOfRun } from "../turns/encode.ts";
import type { Threads } from "../turns/open.ts";
import type { RunSpec, Turn, TurnCall } from "../turns/types.ts";
import type { RequestContext } from "../wires/wire.ts";
import type { RouteContext } from "./route.ts";

/** Throws `not_implemented` where nothing is kept. */
export const threadsOf = (context: RouteContext): Promise<Threads> => {
  const { threads } = context.services;
  if (threads === undefined)
    throw new GatewayError("not_implemented", "Nothing is stored here: the configuration says storage: none.");
  return threads();
};

/** The caller as the threads know it. */
export const spaceCaller = ({ tenant, owner }: Pick<Caller, "tenant" | "owner">): SpaceCaller => ({
  space: spaceOf(tenant, owner),
  owner,
});

export const turnCall = ({ caller, trace, invocation }: RouteContext): TurnCall => ({
  caller: spaceCaller(caller),
  principal: caller,
  trace,
  waitUntil: invocation.waitUntil,
  ...(invocation.over === undefined ? {} : { over: invocation.over }),
});

/** Client headers that a provider may want, kept with the run: whoever carries it out has no client. */
const kept = /^(?:anthropic-beta|openai-beta|x-echo-.*)$/;

const keptHeaders = (headers: Headers): Headers =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => kept.test(name)));

/** The run of a call as it is stored. `request` is without its messages: those are the thread's. */
export const specOf = (
  context: RouteContext,
  request: ChatRequest,
  more: { array?: boolean; echo?: JsonObject } = {},
): RunSpec => {
  const { call, wire, caller, invocation } = context;
  const spec: RunSpec = {
    wire: wire.id,
    request: { ...request, messages: [] },
    headers: keptHeaders(call.headers),
    caller,
    requestId: invocation.requestId,
    ...more,
  };
  if (call.headers["heddle-strict"] === "true") spec.strict = true;
  return spec;
};

/** The body of a chat call, decoded on the route's wire. Throws a 400 that names the field. */
export const decodeCall = (context: RouteContext, path: RequestContext): { body: JsonObject; request: ChatRequest } => {
  const body = parseBody(context.call.body);
  return { body, request: context.wire.decodeRequest(body, path) };
};

export const conflictOf = (value: string | undefined, param: string): OnConflict | undefined => {
  if (value === undefined || value === "") return undefined;
  if (value === "reject" || value === "enqueue" || value === "interrupt") return value;
  throw new GatewayError("invalid_request", `${param}: expected reject, enqueue or interrupt`, { param });
};

export const turnHeaders = (turn: Turn): Headers => ({
  "heddle-thread": turn.thread,
  "heddle-run": turn.run.id,
  ...turn.headers(),
});

/** The failure of a run as an answer of its own: it tells which run it was. */
export const failed = (turn: Turn, thrown: unknown): GatewayError => {
  const error = outwards(toGatewayError(thrown));
  return new GatewayError(error.code, error.message, {
    ...error.details,
    headers: { ...error.details.headers, ...turnHeaders(turn) },
  });
};

/** The answer of a turn on the wire it was asked on: a stream from the log, or one object. Throws the failure of a run that said nothing. */
export const replyOfTurn = async (context: RouteContext, turn: Turn, after?: number): Promise<Reply> => {
  const { store } = await threadsOf(context);
  const { caller } = turnCall(context);
  const { signal } = context.invocation;
  const encoded: EncodedRun = { run: turn.run, spec: turn.spec, wire: wireOfRun(turn.spec) };
  try {
    await turn.begun;
    await context.begun?.(turn);
    if (turn.spec.request.stream) {
      const array = turn.spec.array === true;
      return {
        status: 200,
        headers: { ...eventStreamHeaders(clientEncoderType(encoded.wire, array)), ...turnHeaders(turn) },
        heartbeat: array ? arrayHeartbeat : encoded.wire.heartbeat,
        body: encodeRun(store, caller, encoded, after === undefined ? { signal } : { signal, after }),
      };
    }
    const response = await wholeAnswer(store, caller, encoded, signal);
    return {
      status: 200,
      headers: { "content-type": "application/json", ...turnHeaders(turn) },
      body: JSON.stringify(encoded.wire.encodeResponse(response, contextOf(encoded))),
    };
  } catch (thrown) {
    throw failed(turn, thrown);
  }
};
