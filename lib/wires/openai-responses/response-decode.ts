// A provider's whole Response as a neutral answer.
import type { GatewayError } from "../../model/error.ts";
import { GatewayError as Failure } from "../../model/error.ts";
import type { ChatResponse } from "../../model/event.ts";
import { asNumber, asObject, asString, compact, isObject, type Json, type JsonObject } from "../../model/json.ts";
import { decodeOpenAiError } from "../shared/openai-error.ts";
import type { Target } from "../wire.ts";
import { decodeItem } from "./items.ts";
import { extraOf, objects, wireId } from "./names.ts";
import { contentsOf, decodeEnding } from "./status.ts";
import { decodeUsage } from "./usage.ts";

const known: ReadonlySet<string> = new Set(["id", "object", "created_at", "model", "output", "output_text", "usage"]);

/** The Response without what the neutral model carries, nulls and all: it goes back to a client of this wire as it was. */
export const responseRest = (response: JsonObject): JsonObject => {
  const left: JsonObject = {};
  for (const name in response) if (!known.has(name) && response[name] !== undefined) left[name] = response[name];
  return left;
};

/** The statuses that OpenAI's codes of failed Responses would have as HTTP answers; the rest are the request's fault. */
const statuses: Readonly<Record<string, number>> = {
  server_error: 500,
  internal_error: 500,
  rate_limit_exceeded: 429,
  insufficient_quota: 429,
  vector_store_timeout: 504,
  server_overloaded: 503,
  server_is_overloaded: 503,
  overloaded: 503,
  invalid_api_key: 401,
  model_not_found: 404,
};

/** An `error` event's or a failed Response's error: flat, nested or a bare string. */
export const failureOf = (error: Json | undefined, target: Target): GatewayError => {
  const given = asObject(error);
  const code = asString(given?.["code"]) ?? asString(given?.["type"]);
  const told: JsonObject = {
    message: asString(given?.["message"]) ?? asString(error) ?? "The provider failed to answer.",
    type: given?.["type"] ?? null,
    code: given?.["code"] ?? null,
    param: given?.["param"] ?? null,
  };
  const usual = code === undefined ? undefined : statuses[code];
  const status = usual ?? asNumber(given?.["status"]) ?? (code === undefined || code === "error" ? 500 : 400);
  return decodeOpenAiError(status < 400 ? 500 : status, {}, JSON.stringify({ error: told }), target, wireId);
};

export const decodeResponse = (body: Json, target: Target): ChatResponse => {
  if (!isObject(body) || (!Array.isArray(body["output"]) && body["object"] !== "response")) {
    if (isObject(body) && (body["error"] ?? null) !== null) throw failureOf(body["error"], target);
    throw new Failure("upstream_error", "The provider's answer is not a Response.", { provider: target.provider });
  }
  if (body["status"] === "failed" || (isObject(body["error"]) && body["status"] !== "completed"))
    throw failureOf(body["error"], target);
  const parts = objects(body["output"]).flatMap((item) => decodeItem(item, target.maker));
  return compact<ChatResponse>({
    id: asString(body["id"]) ?? "",
    model: asString(body["model"]) ?? target.model,
    createdAt: asNumber(body["created_at"]),
    parts,
    ...decodeEnding(body, contentsOf(parts)),
    usage: decodeUsage(body["usage"]),
    extra: extraOf({ response: responseRest(body) }),
  });
};
