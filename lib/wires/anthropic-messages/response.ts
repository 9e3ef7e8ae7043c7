// Whole answers, in both directions. What an answer holds beyond the model's words rides in `extra`.
import { GatewayError } from "../../model/error.ts";
import { asObject, asString, isObject } from "../../model/json.ts";
import type { Json, JsonObject } from "../../model/json.ts";
import type { ChatResponse, StopReason } from "../../model/event.ts";
import type { Part } from "../../model/message.ts";
import type { Extra } from "../../model/wire-id.ts";
import type { ReplyContext, Target } from "../wire.ts";
import { answerBlocks } from "./answer-blocks.ts";
import { decodeContent } from "./blocks-decode.ts";
import { carried, messageId, nativeExtra, wire } from "./common.ts";
import { errorFromBody } from "./errors.ts";
import { decodeStop, encodeStop, knownStop } from "./stop.ts";
import { decodeUsage, encodeUsage } from "./usage.ts";

const known = new Set(["id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"]);

/** The stop fields of a whole answer or of a `message_delta`. `extra` keeps a reason that no table knows. */
export const decodeEnding = (
  value: JsonObject,
  hasCalls: boolean,
): { reason: StopReason; native?: string; stopSequence?: string; extra?: Extra } => {
  const native = asString(value["stop_reason"]);
  const stopSequence = asString(value["stop_sequence"]);
  return {
    reason: decodeStop(native, hasCalls),
    ...(native === undefined ? {} : { native }),
    ...(stopSequence === undefined ? {} : { stopSequence }),
    ...(native === undefined || knownStop(native) ? {} : { extra: { [wire]: { stop_reason: native } } }),
  };
};

/** The fields of a message that are about the answer as a whole. */
export const messageExtra = (message: JsonObject): JsonObject | undefined => carried(message, known)?.extra[wire];

export const decodeResponse = (body: Json, target: Target): ChatResponse => {
  if (!isObject(body) || body["type"] === "error" || !Array.isArray(body["content"])) {
    if (isObject(body) && isObject(body["error"])) throw errorFromBody(undefined, {}, body, target);
    throw new GatewayError("upstream_error", "The provider's answer is not an Anthropic message.", {
      provider: target.provider,
    });
  }
  const parts = decodeContent(body["content"], { client: false, maker: target.maker }, "content");
  const { extra: reasonExtra, ...ending } = decodeEnding(
    body,
    parts.some((part) => part.type === "tool-call"),
  );
  const response: ChatResponse = {
    id: asString(body["id"]) ?? "",
    model: asString(body["model"]) ?? target.model,
    parts,
    ...ending,
  };
  const usage = asObject(body["usage"]);
  if (usage !== undefined) response.usage = decodeUsage(usage);
  const extra = { ...messageExtra(body), ...reasonExtra?.[wire] };
  if (Object.keys(extra).length > 0) response.extra = { [wire]: extra };
  return response;
};

/** What an answer's parts say about why it ended. */
export type Said = { calls: boolean; refusal: boolean };

const saidBy = (parts: readonly Part[]): Said => ({
  calls: parts.some((part) => part.type === "tool-call"),
  refusal: parts.some((part) => part.type === "refusal"),
});

export const encodeEnding = (
  ending: { reason: StopReason; stopSequence?: string },
  said: Said,
  extra: JsonObject | undefined,
): { stop_reason: string; stop_sequence: string | null } => ({
  stop_reason:
    (ending.reason === "other" ? asString(extra?.["stop_reason"]) : undefined) ?? encodeStop(ending.reason, said),
  stop_sequence: ending.stopSequence ?? null,
});

export const encodeResponse = (response: ChatResponse, context: ReplyContext): JsonObject => {
  const extra = nativeExtra(response.extra);
  return {
    id: messageId(response.id, context.newId),
    type: "message",
    role: "assistant",
    model: response.model === "" ? context.request.model : response.model,
    content: response.parts.flatMap((part) => answerBlocks(part, context.newId)),
    stop_details: null,
    ...extra,
    ...encodeEnding(response, saidBy(response.parts), extra),
    usage: encodeUsage(response.usage),
  };
};
