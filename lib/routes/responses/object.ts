// A stored response as one object: the last word of its own stream, or, where its events are no longer kept, its message encoded again.
import { GatewayError } from "../../model/error.ts";
import type { ChatResponse, StreamEvent } from "../../model/event.ts";
import { asArray, asNumber, asObject, asString, isObject, type JsonObject, parseJson } from "../../model/json.ts";
import type { Part } from "../../model/message.ts";
import { getMessage } from "../../threads/messages.ts";
import { hasEnded, type Run } from "../../threads/run-items.ts";
import type { Caller, ThreadStore } from "../../threads/store.ts";
import { contextOf, encodeRun, type EncodedRun, wireAnswerId } from "../../turns/encode.ts";
import type { RunSpec } from "../../turns/types.ts";
import { clientWires } from "../../wires/index.ts";

const wire = clientWires["openai-responses"];

export const encodedResponse = (run: Run, spec: RunSpec): EncodedRun => ({ run, spec, wire });

/** The `response` of the last frame that has one. */
const lastResponse = (frames: string): JsonObject | undefined => {
  let found: JsonObject | undefined;
  for (const line of frames.split("\n")) {
    if (!line.startsWith("data: {")) continue;
    const response = asObject(asObject(parseJson(line.slice(6)))?.["response"]);
    if (response !== undefined) found = response;
  }
  return found;
};

/** What a response is before its first event. */
const unbegun = (encoded: EncodedRun): JsonObject => {
  const { run, spec } = encoded;
  const start: StreamEvent = {
    type: "response-start",
    id: wireAnswerId(wire.id, run.thread, run.id),
    model: spec.request.model,
    createdAt: Math.floor(run.createdAt / 1000),
  };
  return lastResponse(wire.encodeEvents(contextOf(encoded)).push([start])) ?? {};
};

/** The items of an answer, with the ids that its response gives them. */
export const outputOf = (run: Run, spec: RunSpec, parts: Part[]): JsonObject[] => {
  const response: ChatResponse = { id: "", model: "", parts, reason: "end" };
  return (asArray(wire.encodeResponse(response, contextOf(encodedResponse(run, spec)))["output"]) ?? []).filter(
    isObject,
  );
};

const fromMessage = async (store: ThreadStore, caller: Caller, encoded: EncodedRun): Promise<JsonObject> => {
  const { run } = encoded;
  if (run.output === undefined) return unbegun(encoded);
  const { message } = await getMessage(store, caller, run.thread, run.output);
  const result = run.result ?? {};
  const response: ChatResponse = {
    id: wireAnswerId(wire.id, run.thread, run.id),
    model: asString(result["model"]) ?? encoded.spec.request.model,
    createdAt: Math.floor(run.createdAt / 1000),
    parts: message.parts,
    reason: (asString(result["reason"]) ?? "end") as ChatResponse["reason"],
  };
  if (run.usage !== undefined) response.usage = run.usage;
  return wire.encodeResponse(response, contextOf(encoded));
};

const ended = async (store: ThreadStore, caller: Caller, encoded: EncodedRun): Promise<JsonObject> => {
  let frames = "";
  try {
    for await (const text of encodeRun(store, caller, encoded)) frames += text;
  } catch (thrown) {
    if (!(thrown instanceof GatewayError) || thrown.code !== "not_found") throw thrown;
  }
  return lastResponse(frames) ?? fromMessage(store, caller, encoded);
};

const errorOf = (run: Run): JsonObject => ({
  code: "server_error",
  message: run.error?.message ?? "The response ended before it was finished.",
});

/** The response as it stands now. */
export const responseObject = async (
  store: ThreadStore,
  caller: Caller,
  run: Run,
  spec: RunSpec,
): Promise<JsonObject> => {
  const encoded = encodedResponse(run, spec);
  if (!hasEnded(run.state) && run.state !== "requires_action")
    return { ...unbegun(encoded), status: run.state === "queued" ? "queued" : "in_progress" };
  const response = await ended(store, caller, encoded);
  if (run.state === "cancelled") return { ...response, status: "cancelled", error: null, incomplete_details: null };
  if (run.state === "failed" || run.state === "expired")
    return { ...response, status: "failed", error: isObject(response["error"]) ? response["error"] : errorOf(run) };
  return response;
};

/** Frames of a stream after a sequence number: the wire's own cursor, which follows from the log. */
export const framesAfter = (frames: string, sequence: number): string => {
  if (sequence < 0) return frames;
  let kept = "";
  for (const frame of frames.split(/(?<=\n\n)/)) {
    const number = asNumber(asObject(parseJson(/^data: (.*)$/m.exec(frame)?.[1] ?? ""))?.["sequence_number"]);
    if (number === undefined || number > sequence) kept += frame;
  }
  return kept;
};
