// A request in this wire's words, for one target. What it can't say is named, never silently lost (F18).
import { asObject } from "../../model/json.ts";
import type { JsonObject } from "../../model/json.ts";
import type { TextPart } from "../../model/message.ts";
import type { ChatRequest, Sampling } from "../../model/request.ts";
import type { EncodedRequest, Target } from "../wire.ts";
import { encodeBlock } from "./blocks-encode.ts";
import type { BlockWriter } from "./blocks-encode.ts";
import { encodeCache, nativeExtra } from "./common.ts";
import { encodeMessages, unthinkingLoop } from "./history.ts";
import { targetFacts } from "./models.ts";
import type { AnthropicFacts } from "./models.ts";
import { encodeReasoning } from "./thinking.ts";
import type { EncodedReasoning } from "./thinking.ts";
import { encodeTools, isForced } from "./tools.ts";

/** Blocks, or one string where there is nothing but a text. */
const encodeSystem = (system: readonly TextPart[], writer: BlockWriter): JsonObject[] | string | undefined => {
  const blocks: JsonObject[] = [];
  system.forEach((part, at) => {
    const block = encodeBlock(part, "system", writer, `system[${at}]`);
    if (block !== undefined) blocks.push(block);
  });
  const [only] = blocks;
  if (only === undefined) return undefined;
  return blocks.length === 1 && Object.keys(only).length === 2 && typeof only["text"] === "string"
    ? only["text"]
    : blocks;
};

/** The sampling fields this wire has no word for, by their neutral names. */
const unsaid = [
  "seed",
  "presencePenalty",
  "frequencyPenalty",
  "logprobs",
  "topLogprobs",
  "logitBias",
] as const satisfies readonly (keyof Sampling)[];

const encodeSampling = (sampling: Sampling, facts: AnthropicFacts, thinks: boolean, dropped: string[]): JsonObject => {
  const body: JsonObject = {};
  for (const name of unsaid)
    if (sampling[name] !== undefined && sampling[name] !== 0 && sampling[name] !== false) dropped.push(name);
  if (sampling.candidates !== undefined && sampling.candidates > 1) dropped.push("candidates");
  const { temperature, topP, topK, stop } = sampling;
  if (temperature !== undefined) {
    const plain = facts.sampling && !thinks;
    if (temperature === 1 || (plain && temperature < 1)) body["temperature"] = temperature;
    else {
      dropped.push("temperature");
      // The scale ends at 1 here; above it the nearest is still what was meant.
      if (plain) body["temperature"] = 1;
    }
  }
  if (topP !== undefined) {
    const both = facts.oneSampler && body["temperature"] !== undefined;
    const legal = facts.sampling ? !both && (!thinks || topP >= 0.95) : topP === 1 && !both;
    if (legal) body["top_p"] = topP;
    else dropped.push("topP");
  }
  if (topK !== undefined) {
    if (facts.sampling && !thinks) body["top_k"] = topK;
    else dropped.push("topK");
  }
  if (stop !== undefined && stop.length > 0) {
    // Whitespace alone is refused as a stop sequence.
    const legal = stop.filter((text) => text.trim() !== "");
    if (legal.length < stop.length) dropped.push("stop");
    if (legal.length > 0) body["stop_sequences"] = legal;
  }
  return body;
};

const tiers = new Map([
  ["auto", "auto"],
  ["standard_only", "standard_only"],
  ["default", "standard_only"],
]);

/** Budgets and forced calls exclude each other; adaptive models are told their effort alone. */
const besideChoice = (
  encoded: EncodedReasoning,
  facts: AnthropicFacts,
  native: boolean,
  dropped: string[],
): EncodedReasoning => {
  if (encoded.thinking === undefined || encoded.thinking["type"] === "disabled") return encoded;
  if (facts.adaptive && encoded.thinking["type"] !== "enabled") {
    if (native) return encoded;
    return encoded.effort === undefined ? {} : { effort: encoded.effort };
  }
  dropped.push("reasoning");
  return {};
};

const encodeThinking = (
  request: ChatRequest,
  facts: AnthropicFacts,
  limit: number,
  forced: boolean,
  messages: readonly JsonObject[],
  dropped: string[],
): EncodedReasoning => {
  if (request.reasoning === undefined) return {};
  const encoded = encodeReasoning(request.reasoning, facts, limit, dropped);
  if (forced) return besideChoice(encoded, facts, nativeExtra(request.reasoning.extra) !== undefined, dropped);
  if (encoded.thinking?.["type"] === "enabled" && unthinkingLoop(messages)) {
    dropped.push("reasoning");
    return {};
  }
  return encoded;
};

