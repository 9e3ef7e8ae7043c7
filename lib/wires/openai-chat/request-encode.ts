// A request to a provider, in the dialect of its host. What can't be said to it is named, never silently lost (F18).
import type { ChatCompletionCreateParams } from "openai/resources/chat/completions";
import { asObject, type JsonObject } from "../../model/json.ts";
import type { ChatRequest, Sampling } from "../../model/request.ts";
import type { EncodedRequest, Target } from "../wire.ts";
import { encodeMessages, encodeSystem } from "./messages-encode.ts";
import { own } from "./names.ts";
import { encodeOutput, encodeReasoning } from "./options.ts";
import { samplingFields } from "./request-decode.ts";
import { encodeTools } from "./tools.ts";

/** A field of the body, checked against the SDK's names. */
type Field = keyof ChatCompletionCreateParams;

/** OpenAI's longest `safety_identifier` and `user`. */
const longestUserId = 64;
/** OpenAI's most stop sequences. */
const mostStops = 4;

const tiers: ReadonlyMap<string, string> = new Map([
  ...["auto", "default", "flex", "scale", "priority", "fast"].map((tier) => [tier, tier] as const),
  ["standard_only", "default"],
]);

type Writer = {
  request: ChatRequest;
  target: Target;
  /** The request's own fields of this wire; absent where it came on another. */
  same: JsonObject | undefined;
  /** Whether the host takes Anthropic's cache hints and more sampling than OpenAI: OpenRouter. */
  router: boolean;
  body: JsonObject;
  drop: (path: string) => void;
};

export const encodeRequest = (request: ChatRequest, target: Target): EncodedRequest => {
  const dropped: string[] = [];
  const same = own(request);
  const router = target.dialect.reasoningEffort === "openrouter";
  const body: JsonObject = { model: target.model };
  const drop = (path: string): void => void dropped.push(path);
  const writer: Writer = { request, target, same, router, body, drop };
  const reader = { maker: target.maker, same: same !== undefined, cacheControl: router };
  const tools = encodeTools(request, target, router, drop);
  const messages = { target, reader, drop };
  body["messages"] = [...encodeSystem(request.system, messages), ...encodeMessages(request.messages, messages)];
  Object.assign(body, tools, encodeOutput(request.output, target, drop));
  if (request.reasoning !== undefined) Object.assign(body, encodeReasoning(request.reasoning, target, drop));
  encodeSampling(writer);
  encodeLimits(writer);
  encodeLabels(writer);
  encodeOthers(writer);
  for (const name of target.dialect.refuses ?? [])
    if (body[name] !== undefined && name !== "model" && name !== "messages") {
      delete body[name];
      drop(name);
    }
  return { body, dropped };
};

const set = (body: JsonObject, name: Field, value: JsonObject[string]): void => {
  if (value !== undefined) body[name] = value;
};

const encodeSampling = ({ request, target, same, router, body, drop }: Writer): void => {
  const { sampling } = request;
  for (const name of Object.keys(samplingFields) as (keyof typeof samplingFields)[]) {
    const value = sampling[name];
    // One candidate is what everyone gives; many hosts refuse the field.
    if (value === undefined || (name === "candidates" && value === 1 && same === undefined)) continue;
    body[samplingFields[name]] = value;
  }
  set(body, "logprobs", sampling.logprobs ?? (sampling.topLogprobs === undefined ? undefined : true));
  set(body, "logit_bias", sampling.logitBias);
  if (sampling.topK !== undefined && same === undefined) {
    if (router) body["top_k"] = sampling.topK;
    else drop("topK" satisfies keyof Sampling);
  }
  const { stop } = sampling;
  if (stop === undefined || stop.length === 0) return;
  const cut = same === undefined && target.maker === "openai" && stop.length > mostStops;
  if (cut) drop("stop" satisfies keyof Sampling);
  const kept = cut ? stop.slice(0, mostStops) : stop;
  set(body, "stop", kept.length === 1 ? kept[0] : kept);
};

/** The output limit: in the host's own field, and never above what the model can make. */
const encodeLimits = ({ request, target, body }: Writer): void => {
  const { maxOutputTokens } = request;
  if (maxOutputTokens === undefined) return;
  const name = target.dialect.maxTokensField ?? "max_completion_tokens";
  set(body, name, Math.min(maxOutputTokens, target.maxOutputTokens ?? Number.POSITIVE_INFINITY));
};

const encodeLabels = ({ request, same, body, drop }: Writer): void => {
  const { metadata, serviceTier } = request;
  if (metadata?.labels !== undefined) set(body, "metadata", metadata.labels);
  if (metadata?.userId !== undefined && same === undefined) {
    // The older field: every host knows it, or ignores it.
    if (metadata.userId.length <= longestUserId) set(body, "user", metadata.userId);
    else drop("metadata.userId");
  }
  set(body, "prompt_cache_key", request.cacheKey);
  set(body, "verbosity", request.verbosity);
  if (serviceTier !== undefined) {
    const tier = same === undefined ? tiers.get(serviceTier) : serviceTier;
    if (tier === undefined) drop("serviceTier");
    else set(body, "service_tier", tier);
  }
  if (request.cache !== undefined) drop("cache");
};

const encodeOthers = ({ request, target, same, body }: Writer): void => {
  const { stream_options: said, ...others } = same ?? {};
  Object.assign(body, others);
  if (!request.stream) return;
  body["stream"] = true;
  // Always asked for, as metering needs it; the caller is told only where it asked itself.
  if (target.dialect.streamOptions !== false) body["stream_options"] = { ...asObject(said), include_usage: true };
};
