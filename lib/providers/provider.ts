// The port of a provider: a record of what it is, and how a call reaches it.
import type { Headers } from "../model/call.ts";
import type { JsonObject } from "../model/json.ts";
import type { Usage } from "../model/usage.ts";
import type { WireId } from "../model/wire-id.ts";
import type { Transport, TransportResponse } from "../http/transport.ts";
import type { Dialect } from "../wires/wire.ts";

export const providerKinds = [
  "openai",
  "anthropic",
  "gemini",
  "azure-openai",
  "bedrock",
  "openai-compatible",
  "echo",
] as const;
export type ProviderKind = (typeof providerKinds)[number];

/** One call on one of the provider's wires. */
export type UpstreamCall = {
  wire: WireId;
  operation: "generate" | "count-tokens" | "compact";
  /** The provider's own model name. */
  model: string;
  stream: boolean;
  /** Client headers fit to be forwarded (already on the allow list), lower-case. */
  headers: Headers;
  /** Serialised JSON. */
  body: Uint8Array | string;
};

/** A model as its provider lists it. Times are Unix seconds. */
export type ModelInfo = {
  id: string;
  displayName?: string;
  created?: number;
  ownedBy?: string;
  inputTokenLimit?: number;
  outputTokenLimit?: number;
  /** The provider's own record, for the same wire. */
  native?: { wire: WireId; value: JsonObject };
};

/** The services beside chat, over the vendor's SDK, each loaded when first used. Bodies are OpenAI-shaped as clients send them. */
export type ProviderServices = {
  listModels?: (signal: AbortSignal) => Promise<ModelInfo[]>;
  embeddings?: (body: JsonObject, signal: AbortSignal) => Promise<{ body: JsonObject; usage?: Usage }>;
  /** `images/generations`. */
  images?: (body: JsonObject, signal: AbortSignal) => Promise<{ body: JsonObject; usage?: Usage }>;
  /** `audio/speech`: text to audio. */
  speech?: (body: JsonObject, signal: AbortSignal) => Promise<{ contentType: string; body: AsyncIterable<Uint8Array> }>;
  /** `audio/transcriptions` and `audio/translations`: a multipart form, already parsed. */
  transcribe?: (form: AudioForm, signal: AbortSignal) => Promise<{ contentType: string; body: string }>;
};

export type AudioForm = {
  task: "transcriptions" | "translations";
  file: { name: string; type: string; bytes: Uint8Array };
  /** The other fields; `model` is the provider's own name. Repeated fields (`include[]`) are arrays. */
  fields: Record<string, string | string[]>;
};

export type Provider = {
  /** The name in the configuration: what stands before the "/" of a model. */
  id: string;
  kind: ProviderKind;
  /** Who makes the opaque state of its answers (`Opaque.origin`): hosts of the same models share it. */
  maker: string;
  /** Where a host serves models of several makers (Bedrock): the maker for one model. Absent: `maker` for all. */
  makerOf?: (model: string) => string;
  /** The wires it speaks for this model, the most wanted first. */
  wires: (model: string) => readonly WireId[];
  dialect: (model: string) => Dialect;
  /** Whether a bare model name is this provider's (`gpt-…`, `claude-…`). */
  claims: (model: string) => boolean;
  /** Models named in the configuration or known without asking; the list of the provider itself is a service. */
  models: readonly string[];
  /** The values that must never be seen outside: its keys. Used to redact. */
  secrets: () => readonly string[];
  /** Sends one call. An HTTP error is an answer; only a call that got none throws. */
  send: (call: UpstreamCall, signal: AbortSignal) => Promise<TransportResponse>;
  services: ProviderServices;
};

/** What every provider's factory is given. */
export type ProviderContext = {
  transport: Transport;
  now: () => number;
};
