// The state fields of a Responses call: read once, checked together, before anything is written.
import { GatewayError, invalid } from "../../model/error.ts";
import { isObject, type JsonObject } from "../../model/json.ts";
import type { Message } from "../../model/message.ts";
import type { ChatRequest } from "../../model/request.ts";
import { findItem } from "../../threads/path.ts";
import { loadHead, type Thread } from "../../threads/head.ts";
import { messageFacts } from "../../threads/message-items.ts";
import { hasEnded, type Run } from "../../threads/run-items.ts";
import { getRun } from "../../threads/runs.ts";
import type { Caller, ThreadStore } from "../../threads/store.ts";
import { runOfAnswer } from "../../turns/ids.ts";

export type State = {
  store: boolean;
  background: boolean;
  /** The id as the caller gave it. */
  previous: string | undefined;
  conversation: string | undefined;
};

const flag = (body: JsonObject, name: string, otherwise: boolean): boolean => {
  const value = body[name] ?? otherwise;
  if (typeof value !== "boolean") throw invalid(name, "expected true or false");
  return value;
};

const text = (body: JsonObject, name: string): string | undefined => {
  const value = body[name] ?? undefined;
  if (value !== undefined && (typeof value !== "string" || value === "")) throw invalid(name, "expected an id");
  return value;
};

const conversationOf = (body: JsonObject): string | undefined => {
  const value = body["conversation"] ?? undefined;
  if (value === undefined) return undefined;
  const id = isObject(value) ? value["id"] : value;
  if (typeof id !== "string" || id === "") throw invalid("conversation", "expected a conversation's id, or {id}");
  return id;
};

export const readState = (body: JsonObject): State => {
  const state: State = {
    store: flag(body, "store", true),
    background: flag(body, "background", false),
    previous: text(body, "previous_response_id"),
    conversation: conversationOf(body),
  };
  if (state.previous !== undefined && state.conversation !== undefined)
    throw invalid("previous_response_id", "can't be used together with conversation");
  if (state.background && !state.store) throw invalid("background", "needs the response to be stored: leave store out");
  return state;
};

/** Fields that are Heddle's to keep, not a provider's to be told. */
const stateFields: ReadonlySet<string> = new Set(["store", "background", "previous_response_id", "conversation"]);

/**
 * The request without its state, and its messages as they are stored: opening instructions that came as items are the conversation's,
 * those in `instructions` are this response's alone.
 */
export const splitRequest = (
  decoded: ChatRequest,
  body: JsonObject,
): { request: ChatRequest; messages: Message[]; echo: JsonObject } => {
  const own = typeof body["instructions"] === "string" ? 1 : 0;
  const opening = decoded.system.slice(own);
  const { "openai-responses": fields = {}, ...others } = decoded.extra ?? {};
  const kept = Object.fromEntries(Object.entries(fields).filter(([name]) => !stateFields.has(name)));
  const request: ChatRequest = { ...decoded, system: decoded.system.slice(0, own), messages: [] };
  delete request.extra;
  if (Object.keys(kept).length > 0 || Object.keys(others).length > 0)
    request.extra = { ...others, "openai-responses": kept };
  const echo: JsonObject = {};
  for (const name of stateFields) if (body[name] !== undefined) echo[name] = body[name];
  return {
    request,
    messages: [...(opening.length === 0 ? [] : [{ role: "system" as const, parts: opening }]), ...decoded.messages],
    echo,
  };
};

const previousNotFound = (id: string): GatewayError =>
  new GatewayError("previous_response_not_found", `Previous response with id '${id.slice(0, 200)}' not found.`, {
    param: "previous_response_id",
  });

/** The run that an id names, if it is the caller's. */
const findResponse = async (store: ThreadStore, caller: Caller, id: string): Promise<Run | undefined> => {
  const place = id.startsWith("resp_") ? runOfAnswer(id.slice("resp_".length)) : undefined;
  if (place === undefined) return undefined;
  try {
    const run = await getRun(store, caller, place.thread, place.run);
    return run.metadata["deleted"] === true ? undefined : run;
  } catch (thrown) {
    if (thrown instanceof GatewayError && thrown.code === "not_found") return undefined;
    throw thrown;
  }
};

export const loadResponse = async (store: ThreadStore, caller: Caller, id: string): Promise<Run> => {
  const run = await findResponse(store, caller, id);
  if (run === undefined)
    throw new GatewayError("not_found", `Response with id '${id.slice(0, 200)}' not found.`, { param: "response_id" });
  return run;
};

/** Where a response stands: its thread, and the last message of what it knows. */
export type Previous = { head: Thread; leaf: string | undefined; run: Run };

export const loadPrevious = async (store: ThreadStore, caller: Caller, id: string): Promise<Previous> => {
  const run = await findResponse(store, caller, id);
  if (run === undefined) throw previousNotFound(id);
  if (!hasEnded(run.state) && run.state !== "requires_action")
    throw new GatewayError("conflict", "The previous response is still in progress.", {
      param: "previous_response_id",
      retryable: true,
    });
  const head = await loadHead(store, caller, run.thread);
  if (run.output !== undefined) return { head, leaf: run.output, run };
  // It failed before it said anything: what it was asked stays.
  const found = run.lastInput === undefined ? undefined : await findItem(store, head, run.lastInput);
  return { head, leaf: found === undefined ? undefined : messageFacts(found.item).id, run };
};
