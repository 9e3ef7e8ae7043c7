// An answer on its way to a client: events in, the grammar of PROTOCOLS section 2.3 out, and the Response that it makes.
// The whole answer is written by the same hand, so that stream and body can't disagree.
import type { GatewayError } from "../../model/error.ts";
import type { StreamEvent } from "../../model/event.ts";
import { asObject, asString, type JsonObject } from "../../model/json.ts";
import type { Part } from "../../model/message.ts";
import { noUsage, type Usage } from "../../model/usage.ts";
import { encodeOpenAiError } from "../shared/openai-error.ts";
import type { ReplyContext } from "../wire.ts";
import { echo } from "./envelope.ts";
import { callWriter } from "./writers/call.ts";
import type { ItemOutput, ItemStatus, ItemWriter } from "./writers/item.ts";
import { messageWriter } from "./writers/message.ts";
import { imageWriter, opaqueWriter } from "./writers/opaque.ts";
import { carrierItem, reasoningWriter } from "./writers/reasoning.ts";
import { own, wireId } from "./names.ts";
import { encodeEnding, type Contents } from "./status.ts";
import { encodeUsage } from "./usage.ts";

export type ResponseWriter = {
  push: (event: StreamEvent) => void;
  /** Whether a closing event was written. */
  over: () => boolean;
  /** The Response as it stands. */
  response: () => JsonObject;
};

