// `heddle-thread` on a chat route: the history comes from the thread, only what is new is taken from the request.
import type { Reply } from "../model/call.ts";
import { GatewayError, invalid } from "../model/error.ts";
import type { Message, Part } from "../model/message.ts";
import { findRun } from "../threads/closing.ts";
import { loadHead } from "../threads/head.ts";
import { getMessage } from "../threads/messages.ts";
import { createThread } from "../threads/threads.ts";
import type { Caller, ThreadStore } from "../threads/store.ts";
import type { ClientWireId } from "../model/wire-id.ts";
import type { RequestContext } from "../wires/wire.ts";
import { checkModel, type RouteContext } from "./route.ts";
import { conflictOf, decodeCall, replyOfTurn, specOf, threadsOf, turnCall } from "./turns.ts";

/** Makes a thread of the call's own. */
const newThread = "new";

/**
 * What a request adds to its thread: all of it where the thread is empty, else what follows its last answer. Clients that send the
 * whole history, as SDKs do, and clients that send the new message alone mean the same.
 */
const newMessages = async (
  store: ThreadStore,
  caller: Caller,
  thread: string,
  messages: readonly Message[],
): Promise<readonly Message[]> => {
  const last = messages.findLastIndex(({ role }) => role === "assistant");
  if (last < 0) return messages;
  const { nextSeq } = await loadHead(store, caller, thread);
  return nextSeq === 0 ? messages : messages.slice(last + 1);
};

/** Gemini's results may name their function alone: they are the results of the calls that the thread waits for, in their order. */
const matchResults = async (
  store: ThreadStore,
  caller: Caller,
  thread: string,
  messages: readonly Message[],
): Promise<readonly Message[]> => {
  const isResult = (part: Part): boolean => part.type === "tool-result";
  if (!messages.some(({ parts }) => parts.some(isResult))) return messages;
  const head = await loadHead(store, caller, thread);
  const parked = head.parked === undefined ? undefined : await findRun(store, caller.space, thread, head.parked);
  if (parked?.output === undefined) return messages;
  const { message } = await getMessage(store, caller, thread, parked.output);
  const given = new Set(messages.flatMap(({ parts }) => parts.map((part) => ("callId" in part ? part.callId : ""))));
  const open = message.parts.flatMap((part) =>
    part.type === "tool-call" && !given.has(part.callId) ? [{ name: part.name, id: part.callId }] : [],
  );
  const known = new Set(parked.pending);
  return messages.map((each) => ({
    ...each,
    parts: each.parts.map((part) => {
      if (part.type !== "tool-result" || known.has(part.callId)) return part;
      const at = open.findIndex(({ name }) => name === part.name);
      const [call] = at < 0 ? [] : open.splice(at, 1);
      return call === undefined ? part : { ...part, callId: call.id };
    }),
  }));
};

/** The wires' own words for state. */
const ownState: Partial<Record<ClientWireId, readonly string[]>> = {
  "anthropic-messages": ["thread"],
  "openai-responses": ["previous_response_id", "conversation", "background"],
};

export const joinThread = async (
  context: RouteContext,
  path: RequestContext,
  array: boolean,
  named: string,
): Promise<Reply> => {
  const { store, turns } = await threadsOf(context);
  const call = turnCall(context);
  const { body, request } = decodeCall(context, path);
  for (const name of ownState[context.wire.id] ?? [])
    if ((body[name] ?? false) !== false) throw invalid(name, "can't be used together with heddle-thread");
  if ((request.sampling.candidates ?? 1) > 1) throw invalid("n", "expected 1: a thread has one answer a turn");
  const onConflict = conflictOf(context.call.headers["heddle-on-conflict"], "heddle-on-conflict");
  checkModel(context, request.model);
  const thread = named === newThread ? (await createThread(store, call.caller)).thread.id : named;
  const fresh = await newMessages(store, call.caller, thread, request.messages);
  if (fresh.length === 0)
    throw new GatewayError("invalid_request", "There is no new message after the last answer.", { param: "messages" });
  const messages = await matchResults(store, call.caller, thread, fresh);
  const turn = await turns.begin(call, {
    thread,
    spec: specOf(context, request, array ? { array } : {}),
    messages: messages.map((message) => ({ message })),
    ...(onConflict === undefined ? {} : { onConflict }),
  });
  return replyOfTurn(context, turn);
};
