// One model call as a client means it, whatever wire it came on.
import type { JsonObject } from "./json.ts";
import type { CacheHint, Message, TextPart } from "./message.ts";
import type { Extra, WireId } from "./wire-id.ts";

/** A client-side function. `parameters` is JSON Schema. */
export type FunctionTool = {
  type: "function";
  name: string;
  description?: string;
  parameters?: JsonObject;
  strict?: boolean;
  cache?: CacheHint;
  extra?: Extra;
};
/** A free-form tool of OpenAI: its input is text, perhaps under a grammar. */
export type CustomTool = { type: "custom"; name: string; description?: string; format?: JsonObject; extra?: Extra };
/** A tool the provider runs itself, or one of an unknown kind: kept whole for its own wire. `kind` is a common name where there is one. */
export type HostedTool = {
  type: "hosted";
  wire: WireId;
  /** Same meaning on several wires: encoders may translate these and drop the rest. */
  kind?: "web-search" | "code-execution" | "web-fetch";
  value: JsonObject;
};
export type Tool = FunctionTool | CustomTool | HostedTool;

export type ToolChoice =
  | { type: "auto" }
  | { type: "none" }
  | { type: "any" }
  | { type: "tool"; name: string }
  /** Only these tools may be called; `required` says that one must be. */
  | { type: "subset"; names: string[]; required: boolean }
  /** A choice of a wire with no neutral form (a hosted tool, say). */
  | { type: "native"; wire: WireId; value: JsonObject };

export type OutputFormat =
  | { type: "json-schema"; schema: JsonObject; name?: string; description?: string; strict?: boolean; extra?: Extra }
  | { type: "json" };

export type ReasoningEffort = "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max";
/**
 * `effort` and `budgetTokens` are two ways to say how much; encoders convert (PROTOCOLS section 8).
 * `show`: whether the caller wants to see the reasoning; `dynamic`: the model decides how much (Anthropic adaptive, Gemini -1).
 */
export type Reasoning = {
  effort?: ReasoningEffort;
  budgetTokens?: number;
  dynamic?: boolean;
  show?: "none" | "auto" | "concise" | "detailed";
  extra?: Extra;
};

export type Sampling = {
  temperature?: number;
  topP?: number;
  topK?: number;
  stop?: string[];
  seed?: number;
  presencePenalty?: number;
  frequencyPenalty?: number;
  logprobs?: boolean;
  topLogprobs?: number;
  logitBias?: JsonObject;
  /** How many candidates; absent is 1. */
  candidates?: number;
};

export type ChatRequest = {
  model: string;
  stream: boolean;
  /** The opening instructions. */
  system: TextPart[];
  messages: Message[];
  tools: Tool[];
  toolChoice?: ToolChoice;
  /** false forbids parallel calls. */
  parallelToolCalls?: boolean;
  output?: OutputFormat;
  sampling: Sampling;
  maxOutputTokens?: number;
  reasoning?: Reasoning;
  verbosity?: string;
  serviceTier?: string;
  /** Chat's `stream_options.include_usage`: absent where the wire has no such thing and always tells. */
  includeUsage?: boolean;
  metadata?: { userId?: string; labels?: JsonObject };
  cacheKey?: string;
  /** A cache hint for the request as a whole (Anthropic's top-level `cache_control`). */
  cache?: CacheHint;
  /** Top-level fields that only this wire knows. */
  extra?: Extra;
};
