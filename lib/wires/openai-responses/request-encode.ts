// A request to a provider of this wire. On the same wire everything goes as it came; from another one what can't be said is named.
import type { ResponseCreateParams } from "openai/resources/responses/responses";
import { asArray, isObject, type JsonObject } from "../../model/json.ts";
import type { ChatRequest } from "../../model/request.ts";
import type { EncodedRequest, Target } from "../wire.ts";
import { encodeInput, encodeSystem } from "./input-encode.ts";
import { isEmpty, own } from "./names.ts";
import { encodeFormat, encodeReasoningOptions } from "./options.ts";
import { encodeTool, encodeToolChoice } from "./tools.ts";

/** A field of the body, checked against the SDK's names. */
type Field = keyof ResponseCreateParams;

/** OpenAI's least. */
const leastOutputTokens = 16;
/** OpenAI's longest `safety_identifier`. */
const longestUserId = 64;

const tiers: ReadonlySet<string> = new Set(["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"]);

/** Sampling that this wire has no field for, in neutral names. */
const inexpressible = ["topK", "stop", "seed", "presencePenalty", "frequencyPenalty", "logitBias"] as const;

export const encodeRequest = (request: ChatRequest, target: Target): EncodedRequest => {
  const same = own(request);
  const dropped: string[] = [];
  const drop = (path: string): void => {
    dropped.push(path);
  };
  const body: JsonObject = { model: target.model };
  const set = (name: Field, value: JsonObject[string]): void => {
    if (value !== undefined) body[name] = value;
  };
  const reader = { maker: target.maker, same: same !== undefined };
  const system = encodeSystem(request.system, reader);
  set("instructions", system.instructions);
  const systemRole = target.dialect.systemRole ?? "system";
  const items = encodeInput(request.messages, { reader, systemRole, drop });
  if (system.items.length > 0 || items.length > 0 || same?.["prompt"] === undefined)
    set("input", [...system.items, ...items]);
  encodeToolFields(request, set, drop);
  encodeLimits(request, same, target, set, drop);
  if (same === undefined) {
    // No state is kept upstream; its reasoning comes back sealed instead, and goes on with the next turn.
    set("store", false);
    const include = ["reasoning.encrypted_content"];
    if (request.sampling.logprobs === true) include.push("message.output_text.logprobs");
    set("include", include);
  } else {
    const { text: _text, ...others } = same;
    Object.assign(body, others);
  }
  if (request.stream) set("stream", true);
  for (const name of target.dialect.refuses ?? [])
    if (body[name] !== undefined && name !== "model" && name !== "input") {
      delete body[name];
      // What only the gateway put in is no loss to the caller.
      if (same !== undefined || (name !== "store" && name !== "include")) drop(name);
    }
  return { body, dropped };
};

type SetField = (name: Field, value: JsonObject[string]) => void;

const encodeToolFields = (request: ChatRequest, set: SetField, drop: (path: string) => void): void => {
  const tools: JsonObject[] = [];
  request.tools.forEach((tool, at) => {
    const encoded = encodeTool(tool);
    if (encoded === undefined) drop(`tools[${at}]`);
    else tools.push(encoded);
  });
  if (tools.length > 0) set("tools", tools);
  if (request.toolChoice !== undefined) {
    const choice = encodeToolChoice(request.toolChoice, request.tools);
    if (choice === undefined) drop("toolChoice");
    // Without tools OpenAI refuses to be told to call one.
    else if (tools.length > 0 || own(request) !== undefined) set("tool_choice", choice);
  }
  if (request.parallelToolCalls !== undefined && (tools.length > 0 || own(request) !== undefined))
    set("parallel_tool_calls", request.parallelToolCalls);
};

const encodeLimits = (
  request: ChatRequest,
  same: JsonObject | undefined,
  target: Target,
  set: SetField,
  drop: (path: string) => void,
): void => {
  const { sampling, maxOutputTokens, metadata } = request;
  const text: JsonObject = { ...(isObject(same?.["text"]) ? same["text"] : {}) };
  if (request.output !== undefined) text["format"] = encodeFormat(request.output);
  if (request.verbosity !== undefined) text["verbosity"] = request.verbosity;
  if (!isEmpty(text)) set("text", text);
  if (request.reasoning !== undefined) set("reasoning", encodeReasoningOptions(request.reasoning));
  if (maxOutputTokens !== undefined) {
    const least = same === undefined && target.maker === "openai" ? leastOutputTokens : 1;
    set("max_output_tokens", Math.max(least, maxOutputTokens));
  }
  set("temperature", sampling.temperature);
  set("top_p", sampling.topP);
  set("top_logprobs", sampling.topLogprobs);
  for (const name of inexpressible) {
    const value = sampling[name];
    if (value !== undefined && !(asArray(value)?.length === 0)) drop(name);
  }
  if (sampling.candidates !== undefined && sampling.candidates > 1) drop("candidates");
  if (metadata?.labels !== undefined) set("metadata", metadata.labels);
  if (metadata?.userId !== undefined && same === undefined) {
    if (metadata.userId.length <= longestUserId) set("safety_identifier", metadata.userId);
    else drop("metadata.userId");
  }
  set("prompt_cache_key", request.cacheKey);
  if (request.serviceTier !== undefined) {
    if (same !== undefined || tiers.has(request.serviceTier)) set("service_tier", request.serviceTier);
    else drop("serviceTier");
  }
};
