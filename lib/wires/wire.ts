// The port of a protocol: a two-way lens between its bytes and the neutral model, used on the client's side and on the provider's.
import type { GatewayError } from "../model/error.ts";
import type { ChatResponse, StreamEvent } from "../model/event.ts";
import type { Json, JsonObject } from "../model/json.ts";
import type { ChatRequest } from "../model/request.ts";
import type { Usage } from "../model/usage.ts";
import type { Headers } from "../model/call.ts";
import type { ClientWireId, WireId } from "../model/wire-id.ts";

/** What the path says where the body does not (Gemini's model and method). */
export type RequestContext = { model?: string; stream?: boolean };

/** How one host's dialect departs from the wire's own definition: data, not code. Absent means as the wire defines it. */
export type Dialect = {
  /** Chat: the field for the output limit. Default `max_completion_tokens`. */
  maxTokensField?: "max_completion_tokens" | "max_tokens";
  /** Chat: the role of opening instructions. Default `system`. */
  systemRole?: "system" | "developer";
  /** Chat: the request field in which visible reasoning is replayed; absent where the host refuses or ignores it. Both spellings are always read. */
  replayReasoning?: "reasoning_content" | "reasoning";
  /** Chat: false where `stream_options` is refused. */
  streamOptions?: boolean;
  /** Chat: what the host enforces. Default `json_schema`. With `tool` a schema is enforced by a forced call whose arguments become the answer. */
  structuredOutput?: "json_schema" | "json_object" | "tool" | "none";
  /** Chat: false where `parallel_tool_calls` is refused. */
  parallelToolCalls?: boolean;
  /** Chat: false where `tool_choice: required` is refused (it becomes `auto`, and is named as dropped). */
  toolChoiceRequired?: boolean;
  /** Chat: false where `reasoning_effort` is refused; `openrouter` where it goes as `reasoning: {effort, max_tokens}`. */
  reasoningEffort?: boolean | "openrouter";
  /** Chat: false where strict schemas are refused. */
  strictTools?: boolean;
  /** Usage: reasoning tokens come on top of the completion's (xAI). */
  reasoningOnTop?: boolean;
  /** Request fields of the wire that the host refuses; dropped by name. */
  refuses?: readonly string[];
  /** Media by plain URL are fetched by the gateway and sent inline. */
  inlineMedia?: boolean;
  /** Anthropic: true for models that think adaptively (effort, no budgets) and take structured output; false for the older ones. Absent: told by the model's name. */
  adaptiveThinking?: boolean;
  /** Gemini: true where function calls may carry ids (Gemini API yes, Vertex no). Default true. */
  functionIds?: boolean;
  /** Anthropic over Bedrock: `model` and `stream` leave the body, `anthropic_version` goes in. */
  bedrockAnthropic?: boolean;
};

/** Where a request goes. */
export type Target = {
  /** The provider's id in the configuration. */
  provider: string;
  /** Who makes the opaque state this target understands (`Opaque.origin`). */
  maker: string;
  /** The provider's own model name. */
  model: string;
  dialect: Dialect;
  /** The most output tokens the model can make, where known. */
  maxOutputTokens?: number;
};

/** `dropped`: request fields that the target can't express, by the client's neutral or wire name (`seed`, `tools[2]`, `messages[1].content[0]`) (F18). */
export type EncodedRequest = { body: JsonObject; dropped: string[]; headers?: Headers };

/** What an answer's encoder may need of the call: the request as decoded, and the clock. */
export type ReplyContext = {
  request: ChatRequest;
  /** Unix milliseconds. */
  now: number;
  /** A fresh id body (24 characters of [A-Za-z0-9]); the wire adds its own prefix. */
  newId: () => string;
};

/** Bytes to events. `push` takes any fragment, even one byte, and gives what became whole; `end` gives what an unfinished stream still means: an `error` event where it was cut (F26). */
export type EventDecoder = {
  push: (chunk: Uint8Array) => StreamEvent[];
  end: () => StreamEvent[];
};

/** Events to text. `push` gives the frames of all events in one string ("" for none). After `response-end` or `error` was pushed, `end` gives the closing frames, and nothing follows. */
export type EventEncoder = {
  push: (events: readonly StreamEvent[]) => string;
  end: () => string;
};

export type EncodedError = { status: number; headers: Headers; body: JsonObject | Json[] };

/**
 * A protocol. Laws, tested on recorded traffic: same-wire round trips are lossless in meaning; the fold of a stream equals the
 * whole answer; any fragmentation of the bytes gives the same events. Decoders of answers never throw on unknown fields, blocks
 * or events: they carry them.
 */
export type Wire = {
  id: WireId;
  /** The content type of an encoded stream. */
  streamType: string;
  /** A frame that keeps an idle connection alive and that every SDK of the wire skips; "" where there is none (F9). */
  heartbeat: string;

  /** A client's request. Throws `invalid_request` with `param` where a field has a wrong type; unknown fields are carried. */
  decodeRequest: (body: JsonObject, context: RequestContext) => ChatRequest;
  /** A request to a provider. Reads nothing that `target` can't have made (opaque state of others is left out). */
  encodeRequest: (request: ChatRequest, target: Target) => EncodedRequest;

  /** A provider's whole answer. Throws `upstream_error` where it is not this wire's. */
  decodeResponse: (body: Json, target: Target) => ChatResponse;
  encodeResponse: (response: ChatResponse, context: ReplyContext) => JsonObject;
  /** Where a whole answer tells its usage: a top-level member, which pass-through reads alone. */
  usageMember: string;
  /** That member's value; undefined where it says nothing. */
  decodeUsage: (value: Json, target: Target) => Usage | undefined;

  decodeEvents: (target: Target) => EventDecoder;
  encodeEvents: (context: ReplyContext) => EventEncoder;

  /** A provider's error answer, whatever its body is (JSON, HTML, nothing). Retry and rate-limit headers are kept. */
  decodeError: (status: number, headers: Headers, body: string, target: Target) => GatewayError;
  /** In the envelope of this wire, with the wire's own type and code names and its retry headers (F28, F29). */
  encodeError: (error: GatewayError, requestId: string) => EncodedError;
};

export type ClientWire = Wire & { id: ClientWireId };
