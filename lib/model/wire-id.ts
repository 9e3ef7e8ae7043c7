// The protocols Heddle speaks. The first four face clients and providers; Converse faces providers only.

export const clientWireIds = ["anthropic-messages", "openai-chat", "openai-responses", "gemini-generate"] as const;
export type ClientWireId = (typeof clientWireIds)[number];
export type WireId = ClientWireId | "bedrock-converse";

import type { JsonObject } from "./json.ts";

/**
 * What a wire said that the neutral model has no name for, kept under that wire's id.
 * Only the same wire's encoder reads it back, so that same-wire round trips lose nothing.
 */
export type Extra = Partial<Record<WireId, JsonObject>>;