const outputConfig = (
  request: ChatRequest,
  facts: AnthropicFacts,
  effort: string | undefined,
  dropped: string[],
): JsonObject | undefined => {
  const config: JsonObject = { ...asObject(nativeExtra(request.extra)?.["output_config"]) };
  if (effort !== undefined) config["effort"] = effort;
  if (request.output?.type === "json-schema" && facts.structuredOutput)
    config["format"] = { type: "json_schema", schema: request.output.schema, ...nativeExtra(request.output.extra) };
  else if (request.output !== undefined) dropped.push("output");
  return Object.keys(config).length === 0 ? undefined : config;
};

/** Never above what the target can make, where that is known; filled where the client left it out. */
const outputLimit = (request: ChatRequest, target: Target, facts: AnthropicFacts): number => {
  const most = target.maxOutputTokens ?? Number.POSITIVE_INFINITY;
  return request.maxOutputTokens === undefined
    ? (target.maxOutputTokens ?? facts.maxOutputTokens)
    : Math.min(request.maxOutputTokens, most);
};

export const encodeRequest = (request: ChatRequest, target: Target): EncodedRequest => {
  const dropped: string[] = [];
  const facts = targetFacts(target);
  const bedrock = target.dialect.bedrockAnthropic === true;
  const writer: BlockWriter = { maker: target.maker, drop: (path) => void dropped.push(path) };
  const limit = outputLimit(request, target, facts);
  const system = encodeSystem(request.system, writer);
  const messages = encodeMessages(request, writer, facts.systemTurns);
  const { tools, toolChoice } = encodeTools(request, !bedrock, dropped);
  const { thinking, effort } = encodeThinking(request, facts, limit, isForced(toolChoice), messages, dropped);
  const thinks = thinking !== undefined && thinking["type"] !== "disabled";
  const config = outputConfig(request, facts, effort, dropped);
  const cache = encodeCache(request.cache);
  const extra = nativeExtra(request.extra);

  const body: JsonObject = bedrock ? { anthropic_version: "bedrock-2023-05-31" } : { model: target.model };
  body["max_tokens"] = limit;
  if (system !== undefined) body["system"] = system;
  if (tools !== undefined) body["tools"] = tools;
  if (toolChoice !== undefined) body["tool_choice"] = toolChoice;
  if (thinking !== undefined) body["thinking"] = thinking;
  Object.assign(body, encodeSampling(request.sampling, facts, thinks, dropped));
  if (request.serviceTier !== undefined) {
    const tier = tiers.get(request.serviceTier);
    if (tier === undefined) dropped.push("serviceTier");
    else body["service_tier"] = tier;
  }
  if (cache !== undefined) body["cache_control"] = cache;
  Object.assign(body, extra);
  // What a body for Bedrock holds in place of headers is an unknown field elsewhere.
  if (!bedrock) for (const name of ["anthropic_version", "anthropic_beta"]) delete body[name];
  const user = request.metadata?.userId;
  if (user !== undefined) body["metadata"] = { user_id: user, ...asObject(extra?.["metadata"]) };
  if (config !== undefined) body["output_config"] = config;
  if (request.metadata?.labels !== undefined) dropped.push("metadata.labels");
  if (request.verbosity !== undefined) dropped.push("verbosity");
  if (request.cacheKey !== undefined) dropped.push("cacheKey");
  if (request.stream && !bedrock) body["stream"] = true;
  // Last, as it grows: what stands before it is the same from turn to turn (F23).
  body["messages"] = messages;
  for (const name of target.dialect.refuses ?? [])
    if (body[name] !== undefined) {
      delete body[name];
      dropped.push(name);
    }
  return { body, dropped };
};

const countFields = [
  "model",
  "messages",
  "system",
  "tools",
  "tool_choice",
  "thinking",
  "output_config",
  "output_format",
  "cache_control",
  "mcp_servers",
  "context_management",
  "speed",
];

/** An encoded request as `/v1/messages/count_tokens` takes it: only what changes the count. */
export const countTokensBody = (body: JsonObject): JsonObject => {
  const counted: JsonObject = {};
  for (const name of countFields) if (body[name] !== undefined) counted[name] = body[name];
  return counted;
};
