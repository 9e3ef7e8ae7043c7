// POST /v1/responses with state: a response is a run, its chain or conversation a thread, on every provider alike (F47, F53).
import type { Reply } from "../../model/call.ts";
import { GatewayError } from "../../model/error.ts";
import type { Message } from "../../model/message.ts";
import type { ChatRequest } from "../../model/request.ts";
import { memberText, scanObject } from "../../http/scan.ts";
import { type Context, loadContext } from "../../threads/context.ts";
import { forkThread } from "../../threads/forks.ts";
import { loadHead } from "../../threads/head.ts";
import { messageFacts } from "../../threads/message-items.ts";
import { findMessage } from "../../threads/claims.ts";
import { getRun } from "../../threads/runs.ts";
import { createThread } from "../../threads/threads.ts";
import type { Caller, ThreadStore } from "../../threads/store.ts";
import type { NewTurn, Turn, TurnCall } from "../../turns/types.ts";
import type { Turns } from "../../turns/index.ts";
import { chatCall, checkModel, json, needs, type RouteContext } from "../route.ts";
import { decodeCall, replyOfTurn, specOf, threadsOf, turnCall } from "../turns.ts";
import { responseObject } from "./object.ts";
import { loadPrevious, type Previous, readState, splitRequest, type State } from "./state.ts";

/** As OpenAI keeps what belongs to no conversation. */
const retentionSeconds = 30 * 86_400;

/** Whether a call needs what is kept: everything but a call that says `store: false` and names nothing that is. */
export const isStateful = (body: Uint8Array): boolean => {
  const scan = scanObject(body);
  // What can't be scanned is parsed, and told what is wrong with it.
  if (scan === undefined) return true;
  const named = (name: string): boolean => (memberText(scan, name) ?? "null") !== "null";
  return memberText(scan, "store") !== "false" || ["previous_response_id", "conversation", "background"].some(named);
};

type Where = { thread: string; fork: (() => Promise<string>) | undefined };

/** The thread that a response goes to. A response that others have continued before is continued on a fork. */
const placeFor = async (
  store: ThreadStore,
  caller: Caller,
  state: State,
  previous: Previous | undefined,
): Promise<Where> => {
  if (state.conversation !== undefined) return { thread: state.conversation, fork: undefined };
  if (previous === undefined) {
    const { thread } = await createThread(store, caller, { retentionSeconds, settings: { implicit: true } });
    return { thread: thread.id, fork: undefined };
  }
  const { head, leaf } = previous;
  const fork = async (): Promise<string> =>
    (await forkThread(store, caller, head.id, { ...(leaf === undefined ? {} : { upTo: leaf }), retentionSeconds })).id;
  const isFree = head.leafId === leaf && head.run === undefined && head.queue.length === 0;
  return isFree ? { thread: head.id, fork } : { thread: await fork(), fork: undefined };
};

/** OpenAI's own words: clients look for them. */
const withoutOutput = (callId: string): GatewayError =>
  new GatewayError("invalid_request", `No tool output found for function call ${callId}.`, { param: "input" });

const begin = async (turns: Turns, call: TurnCall, where: Where, turn: Omit<NewTurn, "thread">): Promise<Turn> => {
  try {
    return await turns.begin(call, { ...turn, thread: where.thread });
  } catch (thrown) {
    // Another continued the same response a moment earlier: both are right.
    if (thrown instanceof GatewayError && thrown.code === "thread_busy" && where.fork !== undefined)
      return turns.begin(call, { ...turn, thread: await where.fork() });
    throw thrown;
  }
};

/** Calls that the thread waits for must be answered by the response that follows. */
const checkOutputs = async (
  store: ThreadStore,
  caller: Caller,
  thread: string,
  messages: readonly Message[],
): Promise<void> => {
  const { parked } = await loadHead(store, caller, thread);
  if (parked === undefined) return;
  const { pending } = await getRun(store, caller, thread, parked);
  const given = new Set(
    messages.flatMap(({ parts }) => parts.flatMap((part) => (part.type === "tool-result" ? [part.callId] : []))),
  );
  const missing = pending.find((id) => !given.has(id));
  if (missing !== undefined) throw withoutOutput(missing);
};

/** What a response knows, as the model that is asked next may be told it. */
export const historyOf = async (context: RouteContext, previous: Previous, model: string): Promise<Context> => {
  const { store } = await threadsOf(context);
  const [route] = context.services.resolve(model);
  const maker = route === undefined ? "" : await context.services.makerOf(route);
  const { head, leaf } = previous;
  const found = leaf === undefined ? undefined : await findMessage(store, head, leaf);
  const facts = found === undefined ? undefined : messageFacts(found.item);
  return loadContext(store, head, {
    maker,
    ...(facts === undefined ? {} : { leaf: { seq: facts.seq, id: facts.id, pathTokens: facts.pathTokens } }),
  });
};

/** A call of which nothing is kept. */
export const askOnce = (context: RouteContext, request: ChatRequest): Promise<Reply> =>
  context.services.chat({ ...chatCall(context, {}, false), request });

/** `store: false` on top of what is kept: the history is read, and nothing is written. */
const withHistory = async (context: RouteContext, previous: Previous): Promise<Reply> => {
  const { body, request: decoded } = decodeCall(context, {});
  const { request, messages } = splitRequest(decoded, body);
  const history = await historyOf(context, previous, request.model);
  return askOnce(context, {
    ...request,
    system: [...history.system, ...request.system],
    messages: [...history.messages, ...messages],
  });
};

export const createResponse = async (context: RouteContext): Promise<Reply> => {
  const { store, turns } = await threadsOf(context);
  const call = turnCall(context);
  const { caller } = call;
  const { body, request: decoded } = decodeCall(context, {});
  const state = readState(body);
  if (state.previous !== undefined || state.conversation !== undefined)
    needs(context, state.store || state.conversation !== undefined ? "threads:write" : "threads:read");
  checkModel(context, decoded.model);
  const previous = state.previous === undefined ? undefined : await loadPrevious(store, caller, state.previous);
  if (!state.store && previous !== undefined) return withHistory(context, previous);
  const { request, messages, echo } = splitRequest(decoded, body);
  if (state.conversation !== undefined) await checkOutputs(store, caller, state.conversation, messages);
  else if (previous !== undefined && previous.run.state === "requires_action")
    await checkOutputs(store, caller, previous.head.id, messages);
  const where = await placeFor(store, caller, state, previous);
  echo["store"] = state.store;
  if (state.conversation !== undefined) echo["conversation"] = { id: state.conversation };
  const spec = specOf(context, request, { echo });
  const turn = await begin(turns, call, where, {
    spec,
    messages: messages.map((message) => ({ message })),
    ...(state.background ? { later: true } : {}),
    run: { metadata: { background: state.background } },
  });
  if (!state.background || request.stream) return replyOfTurn(context, turn);
  return json(200, await responseObject(store, caller, turn.run, turn.spec));
};
