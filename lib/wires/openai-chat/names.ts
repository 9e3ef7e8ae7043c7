// Names that every file of this wire shares, and how what has no neutral form is kept under them.
//
// Kept in `extra["openai-chat"]`:
//   a request:  its top-level fields that have no neutral form, and those that have several spellings here
//   a message:  its unknown fields; a system text: `start`, the message that begins with it
//   a part:     its unknown fields; a tool call: `call`, the rest of its object, and `legacy` where it is a `function_call`;
//               a reasoning part: `detail`, the rest of its entry in `reasoning_details`, and `field`, the name its text came under;
//               text, refusal, reasoning: `logprobs`
//   an answer:  `fields` of the top level, `choice` and `message` of its first choice; alternatives hold `choice` and `message`
import { isObject, type Json, type JsonObject } from "../../model/json.ts";
import type { Extra } from "../../model/wire-id.ts";

export const wireId = "openai-chat";

/** Who makes file ids and audio ids that a client of this wire sends. */
export const nativeOrigin = "openai";
/** Who makes the thought signatures in `extra_content.google`. */
export const googleOrigin = "google";
/** The state of a host that the client called on this very wire, whoever that was. */
export const unsealedOrigin = "openai-chat";

export const own = (value: { extra?: Extra }): JsonObject | undefined => value.extra?.[wireId];

export const extraOf = (fields: JsonObject): Extra => ({ [wireId]: fields });

/** Absent where there is nothing to keep. */
export const keptIn = (fields: JsonObject | undefined): { extra?: Extra } =>
  fields === undefined || isEmpty(fields) ? {} : { extra: extraOf(fields) };

export const isEmpty = (value: JsonObject): boolean => {
  for (const name in value) if (value[name] !== undefined) return false;
  return true;
};

/** The fields that are not in `known`; null says nothing on this wire, and is left out. */
export const rest = (value: JsonObject, known: ReadonlySet<string>): JsonObject => {
  const left: JsonObject = {};
  for (const name in value) {
    const field = value[name];
    if (!known.has(name) && field !== undefined && field !== null) left[name] = field;
  }
  return left;
};

/** `value` as JSON: SDK types have no index signature, though they are nothing else. */
export const json = (value: object): JsonObject => value as JsonObject;

/** The objects of an array; anything else in it is left out. */
export const objects = (value: Json | undefined): JsonObject[] =>
  Array.isArray(value) ? value.filter((entry): entry is JsonObject => isObject(entry)) : [];

/** The id of a call whose host gave it none: the same for the same answer, streamed or whole (F6). */
export const callIdFor = (answerId: string, choice: number, at: number): string => {
  const body = answerId.replaceAll(/[^a-zA-Z0-9]/g, "").slice(-20);
  return `call_${body}${choice === 0 ? "" : `c${choice}`}n${at}`;
};

export const completionId = (id: string, newId: () => string): string => {
  if (id === "") return `chatcmpl-${newId()}`;
  return id.startsWith("chatcmpl-") ? id : `chatcmpl-${id}`;
};
