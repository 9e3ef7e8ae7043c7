// Message threads of the Anthropic SDK: `thread: {type: "create"}` keeps a conversation, `{type: "continue", previous_message_id}` goes on
// from an answer with the new messages alone. The answer's id tells its thread and run, so that any process finds them.
import { parseBody } from "../chat/read.ts";
import type { Headers, Reply } from "../model/call.ts";
import { GatewayError, invalid, toGatewayError } from "../model/error.ts";
import { isObject, type JsonObject } from "../model/json.ts";
import type { ChatRequest } from "../model/request.ts";
import { createThread } from "../threads/threads.ts";
import { answered } from "../threads/turns.ts";
import { findPrevious, type Previous, threadNotFound } from "./previous-answer.ts";
import { checkModel, needs, type RouteContext } from "./route.ts";
import { sameValue } from "./same-value.ts";
import { replyOfTurn, specOf, threadsOf, turnCall } from "./turns.ts";

/** The beta is for this gateway: a provider that got it would look for a thread of its own. */
const ownBeta = /^message-threads-/;

const withoutOwnBeta = (headers: Headers): Headers => {
  const { "anthropic-beta": betas = "", ...rest } = headers;
  const others = betas
    .split(",")
    .map((beta) => beta.trim())
    .filter((beta) => beta !== "" && !ownBeta.test(beta));
  return others.length === 0 ? rest : { ...rest, "anthropic-beta": others.join(",") };
};

type Wanted = { type: "create" } | { type: "continue"; id: string };

const wantedOf = (thread: unknown): Wanted => {
  if (!isObject(thread)) throw invalid("thread", "expected an object");
  const { type, previous_message_id: id } = thread;
  if (type === "create") return { type };
  if (type !== "continue") throw invalid("thread.type", 'expected "create" or "continue"');
  if (typeof id !== "string" || id === "")
    throw invalid("thread.previous_message_id", "expected the id of an earlier answer");
  return { type, id };
};

/**
 * What the server keeps of a thread beside its messages. All else (model, limits, tool choice, thinking) is each turn's own: the SDK
 * sends it every time, and what it leaves out is meant to be left out.
 */
const keptFields = ["system", "tools"] as const;

/** Cache hints move from turn to turn and change nothing of what is meant. */
const withoutCache = (list: readonly object[]): object[] => list.map((each) => ({ ...each, cache: undefined }));

/** The request of this turn: kept fields from the thread, unless they are given again, as they were. */
const continued = (body: JsonObject, request: ChatRequest, kept: ChatRequest): ChatRequest => {
  const given = keptFields.filter((name) => (body[name] ?? null) !== null);
  const changed = given.filter((name) => !sameValue(withoutCache(request[name]), withoutCache(kept[name])));
  if (changed.length > 0)
    throw new GatewayError(
      "thread_fingerprint_mismatch",
      `${changed.join(", ")}: must be what the thread was created with, or left out; to change it, create a thread with the whole history.`,
      { param: changed[0] ?? "thread" },
    );
  const limit = request.maxOutputTokens ?? kept.maxOutputTokens;
  return {
    ...request,
    ...(given.includes("system") ? {} : { system: kept.system }),
    ...(given.includes("tools") ? {} : { tools: kept.tools }),
    ...(limit === undefined ? {} : { maxOutputTokens: limit }),
  };
};

/** An answer that calls tools is gone on from with a result for each call; one that paused, with nothing; any other, with a message. */
const checkMessages = ({ messages }: ChatRequest, { pending, paused }: Previous): void => {
  const results = answered(messages.map((message) => ({ message })));
  const missing = pending.filter((call) => !results.has(call));
  if (missing.length > 0)
    throw invalid(
      "messages",
      `expected a tool_result for each tool_use of the previous answer; missing: ${missing.join(", ")}`,
    );
  if (messages.length === 0 && !paused) throw invalid("messages", "expected at least one new message");
};

/** What the threads say of a turn that came too late, in the words of this API. */
const asThreadError = (thrown: unknown): GatewayError => {
  const error = toGatewayError(thrown);
  switch (error.code) {
    case "not_found":
      return threadNotFound();
    case "precondition_failed":
      return alreadyContinued();
    case "thread_busy":
      return inFlight();
    default:
      return error;
  }
};

const alreadyContinued = (): GatewayError =>
  new GatewayError(
    "thread_already_continued",
    "thread.previous_message_id: this answer was continued before; go on from the thread's last one.",
    { param: "thread.previous_message_id" },
  );

const inFlight = (): GatewayError =>
  new GatewayError(
    "thread_continue_in_flight",
    "thread.previous_message_id: another call is going on from this answer; wait until it is done.",
    { param: "thread.previous_message_id" },
  );

const create = async (context: RouteContext, body: JsonObject): Promise<Reply> => {
  const { store, turns } = await threadsOf(context);
  const call = turnCall(context);
  const request = context.wire.decodeRequest(body, {});
  if (request.messages.length === 0) throw invalid("messages", "expected at least one message");
  checkModel(context, request.model);
  const { thread } = await createThread(store, call.caller);
  const turn = await turns.begin(call, {
    thread: thread.id,
    spec: specOf(context, request),
    messages: request.messages.map((message) => ({ message })),
  });
  return replyOfTurn(context, turn);
};

const goOn = async (context: RouteContext, body: JsonObject, id: string): Promise<Reply> => {
  const { store, turns } = await threadsOf(context);
  const call = turnCall(context);
  const previous = await findPrevious(store, call.caller, id).catch((thrown: unknown) => {
    throw asThreadError(thrown);
  });
  const kept = (await turns.spec(call.caller.space, previous.run)).request;
  const request = continued(body, context.wire.decodeRequest(body, { model: kept.model }), kept);
  if (previous.state === "in-flight") throw inFlight();
  if (previous.state === "continued") throw alreadyContinued();
  checkMessages(request, previous);
  checkModel(context, request.model);
  const turn = await turns
    .begin(call, {
      thread: previous.run.thread,
      spec: specOf(context, request),
      messages: request.messages.map((message) => ({ message })),
      ...(previous.parentId === undefined ? {} : { parentId: previous.parentId }),
      ifLeaf: previous.leaf,
    })
    .catch((thrown: unknown) => {
      throw asThreadError(thrown);
    });
  return replyOfTurn(context, turn);
};

/** A call whose body may hold a `thread`; `plain` answers it where it holds none. Throws the thread errors that the SDK acts on. */
export const answerOnThread = async (context: RouteContext, plain: () => Promise<Reply>): Promise<Reply> => {
  const { thread = null, ...body } = parseBody(context.call.body);
  if (thread === null) return plain();
  const wanted = wantedOf(thread);
  needs(context, "threads:write");
  if ((context.call.headers["heddle-thread"] ?? "") !== "")
    throw new GatewayError(
      "thread_unsupported",
      "thread: can't be used together with heddle-thread, which keeps the conversation; send the whole history.",
      { param: "thread" },
    );
  const headers = withoutOwnBeta(context.call.headers);
  const own: RouteContext = { ...context, call: { ...context.call, headers } };
  return wanted.type === "create" ? create(own, body) : goOn(own, body, wanted.id);
};