/** `write` takes each event of the stream, without its sequence number. */
export const createResponseWriter = (
  context: ReplyContext,
  write: (type: string, fields: JsonObject) => void,
): ResponseWriter => {
  const used = new Set<string>();
  const output: JsonObject[] = [];
  const seen: Contents = { calls: false, refusal: false };
  let head: JsonObject = {};
  /** The provider's own Response where it came on this wire: its fields go before ours. */
  let same: JsonObject | undefined;
  let tail: JsonObject = {};
  let usage: Usage | undefined;
  let current: ItemWriter | undefined;
  let skipping = false;
  let started = false;
  let announced = false;
  let over = false;

  const emit = (type: string, fields: JsonObject): void => {
    if (!over) write(type, fields);
  };
  const response = (): JsonObject => ({ ...head, ...tail, output: [...output], usage: counts() });
  const counts = (): JsonObject | null => (usage === undefined ? null : encodeUsage(usage));

  const id = (prefix: string, given: string | undefined): string => {
    // On the same wire an id is the provider's business, odd or used twice (xAI) as it may be.
    const fits =
      given !== undefined && given !== "" && (same !== undefined || (given.startsWith(prefix) && !used.has(given)));
    const chosen = fits ? given : `${prefix}${context.newId()}`;
    used.add(chosen);
    return chosen;
  };

  const begin = (event?: Extract<StreamEvent, { type: "response-start" }>): void => {
    if (started) return;
    started = true;
    same = asObject(event?.extra?.[wireId]?.["response"]);
    if (event?.usage !== undefined) usage = event.usage;
    head = {
      id: id("resp_", event?.id),
      created_at: event?.createdAt ?? Math.floor(context.now / 1000),
      model: event?.model ?? context.request.model,
      ...echo(context.request),
      ...same,
    };
    const queued = same?.["status"] === "queued";
    // How it ended is told at the end: a whole answer that is unfolded knows too much here.
    const opening = { error: null, incomplete_details: null, completed_at: null };
    tail = { status: queued ? "queued" : "in_progress", ...opening };
    emit("response.created", { response: { ...response(), usage: null } });
    if (!queued) announce();
  };

  const announce = (): void => {
    if (announced) return;
    announced = true;
    tail = { ...tail, status: "in_progress" };
    emit("response.in_progress", { response: { ...response(), usage: null } });
  };

  const item = (): ItemOutput => ({ emit, id, index: output.length });

  const close = (status: ItemStatus): void => {
    if (current === undefined) return;
    const state = current.state();
    output.push(current.close(status));
    current = undefined;
    if (state !== undefined) output.push(carrierItem(state, "previous", item()));
  };

  const open = (part: Part): ItemWriter | undefined => {
    switch (part.type) {
      case "text":
      case "refusal":
        if (part.type === "refusal") seen.refusal = true;
        return messageWriter(part, item());
      case "reasoning":
        return reasoningWriter(part, item());
      case "tool-call":
        seen.calls = true;
        if (part.opaque !== undefined) output.push(carrierItem(part.opaque, "next", item()));
        return callWriter(part, item());
      case "image":
        return part.source.kind === "base64" ? imageWriter(part, item()) : undefined;
      case "opaque":
        if (part.wire !== wireId) return undefined;
        return own(part)?.["whole"] === true ? messageWriter(part, item()) : opaqueWriter(part, item());
      default:
        return undefined;
    }
  };

  const startPart = (given: Part): void => {
    // What was said in sound has no slot here; its words have.
    const part: Part =
      given.type === "audio" && given.transcript !== undefined ? { type: "text", text: given.transcript } : given;
    announce();
    if (current?.takes(part) !== true) {
      const writable = part.type !== "opaque" || part.wire === wireId;
      if (writable) close("completed");
      const next = writable ? open(part) : undefined;
      skipping = next === undefined;
      if (next === undefined) return;
      current = next;
    }
    skipping = false;
    current?.start(part);
  };

  const finish = (event: Extract<StreamEvent, { type: "response-end" }>): void => {
    begin();
    announce();
    if (event.usage !== undefined) usage = event.usage;
    const last = asObject(event.extra?.[wireId]?.["response"]);
    if (last !== undefined) same = last;
    const ending = encodeEnding(event, seen, same);
    close(ending.status === "incomplete" ? "incomplete" : "completed");
    // Clients count on numbers in the last event, also where a provider of another wire told none.
    if (usage === undefined && same === undefined) usage = noUsage;
    const ended = ending.status === "completed" ? Math.floor(context.now / 1000) : null;
    tail = {
      ...last,
      status: ending.status,
      incomplete_details: ending.incomplete_details,
      error: ending.error ?? null,
      completed_at: same !== undefined && "completed_at" in same ? same["completed_at"] : ended,
    };
    const name = ["incomplete", "failed"].includes(ending.status) ? ending.status : "completed";
    emit(`response.${name}`, { response: response() });
    over = true;
  };

  /** As OpenAI does: an error event, which SDKs throw, and the failed Response, which agents wait for. */
  const fail = (error: GatewayError): void => {
    const body = encodeOpenAiError(error, "", "responses").body;
    const told = asObject(Array.isArray(body) ? undefined : body["error"]) ?? {};
    const message = asString(told["message"]) ?? error.message;
    const code = asString(told["code"]) ?? asString(told["type"]) ?? "server_error";
    const param = told["param"] ?? null;
    emit("error", { code, message, param, error: { type: told["type"] ?? "server_error", code, message, param } });
    over = true;
    // A stream whose beginning others wrote has an id that isn't known here: no second one is made up.
    if (!started) return;
    // What was being written is in the failed Response, but nobody is told that it is done.
    close("incomplete");
    tail = { ...tail, status: "failed", error: { code, message }, incomplete_details: null };
    write("response.failed", { response: response() });
  };

  const push = (event: StreamEvent): void => {
    if (over) return;
    switch (event.type) {
      case "response-start":
        begin(event);
        return;
      case "part-start":
        begin();
        startPart(event.part);
        return;
      case "part-delta":
        if (skipping) return;
        current?.delta(event.delta);
        return;
      case "part-end":
        if (!skipping) current?.end(event.final);
        skipping = false;
        // A message may go on, and a call's status may come with the end of all; other items are whole.
        if (current?.lingers === false) close("completed");
        return;
      case "usage":
        usage = event.usage;
        return;
      case "response-end":
        finish(event);
        return;
      case "error":
        fail(event.error);
        return;
      case "opaque": {
        const value = asObject(event.value);
        if (event.wire !== wireId || value === undefined) return;
        begin();
        if (event.name !== "response.queued") announce();
        emit(event.name ?? asString(value["type"]) ?? "", value);
        return;
      }
      case "choice-end":
    }
  };

  return { push, over: () => over, response };
};
